/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <mosix/plan.h>
#include "core.h"
#include "entry.h"
#include "frame_build.h"
#include "gate.h"
#include "gate_fork.h"
#include "gate_thread.h"
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
	uint32_t slot;			/* a vfork child's; 0: the child has memory of its own */
	uint64_t stack;			/* where the child is to run, 0: where its parent does */
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

/* Descriptors that the parent has. */
static void close_inherited(const struct core_state *parent)
{
	receive_close(parent->channel_fd, parent->channels);
	SYS1(__NR_close, parent->maps_fd);
	SYS1(__NR_close, parent->pagemap_fd);
	SYS1(__NR_close, parent->link_fd);
}

/* Of the parent's process nothing is the child's but its memory: one thread, and descriptors of its own. */
static void become_child(const struct birth *b, struct core_state *s, struct mosix_manifest *came)
{
	s->pid = b->pid;
	s->epoch = b->epoch;
	s->channels = MOSIX_CHANNELS;
	memcpy(s->channel_fd, b->fds, MOSIX_CHANNELS * sizeof(int));
	s->link_fd = b->fds[MOSIX_CHANNELS];
	s->threads = 1;
	memset(s->slot_tid, 0, sizeof(s->slot_tid));
	s->lock = s->bell_lock = s->action_lock = s->map_lock = 0;
	s->gone.lock = s->files.lock = s->unbacked.lock = s->late.lock = 0;
	s->late.count = s->sharing = 0;
	s->freeze = s->standing = s->bell_have = 0;
	s->away_user = s->away_system = 0;
	came->cpu_user_ns = came->cpu_system_ns = came->away_user_ns = came->away_system_ns = 0;
	s->birth = b->number;
}

/* The thread that forked is the first one of the child, on this slot. */
static void become_first(const struct birth *b, uint32_t slot)
{
	const struct mosix_thread *parent = &core_thread()->own;
	struct core_thread *t = slot_thread(slot);
	struct kernel_rt_sigframe *frame = frame_copy(slot, b->uc);
	struct mosix_thread own = *parent;

	frame->uc.mc.regs.rax = 0;
	if (b->stack)
		frame->uc.mc.regs.rsp = b->stack;
	memset(t, 0, sizeof(*t));
	own.tid = b->pid;
	own.slot = 0;
	own.inside = 0;
	own.away_ns = 0;
	own.robust_list = 0;	/* copy_process() in kernel/fork.c */
	own.clear_tid = b->clear_tid;
	t->own = own;
	t->call_fd = b->fds[MOSIX_CHANNEL_CALL];
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

	close_inherited(core_here);
	become_child(b, core_here, arena_at(ARENA_MANIFEST));
	become_first(b, 0);
	core_call_on(slot_stack(0), live, NULL);
}

/* On the slot that its parent has prepared. */
static void begin_sharing(void *parent)
{
	close_inherited(parent);
	live(NULL);
}

/* ---- the parent ---- */

static int take_channels(struct birth *b)
{
	int error = take_fds(core_here->link_fd, b->number, b->fds, MOSIX_BIRTH_FDS);

	b->taken = error == 0 ? MOSIX_BIRTH_FDS : 0;
	return error;
}

/* The guest's child: beside its parent below the warden, with home's number. Its number or -errno. */
static long bear(struct birth *b, uint64_t flags, uint64_t parent_tid, uint64_t child_tid)
{
	int32_t pid = (int32_t)b->pid;
	struct clone_args args = {
		.flags = CLONE_PARENT | flags, .parent_tid = parent_tid, .child_tid = child_tid,
		.set_tid = (uint64_t)&pid, .set_tid_size = 1,
	};
	int error = take_channels(b);

	if (error != 0)
		return error;
	return b->pid ? core_clone(&args, sizeof(args), begin, b) : 0;
}

/*
 * A vfork child's process is told apart from its parent's by the slot it runs on (thread.h), so that stands whole before there is
 * a child. The kernel does not carry rseq into memory that is shared (rseq_fork()).
 */
static void prepare_slot(struct birth *b)
{
	const struct mosix_manifest *came = arena_at(ARENA_MANIFEST);
	uint64_t at = slot_address(b->slot);
	struct core_state *own = (void *)(at + ARENA_STATE);
	struct core_thread *t = slot_thread(b->slot);

	memcpy((void *)(at + ARENA_MANIFEST), came, sizeof(*came) + manifest_tail(came));
	*own = *core_here;
	own->first = at;
	become_child(b, own, (void *)(at + ARENA_MANIFEST));
	become_first(b, b->slot);
	t->own.rseq = t->own.rseq_size = 0;
	t->process = own;
}

/* The guest's vfork child. The slot is free again when the kernel says that nothing runs there. */
static long bear_sharing(struct birth *b)
{
	struct core_state *s = core_here;
	struct core_thread *t = slot_thread(b->slot);
	struct mosix_frame who = { .type = MOSIX_WHO, .flags = MOSIX_F_PLAIN }, answer;
	int32_t pid;
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_PARENT | CLONE_CHILD_CLEARTID, .child_tid = (uint64_t)&s->slot_tid[b->slot],
		.set_tid = (uint64_t)&pid, .set_tid_size = 1,
		.stack = slot_address(b->slot) + ARENA_STACK, .stack_size = ARENA_STACK_SIZE,
	};
	int error = take_channels(b);
	uint32_t sequence;

	if (error != 0)
		return error;
	t->call_fd = b->fds[MOSIX_CHANNEL_CALL];
	error = gate_exchange_for(t, &who, &answer);
	if (error != 0 || answer.type != MOSIX_REPLY)
		return error ? error : -EBADMSG;	/* not made; home says why */
	sequence = t->sequence;
	b->pid = (uint32_t)answer.arg[0];
	pid = (int32_t)b->pid;
	prepare_slot(b);
	t->sequence = sequence;
	return core_clone(&args, sizeof(args), begin_sharing, s);
}

/*
 * Before the channels end, which home's child would take for the loss of its node. The siginfo of the answer before stays where
 * it is.
 */
static void tell_unborn(uint32_t pid)
{
	struct mosix_frame unborn = { .type = MOSIX_UNBORN, .arg[0] = pid, .mask = core_thread()->own.mask }, answer;
	uint8_t info[128];

	memcpy(info, slot_at(ARENA_PAYLOAD), sizeof(info));
	if (gate_exchange(&unborn, NULL, &answer) != 0 || answer.type != MOSIX_REPLY)
		guest_end();
	memcpy(slot_at(ARENA_PAYLOAD), info, sizeof(info));
}

/* What comes of it in the parent. born: the number of the guest's child, or not above 0. */
static int64_t finish(struct kernel_ucontext *uc, uint64_t nr, long born, const struct mosix_frame *answer)
{
	int64_t result = (int64_t)answer->arg[0];
	int failed = result == 0 || (result > 0 && born <= 0);

	core_thread()->own.inside = 0;
	if (answer->flags & MOSIX_F_RESTART || (failed && answer->flags & MOSIX_F_SIGNAL)) {
		uc->mc.regs.rip -= 2;
		uc->mc.regs.rax = nr;
	} else if (failed) {
		return GATE_RETURN;
	} else {
		uc->mc.regs.rax = (uint64_t)result;
	}
	gate_answered(uc, answer);
	return GATE_DONE;
}

/*
 * One after the other, so that the channels at the link are those of the child that home has just made; and with the dispositions
 * and the mappings of files at rest, of which the child gets a copy.
 */
int64_t gate_fork(struct kernel_ucontext *uc, uint64_t nr, uint64_t flags, uint64_t parent_tid, uint64_t child_tid)
{
	struct core_state *s = core_here;
	struct mosix_frame request = { .type = MOSIX_FORK, .mask = core_thread()->own.mask }, answer;
	struct birth birth = { .uc = uc, .clear_tid = flags & CLONE_CHILD_CLEARTID ? child_tid : 0 };
	int64_t result;
	long born = 0;

	flags &= GATE_FORK_FLAGS;
	core_lock(&s->action_lock);
	core_lock(&s->map_lock);
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
	core_unlock(&s->map_lock);
	core_unlock(&s->action_lock);
	return finish(uc, nr, born, &answer);
}

/* Without vfork children there is no home but this process's that would not know of a mapping. */
static void end_sharing(void)
{
	struct core_state *s = core_here;

	core_lock(&s->map_lock);
	if (--s->sharing == 0)
		s->late.count = 0;
	core_unlock(&s->map_lock);
}

int64_t gate_vfork(struct kernel_ucontext *uc, uint64_t nr, uint32_t slot, uint64_t stack)
{
	struct core_state *s = core_here;
	struct mosix_frame request = { .type = MOSIX_FORK, .mask = core_thread()->own.mask, .arg = { 1 } }, answer;
	struct mosix_frame unborn = { .type = MOSIX_UNBORN, .flags = MOSIX_F_PLAIN }, nothing;
	struct birth birth = { .uc = uc, .slot = slot, .stack = stack };
	long born = 0;

	core_lock(&s->action_lock);
	core_lock(&s->map_lock);
	if (gate_exchange(&request, NULL, &answer) != 0 || answer.type != MOSIX_REPLY)
		guest_end();
	birth.epoch = (uint32_t)answer.arg[1];
	birth.number = answer.arg[2];
	s->sharing++;
	if (birth.number != 0)
		born = bear_sharing(&birth);
	core_unlock(&s->map_lock);
	core_unlock(&s->action_lock);
	unborn.arg[0] = birth.pid;
	if (born <= 0 && birth.pid != 0)
		gate_exchange_for(slot_thread(slot), &unborn, &nothing);	/* it ends without an answer */
	receive_close(birth.fds, birth.taken);
	if (birth.number != 0 && (gate_hear(&answer) != 0 || answer.type != MOSIX_REPLY))
		guest_end();
	end_sharing();
	if (born <= 0 && !(answer.flags & MOSIX_F_RESTART) && (int64_t)answer.arg[0] > 0)
		tell_unborn((uint32_t)answer.arg[0]);
	if (born <= 0)
		core_set(&s->slot_tid[slot], 0);
	return finish(uc, nr, born, &answer);
}
