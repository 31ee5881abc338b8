/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remoted/visitor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/reason.h"
#include "common/relay.h"
#include "remoted/child.h"
#include "remoted/door.h"
#include "remoted/guest.h"
#include "remoted/home.h"
#include "remoted/look.h"
#include "remoted/node.h"
#include "remoted/offer.h"

/* ---- the messages ---- */

static struct guest *named_guest(struct visitor *v, const msgpack_object *map, int *ret_error)
{
	uint32_t pid, epoch;

	*ret_error = msg_get_u32(map, "pid", &pid) < 0 || msg_get_u32(map, "epoch", &epoch) < 0 ? -EPROTO : 0;
	return *ret_error ? NULL : guest_find(v->node, v->name, pid, epoch);
}

static int cancel(struct visitor *v, const msgpack_object *map)
{
	int r;
	struct guest *g = named_guest(v, map, &r);

	if (g)
		guest_fail(g, MOSIX_WHY_REVOKED, 0, NULL);
	return r;
}

static int forward_signal(struct visitor *v, const msgpack_object *map)
{
	uint32_t number;
	int r;
	struct guest *g = named_guest(v, map, &r);

	if (r < 0 || msg_get_u32(map, "sig", &number) < 0 || (number != SIGSTOP && number != SIGCONT && number != SIGKILL))
		return -EPROTO;
	if (g && g->process == GUEST_ALIVE && g->home->cage)
		cage_signal(g->home->cage, g->pid, g->epoch, (int)number);
	return 0;
}

static int ping(struct visitor *v, const msgpack_object *map)
{
	struct msg m;
	uint64_t id;

	if (msg_get_uint(map, "id", &id) < 0)
		return -EPROTO;
	msg_begin(&m, "pong");
	msg_add_uint(&m, "id", id);
	msg_add_uint(&m, "mem_free", machine_available());
	msg_add_uint(&m, "guests", node_guests(v->node));
	msg_add_uint(&m, "load", v->node->load);
	msg_add_uint(&m, "mono", clock_ns(CLOCK_MONOTONIC));
	msg_add_uint(&m, "boot", clock_ns(CLOCK_BOOTTIME));
	visitor_send(v, &m);
	return 0;
}

static const struct {
	const char *type;
	int (*take)(struct visitor *visitor, const msgpack_object *map);
} messages[] = {
	{ "ping",    ping },
	{ "offer",   offer_take },
	{ "content", offer_content },
	{ "child",   child_take },
	{ "cancel",  cancel },
	{ "signal",  forward_signal },
	{ "stack",   look_take },
};

/* ---- the session ---- */

static void up(struct session *session, void *data, const char *name, const msgpack_object *hello)
{
	struct visitor *v = data;

	(void)hello;
	if (!conf_name_valid(name)) {
		log_warning("%s calls itself by a name that is none; session ended", session_peer(session));
		visitor_end(v);
		return;
	}
	snprintf(v->name, sizeof v->name, "%s", name);
	log_info("session with %s (%s)", v->name, session_peer(session));
	home_visited(v->node, v->name, v);
}

static void message(struct session *session, void *data, const char *type, const msgpack_object *map)
{
	struct visitor *v = data;

	(void)session;
	for (unsigned i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		if (strcmp(type, messages[i].type) != 0)
			continue;
		if (messages[i].take(v, map) < 0) {
			log_warning("%s sent a malformed %s; session ended", v->name, type);
			visitor_end(v);
		}
		return;
	}
}

static void gone(struct visitor *v)
{
	LIST_REMOVE(v, link);
	home_left(v->node, v);
	look_left(v->node, v);
	alarm_end(&v->leave);
	free(v);
}

static void down(struct session *session, void *data, enum mosix_why reason, const char *why)
{
	struct visitor *v = data;

	(void)session;
	if (v->name[0])
		log_info("session with %s ended: %s", v->name, why);
	else
		log_warning("no session: %s (%s)", why, reason_name(reason));
	gone(v);
}

static bool welcome(void *data, int fd, const struct mosix_channel_hello *hello)
{
	return guest_link(data, fd, hello);
}

/* No session at all, but a channel that has to be carried through TLS. */
static void channel(struct session *session, void *data, struct tls *tls, int fd)
{
	struct visitor *v = data;
	struct node *node = v->node;

	(void)session;
	gone(v);
	relay_accept(node->relays, tls, fd, welcome, node);
}

static void drained(struct session *session, void *data)
{
	(void)session;
	look_drained(data);
}

static const struct session_events events = {
	.up = up, .message = message, .down = down, .drained = drained, .channel = channel,
};

void visitor_end(struct visitor *v)
{
	session_close(v->session);
	gone(v);
}

static void leave(void *data)
{
	visitor_end(data);
}

/* Those that are not through the handshake are strangers like those at the door. */
static void make_place(struct node *node)
{
	struct visitor *v, *oldest = NULL;
	unsigned strangers = 0;

	LIST_FOREACH(v, &node->visitors, link)
		if (!v->name[0]) {
			strangers++;
			oldest = v;
		}
	if (strangers >= DOOR_STRANGERS)
		visitor_end(oldest);
}

static void pair(msgpack_packer *packer, const char *key, uint64_t value)
{
	msgpack_pack_str_with_body(packer, key, strlen(key));
	msgpack_pack_uint64(packer, value);
}

/* What the hello says besides the node's name. Returns the number of pairs. */
static unsigned describe(const struct node *node, msgpack_sbuffer *buffer)
{
	msgpack_packer packer;

	msgpack_packer_init(&packer, buffer, msgpack_sbuffer_write);
	pair(&packer, "cpus", node->machine.cpus);
	pair(&packer, "mem_total", node->machine.mem_total);
	pair(&packer, "mem_free", machine_available());
	pair(&packer, "guests", node_guests(node));
	pair(&packer, "pid_max", node->machine.pid_max);
	pair(&packer, "load", node->load);
	pair(&packer, "mono", clock_ns(CLOCK_MONOTONIC));
	pair(&packer, "boot", clock_ns(CLOCK_BOOTTIME));
	msgpack_pack_str_with_body(&packer, "lacks", 5);
	msgpack_pack_str_with_body(&packer, node->machine.lacks, strlen(node->machine.lacks));
	return 9;
}

void visitor_accept(struct node *node, int fd)
{
	__attribute__((cleanup(msgpack_sbuffer_destroy))) msgpack_sbuffer more = { 0 };
	struct session_hello hello = { .node = node->name, .pairs = describe(node, &more) };
	struct visitor *v = calloc(1, sizeof *v);

	make_place(node);
	hello.more = more.data;
	hello.more_size = more.size;
	if (v)
		v->leave = alarm_new(node->loop, leave, v);
	if (!v || !v->leave) {
		log_error("no memory for a session");
		close(fd);
		free(v);
		return;
	}
	v->node = node;
	v->session = session_accept(node->loop, fd, &node->key, &hello, &events, v);
	if (!v->session) {
		alarm_end(&v->leave);
		free(v);
		return;
	}
	LIST_INSERT_HEAD(&node->visitors, v, link);
}

void visitor_send(struct visitor *v, struct msg *m)
{
	const void *data;
	size_t size;
	int r = msg_finish(m, &data, &size);

	/* Not at once: whoever sends may be working through a list that the end of the session changes. */
	if (v && (r < 0 || session_send(v->session, data, size) == -ENOBUFS)) {
		log_warning("%s does not read what it is told; session ended", v->name);
		alarm_set(v->leave, 0);
	}
	msg_free(m);
}

void visitor_refuse(struct visitor *v, uint64_t id, enum mosix_why reason, int64_t detail, const char *text)
{
	struct msg m;

	msg_begin(&m, "refuse");
	msg_add_uint(&m, "id", id);
	msg_add_uint(&m, "reason", reason);
	msg_add_int(&m, "detail", detail);
	msg_add_str(&m, "text", text);
	visitor_send(v, &m);
}
