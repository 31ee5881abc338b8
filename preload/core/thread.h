/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the core keeps for each thread. It lies in the thread's slot: MOSIX_SLOT_SIZE bytes, aligned to their size, at the same
 * address at home and in the guest. Slot 0 is the arena itself and belongs to the first thread; the others follow each other at
 * core_here->slots. All slots are laid out as the arena is (arena.h), though only the first one's parts for the process are used.
 *
 * A thread of the core runs on its slot's stack, so its stack pointer says which thread it is, and of which process. Code that
 * may run on a stack of the program's (the migration handler until it has changed over) must not ask for its thread, and is told
 * of the process whose memory it is.
 */
#ifndef MOSIX_CORE_THREAD_H
#define MOSIX_CORE_THREAD_H

#include <mosix/wire.h>
#include "arena.h"

/* A signal the deputy's kernel delivered and the guest has not taken yet. */
struct core_signal {
	int32_t signo;		/* 0: none */
	int32_t zero;
	uint8_t info[128];
};

enum thread_futex { FUTEX_NONE, FUTEX_ENDLESS, FUTEX_TIMED };

struct core_thread {
	struct core_state *process;	/* core_process(): a vfork child's own state, in its slot; NULL: core_memory */
	struct mosix_thread own;	/* the program's state of this thread; its registers only while it stands (stand.h) */
	int32_t  call_fd;
	uint32_t sequence;		/* of call frames */

	uint32_t ends;			/* on its way out; in a guest, freeze_reap() frees the slot */

	/* Standing still. */
	uint32_t stands;
	uint32_t reason;		/* at home: why it cannot leave, 0 if it can */
	int64_t  detail;
	struct kernel_ucontext *uc;	/* what it will go on with */

	/* The deputy. */
	uint32_t stop;			/* the call in the window must not begin */
	uint32_t order_hit;		/* the migration signal arrived since the call under way was begun */
	uint32_t rung;			/* its guest was rung and has not asked yet */
	uint32_t handed;		/* a signal was handed to the guest; its POLL is due */
	uint64_t kernel_mask;		/* the mask that this thread has in the kernel */
	struct core_signal held;
	struct core_signal urgent_waits;	/* urgent_pending: the program's own SIGURG */
	uint32_t urgent_pending;
	struct core_signal refused;	/* the guest could not build its frame: home's kernel shall see */
	struct core_signal returned;	/* one that only the first thread may give back to the kernel */
	struct core_range mapped;	/* what was mapped of a file for its guest last */

	/* The guest. */
	uint32_t rang;			/* the doorbell rang, and this thread has not asked yet */
	uint32_t futex;			/* enum thread_futex: the call it was taken out of */
	uint32_t stepping;		/* on its way out of the vDSO */
	uint64_t returned_to;		/* where the last call that the gate answered with -EINTR went on */
};

_Static_assert(sizeof(struct core_thread) <= ARENA_THREAD_SIZE, "core_thread outgrew its place");
_Static_assert(__builtin_offsetof(struct core_thread, process) == 0, "core_process() looks at the head");

static inline struct core_thread *core_thread(void)
{
	return (struct core_thread *)(slot_here() + ARENA_THREAD);
}

/* A part of the caller's own slot: payload, reply, scratch, frame. */
static inline void *slot_at(uint64_t offset)
{
	return (void *)(slot_here() + offset);
}

static inline uint64_t slot_address(uint32_t n)
{
	return n == 0 ? core_here->first : core_here->slots + (n - 1) * MOSIX_SLOT_SIZE;
}

static inline struct core_thread *slot_thread(uint32_t n)
{
	return (struct core_thread *)(slot_address(n) + ARENA_THREAD);
}

static inline void *slot_stack(uint32_t n)
{
	return (void *)(slot_address(n) + ARENA_STACK + ARENA_STACK_SIZE);
}

/* Whether a thread stands or runs on slot n, from 1. */
static inline int slot_is_used(uint32_t n)
{
	uint32_t tid = __atomic_load_n(&core_here->slot_tid[n], __ATOMIC_SEQ_CST);

	return tid != 0 && tid != SLOT_TAKEN;
}

/* At home: makes slot n usable, for thread tid. 0 or -ENOMEM. */
int slot_open(uint32_t n, uint32_t tid);

/* The channel that a slot's thread calls on: there is one for each. */
static inline uint32_t slot_channel(uint32_t n)
{
	return n == 0 ? MOSIX_CHANNEL_CALL : MOSIX_CHANNELS + n - 1;
}

#endif
