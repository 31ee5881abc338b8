/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The processes that have registered: who they are, where they are, what became of their last move. A process is named by
 * pid and start time; homed holds a pidfd for each and drops it from the register when it ends.
 */
#ifndef HOMED_PROCESS_H
#define HOMED_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <uv.h>
#include "common/conf.h"
#include "homed/homed.h"
#include "homed/outcome.h"

struct move;

struct numbers { uint64_t freeze_us, total_us, pages, bytes; };

struct process {
	LIST_ENTRY(process) bucket;
	struct homed *homed;
	pid_t pid;
	uint64_t start;			/* proc_stat.start */
	uint64_t secret, arena;
	int pidfd;
	uv_poll_t watch;		/* readable when the process has ended */
	uv_timer_t churn;
	unsigned handles;		/* of the two above that libuv has not given back */
	bool dropped;			/* out of the register; freed with the last handle */
	int slot;			/* in the book, -1 none */

	char where[CONF_NAME];		/* a node's name, "" at home */
	char intended[CONF_NAME];	/* ordered to go there and not heard of since, "" nothing is open */
	uint32_t epoch;			/* of its latest move, counts up over its life */
	uint32_t returned_epoch;	/* the newest epoch from which it came home */
	bool stay, noauto;
	uint32_t trace;			/* its descriptor on which calls are told, 0 none */
	bool relayed;			/* away, its channels run through this homed and end with it */
	enum { TOLD_UNKNOWN, TOLD_RUN, TOLD_STOP } told;	/* its guest, by stops.c */

	struct move *move;		/* under way, or NULL */
	struct move_wish *wish;		/* what is to be done after it, or NULL (moves.c) */
	SLIST_HEAD(, move_wish) looks;	/* likewise: who wants to see its stacks */
	uint32_t threads_most;		/* that were ever seen in it: so many call channels it may want again */
	uint64_t moves;
	struct outcome last;		/* of the latest move */
	struct outcome came_home;	/* why it came home last; detail: the call */
	struct outcome guest_end;	/* what a node said about the end of its guest of this epoch, 0 nothing */
	struct numbers numbers;
	struct outcome check;		/* whether it can move, as last looked at */
	uint64_t checked_ms;		/* uv_now() of that, 0 never */
};

/* NULL: no memory. */
struct processes *processes_new(struct homed *homed);

/* NULL when no such process is registered. */
struct process *process_find(struct homed *homed, pid_t pid);

/*
 * Takes a process into the register, or takes note that the one there has begun another program (same start time: new
 * secret, at home). A new child of a registered process inherits stay and noauto. 0 or -errno; *ret_process stays the
 * register's.
 */
int process_register(struct homed *homed, pid_t pid, uint64_t secret, uint64_t arena, struct process **ret_process);

/* Reads the book and takes in those that still live. To be called once, before anything can register. 0 or -errno. */
int processes_recall(struct homed *homed);

/* Into the book. The three below do that by themselves. */
void process_save(struct process *p);
void process_set_where(struct process *p, const char *node);
void process_set_intended(struct process *p, const char *node);
uint32_t process_next_epoch(struct process *p);
static inline bool process_away(const struct process *p) { return p->where[0] != 0; }

/* As many were there just now. */
static inline void process_saw_threads(struct process *p, uint32_t threads)
{
	if (threads > p->threads_most)
		p->threads_most = threads;
}

/* "home" or the node's name. */
const char *process_where(const struct process *p);

/* Calls each for all processes; it may not drop any. */
void processes_each(struct homed *homed, void (*each)(struct process *p, void *data), void *data);

#endif
