/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/sched.h>
#include <mosix/plan.h>
#include "core.h"
#include "entry.h"
#include "frame_build.h"
#include "freeze.h"
#include "gate.h"
#include "gate_fork.h"
#include "gate_thread.h"
#include "guest.h"
#include "lock.h"
#include "thread.h"

/* What every thread has in common with the others; a clone(2) with less makes something else than a thread. */
#define CLONE_OF_THREADS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)
/* What it may ask for besides. CLONE_DETACHED and CLONE_UNTRACED mean nothing here. */
#define CLONE_EXTRAS                                                                                                             \
	(CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_DETACHED | CLONE_UNTRACED)

/* Up to and with the fields of the first version, clone(2). */
struct wish { uint64_t flags, stack, tls, parent_tid, child_tid; };

static int is_thread(uint64_t flags)
{
	return (flags & CLONE_OF_THREADS) == CLONE_OF_THREADS && (flags & ~(uint64_t)(CLONE_OF_THREADS | CLONE_EXTRAS)) == 0;
}

/* What fork(3) asks for, and what a program may ask for in the same way. */
static int is_fork(uint64_t flags)
{
	return (flags & ~(uint64_t)GATE_FORK_FLAGS) == KSIG_CHLD;
}

/* vfork(2), and posix_spawn(3), whose child has a stack of its own. */
static int is_vfork(uint64_t flags)
{
	return flags == (CLONE_VM | CLONE_VFORK | KSIG_CHLD);
}

/* 0; -EFAULT; or GATE_RETURN: home's kernel must judge it. */
static int64_t read_wish(uint64_t nr, const uint64_t arg[6], struct wish *ret)
{
	struct clone_args args = { 0 };

	if (nr == __NR_fork || nr == __NR_vfork) {
		*ret = (struct wish){ .flags = nr == __NR_fork ? KSIG_CHLD : CLONE_VM | CLONE_VFORK | KSIG_CHLD };
		return 0;
	}
	if (nr == __NR_clone) {
		*ret = (struct wish){ .flags = arg[0], .stack = arg[1], .parent_tid = arg[2], .child_tid = arg[3],
				      .tls = arg[4] };
		return is_thread(ret->flags) || is_fork(ret->flags) || is_vfork(ret->flags) ? 0 : GATE_RETURN;
	}
	if (arg[1] < CLONE_ARGS_SIZE_VER0 || arg[1] > sizeof(args))
		return GATE_RETURN;
	if (core_copy_in(&args, arg[0], arg[1]) != 0)
		return -EFAULT;
	*ret = (struct wish){ args.flags, args.stack + args.stack_size, args.tls, args.parent_tid, args.child_tid };
	if (args.set_tid || args.set_tid_size || args.cgroup || (args.stack == 0) != (args.stack_size == 0) ||
	    args.flags & CSIGNAL || args.exit_signal & ~(uint64_t)CSIGNAL)
		return GATE_RETURN;
	ret->flags |= args.exit_signal;	/* where clone(2) has it */
	return is_fork(ret->flags) || is_vfork(ret->flags) || (is_thread(args.flags) && args.exit_signal == 0) ? 0 : GATE_RETURN;
}

/* A free slot, taken; 0: there is none. A thread also needs the slot's channel, a vfork child brings its own ones. */
static uint32_t take_slot(int with_channel)
{
	struct core_state *s = core_here;
	uint32_t n, found = 0;

	freeze_reap();
	core_lock(&s->lock);
	for (n = 1; n <= s->slot_count && !found; n++)
		if (core_get(&s->slot_tid[n]) == 0 && (!with_channel || slot_channel(n) < s->channels))
			found = n;
	if (found) {
		memset(slot_thread(found), 0, sizeof(struct core_thread));
		core_set(&s->slot_tid[found], SLOT_TAKEN);	/* rings may be for it from here on */
	}
	core_unlock(&s->lock);
	return found;
}

static void count(uint32_t n, uint32_t tid, int change)
{
	struct core_state *s = core_here;

	core_lock(&s->lock);
	s->threads += (uint32_t)change;
	core_set(&s->slot_tid[n], tid);
	core_unlock(&s->lock);
}

/* The first function of a thread, on its slot's stack: its frame stands ready. */
static void begin(void *argument)
{
	const uint32_t *go = argument;
	struct core_thread *t = core_thread();

	if (go) {
		while (core_get(go) == 0)
			core_wait((uint32_t *)go, 0, 0);
		if (t->own.robust_size)
			SYS2(__NR_set_robust_list, t->own.robust_list, t->own.robust_size);
		if (t->own.rseq)
			SYS4(__NR_rseq, t->own.rseq, t->own.rseq_size, 0, t->own.rseq_signature);
		t->rang = 1;
	}
	if (core_get(&t->rang)) {
		t->rang = 0;
		gate_poll(&frame_place(t->own.slot)->uc);
	}
	if (freeze_wanted())
		freeze_here(&frame_place(t->own.slot)->uc);
	core_sigreturn(&frame_place(t->own.slot)->uc);
}

static long start(const struct core_thread *t, uint64_t flags, uint64_t parent_tid, uint64_t child_tid, const uint32_t *go)
{
	int32_t tid = (int32_t)t->own.tid;
	struct clone_args args = {
		.flags = CLONE_OF_THREADS | CLONE_SETTLS | flags,
		.tls = t->own.fs_base, .parent_tid = parent_tid, .child_tid = child_tid,
		.stack = slot_address(t->own.slot) + ARENA_STACK, .stack_size = ARENA_STACK_SIZE,
		.set_tid = (uint64_t)&tid, .set_tid_size = 1,
	};

	return core_clone(&args, sizeof(args), begin, (void *)go);
}

int gate_thread_start(const struct mosix_thread *own)
{
	struct core_thread *t = slot_thread(own->slot);
	long tid;

	memset(t, 0, sizeof(*t));
	t->own = *own;
	t->call_fd = MOSIX_GUEST_CHANNELS + (int32_t)slot_channel(own->slot);
	core_here->slot_tid[own->slot] = own->tid;
	tid = start(t, own->clear_tid ? CLONE_CHILD_CLEARTID : 0, 0, own->clear_tid, &core_here->go);
	return tid < 0 ? (int)tid : 0;
}

/* Home has made its thread; if the guest's cannot be made, that one ends again. */
static void take_back(struct core_thread *t)
{
	struct mosix_frame end = { .type = MOSIX_CALL, .flags = MOSIX_F_PLAIN, .nr = __NR_exit, .mask = t->own.mask }, answer;

	if (gate_exchange_for(t, &end, &answer) != 0)
		guest_end();
	count(t->own.slot, 0, -1);
}

static int64_t make_thread(struct kernel_ucontext *uc, const struct wish *wish, uint32_t n, uint32_t tid)
{
	const struct core_thread *parent = core_thread();
	struct core_thread *t = slot_thread(n);
	struct kernel_rt_sigframe *frame = frame_copy(n, uc);
	long error;

	t->call_fd = MOSIX_GUEST_CHANNELS + (int32_t)slot_channel(n);
	t->own.mask = parent->own.mask;
	t->own.altstack.flags = KSS_DISABLE;
	t->own.tid = tid;
	t->own.slot = n;
	t->own.clear_tid = wish->flags & CLONE_CHILD_CLEARTID ? wish->child_tid : 0;
	t->own.fs_base = parent->own.fs_base;
	if (wish->flags & CLONE_SETTLS)
		t->own.fs_base = wish->tls;
	else
		SYS2(__NR_arch_prctl, 0x1003 /* ARCH_GET_FS */, &t->own.fs_base);
	frame->uc.mc.regs.rax = 0;
	if (wish->stack)
		frame->uc.mc.regs.rsp = wish->stack;
	count(n, tid, 1);
	error = start(t, wish->flags & (CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID), wish->parent_tid,
		      wish->child_tid, NULL);
	if (error >= 0)
		return tid;
	take_back(t);
	return error == -EEXIST ? -EAGAIN : error;	/* a thread of that number is still ending here */
}

int64_t gate_clone(struct kernel_ucontext *uc, uint64_t nr, const uint64_t arg[6])
{
	struct core_state *s = core_here;
	struct core_thread *here = core_thread();
	struct mosix_frame request = { .type = MOSIX_THREAD, .mask = here->own.mask }, answer;
	struct wish wish = { 0 };
	int64_t result = read_wish(nr, arg, &wish);
	uint32_t n;

	if (here->process)	/* a vfork child: what it makes could be anybody's */
		return GATE_RETURN;
	if (result == 0 && is_fork(wish.flags))
		return wish.stack ? GATE_RETURN : gate_fork(uc, nr, wish.flags, wish.parent_tid, wish.child_tid);
	if (result != 0)
		return result;
	n = take_slot(!is_vfork(wish.flags));
	if (n == 0)
		return GATE_RETURN;
	if (is_vfork(wish.flags))
		return gate_vfork(uc, nr, n, wish.stack);
	request.arg[0] = n;
	if (gate_exchange(&request, NULL, &answer) != 0 || answer.type != MOSIX_REPLY)
		guest_end();
	result = (int64_t)answer.arg[0];
	if (answer.flags & MOSIX_F_RESTART) {
		core_set(&s->slot_tid[n], 0);
		uc->mc.regs.rip -= 2;
		uc->mc.regs.rax = nr;
	} else {
		if (result > 0)
			result = make_thread(uc, &wish, n, (uint32_t)result);
		else
			core_set(&s->slot_tid[n], 0);
		uc->mc.regs.rax = (uint64_t)result;
	}
	here->own.inside = 0;
	gate_answered(uc, &answer);
	return GATE_DONE;
}

int64_t gate_exit(struct kernel_ucontext *uc, const uint64_t arg[6])
{
	struct core_state *s = core_here;
	struct core_thread *t = core_thread();
	struct mosix_frame end = { .type = MOSIX_CALL, .nr = __NR_exit, .mask = t->own.mask, .arg = { arg[0] } }, answer;

	freeze_reap();
	if (core_get(&s->threads) == 1)
		return GATE_FORWARD;	/* the process ends */
	if (t->own.slot == 0)
		return GATE_RETURN;	/* the first thread leads, here as at home */
	if (gate_exchange(&end, NULL, &answer) != 0 || answer.type != MOSIX_REPLY)
		guest_end();
	if (answer.flags & MOSIX_F_RESTART) {
		uc->mc.regs.rip -= 2;
		uc->mc.regs.rax = __NR_exit;
		gate_answered(uc, &answer);
		return GATE_DONE;
	}
	core_set(&t->ends, 1);
	core_thread_exit(&t->rang, (int)arg[0]);
}
