/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The arena: one range at the same address at home and in the guest, reserved by the constructor, and the only memory the
 * core changes besides the program's own when it moves it. Where things lie:
 *
 *   0x0000000  struct mosix_landing         guest only: what the loader left (plan.h)
 *   0x0001000  struct core_state            from the constructor on
 *   0x0100000  local vvar and vdso          guest only
 *   0x0010000  struct core_thread           of the first thread (thread.h)
 *   0x0200000  stack                        of handler and deputy at home, of the gate in the guest
 *   0x0280000  another                      of the thread apart (apart.h); home
 *   0x0300000  resume frame                 the signal frame that the last rt_sigreturn consumes
 *   0x0400000  manifest                     outgoing at home, incoming in the guest; see also ARENA_RETURN
 *   0x0c00000  return manifest              outgoing in the guest, incoming at home; payload of the deputy's replies
 *   0x1400000  text of /proc/thread-self/maps, mappings found there, runs
 *   0x2000000  payload of call frames, then the deputy's scratch for results, behind a page in which a reply can begin
 *
 * Each further thread has a slot of the same size and layout, of which it uses its struct core_thread, stack, frame, reply,
 * payload and scratch (thread.h).
 */
#ifndef MOSIX_CORE_ARENA_H
#define MOSIX_CORE_ARENA_H

#include <mosix/manifest.h>
#include <mosix/order.h>
#include <mosix/plan.h>
#include <mosix/wire.h>
#include "api.h"
#include "sigabi.h"

#define ARENA_STATE          0x0001000ull
#define ARENA_STATE_SIZE     0x000f000ull
#define ARENA_THREAD         0x0010000ull
#define ARENA_THREAD_SIZE    0x0010000ull
#define ARENA_STACK          MOSIX_ARENA_STACK
#define ARENA_STACK_SIZE     MOSIX_ARENA_STACK_SIZE
#define ARENA_APART          0x0280000ull
#define ARENA_APART_SIZE     0x0080000ull
#define ARENA_FRAME          MOSIX_ARENA_FRAME
#define ARENA_FRAME_SIZE     0x0010000ull
#define ARENA_ORDER          0x0320000ull	/* an order and its files, 128 KiB */
#define ARENA_MANIFEST       MOSIX_ARENA_MANIFEST
#define ARENA_RETURN         0x0c00000ull
#define ARENA_REPLY          0x0c00000ull	/* the deputy's reply, up to ARENA_PAYLOAD: no move is under way then */
#define ARENA_MANIFEST_SIZE  0x07ff000ull	/* the page behind it is room for the frame before ARENA_REPLY */
#define ARENA_TEXT           0x1400000ull
#define ARENA_TEXT_SIZE      0x0400000ull
#define ARENA_RUNS           0x1800000ull
#define ARENA_RUNS_SIZE      0x07ff000ull	/* the same before ARENA_PAYLOAD */
#define ARENA_PAYLOAD        0x2000000ull
#define ARENA_PAYLOAD_SIZE   0x0fff000ull	/* the page behind it is never mapped readable: "bad pointer" */
#define ARENA_SCRATCH        0x3000000ull
#define ARENA_SCRATCH_SIZE   0x0fff000ull
#define ARENA_BAD            0x3fff000ull	/* last page: PROT_NONE always */

enum core_commit { COMMIT_OPEN, COMMIT_DONE, COMMIT_REVOKED };

enum core_place {
	PLACE_HOME,	/* runs at home as any program */
	PLACE_LEAVING,	/* in the handler, image on its way; may still turn back */
	PLACE_AWAY,	/* this is the deputy */
	PLACE_GUEST,	/* this is the guest */
};

#define PAGE_UP(n) (((n) + MOSIX_PAGE - 1) & ~(MOSIX_PAGE - 1))

#define SLOT_TAKEN 0xffffffffu	/* in slot_tid: a thread is being made */

struct core_range { uint64_t start, end; };
struct core_ranges { uint32_t count, lock; struct core_range range[256]; };	/* ranges.h */

/* A file of home's, as it was when it was mapped, in a memfd of the guest (content.h). */
struct core_content {
	uint64_t device, inode, size;
	uint64_t mtime, ctime;		/* nanoseconds; 0: changed so shortly before that they say nothing */
	uint64_t from, to;		/* offsets between which the memfd is filled, pages */
	int32_t  fd, zero;
};

/* Of the process; what each thread has for itself is in thread.h. */
struct core_state {
	/* Set by core_start(), constant from then on. */
	uint64_t base;			/* the arena's address */
	uint64_t first;			/* of the first thread's slot: the same, but in a vfork child that has a slot of its parent's */
	struct core_config config;

	uint64_t gate_secret;		/* 0 at home: what the restorer puts in %r9 */
	uint32_t place;			/* enum core_place */
	uint32_t pid;
	uint32_t epoch;

	/* Descriptors: in the deputy at the top of its table, in the guest MOSIX_GUEST_*. */
	int32_t  channel_fd[MOSIX_CHANNELS_MAX];	/* the first `channels` of them */
	uint32_t channels;
	int32_t  fd_low, fd_high;	/* the deputies' own descriptors lie in between, the program's do not */
	int32_t  orders_fd;		/* deputy: the connection on which the order to come home came, 0 none */
	int32_t  maps_fd;		/* of the process's own maps; deputy and guest */
	int32_t  pagemap_fd;		/* guest only; at home opened for the time of a capture */
	int32_t  link_fd;		/* guest only: to its remoted, from where the channels of children come (plan.h) */

	/* The program's own state; travels both ways. */
	struct core_urgent urgent;
	struct mosix_sigaction action[65];

	/* Its threads. */
	uint64_t slots;			/* slot_count × MOSIX_SLOT_SIZE */
	uint64_t old_slots;		/* old_count of them, which threads may still be leaving; 0 none */
	uint32_t old_count;
	uint32_t slot_count;
	uint32_t slot_tid[MOSIX_THREADS_MAX + 1];	/* whose slot n is, from 1: its number, 0, or SLOT_TAKEN */
	uint32_t threads;		/* how many live; deputy and guest */
	uint32_t lock;			/* over slot_tid and threads, and at home over home_drop() */
	uint32_t standing, detached;	/* how many do (stop.h, freeze.h) */
	uint32_t phase;			/* home: enum stop_phase */
	uint32_t freeze;		/* guest: threads are to stand */
	uint32_t bell_lock;		/* guest: over the control channel */
	uint32_t action_lock;		/* guest: over action, and the order in which home hears of changes */

	/* The deputy. */
	uint32_t committed;		/* home has acted for this epoch: its own copy is stale; enum core_commit */
	uint32_t dropped;		/* and its memory is gone */
	uint32_t order_pending;		/* the migration signal arrived while away */
	uint32_t wish_home;		/* a thread needs the process at home: the first deputy decides */
	uint32_t come_home;		/* ordered to, or wished: every thread is brought to stand */
	uint32_t come_home_reason;	/* of either */
	int64_t  come_home_detail;
	uint32_t taken;			/* counts the signals that guest threads have taken or refused */
	uint32_t returned;		/* a thread has a signal that the first one must give back to the kernel */
	const struct mosix_manifest *resumed;	/* at homecoming: what the program goes on as */
	uint32_t guest_gone;		/* a channel broke: what follows is the first deputy's to do */
	uint32_t taking;		/* the first deputy takes the guest's image: it finds what a broken channel means */
	uint32_t lost;			/* one deputy says that the process is lost */
	char node[64];			/* where the guest is */
	uint64_t birth;			/* of a child that was forked away: how homed knows it */
	uint32_t shares;		/* a vfork child, whose guest has its parent's memory: not to be called home */
	uint32_t forks_known, forks_home;	/* the epoch in which the second was looked at: forks are made at home */
	uint64_t heap_start;
	uint64_t stack_low;		/* deputy: start of the main stack's mapping when the program left */
	uint64_t stack_end;		/* of the main stack's mapping; deputy and guest */
	uint64_t args_start;		/* page of argv and environ, kept at home for ps */

	/* Accounting, nanoseconds. */
	uint64_t away_user, away_system;	/* consumed elsewhere and finished */
	uint64_t moved_pages, moved_bytes;	/* of the last move */
	uint64_t freeze_at;			/* CLOCK_MONOTONIC when the homecoming under way froze the guest, 0 none */

	/* The guest. */
	uint32_t bell_have;		/* bytes of a ring that came in pieces */
	uint8_t  bell[4];
	uint32_t go;			/* the threads of the image may leave for the program */
	uint32_t fs_direct;		/* rdfsbase: 0 not tried here yet, 1 works, 2 does not */
	struct core_range reserved[16];		/* home's special mappings */
	uint32_t reserved_count;
	struct core_ranges gone;		/* what the program has unmapped since it came: home's mappings there have gone
						   with it, even if there is memory again. Else what is one mapping here would
						   be made of several there, which mremap(2) refuses */
	struct core_ranges files;		/* what is mapped of files: moved and made executable at home only */
	struct core_ranges unbacked;		/* what is mapped of files here, but not at home */
	struct core_ranges late;		/* nor at the home of vfork children: mapped since there are `sharing` of them */
	uint32_t sharing;
	struct core_content content[16];	/* the first `contents` of them, least recently mapped first */
	uint32_t contents;
	uint32_t map_lock;			/* over the making of file mappings, and over content */
	struct mosix_xlayout xlayout;		/* of its frames here */
	struct mosix_xlayout home_xlayout;	/* of frames on the program's own stacks */
};

_Static_assert(sizeof(struct core_config) <= MOSIX_CONFIG_SIZE, "core_config outgrew its place in the manifest");
_Static_assert(sizeof(struct core_state) <= ARENA_STATE_SIZE, "core_state outgrew its place");

/*
 * Of the process whose memory this is. Written once by core_start(); travels with libmosix's own data, so it is right on both
 * sides.
 */
extern struct core_state *core_memory __attribute__((visibility("hidden")));

/* Of the caller's process: in a guest that is a vfork child, and shares its parent's memory, another one (thread.h). */
#define core_here core_process()

/* The slot that the caller's stack lies in (thread.h). */
static inline uint64_t slot_here(void)
{
	return (uint64_t)__builtin_frame_address(0) & ~(MOSIX_SLOT_SIZE - 1);
}

static inline struct core_state *core_process(void)
{
	struct core_state *s = core_memory, *own;
	uint64_t slot = slot_here();

	if (slot - s->slots >= s->slot_count * MOSIX_SLOT_SIZE)
		return s;
	own = *(struct core_state **)(slot + ARENA_THREAD);	/* the head of a struct core_thread */
	return own ? own : s;
}

/* A part of the process's own, in the slot of its first thread. */
static inline void *arena_at(uint64_t offset)
{
	return (void *)(core_here->first + offset);
}

#endif
