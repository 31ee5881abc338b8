/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Moves from the outside: who asks for them, how they begin and end, and what reaches them from nodes and processes. */
#include "homed/states.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include "common/log.h"
#include "common/step.h"
#include "homed/births.h"
#include "homed/check.h"
#include "homed/churn.h"
#include "homed/orders.h"

/* What is to be done when the move under way has ended. */
struct move_wish {
	SLIST_ENTRY(move_wish) next;	/* of looks */
	enum move_kind kind;
	char target[CONF_NAME];
	enum move_by by;
	struct move_waiter *waiter;
};

static LIST_HEAD(, move) moves = LIST_HEAD_INITIALIZER(moves);

/* ---- waiters ---- */

static void tell(struct move_waiter *w, const struct outcome *outcome, const char *where)
{
	if (!w)
		return;
	w->move = NULL;
	w->wish = NULL;
	w->done(w, outcome, where);
}

void move_tell(struct move *m, const struct outcome *outcome)
{
	struct move_waiter *w = m->waiter;

	if (w) {
		w->snapshot = m->snapshot;
		w->snapshot_size = m->snapshot_size;
	}
	m->waiter = NULL;
	tell(w, outcome, process_where(m->process));
}

void moves_forget(struct move_waiter *waiter)
{
	if (waiter->move)
		waiter->move->waiter = NULL;
	if (waiter->wish)
		waiter->wish->waiter = NULL;
	waiter->move = NULL;
	waiter->wish = NULL;
}

/* ---- the beginning ---- */

static void start(struct process *p, const char *target, enum move_kind kind, enum move_by by, struct move_waiter *waiter)
{
	struct move *m = calloc(1, sizeof(*m));
	struct outcome out;

	if (!m) {
		outcome_set(&out, MOSIX_WHY_NO_MEMORY, 0, "in homed");
		tell(waiter, &out, process_where(p));
		return;
	}
	m->homed = p->homed;
	m->process = p;
	m->kind = kind;
	m->by = by;
	m->content = -1;
	m->started_ms = uv_hrtime() / 1000000;
	strncpy(m->target, target, sizeof(m->target) - 1);
	uv_timer_init(p->homed->loop, &m->deadline);
	uv_timer_init(p->homed->loop, &m->ring);
	m->handles = 2;
	m->deadline.data = m;
	m->ring.data = m;
	m->waiter = waiter;
	if (waiter)
		waiter->move = m;
	p->move = m;
	LIST_INSERT_HEAD(&moves, m, list);
	if (kind == MOVE_ASK)
		move_begin_signal(m);
	else if (kind == MOVE_STACK)
		snapshot_begin(m);
	else
		move_resolve(m, NULL);
}

static struct move_wish *new_wish(enum move_kind kind, const char *target, enum move_by by, struct move_waiter *waiter)
{
	struct move_wish *new = calloc(1, sizeof(*new));

	if (!new)
		return NULL;
	new->kind = kind;
	strncpy(new->target, target, sizeof(new->target) - 1);
	new->by = by;
	new->waiter = waiter;
	if (waiter)
		waiter->wish = new;
	return new;
}

/* After the move under way, and instead of what was wished before. 0 or -ENOMEM. */
static int keep_wish(struct process *p, const char *target, enum move_by by, struct move_waiter *waiter)
{
	struct move_wish *new = new_wish(MOVE_LEAVE, target, by, waiter), *old = p->wish;
	struct outcome out;

	if (!new)
		return -ENOMEM;
	p->wish = new;
	if (old) {
		outcome_set(&out, MOSIX_WHY_SUPERSEDED, 0, NULL);
		tell(old->waiter, &out, process_where(p));
		free(old);
	}
	return 0;
}

/* After the move under way, too. 0 or -ENOMEM. */
static int keep_look(struct process *p, struct move_waiter *waiter)
{
	struct move_wish *new = new_wish(MOVE_STACK, "", MOVE_BY_USER, waiter);

	if (!new)
		return -ENOMEM;
	SLIST_INSERT_HEAD(&p->looks, new, next);
	return 0;
}

void moves_request(struct process *p, const char *target, enum move_by by, struct move_waiter *waiter)
{
	struct outcome out;

	if (!p->move) {
		start(p, target, MOVE_LEAVE, by, waiter);
		return;
	}
	outcome_set(&out, MOSIX_WHY_BUSY, 0, NULL);
	if (by == MOVE_BY_CHURN || p->move->overdue || keep_wish(p, target, by, waiter) < 0)
		tell(waiter, &out, process_where(p));
}

void moves_stack(struct process *p, struct move_waiter *waiter)
{
	struct outcome out;

	if (!p->move) {
		start(p, "", MOVE_STACK, MOVE_BY_USER, waiter);
		return;
	}
	outcome_set(&out, MOSIX_WHY_BUSY, 0, NULL);
	if (p->move->overdue || keep_look(p, waiter) < 0)
		tell(waiter, &out, process_where(p));
}

void moves_ask(struct process *p)
{
	if (!p->move)
		start(p, "", MOVE_ASK, MOVE_BY_CHURN, NULL);
}

static void refuse(struct move *m, uint32_t reason, const char *more)
{
	struct outcome out;

	outcome_set(&out, reason, 0, "%s", more ? more : "");
	move_finish(m, &out);
}

static void begin_home(struct move *m)
{
	struct outcome out;

	m->kind = MOVE_HOME;
	check_process(m->process->pid, m->process->start, CHECK_AWAY, &out);
	if (out.reason)
		move_finish(m, &out);
	else
		move_begin_signal(m);
}

static bool is_home(const struct move *m)
{
	return !strcmp(m->target, "home") || !strcmp(m->target, m->homed->conf.name);
}

/* Settles m->node for what was asked; false: the move waits or is over. */
static bool find_node(struct move *m)
{
	struct homed *homed = m->homed;
	struct node *n;

	if (strcmp(m->target, "best")) {
		n = node_find(homed, m->target);
		if (!n) {
			refuse(m, MOSIX_WHY_NO_NODE, m->target);
			return false;
		}
	} else {
		n = nodes_best(homed, NULL);
		if (!n && !nodes_connecting(homed)) {
			refuse(m, MOSIX_WHY_NODE_DEAD, "no node is up");
			return false;
		}
	}
	if (!n || n->state == NODE_CONNECTING) {
		move_wait(m);
		return false;
	}
	if (n->state != NODE_UP) {
		move_finish(m, &n->outcome);
		return false;
	}
	m->node = n;
	return true;
}

void move_resolve(struct move *m, const struct move_event_data *e)
{
	struct process *p = m->process;
	bool best = !strcmp(m->target, "best");

	(void)e;
	if (is_home(m)) {
		if (process_away(p))
			begin_home(m);
		else
			refuse(m, MOSIX_WHY_ALREADY, NULL);
		return;
	}
	if (m->homed->blocked) {
		refuse(m, MOSIX_WHY_NO_ORDERS, NULL);
		return;
	}
	if (p->stay) {
		refuse(m, MOSIX_WHY_STAY, NULL);
		return;
	}
	if (!find_node(m))
		return;
	if (!strcmp(p->where, m->node->name)) {
		if (best)
			move_succeed(m);
		else
			refuse(m, MOSIX_WHY_ALREADY, NULL);
		return;
	}
	strcpy(m->target, m->node->name);
	if (process_away(p)) {
		strcpy(m->then, m->node->name);
		begin_home(m);
	} else {
		move_begin_leave(m);
	}
}

/* ---- the end ---- */

void move_arrived_home(struct move *m)
{
	if (!m->then[0]) {
		move_succeed(m);
		return;
	}
	m->then[0] = 0;
	order_link_bind_none(m);
	move_begin_leave(m);
}

void move_succeed(struct move *m)
{
	static const struct outcome well;

	move_finish(m, &well);
}

static void timer_closed(uv_handle_t *handle)
{
	struct move *m = handle->data;

	if (--m->handles == 0) {
		free(m->snapshot);
		free(m);
	}
}

static void report(const struct move *m, const struct outcome *out)
{
	enum log_level level = m->by == MOVE_BY_CHURN ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
	const struct process *p = m->process;

	if (m->kind == MOVE_STACK)
		log_debug("process %d: stacks %s%s", p->pid, out->reason ? "not shown: " : "shown", out->text);
	else if (m->kind == MOVE_ASK)
		log_write(level, "process %d is at %s", p->pid, process_where(p));
	else if (out->reason)
		log_write(level, "process %d did not move to %s: %s", p->pid, m->target, out->text);
	else
		log_write(level, "process %d is at %s after %llu ms", p->pid, process_where(p),
			  (unsigned long long)((uv_hrtime() / 1000000 - m->started_ms)));
}

static void begin_wish(struct process *p, struct move_wish *wish)
{
	if (wish->waiter)
		wish->waiter->wish = NULL;
	start(p, wish->target, wish->kind, wish->by, wish->waiter);
	free(wish);
}

/* Looks and orders in turn, so that neither puts the other off. False: nothing waits. */
static bool begin_next(struct process *p, enum move_kind last)
{
	struct move_wish *order = p->wish, *look = SLIST_FIRST(&p->looks);

	if (order && (last == MOVE_STACK || !look)) {
		p->wish = NULL;
		begin_wish(p, order);
	} else if (look) {
		SLIST_REMOVE_HEAD(&p->looks, next);
		begin_wish(p, look);
	}
	return order || look;
}

void move_let_go(struct move *m, bool cancel)
{
	if (m->kind == MOVE_LEAVE && m->offered && cancel)
		offer_cancel(m->node, m->process->pid, m->epoch);
	m->offered = m->connected = m->linked = false;
	channels_close(m->channels);
	m->channels = NULL;
	order_link_bind_none(m);
	move_forget_job(m);
	offer_free(m);
}

void move_finish(struct move *m, const struct outcome *outcome)
{
	struct process *p = m->process;
	struct outcome out = *outcome;

	if (m->state == MOVE_DONE)
		return;
	move_let_go(m, out.reason != 0);
	m->state = MOVE_DONE;
	LIST_REMOVE(m, list);
	p->move = NULL;
	if (m->kind != MOVE_ASK && m->kind != MOVE_STACK)
		p->last = out;
	report(m, &out);
	step_pass(m->kind == MOVE_HOME ? "homed.home_" : "homed.", "done");
	uv_close((uv_handle_t *)&m->deadline, timer_closed);
	uv_close((uv_handle_t *)&m->ring, timer_closed);
	move_tell(m, &out);
	if (p->dropped || p->homed->stopping)
		return;
	if (begin_next(p, m->kind))
		return;
	if (m->kind != MOVE_STACK || !uv_is_active((uv_handle_t *)&p->churn))	/* looking often must not put it off */
		churn_next(p);
}

void moves_stop(struct homed *homed)
{
	struct move *m = LIST_FIRST(&moves), *next;

	births_stop(homed);
	for (; m; m = next) {
		next = LIST_NEXT(m, list);
		if (m->state < MOVE_ORDERED)
			refuse(m, MOSIX_WHY_REVOKED, "homed ends");
	}
}

/* ---- processes ---- */

void moves_process_ended(struct process *p)
{
	struct move_wish *wish = SLIST_FIRST(&p->looks), *next;
	struct outcome out;

	outcome_set(&out, MOSIX_WHY_ENDED, 0, NULL);
	if (p->wish)
		SLIST_NEXT(p->wish, next) = wish;
	wish = p->wish ? p->wish : wish;
	p->wish = NULL;
	SLIST_INIT(&p->looks);
	if (p->move)
		move_finish(p->move, &out);
	for (; wish; wish = next) {
		next = SLIST_NEXT(wish, next);
		tell(wish->waiter, &out, process_where(p));
		free(wish);
	}
}

void moves_process_replaced(struct process *p)
{
	struct move *m = p->move;

	if (!m)
		return;
	if (m->kind == MOVE_HOME) {
		move_arrived_home(m);	/* beginning another program is one way of coming home */
	} else if (m->kind == MOVE_ASK) {
		move_succeed(m);
	} else if (m->kind == MOVE_STACK) {
		snapshot_moved(m);
	} else if (m->state > MOVE_WAITING) {
		move_let_go(m, true);
		move_begin_leave(m);
	}
}

void moves_link_cut(struct move *move, struct order_link *link)
{
	if (move->link != link)
		return;
	move->link = NULL;
	move_event(move, EV_CUT, NULL);
}

void moves_word(struct process *p, struct order_link *link, const struct mosix_word *word, const void *more, size_t size)
{
	struct move_event_data e = { .word = word, .link = link, .more = more, .size = size };
	struct move *m = p->move;
	bool mine = m && m->link == link;

	log_debug("process %d says %u (state %u, epoch %u, reason %u, detail %lld)", p->pid, word->kind, word->state, word->epoch,
		  word->reason, (long long)word->detail);
	switch (word->kind) {
	case MOSIX_WORD_HERE:
		truth_here(p, word);
		if (!m || !move_event(m, EV_HERE, &e))
			order_none(link);
		break;
	case MOSIX_WORD_REFUSED:
		if (mine)
			move_event(m, EV_REFUSED, &e);
		break;
	case MOSIX_WORD_STACK:
		if (mine)
			move_event(m, EV_STACK, &e);
		break;
	case MOSIX_WORD_MOVED:
		if (mine)
			move_event(m, EV_MOVED, &e);
		else if (p->intended[0])
			truth_moved(p, p->intended, word);
		break;
	case MOSIX_WORD_HOME:
		truth_home(p, word);
		log_debug("process %d came home: %s", p->pid, p->came_home.text);
		if (m)
			move_event(m, EV_HOME, &e);
		break;
	case MOSIX_WORD_LOST:
		truth_lost(p, word);
		if (m)
			move_event(m, EV_LOST, &e);
		break;
	}
}

/* ---- nodes ---- */

static void each_move(struct node *node, enum move_event event, bool waiting)
{
	struct move *m = LIST_FIRST(&moves), *next;

	for (; m; m = next) {
		next = LIST_NEXT(m, list);
		if ((node && m->node == node) || (waiting && m->state == MOVE_WAITING))
			move_event(m, event, NULL);
	}
}

void moves_node_changed(struct homed *homed)
{
	(void)homed;
	each_move(NULL, EV_NODE_UP, true);
}

void moves_node_down(struct node *node)
{
	each_move(node, EV_NODE_DOWN, true);
}

void moves_node_drained(struct node *node)
{
	each_move(node, EV_DRAINED, false);
}

static void guest_ended(struct node *node, const msgpack_object *map)
{
	uint32_t pid, epoch, reason = 0;
	char text[OUTCOME_TEXT / 2] = "";
	int64_t detail = 0, status = 0;
	struct outcome out;
	struct process *p;

	if (msg_get_u32(map, "pid", &pid) < 0 || msg_get_u32(map, "epoch", &epoch) < 0)
		return;
	msg_get_u32(map, "reason", &reason);
	msg_get_int(map, "detail", &detail);
	msg_get_int(map, "status", &status);
	msg_get_str(map, "text", text, sizeof(text));
	if (reason)
		outcome_set(&out, reason, detail, "%s", strcmp(text, reason_sentence(reason)) ? text : "");
	else if (WIFSIGNALED((int)status))
		outcome_set(&out, MOSIX_WHY_CUT, 0, "its guest at %s was ended by signal %d", node->name, WTERMSIG((int)status));
	else
		outcome_set(&out, MOSIX_WHY_CUT, 0, "its guest at %s has ended with status %d", node->name,
			    WEXITSTATUS((int)status));
	log_debug("node %s: guest %u of epoch %u has ended: %s", node->name, pid, epoch, out.text);
	p = process_find(node->homed, (pid_t)pid);
	if (!p || p->epoch != epoch)
		return;
	p->guest_end = out;
	if (p->move && p->move->kind == MOVE_LEAVE && p->move->node == node && p->move->epoch == epoch)
		move_event(p->move, EV_GUEST_ENDED, &(struct move_event_data){ .outcome = &out });
}

void moves_node_message(struct node *node, const char *type, const msgpack_object *map)
{
	static const struct { char type[8]; enum move_event event; } events[] = {
		{ "need", EV_NEED }, { "accept", EV_ACCEPT }, { "refuse", EV_REFUSE }, { "linked", EV_LINKED },
		{ "stacked", EV_STACKED },
	};
	struct move_event_data e = { .map = map };
	struct move *m;
	uint64_t id;

	if (!strcmp(type, "ended")) {
		guest_ended(node, map);
		return;
	}
	if (msg_get_uint(map, "id", &id) < 0)
		return;
	LIST_FOREACH(m, &moves, list)
		if (m->id == id && m->node == node)
			break;
	for (size_t i = 0; m && i < sizeof(events) / sizeof(events[0]); i++)
		if (!strcmp(type, events[i].type)) {
			move_event(m, events[i].event, &e);
			return;
		}
}
