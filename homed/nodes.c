/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "homed/nodes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "common/log.h"
#include "homed/births.h"
#include "homed/moves.h"
#include "homed/stops.h"

#define PING_MS       1000
#define DEAD_MS       5000
#define BACK_OFF_MIN  200
#define BACK_OFF_MAX  5000

struct nodes { unsigned count; struct node node[]; };

static void connect_node(struct node *n);

const char *node_state_name(enum node_state state)
{
	static const char *const names[] = {
		[NODE_CONNECTING] = "down", [NODE_DOWN] = "down", [NODE_UP] = "up", [NODE_REFUSED] = "refused",
	};

	return names[state];
}

struct node *node_at(struct homed *homed, unsigned index)
{
	return index < homed->nodes->count ? &homed->nodes->node[index] : NULL;
}

struct node *node_find(struct homed *homed, const char *name)
{
	struct node *n;

	for (unsigned i = 0; (n = node_at(homed, i)); i++)
		if (!strcmp(n->name, name))
			return n;
	return NULL;
}

struct node *nodes_best(struct homed *homed, const char *except)
{
	struct node *best = NULL, *n;

	for (unsigned i = 0; (n = node_at(homed, i)); i++) {
		if (n->state != NODE_UP || (except && !strcmp(n->name, except)))
			continue;
		/* guests/cpus compared without division */
		if (!best || (uint64_t)n->guests * best->cpus < (uint64_t)best->guests * n->cpus)
			best = n;
	}
	return best;
}

bool nodes_connecting(struct homed *homed)
{
	struct node *n;

	for (unsigned i = 0; (n = node_at(homed, i)); i++)
		if (n->state == NODE_CONNECTING)
			return true;
	return false;
}

int node_send(struct node *node, struct msg *message)
{
	const void *data;
	size_t size;
	int r = msg_finish(message, &data, &size);

	if (r == 0)
		r = node->session ? session_send(node->session, data, size) : -ENOTCONN;
	msg_free(message);
	return r;
}

static void attempt_again(uv_timer_t *timer)
{
	connect_node(timer->data);
}

/* The session is over, or there never was one: says so to all whom it concerns and tries again later. */
static void lost(struct node *n, enum node_state state, uint32_t reason, const char *why)
{
	enum node_state before = n->state;
	uint32_t wait = n->back_off_ms;

	n->session = NULL;
	n->state = state;
	outcome_set(&n->outcome, reason, 0, "%s", why);
	if (before == NODE_UP || before == NODE_CONNECTING || before != state)
		log_info("node %s is %s: %s", n->name, node_state_name(state), n->outcome.text);
	n->back_off_ms = n->back_off_ms * 2 > BACK_OFF_MAX ? BACK_OFF_MAX : n->back_off_ms * 2;
	uv_timer_start(&n->timer, attempt_again, wait, 0);
	births_node_down(n);
	moves_node_down(n);
}

static void session_is_down(struct session *session, void *data, enum mosix_why reason, const char *why)
{
	(void)session;
	lost(data, reason == MOSIX_WHY_WRONG_KEY || reason == MOSIX_WHY_VERSION ? NODE_REFUSED : NODE_DOWN, reason, why);
}

/*
 * A guest's clock must not be behind home's, or a wait that home makes for it would seem to end early: the reading is older
 * than now by the way here, so the difference is too large by that and never too small.
 */
static void take_clocks(struct node *n, const msgpack_object *map)
{
	uint64_t mono, boot;
	int64_t mono_ahead, boot_ahead;

	if (msg_get_uint(map, "mono", &mono) < 0 || msg_get_uint(map, "boot", &boot) < 0)
		return;
	mono_ahead = (int64_t)(clock_ns(CLOCK_MONOTONIC) - mono);
	boot_ahead = (int64_t)(clock_ns(CLOCK_BOOTTIME) - boot);
	if (!n->ahead_known || mono_ahead < n->mono_ahead)
		n->mono_ahead = mono_ahead;
	if (!n->ahead_known || boot_ahead < n->boot_ahead)
		n->boot_ahead = boot_ahead;
	n->ahead_known = true;
}

static void take_facts(struct node *n, const msgpack_object *map)
{
	msg_get_u32(map, "cpus", &n->cpus);
	msg_get_u32(map, "guests", &n->guests);
	msg_get_u32(map, "load", &n->load);
	msg_get_u32(map, "pid_max", &n->pid_max);
	msg_get_uint(map, "mem_total", &n->mem_total);
	msg_get_uint(map, "mem_free", &n->mem_free);
	if (!n->cpus)
		n->cpus = 1;
	take_clocks(n, map);
}

static void ping(uv_timer_t *timer)
{
	struct node *n = timer->data;
	struct msg m;

	if (uv_now(n->homed->loop) - n->heard_ms >= DEAD_MS) {
		session_close(n->session);
		lost(n, NODE_DOWN, MOSIX_WHY_NODE_DEAD, "nothing was heard for 5 s");
		return;
	}
	msg_begin(&m, "ping");
	msg_add_uint(&m, "id", ++n->asked);
	node_send(n, &m);	/* a queue that is full will be found out by the silence */
}

static void session_is_up(struct session *session, void *data, const char *node, const msgpack_object *hello)
{
	struct node *n = data;

	(void)session;
	if (strcmp(node, n->name))
		log_warning("node %s calls itself %s", n->name, node);
	n->lacks[0] = 0;
	n->ahead_known = false;
	take_facts(n, hello);
	msg_get_str(hello, "lacks", n->lacks, sizeof(n->lacks));
	n->heard_ms = uv_now(n->homed->loop);
	n->back_off_ms = BACK_OFF_MIN;
	if (n->lacks[0]) {
		n->state = NODE_REFUSED;
		outcome_set(&n->outcome, MOSIX_WHY_NO_CAGE, 0, "%s", n->lacks);
	} else {
		n->state = NODE_UP;
		outcome_clear(&n->outcome);
	}
	log_info("node %s is %s%s%s", n->name, node_state_name(n->state), n->lacks[0] ? ": " : "", n->lacks);
	uv_timer_start(&n->timer, ping, PING_MS, PING_MS);
	moves_node_changed(n->homed);
	stops_node_up(n->homed->stops, n->name);
}

static void session_message(struct session *session, void *data, const char *type, const msgpack_object *map)
{
	struct node *n = data;

	(void)session;
	n->heard_ms = uv_now(n->homed->loop);
	if (!strcmp(type, "pong"))
		take_facts(n, map);
	else if (!births_message(n, type, map))
		moves_node_message(n, type, map);
}

static void session_drained(struct session *session, void *data)
{
	(void)session;
	moves_node_drained(data);
}

static const struct session_events events = {
	.up = session_is_up, .message = session_message, .down = session_is_down, .drained = session_drained,
};

static void open_session(struct node *n)
{
	struct session_hello hello = { .node = n->homed->conf.name };

	n->session = session_connect(n->homed->loop, (struct sockaddr *)&n->peer, &n->homed->key, &hello, &events, n);
	if (!n->session)
		lost(n, NODE_DOWN, MOSIX_WHY_NODE_DEAD, "no memory or no descriptor for a session");
}

static void resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
	struct node *n = request->data;

	n->resolving = false;
	if (status == UV_ECANCELED)
		return;
	if (status < 0 || found->ai_addrlen > sizeof(n->peer)) {
		lost(n, NODE_DOWN, MOSIX_WHY_NODE_DEAD, status < 0 ? uv_strerror(status) : "its address is too long");
	} else {
		memcpy(&n->peer, found->ai_addr, found->ai_addrlen);
		open_session(n);
	}
	uv_freeaddrinfo(found);
}

static bool parse_number(struct node *n)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&n->peer;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&n->peer;

	memset(&n->peer, 0, sizeof(n->peer));
	if (inet_pton(AF_INET, n->address.host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(n->address.port);
		return true;
	}
	if (inet_pton(AF_INET6, n->address.host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(n->address.port);
		return true;
	}
	return false;
}

static void connect_node(struct node *n)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	char port[8];
	int r;

	if (parse_number(n)) {
		open_session(n);
		return;
	}
	snprintf(port, sizeof(port), "%u", n->address.port);
	n->resolve.data = n;
	r = uv_getaddrinfo(n->homed->loop, &n->resolve, resolved, n->address.host, port, &hints);
	if (r < 0)
		lost(n, NODE_DOWN, MOSIX_WHY_NODE_DEAD, uv_strerror(r));
	else
		n->resolving = true;
}

static void first_attempt(uv_timer_t *timer)
{
	connect_node(timer->data);
}

int nodes_start(struct homed *homed, struct nodes **ret_nodes)
{
	struct nodes *all = calloc(1, sizeof(*all) + homed->conf.nodes * sizeof(struct node));

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < homed->conf.nodes; i++) {
		const struct conf_node *from = &homed->conf.node[i];
		struct node *n;

		/* one configuration serves all machines: it may name this node, too */
		if (!strcmp(from->name, homed->conf.name))
			continue;
		n = &all->node[all->count++];
		n->homed = homed;
		strcpy(n->name, from->name);
		n->address = from->address;
		n->cpus = 1;
		n->back_off_ms = BACK_OFF_MIN;
		uv_timer_init(homed->loop, &n->timer);
		n->timer.data = n;
		uv_timer_start(&n->timer, first_attempt, 0, 0);
	}
	*ret_nodes = all;
	return 0;
}

void nodes_stop(struct nodes *nodes)
{
	for (unsigned i = 0; nodes && i < nodes->count; i++) {
		struct node *n = &nodes->node[i];

		uv_timer_stop(&n->timer);
		if (n->resolving)
			uv_cancel((uv_req_t *)&n->resolve);
		session_close(n->session);
		n->session = NULL;
		n->state = NODE_DOWN;
	}
}
