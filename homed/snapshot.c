/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A snapshot of a process's stacks: it takes a move's turn and leaves everything where it is. At home the process is rung and
 * says it; of a guest its node takes it. Who has asked gets it whole, and it is not looked at here.
 */
#include "homed/states.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <mosix/stack.h>
#include "homed/check.h"
#include "homed/orders.h"

#define ORDERED_MS 15000
#define AGAIN      5	/* how often it may turn out to be somewhere else */

static int append(struct move *m, const void *data, size_t size)
{
	if (size > MOSIX_STACK_MAX - m->snapshot_size)
		return -EPROTO;
	if (!m->snapshot)
		m->snapshot = malloc(MOSIX_STACK_MAX);
	if (!m->snapshot)
		return -ENOMEM;
	memcpy(m->snapshot + m->snapshot_size, data, size);
	m->snapshot_size += size;
	return 0;
}

static void ask_node(struct move *m)
{
	struct process *p = m->process;
	struct node *n = node_find(m->homed, p->where);
	struct msg message;
	int r;

	if (!n) {
		move_fail(m, MOSIX_WHY_NO_NODE, p->where);
		return;
	}
	if (n->state != NODE_UP) {
		move_finish(m, &n->outcome);
		return;
	}
	m->node = n;
	m->id = offer_next_id();
	msg_begin(&message, "stack");
	msg_add_uint(&message, "id", m->id);
	msg_add_uint(&message, "pid", (uint64_t)p->pid);
	msg_add_uint(&message, "epoch", p->epoch);
	r = node_send(n, &message);
	if (r < 0)
		move_fail(m, MOSIX_WHY_CUT, strerror(-r));
	else
		move_enter(m, MOVE_LOOKING);
}

void snapshot_begin(struct move *m)
{
	struct outcome out;

	m->snapshot_size = 0;
	m->node = NULL;
	if (process_away(m->process)) {
		ask_node(m);
		return;
	}
	check_process(m->process->pid, m->process->start, CHECK_AWAY, &out);
	if (out.reason)
		move_finish(m, &out);
	else
		move_begin_signal(m);
}

void snapshot_moved(struct move *m)
{
	order_link_bind_none(m);
	if (m->passed++ < AGAIN)
		snapshot_begin(m);
	else
		move_fail(m, MOSIX_WHY_BUSY, NULL);
}

void snapshot_here(struct move *m, const struct move_event_data *e)
{
	int r;

	if (e->word->state) {
		order_none(e->link);
		snapshot_moved(m);
		return;
	}
	m->link = e->link;
	order_link_bind(e->link, m);
	r = order_stack(e->link);
	if (r < 0) {
		move_fail(m, MOSIX_WHY_CUT, strerror(-r));
		return;
	}
	move_enter(m, MOVE_ORDERED);
	move_deadline(m, ORDERED_MS);
}

static void take(struct move *m, const void *data, size_t size, bool last)
{
	int r = append(m, data, size);

	if (r < 0)
		move_fail(m, r == -ENOMEM ? MOSIX_WHY_NO_MEMORY : MOSIX_WHY_MALFORMED, "the snapshot");
	else if (last)
		move_succeed(m);
}

void snapshot_word(struct move *m, const struct move_event_data *e)
{
	if (m->kind == MOVE_STACK)
		take(m, e->more, e->size, e->size == 0);
}

void snapshot_part(struct move *m, const struct move_event_data *e)
{
	const void *data;
	bool last = false;
	size_t size;

	if (msg_get_bin(e->map, "data", &data, &size) < 0 || msg_get_bool(e->map, "last", &last) < 0)
		move_fail(m, MOSIX_WHY_MALFORMED, "the snapshot");
	else
		take(m, data, size, last);
}
