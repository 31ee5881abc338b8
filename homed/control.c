/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "homed/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <mosix/paths.h>
#include "common/log.h"
#include "common/proc.h"
#include "common/runtime.h"
#include "homed/client.h"
#include "homed/ending.h"
#include "homed/nodes.h"
#include "homed/place.h"
#include "homed/process.h"

#define BACKLOG 128

struct control { struct homed *homed; uv_pipe_t server; };

/* ---- clients ---- */

static void freed(uv_handle_t *handle)
{
	struct frame_stream *s = handle->data;

	free(s->data);
}

static void client_close(struct client *c)
{
	if (c->closed)
		return;
	c->closed = true;
	moves_forget(&c->waiter);
	if (c->survey)
		survey_forget(c->survey);
	ending_forget(c->homed, c);
	frame_stream_stop(&c->stream);
	uv_close((uv_handle_t *)&c->pipe, freed);
}

void client_answer(struct client *c, struct msg *message)
{
	const void *data;
	size_t size;
	int r = msg_finish(message, &data, &size);

	if (r == 0)
		r = frame_stream_send(&c->stream, data, size);
	msg_free(message);
	if (r < 0)
		client_close(c);
}

void client_refuse(struct client *c, const struct outcome *outcome)
{
	struct msg m;

	msg_begin(&m, "error");
	msg_add_uint(&m, "reason", outcome->reason);
	msg_add_str(&m, "text", outcome->text);
	client_answer(c, &m);
}

static void refuse(struct client *c, uint32_t reason, const char *more)
{
	struct outcome o;

	outcome_set(&o, reason, 0, "%s", more);
	client_refuse(c, &o);
}

static void done(struct client *c)
{
	struct msg m;

	msg_begin(&m, "done");
	client_answer(c, &m);
}

/* ---- requests ---- */

static bool get_pid(struct client *c, const msgpack_object *map, pid_t *ret_pid)
{
	uint32_t pid;

	if (msg_get_u32(map, "pid", &pid) < 0 || !pid || pid > INT32_MAX) {
		refuse(c, MOSIX_WHY_MALFORMED, "pid");
		return false;
	}
	*ret_pid = (pid_t)pid;
	return true;
}

static void moved(struct move_waiter *waiter, const struct outcome *outcome, const char *where)
{
	struct client *c = waiter->data;
	struct msg m;

	if (outcome->reason) {
		client_refuse(c, outcome);
		return;
	}
	msg_begin(&m, "done");
	msg_add_str(&m, "where", where);
	client_answer(c, &m);
}

static void migrate(struct client *c, const msgpack_object *map)
{
	char node[CONF_NAME];
	struct outcome o;
	struct process *p;
	bool wait = true;
	struct msg m;
	pid_t pid;

	if (!get_pid(c, map, &pid))
		return;
	if (msg_get_str(map, "node", node, sizeof(node)) < 0 || !node[0]) {
		refuse(c, MOSIX_WHY_MALFORMED, "node");
		return;
	}
	msg_get_bool(map, "wait", &wait);
	p = process_find(c->homed, pid);
	if (!p) {
		survey_absent(pid, &o);
		client_refuse(c, &o);
		return;
	}
	if (wait) {
		c->waiter.done = moved;
		c->waiter.data = c;
		moves_request(p, node, MOVE_BY_USER, &c->waiter);
		return;
	}
	moves_request(p, node, MOVE_BY_USER, NULL);
	msg_begin(&m, "done");
	msg_add_str(&m, "where", process_where(p));
	client_answer(c, &m);
}

#define PART (256u << 10)

/* In parts, each a message, and behind them the answer. */
static void stacked(struct move_waiter *waiter, const struct outcome *outcome, const char *where)
{
	struct client *c = waiter->data;
	struct msg m;

	if (outcome->reason) {
		client_refuse(c, outcome);
		return;
	}
	for (size_t at = 0; at < waiter->snapshot_size && !c->closed; at += PART) {
		size_t left = waiter->snapshot_size - at;

		msg_begin(&m, "part");
		msg_add_bin(&m, "data", waiter->snapshot + at, left < PART ? left : PART);
		client_answer(c, &m);
	}
	if (c->closed)
		return;
	msg_begin(&m, "done");
	msg_add_str(&m, "where", where);
	client_answer(c, &m);
}

static void stack(struct client *c, const msgpack_object *map)
{
	struct process *p;
	struct outcome o;
	pid_t pid;

	if (!get_pid(c, map, &pid))
		return;
	p = process_find(c->homed, pid);
	if (!p) {
		survey_absent(pid, &o);
		client_refuse(c, &o);
		return;
	}
	c->waiter.done = stacked;
	c->waiter.data = c;
	moves_stack(p, &c->waiter);
}

struct counts { unsigned all, away; };

static void count(struct process *p, void *data)
{
	struct counts *n = data;

	n->all++;
	n->away += process_away(p);
}

static void status(struct client *c, const msgpack_object *map)
{
	struct counts n = { 0 };
	struct msg m;

	(void)map;
	processes_each(c->homed, count, &n);
	msg_begin(&m, "done");
	msg_add_str(&m, "node", c->homed->conf.name);
	msg_add_uint(&m, "pid", (uint64_t)getpid());
	msg_add_uint(&m, "uptime_ms", uv_now(c->homed->loop) - c->homed->started_ms);
	msg_add_uint(&m, "processes", n.all);
	msg_add_uint(&m, "away", n.away);
	msg_add_uint(&m, "moves", c->homed->moves);
	msg_add_str(&m, "version", PACKAGE_VERSION);
	msg_add_bool(&m, "trusted", c->homed->conf.trusted_network);
	msg_add_bool(&m, "blocked", c->homed->blocked);
	client_answer(c, &m);
}

static uint64_t home_load(uint64_t cpus)
{
	unsigned long runnable = 1;
	char *text;
	size_t size;

	if (proc_read_text("/proc/loadavg", 4096, &text, &size) == 0) {
		sscanf(text, "%*s %*s %*s %lu/", &runnable);
		free(text);
	}
	/* homed itself is running while it asks */
	return (runnable ? runnable - 1 : 0) * 1000 / cpus;
}

static uint64_t memory_free(void)
{
	unsigned long long kib = 0;
	char *text, *at;
	size_t size;

	if (proc_read_text("/proc/meminfo", 65536, &text, &size) == 0) {
		at = strstr(text, "MemAvailable:");
		if (at)
			sscanf(at, "MemAvailable: %llu", &kib);
		free(text);
	}
	return kib * 1024;
}

static void add_home(struct msg *m, struct homed *homed)
{
	uint64_t cpus = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);

	msg_open_map(m, NULL);
	msg_add_str(m, "name", homed->conf.name);
	msg_add_str(m, "address", homed->conf.has_listen ? homed->conf.listen.host : "");
	msg_add_uint(m, "port", homed->conf.has_listen ? homed->conf.listen.port : 0);
	msg_add_str(m, "state", "home");
	msg_add_uint(m, "reason", 0);
	msg_add_str(m, "text", "");
	msg_add_uint(m, "cpus", cpus);
	msg_add_uint(m, "mem_total", (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
	msg_add_uint(m, "mem_free", memory_free());
	msg_add_uint(m, "guests", 0);
	msg_add_uint(m, "load", home_load(cpus));
	msg_add_str(m, "lacks", "");
	msg_close(m);
}

static void add_node(struct msg *m, const struct node *n)
{
	msg_open_map(m, NULL);
	msg_add_str(m, "name", n->name);
	msg_add_str(m, "address", n->address.host);
	msg_add_uint(m, "port", n->address.port);
	msg_add_str(m, "state", node_state_name(n->state));
	msg_add_uint(m, "reason", n->outcome.reason);
	msg_add_str(m, "text", n->state == NODE_CONNECTING ? "it is being connected to" : n->outcome.text);
	msg_add_uint(m, "cpus", n->cpus);
	msg_add_uint(m, "mem_total", n->mem_total);
	msg_add_uint(m, "mem_free", n->mem_free);
	msg_add_uint(m, "guests", n->guests);
	msg_add_uint(m, "load", n->load);
	msg_add_str(m, "lacks", n->lacks);
	msg_close(m);
}

static void nodes(struct client *c, const msgpack_object *map)
{
	struct node *n;
	struct msg m;

	(void)map;
	msg_begin(&m, "done");
	msg_open_array(&m, "nodes");
	add_home(&m, c->homed);
	for (unsigned i = 0; (n = node_at(c->homed, i)); i++)
		add_node(&m, n);
	client_answer(c, &m);
}

static void ps(struct client *c, const msgpack_object *map)
{
	(void)map;
	survey_ps(c);
}

static void why(struct client *c, const msgpack_object *map)
{
	pid_t pid;

	if (get_pid(c, map, &pid))
		survey_why(c, pid);
}

static void place(struct client *c, const msgpack_object *map)
{
	struct place p = { 0 };
	struct proc_status st;
	struct proc_stat stat;

	if (!get_pid(c, map, &p.pid))
		return;
	msg_get_str(map, "node", p.node, sizeof(p.node));
	msg_get_bool(map, "stay", &p.stay);
	msg_get_bool(map, "noauto", &p.noauto);
	msg_get_u32(map, "trace", &p.trace);
	if (proc_read_stat(p.pid, &stat) < 0 || proc_read_status(p.pid, &st) < 0) {
		refuse(c, MOSIX_WHY_NO_PROCESS, "");
	} else if (st.uid != getuid()) {
		refuse(c, MOSIX_WHY_NOT_OURS, "");
	} else if (p.node[0] && strcmp(p.node, "best") && strcmp(p.node, "home") && strcmp(p.node, c->homed->conf.name) &&
		   !node_find(c->homed, p.node)) {
		refuse(c, MOSIX_WHY_NO_NODE, p.node);
	} else {
		if (!strcmp(p.node, "home") || !strcmp(p.node, c->homed->conf.name))
			p.node[0] = 0;	/* that is where it begins */
		p.start = stat.start;
		places_put(c->homed->places, &p);
		done(c);
	}
}

static void block(struct client *c, const msgpack_object *map)
{
	(void)map;
	c->homed->blocked = true;
	done(c);
}

static void unblock(struct client *c, const msgpack_object *map)
{
	(void)map;
	c->homed->blocked = false;
	done(c);
}

static void ended(void *data)
{
	done(data);
}

static void stop(struct client *c, const msgpack_object *map)
{
	bool bring = false;

	msg_get_bool(map, "bring", &bring);
	ending_begin(c->homed, bring, ended, c);
}

/* ---- the table ---- */

static const struct { char type[12]; void (*serve)(struct client *, const msgpack_object *); } table[] = {
	{ "migrate", migrate },
	{ "status",  status  },
	{ "nodes",   nodes   },
	{ "ps",      ps      },
	{ "why",     why     },
	{ "stack",   stack   },
	{ "place",   place   },
	{ "block",   block   },
	{ "unblock", unblock },
	{ "stop",    stop    },
};

static void message(struct frame_stream *stream, const msgpack_object *map)
{
	struct client *c = stream->data;

	if (c->asked) {
		client_close(c);
		return;
	}
	c->asked = true;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (msg_is(map, table[i].type)) {
			table[i].serve(c, map);
			return;
		}
	refuse(c, MOSIX_WHY_MALFORMED, "there is no such request");
}

static void down(struct frame_stream *stream, int error)
{
	(void)error;
	client_close(stream->data);
}

static const struct frame_events events = { .message = message, .down = down };

static bool is_ours(uv_pipe_t *pipe)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);
	int fd;

	return uv_fileno((uv_handle_t *)pipe, &fd) == 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) == 0 &&
	       cred.uid == getuid();
}

static void connection(uv_stream_t *server, int status)
{
	struct control *control = server->data;
	struct client *c;

	if (status < 0)
		return;
	c = calloc(1, sizeof(*c));
	if (!c)
		return;
	c->homed = control->homed;
	c->stream.data = c;
	c->stream.stream = (uv_stream_t *)&c->pipe;
	uv_pipe_init(control->homed->loop, &c->pipe, 0);
	c->pipe.data = &c->stream;
	if (uv_accept(server, (uv_stream_t *)&c->pipe) < 0 || !is_ours(&c->pipe) ||
	    frame_stream_start(&c->stream, (uv_stream_t *)&c->pipe, &events, c) < 0)
		client_close(c);
}

int control_start(struct homed *homed, struct control **ret_control)
{
	struct control *control = calloc(1, sizeof(*control));
	int fd, r;

	if (!control)
		return -ENOMEM;
	control->homed = homed;
	r = runtime_listen(MOSIX_PATH_CONTROL, SOCK_STREAM | SOCK_NONBLOCK, &fd);
	if (r < 0) {
		free(control);
		return r;
	}
	uv_pipe_init(homed->loop, &control->server, 0);
	control->server.data = control;
	r = uv_pipe_open(&control->server, fd);
	if (r == 0)
		r = uv_listen((uv_stream_t *)&control->server, BACKLOG, connection);
	if (r == 0)
		*ret_control = control;
	return r;	/* on failure homed ends: what libuv holds goes with it */
}
