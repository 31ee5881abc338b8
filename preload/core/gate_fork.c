/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <mosix/plan.h>
#include "core.h"
#include "entry.h"
#include "frame_build.h"
#include "gate.h"
#include "gate_fork.h"
#include "guest.h"
#include "lock.h"
#include "receive.h"
#include "thread.h"

struct birth {
	struct kernel_ucontext *uc;
	uint32_t pid, epoch;
	uint64_t number;
	uint64_t clear_tid;
	int fds[MOSIX_BIRTH_FDS];	/* channels and link, once they are taken */
	unsigned taken;
};

/* Exactly so many descriptors, of that birth; those of others never took place. 0 or -errno; on failure none is left open. */
static int take_fds(int link, uint64_t birth, int *fds, unsigned count)
{
	for (;;) {
		unsigned got = 0;
		uint64_t number;
		long n = receive_fds(link, &number, sizeof(number), fds, &got, count);

		if (n == (long)sizeof(number) && got == count && number == birth)
			return 0;
		receive_close(fds, got);
		if (n != (long)sizeof(number))
			return n < 0 ? (int)n : -EBADMSG;
	}
}

/* ---- the child ---- */

/* Of the parent's process nothing is the child's but its memory: one thread, and descriptors of its own. */
static void become_child(const struct birth *b)
{
	struct mosix_manifest *came = arena_at(ARENA_MANIFEST);
	struct core_state *s = core_here;

	receive_close(s->channel_fd, s->channels);
	SYS1(__NR_close, s->maps_fd);
	SYS1(__NR_close, s->pagemap_fd);
	SYS1(__NR_close, s->link_fd);
	s->pid = b->pid;
	s->epoch = b->epoch;
	s->channels = MOSIX_CHANNELS;
	memcpy(s->channel_fd, b->fds, MOSIX_CHANNELS * sizeof(int));
	s->link_fd = b->fds[MOSIX_CHANNELS];
	s->threads = 1;
	memset(s->slot_tid, 0, sizeof(s->slot_tid));
	s->lock = s->bell_lock = s->action_lock = s->gone_lock = 0;
	s->freeze = s->standing = s->bell_have = 0;
	s->away_user = s->away_system = 0;
	came->cpu_user_ns = came->cpu_system_ns = came->away_user_ns = came->away_system_ns = 0;
	s->birth = b->number;
}

/* The thread that forked is the first one of the child, on the first slot. */
static void become_first(const struct birth *b)
{
	const struct mosix_thread *parent = &core_thread()->own;
	struct core_thread *t = slot_thread(0);
	struct mosix_thread own = *parent;

	frame_copy(0, b->uc)->uc.mc.regs.rax = 0;
	memset(t, 0, sizeof(*t));
	own.tid = b->pid;
	own.slot = 0;
	own.inside = 0;
	own.away_ns = 0;
	own.robust_list = 0;	/* copy_process() in kernel/fork.c */
	own.clear_tid = b->clear_tid;
	t->own = own;
	t->call_fd = core_here->channel_fd[MOSIX_CHANNEL_CALL];
}

static void live(void *argument)
{
	const uint32_t word = MOSIX_BIRTH_WORD;
	struct core_state *s = core_here;
	struct kernel_rt_sigframe *frame = frame_place(0);
	int fds[2];

	(void)argument;
	if (SYS3(__NR_write, s->link_fd, &word, sizeof(word)) != sizeof(word) ||
	    take_fds(s->link_fd, s->birth, fds, 2) != 0)
		guest_end();
	s->maps_fd = fds[0];
	s->pagemap_fd = fds[1];
	gate_poll(&frame->uc);		/* nobody heard the bell before */
	core_sigreturn(&frame->uc);
}

/* On the stack of the thread that forked, in the child's copy of it. */
static void begin(void *argument)
{
	const struct birth *b = argument;

	become_child(b);
	become_first(b);
	core_call_on(slot_stack(0), live, NULL);
}

/* ---- the parent ---- */

/* The guest's child: beside its parent below the warden, with home's number. Its number or -errno. */
static long bear(struct birth *b, uint64_t flags, uint64_t parent_tid, uint64_t child_tid)
{
	int32_t pid = (int32_t)b->pid;
	struct clone_args args = {
		.flags = CLONE_PARENT | flags, .parent_tid = parent_tid, .child_tid = child_tid,
		.set_tid = (uint64_t)&pid, .set_tid_size = 1,
	};
	int error = take_fds(core_here->link_fd, b->number, b->fds, MOSIX_BIRTH_FDS);

	if (error != 0)
		return error;
	b->taken = MOSIX_BIRTH_FDS;
	return b->pid ? core_clone(&args, sizeof(args), begin, b) : 0;
}

/* Before the channels end, which home's child would take for the loss of its node. */
static void tell_unborn(uint32_t pid)
{
	struct mosix_frame unborn = { .type = MOSIX_UNBORN, .arg[0] = pid, .mask = core_thread()->own.mask }, answer;

	if (gate_exchange(&unborn, NULL, &answer) != 0 || answer.type != MOSIX_REPLY)
		guest_end();
}

/*
 * One after the other, so that the channels at the link are those of the child that home has just made; and with the dispositions
 * at rest, of which the child gets a copy.
 */
int64_t gate_fork(struct kernel_ucontext *uc, uint64_t nr, uint64_t flags, uint64_t parent_tid, uint64_t child_tid)
{
	struct core_state *s = core_here;
	struct core_thread *t = core_thread();
	struct mosix_frame request = { .type = MOSIX_FORK, .mask = t->own.mask }, answer;
	struct birth birth = { .uc = uc, .clear_tid = flags & CLONE_CHILD_CLEARTID ? child_tid : 0 };
	int64_t result;
	long born = 0;

	flags &= GATE_FORK_FLAGS;
	core_lock(&s->action_lock);
	if (gate_exchange(&request, NULL, &answer) != 0 || answer.type != MOSIX_REPLY)
		guest_end();
	result = answer.flags & MOSIX_F_RESTART ? 0 : (int64_t)answer.arg[0];
	birth.pid = result > 0 ? (uint32_t)result : 0;
	birth.epoch = (uint32_t)answer.arg[1];
	birth.number = answer.arg[2];
	if (birth.number != 0)
		born = bear(&birth, flags, parent_tid, child_tid);
	if (result > 0 && born <= 0)
		tell_unborn(birth.pid);
	receive_close(birth.fds, birth.taken);
	core_unlock(&s->action_lock);
	t->own.inside = 0;
	if (answer.flags & MOSIX_F_RESTART) {
		uc->mc.regs.rip -= 2;
		uc->mc.regs.rax = nr;
	} else if (result == 0 || (result > 0 && born <= 0)) {
		return GATE_RETURN;
	} else {
		uc->mc.regs.rax = (uint64_t)result;
	}
	gate_answered(uc, &answer);
	return GATE_DONE;
}
