/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "homed/stops.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "common/proc.h"
#include "homed/moves.h"
#include "homed/nodes.h"
#include "homed/process.h"

#define LOOK_MS 250

struct stops { struct homed *homed; uv_timer_t timer; unsigned away; };

struct stops *stops_new(struct homed *homed)
{
	struct stops *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->homed = homed;
	uv_timer_init(homed->loop, &s->timer);
	s->timer.data = s;
	return s;
}

/* 0, or -errno: it has not been told. */
static int tell(const struct process *p, int sig)
{
	struct node *node = node_find(p->homed, p->where);
	struct msg m;

	if (!node)
		return -ENOENT;
	msg_begin(&m, "signal");
	msg_add_uint(&m, "pid", (uint64_t)p->pid);
	msg_add_uint(&m, "epoch", p->epoch);
	msg_add_uint(&m, "sig", (uint64_t)sig);
	return node_send(node, &m);
}

void stops_ended(const struct process *p)
{
	if (process_away(p) && p->told == TOLD_STOP)
		tell(p, SIGKILL);
}

/* A tracer has found the deputy, and lets it go on: it is to see the program. */
static void look_for_tracer(struct process *p)
{
	struct proc_status st;

	if (!p->move && proc_read_status(p->pid, &st) == 0 && st.tracer)
		moves_request(p, "home", MOVE_BY_TRACER, NULL);
}

static void look(struct process *p, void *data)
{
	struct proc_stat st;
	bool stopped;

	(void)data;
	if (!process_away(p) || proc_read_stat(p->pid, &st) < 0)
		return;
	process_saw_threads(p, st.threads);
	stopped = st.state == 'T' || st.state == 't';
	if (!stopped)
		look_for_tracer(p);
	if (p->told == (stopped ? TOLD_STOP : TOLD_RUN))
		return;
	if (tell(p, stopped ? SIGSTOP : SIGCONT) == 0)
		p->told = stopped ? TOLD_STOP : TOLD_RUN;
}

static void expired(uv_timer_t *timer)
{
	struct stops *s = timer->data;

	processes_each(s->homed, look, NULL);
}

void stops_count(struct stops *stops, int change)
{
	stops->away += change;
	if (!stops->away)
		uv_timer_stop(&stops->timer);
	else if (!uv_is_active((uv_handle_t *)&stops->timer))
		uv_timer_start(&stops->timer, expired, LOOK_MS, LOOK_MS);
}

static void forget(struct process *p, void *data)
{
	if (!strcmp(p->where, data))
		p->told = TOLD_UNKNOWN;
}

void stops_node_up(struct stops *stops, const char *node)
{
	processes_each(stops->homed, forget, (void *)node);
}
