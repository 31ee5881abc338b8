/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between moves.c (the states) and requests.c (beginning, end and what comes from outside). */
#ifndef HOMED_STATES_H
#define HOMED_STATES_H

#include "homed/move.h"

enum move_event {
	EV_NODE_UP, EV_NODE_DOWN,					/* of the move's node */
	EV_CHECKED,							/* /proc and files */
	EV_NEED, EV_DRAINED, EV_ACCEPT, EV_REFUSE, EV_LINKED,		/* from the node */
	EV_CONNECTED,							/* the channels */
	EV_HERE, EV_MOVED, EV_REFUSED, EV_HOME, EV_LOST, EV_CUT,	/* from the process */
	EV_STACK,							/* from the process: a piece of its snapshot */
	EV_STACKED,							/* from the node: likewise */
	EV_GUEST_ENDED,							/* from the node: of this epoch */
	EVENTS,
};

struct move_event_data {
	const msgpack_object *map;
	const struct mosix_word *word;
	struct order_link *link;
	const struct outcome *outcome;
	const void *more;		/* STACK: what came with the word */
	size_t size;
};

/* ---- moves.c ---- */

/* Whether the state knows that event. The move may be gone afterwards. */
bool move_event(struct move *m, enum move_event event, const struct move_event_data *e);
/* Stays where it is in the table until a node comes up or goes down. */
void move_wait(struct move *m);
void move_begin_leave(struct move *m);
/* Its check in the pool, if any, will be thrown away. */
void move_forget_job(struct move *m);
void move_begin_signal(struct move *m);
void move_enter(struct move *m, enum move_state state);
/* Instead of the state's own deadline. */
void move_deadline(struct move *m, uint64_t ms);
/* Ends it for this reason, with ": " and more behind its sentence unless more is NULL. */
void move_fail(struct move *m, uint32_t reason, const char *more);

/* ---- snapshot.c: what a move of kind STACK does ---- */

/* Asks the process or its node, from the beginning. */
void snapshot_begin(struct move *m);
void snapshot_here(struct move *m, const struct move_event_data *e);
void snapshot_word(struct move *m, const struct move_event_data *e);
void snapshot_part(struct move *m, const struct move_event_data *e);
/* It is somewhere else now. */
void snapshot_moved(struct move *m);

/* ---- requests.c ---- */

/* Finds the node and the way there; also the answer of MOVE_WAITING to news of nodes. */
void move_resolve(struct move *m, const struct move_event_data *e);
/* Takes back everything that the move has open with process and, if cancel, with the node; what comes next is the caller's. */
void move_let_go(struct move *m, bool cancel);
/* At home as ordered: done, or on to the next node. */
void move_arrived_home(struct move *m);
void move_succeed(struct move *m);
/* Ends it: cancels what is open, tells the waiter, frees. */
void move_finish(struct move *m, const struct outcome *outcome);
/* Tells the waiter now; the move goes on. */
void move_tell(struct move *m, const struct outcome *outcome);

#endif
