/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remoted/look.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mosix/stack.h>

#include "common/msg.h"
#include "common/reason.h"
#include "remoted/guest.h"
#include "remoted/node.h"
#include "remoted/snapshot.h"
#include "remoted/visitor.h"

#define PATIENCE_MS 10000
#define LOOKS_MAX   4		/* of one session at a time */
#define PART        (256u << 10)

struct look {
	LIST_ENTRY(look) link;
	struct visitor *visitor;
	uint64_t id;
	int fd;
	pid_t pid;		/* of who looks; 0: reaped */
	struct watch *watch;
	struct alarm *alarm;
	uint8_t *snapshot;	/* MOSIX_STACK_MAX bytes */
	size_t size;
	bool whole;		/* what is left is to send it */
	size_t sent;
};

/* The status it ends with. */
static int reap(struct look *l)
{
	int status = 0;

	while (waitpid(l->pid, &status, 0) < 0 && errno == EINTR)
		;
	l->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : SNAPSHOT_ENDED;
}

static void end(struct look *l)
{
	LIST_REMOVE(l, link);
	watch_end(&l->watch);
	alarm_end(&l->alarm);
	close(l->fd);
	if (l->pid) {
		kill(l->pid, SIGKILL);	/* what it traces goes on */
		reap(l);
	}
	free(l->snapshot);
	free(l);
}

static void refuse(struct visitor *v, uint64_t id, enum mosix_why reason)
{
	visitor_refuse(v, id, reason, 0, reason_sentence(reason));
}

static void send_part(struct look *l)
{
	size_t n = l->size - l->sent < PART ? l->size - l->sent : PART;
	struct msg m;

	msg_begin(&m, "stacked");
	msg_add_uint(&m, "id", l->id);
	msg_add_bin(&m, "data", l->snapshot + l->sent, n);
	msg_add_bool(&m, "last", l->sent + n == l->size);
	visitor_send(l->visitor, &m);
	l->sent += n;
}

/* As much as the session takes now; what is left goes when it has drained. */
static void answer(struct look *l)
{
	while (l->sent < l->size && session_room(l->visitor->session) >= SESSION_MESSAGE_MAX)
		send_part(l);
	if (l->sent == l->size)
		end(l);
}

static enum mosix_why why_nothing(struct look *l)
{
	switch (reap(l)) {
	case SNAPSHOT_FORBIDDEN: return MOSIX_WHY_NO_TRACE;
	case SNAPSHOT_NO_MEMORY: return MOSIX_WHY_NO_MEMORY;
	default:                 return MOSIX_WHY_ENDED;
	}
}

static void readable(void *data)
{
	struct look *l = data;
	ssize_t n = read(l->fd, l->snapshot + l->size, MOSIX_STACK_MAX - l->size);

	if (n > 0) {
		l->size += (size_t)n;
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (l->size == 0) {
		refuse(l->visitor, l->id, why_nothing(l));
		end(l);
		return;
	}
	l->whole = true;
	watch_end(&l->watch);
	alarm_off(l->alarm);
	answer(l);
}

static void late(void *data)
{
	struct look *l = data;

	refuse(l->visitor, l->id, MOSIX_WHY_THREAD_BUSY);
	end(l);
}

static unsigned looks_of(const struct node *node, const struct visitor *v)
{
	const struct look *l;
	unsigned count = 0;

	LIST_FOREACH(l, &node->looks, link)
		count += l->visitor == v;
	return count;
}

static int begin(struct visitor *v, uint64_t id, const struct guest *g)
{
	struct look *l = calloc(1, sizeof *l);
	int r;

	if (!l)
		return -ENOMEM;
	l->visitor = v;
	l->id = id;
	l->snapshot = malloc(MOSIX_STACK_MAX);
	r = l->snapshot ? snapshot_start(cage_warden(g->home->cage), g->pid, &l->fd, &l->pid) : -ENOMEM;
	if (r < 0) {
		free(l->snapshot);
		free(l);
		return r;
	}
	LIST_INSERT_HEAD(&v->node->looks, l, link);
	l->watch = watch_new(v->node->loop, l->fd, readable, l);
	l->alarm = alarm_new(v->node->loop, late, l);
	if (!l->watch || !l->alarm) {
		end(l);
		return -ENOMEM;
	}
	alarm_set(l->alarm, PATIENCE_MS);
	return 0;
}

int look_take(struct visitor *v, const msgpack_object *map)
{
	uint32_t pid, epoch;
	struct guest *g;
	uint64_t id;

	if (msg_get_uint(map, "id", &id) < 0 || msg_get_u32(map, "pid", &pid) < 0 || msg_get_u32(map, "epoch", &epoch) < 0)
		return -EPROTO;
	g = guest_find(v->node, v->name, pid, epoch);
	if (!g || g->process != GUEST_ALIVE || (g->state != GUEST_PLANNED && g->state != GUEST_RUNNING) || !g->home->cage)
		refuse(v, id, MOSIX_WHY_ENDED);
	else if (looks_of(v->node, v) >= LOOKS_MAX)
		refuse(v, id, MOSIX_WHY_BUSY);
	else if (begin(v, id, g) < 0)
		refuse(v, id, MOSIX_WHY_NO_MEMORY);
	return 0;
}

void look_drained(struct visitor *v)
{
	struct look *l = LIST_FIRST(&v->node->looks), *next;

	for (; l; l = next) {
		next = LIST_NEXT(l, link);
		if (l->visitor == v && l->whole)
			answer(l);
	}
}

void look_left(struct node *node, const struct visitor *v)
{
	struct look *l = LIST_FIRST(&node->looks), *next;

	for (; l; l = next) {
		next = LIST_NEXT(l, link);
		if (l->visitor == v)
			end(l);
	}
}
