/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Moves: taking a process from where it is to where it should be. At most one a process is under way; the state machine
 * stands as a table in moves.c. A move ends in exactly one outcome, which is kept in the process and told to its waiter.
 */
#ifndef HOMED_MOVES_H
#define HOMED_MOVES_H

#include <msgpack.h>
#include <mosix/order.h>
#include "homed/process.h"

struct move;
struct move_wish;
struct node;
struct order_link;

enum move_by {
	MOVE_BY_USER,
	MOVE_BY_PLACE,		/* mosrun's wish, applied when the program registers */
	MOVE_BY_TRACER,
	MOVE_BY_CHURN,		/* forced at random: gives way to the others */
};

/* In the asker's struct; done() is called once, maybe from within moves_request(), and the waiter is free then. */
struct move_waiter {
	struct move *move;		/* it waits for this move … */
	struct move_wish *wish;		/* … or for this one, which has not begun */
	void (*done)(struct move_waiter *waiter, const struct outcome *outcome, const char *where);
	void *data;
	const uint8_t *snapshot;	/* of moves_stack(), during done() */
	size_t snapshot_size;
};

/*
 * Asks for a move to target: "home", "best" or a node's name. waiter may be NULL. While a move is under way the request is kept
 * until that has ended, the last one only: an earlier one that has not begun is SUPERSEDED. The outcome is BUSY for churn, and
 * while the process does not answer.
 */
void moves_request(struct process *p, const char *target, enum move_by by, struct move_waiter *waiter);

/*
 * Asks for a snapshot of the process's stacks (mosix/stack.h), wherever it is. It is no move, but takes its turn with them: it is
 * kept while one is under way. BUSY while the process does not answer.
 */
void moves_stack(struct process *p, struct move_waiter *waiter);

/* The asker does not want to know any more; the move goes on. */
void moves_forget(struct move_waiter *waiter);

/* Signals the process to learn whether it is away (after homed was started again in the middle of a move). */
void moves_ask(struct process *p);

/* homed ends: takes back what has not been ordered yet. */
void moves_stop(struct homed *homed);

/* What happens to processes, nodes and orders connections. */
void moves_process_ended(struct process *p);
void moves_process_replaced(struct process *p);		/* it has begun another program */
void moves_node_changed(struct homed *homed);		/* one came up */
void moves_node_down(struct node *node);
void moves_node_drained(struct node *node);
void moves_node_message(struct node *node, const char *type, const msgpack_object *map);
/* more: what came with the word, `size` bytes. */
void moves_word(struct process *p, struct order_link *link, const struct mosix_word *word, const void *more, size_t size);
void moves_link_cut(struct move *move, struct order_link *link);

#endif
