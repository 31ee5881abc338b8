/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "homed/births.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include "common/log.h"
#include "homed/channels.h"
#include "homed/move.h"
#include "homed/nodes.h"
#include "homed/orders.h"
#include "homed/process.h"

#define PATIENCE_MS 5000	/* until the node has answered and the channels stand */
#define LATEST_MS   600000	/* until the child is there, which may have been stopped, or never made */
#define COMING_MS   2000	/* most are there in a hundredth of that */
#define IDS         (1ull << 62)	/* and on: those of offers are below */

struct birth {
	LIST_ENTRY(birth) list;
	struct homed *homed;
	uint64_t id;
	uint32_t epoch;			/* the child's, and its parent's */
	char node_name[CONF_NAME];
	struct node *node;		/* NULL once the deputy has its channels */
	uint8_t token[MOSIX_TOKEN_SIZE];
	struct channels *channels;
	bool connected, linked, relayed;
	struct order_link *link;	/* who asked; NULL once answered … */
	uint64_t given_ms;		/* … at this time */
	uv_timer_t deadline;
};

static LIST_HEAD(, birth) births = LIST_HEAD_INITIALIZER(births);

static void timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void end(struct birth *b)
{
	LIST_REMOVE(b, list);
	channels_close(b->channels);
	b->channels = NULL;
	uv_close((uv_handle_t *)&b->deadline, timer_closed);
}

/* The node has a record of a child without a number, whose epoch is made of the id, until one is there. */
static void fail(struct birth *b, const char *why)
{
	log_debug("birth %llx at %s: %s", (unsigned long long)b->id, b->node_name, why);
	if (b->link)
		order_none(b->link);
	if (b->node)
		offer_cancel(b->node, 0, (uint32_t)b->id);
	end(b);
}

static void overdue(uv_timer_t *timer)
{
	struct birth *b = timer->data;

	fail(b, b->link ? "takes too long" : "the child does not come");
}

static void give(struct birth *b)
{
	int fd[MOSIX_CHANNELS_MAX], r;
	unsigned fds;

	if (!b->connected || !b->linked || !b->link)
		return;
	fds = channels_descriptors(b->channels, fd);
	b->relayed = channels_relayed(b->channels);
	r = order_child(b->link, b->epoch, b->id, fd, fds);
	if (r < 0) {
		fail(b, strerror(-r));
		return;
	}
	channels_close(b->channels);
	b->channels = NULL;
	b->link = NULL;
	b->node = NULL;
	b->given_ms = uv_now(b->homed->loop);
	uv_timer_start(&b->deadline, overdue, LATEST_MS, 0);
}

static void connected(void *data, int error)
{
	struct birth *b = data;

	if (error) {
		fail(b, strerror(-error));
		return;
	}
	b->connected = true;
	give(b);
}

static int ask_node(struct birth *b, const struct process *parent)
{
	struct msg m;

	msg_begin(&m, "child");
	msg_add_uint(&m, "id", b->id);
	msg_add_uint(&m, "pid", (uint64_t)parent->pid);
	msg_add_uint(&m, "epoch", b->epoch);
	msg_add_bin(&m, "token", b->token, sizeof(b->token));
	return node_send(b->node, &m);
}

/* A program that homed believes elsewhere, or that is just being called home for good, forks at home. */
static struct node *node_of(const struct process *p, const struct mosix_word *word)
{
	struct node *node = p && process_away(p) && p->epoch == word->epoch ? node_find(p->homed, p->where) : NULL;

	if (!node || node->state != NODE_UP || p->homed->blocked || p->homed->stopping)
		return NULL;
	return p->move && p->move->kind == MOVE_HOME ? NULL : node;
}

/* Another one after each start of homed: an old child must not be taken for a new one. */
static uint64_t new_id(void)
{
	static uint64_t last;
	uint32_t random = 0;

	if (!last) {
		while (getrandom(&random, sizeof(random), 0) != sizeof(random))
			;
		last = IDS + ((uint64_t)random << 24);
	}
	return ++last;
}

void births_ask(struct homed *homed, struct process *p, struct order_link *link, const struct mosix_word *word)
{
	struct node *node = node_of(p, word);
	struct birth *b = node ? calloc(1, sizeof(*b)) : NULL;

	if (!b || getrandom(b->token, sizeof(b->token), 0) != sizeof(b->token)) {
		free(b);
		order_none(link);
		return;
	}
	b->homed = homed;
	b->id = new_id();
	b->epoch = p->epoch;
	b->node = node;
	memcpy(b->node_name, node->name, sizeof(b->node_name));
	b->link = link;
	uv_timer_init(homed->loop, &b->deadline);
	b->deadline.data = b;
	LIST_INSERT_HEAD(&births, b, list);
	uv_timer_start(&b->deadline, overdue, PATIENCE_MS, 0);
	if (ask_node(b, p) < 0)
		fail(b, "the node is not told");
}

static struct birth *find(uint64_t id)
{
	struct birth *b;

	LIST_FOREACH(b, &births, list)
		if (b->id == id)
			break;
	return b;
}

static void on_accept(struct birth *b)
{
	int r;

	if (b->channels)
		return;
	r = channels_open(b->homed, (struct sockaddr *)&b->node->peer, 0, b->token, MOSIX_CHANNELS, connected, b, &b->channels);
	if (r < 0)
		fail(b, strerror(-r));
}

bool births_message(struct node *node, const char *type, const msgpack_object *map)
{
	struct birth *b;
	uint64_t id;

	if (msg_get_uint(map, "id", &id) < 0 || id <= IDS)
		return false;
	b = find(id);
	if (!b || b->node != node)
		return true;
	if (!strcmp(type, "accept")) {
		on_accept(b);
	} else if (!strcmp(type, "linked")) {
		b->linked = true;
		give(b);
	} else if (!strcmp(type, "refuse")) {
		fail(b, "the node does not want it");
	}
	return true;
}

bool births_forked(struct homed *homed, pid_t pid, struct order_link *link, const struct mosix_word *word)
{
	struct birth *b = find((uint64_t)word->detail);
	struct process *p;
	int r;

	if (b && (b->link || word->epoch != b->epoch))
		b = NULL;
	r = word->pages ? process_register(homed, pid, word->pages, word->bytes, &p) : -EPROTO;
	if (r == 0) {
		p->epoch = word->epoch;
		p->relayed = b && b->relayed;
		process_set_where(p, b ? b->node_name : "?");	/* homed is another one since: it can be called home */
		log_debug("process %d was born at %s", pid, process_where(p));
		order_none(link);
	} else {
		log_warning("process %d, born elsewhere, cannot be registered: %s", pid, strerror(-r));
	}
	if (b)
		end(b);
	return r == 0;
}

unsigned births_awaited(void)
{
	const struct birth *b;
	unsigned count = 0;

	LIST_FOREACH(b, &births, list)
		count += b->given_ms && uv_now(b->homed->loop) - b->given_ms < COMING_MS;
	return count;
}

void births_node_down(struct node *node)
{
	struct birth *b, *next;

	for (b = LIST_FIRST(&births); b; b = next) {
		next = LIST_NEXT(b, list);
		if (b->node == node)
			fail(b, "the node is gone");
	}
}

void births_link_cut(struct order_link *link)
{
	struct birth *b, *next;

	for (b = LIST_FIRST(&births); b; b = next) {
		next = LIST_NEXT(b, list);
		if (b->link == link) {
			b->link = NULL;
			fail(b, "its parent is gone");
		}
	}
}

void births_stop(struct homed *homed)
{
	(void)homed;
	while (!LIST_EMPTY(&births))
		fail(LIST_FIRST(&births), "homed ends");
}
