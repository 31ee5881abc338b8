/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/futex.h>
#include <linux/poll.h>
#include <mosix/reason.h>
#include "arena.h"
#include "core.h"
#include "entry.h"
#include "gate.h"
#include "freeze.h"
#include "gate_thread.h"
#include "guest.h"
#include "lock.h"
#include "resume.h"
#include "thread.h"
#include "trace.h"

/* A bad pointer of the program, met by a guarded copy, or an instruction on trial: it continues where it reports -EFAULT. */
static int fix_up(struct kernel_ucontext *uc)
{
	uint64_t rip = uc->mc.regs.rip;

	if (rip != (uint64_t)core_fix_copy && rip != (uint64_t)core_fix_touch && rip != (uint64_t)core_fix_fs_base)
		return 0;
	uc->mc.regs.rip = (uint64_t)core_fix_landing;
	return 1;
}

static int on_slot(uint64_t address)
{
	const struct core_state *s = core_here;

	return address - s->base < MOSIX_ARENA_SIZE || address - s->slots < s->slot_count * MOSIX_SLOT_SIZE;
}

static int in_library(uint64_t address)
{
	return address >= core_here->config.library_start && address < core_here->config.library_end;
}

void gate_return(struct kernel_ucontext *uc, uint64_t nr)
{
	uc->mc.regs.rip -= 2;
	uc->mc.regs.rax = nr;
	guest_go_home(uc, MOSIX_WHY_RETURN, nr, 0, NULL);
	guest_pause(uc);
}

int gate_in_vdso(uint64_t address)
{
	uint64_t at = address - core_here->base;

	return at >= MOSIX_ARENA_VDSO && at < ARENA_STACK;
}

static void trapped_call(struct kernel_ucontext *uc)
{
	struct mosix_registers *regs = &uc->mc.regs;
	uint64_t nr = regs->rax, arg[6];
	const struct call *call;
	int64_t result = GATE_FORWARD;

	for (int i = 0; i < 6; i++)
		arg[i] = kernel_call_argument(regs, i);
	call = call_find(nr, arg);
	if (core_thread()->own.inside != nr + 1)
		core_thread()->own.inside = 0;
	if (call->where == CALL_RETURN || call->where == CALL_UNCLASSIFIED) {
		gate_return(uc, nr);
		return;
	}
	core_thread()->returned_to = 0;
	if (call->special)
		result = gate_signal_call(uc, call, nr, arg);
	if (call->special == SPECIAL_EXIT && nr == __NR_exit)
		result = gate_exit(uc, arg);
	if (result == GATE_FORWARD && (call->where != CALL_HOME || call->special == SPECIAL_CPU_TIMES))
		result = gate_local(uc, call, nr, arg);
	if (result == GATE_DONE) {
		if (trace_wanted() && call->where != CALL_HOME)
			trace_here(nr, arg, NULL);
		return;
	}
	if (result == GATE_RETURN) {
		gate_return(uc, nr);
		return;
	}
	if (result == GATE_FORWARD) {
		gate_forward(uc, call, nr);
		return;
	}
	core_thread()->own.inside = 0;
	regs->rax = (uint64_t)result;
	if (trace_wanted())
		trace_here(nr, arg, &result);
}

/*
 * A ring names a thread: this one, or one that has to be told. Whose number is not known has ended meanwhile, or is just being
 * made: then it asks when it begins.
 */
static void rang_for(uint32_t tid)
{
	struct core_state *s = core_here;
	uint32_t n = 0;

	if (tid != s->pid)
		for (n = 1; n <= s->slot_count && core_get(&s->slot_tid[n]) != tid; n++)
			if (core_get(&s->slot_tid[n]) == SLOT_TAKEN)
				core_set(&slot_thread(n)->rang, 1);
	if (n > s->slot_count)
		return;
	core_set(&slot_thread(n)->rang, 1);
	if (n != core_thread()->own.slot)
		SYS3(__NR_tgkill, s->pid, tid, KSIG_URG);
}

/*
 * Empties the control channel: numbers of threads that shall ask, four bytes each. The kernel tells any thread of them. Its end
 * is the guest's.
 */
static void hear_bells(void)
{
	struct core_state *s = core_here;
	struct pollfd poll = { .fd = s->channel_fd[MOSIX_CHANNEL_CONTROL], .events = POLLIN };
	struct { int64_t sec, nsec; } now = { 0, 0 };

	core_lock(&s->bell_lock);
	while (SYS5(__NR_ppoll, &poll, 1, &now, NULL, 0) == 1) {
		long n = SYS3(__NR_read, poll.fd, s->bell + s->bell_have, sizeof(s->bell) - s->bell_have);
		uint32_t tid;

		if (n <= 0)
			guest_end();
		s->bell_have += (uint32_t)n;
		now.sec = now.nsec = 0;
		if (s->bell_have < sizeof(tid))
			continue;
		memcpy(&tid, s->bell, sizeof(tid));
		s->bell_have = 0;
		rang_for(tid);
	}
	core_unlock(&s->bell_lock);
}

/*
 * futex(2) is let through by the filter, so a ring finds threads inside it and makes it return -EINTR, which only a signal of the
 * program's may do. Without a time-out, or with an absolute one, it is begun again; a wait for a time ends as if it had been
 * woken, which its callers have to expect (futex(2): spurious wake-ups).
 */
static void leave_futex(struct kernel_ucontext *uc)
{
	struct mosix_registers *regs = &uc->mc.regs;
	struct core_thread *t = core_thread();
	uint64_t operation = regs->rsi & FUTEX_CMD_MASK;
	uint8_t code[2];

	if ((int64_t)regs->rax != -EINTR || regs->rip == t->returned_to || core_copy_in(code, regs->rip - 2, 2) != 0 ||
	    code[0] != 0x0f || code[1] != 0x05)
		return;
	t->own.inside = resume_rewind(uc);
	if (t->own.inside != 0)		/* a record of syscall(3) knows what time is left */
		return;
	t->futex = regs->r10 ? FUTEX_TIMED : FUTEX_ENDLESS;
	if (operation == FUTEX_WAIT && regs->r10) {
		regs->rax = 0;
		return;
	}
	regs->rip -= 2;
	regs->rax = __NR_futex;
	t->own.inside = __NR_futex + 1;
}

static void doorbell(struct kernel_ucontext *uc)
{
	struct core_thread *t = core_thread();

	leave_futex(uc);	/* whomever the ring was for */
	hear_bells();
	if (!core_get(&t->rang) && !freeze_wanted()) {
		t->futex = FUTEX_NONE;
		return;
	}
	if (gate_in_vdso(uc->mc.regs.rip)) {	/* let it out, instruction by instruction, and ask then */
		uc->mc.regs.rflags |= KFLAGS_TF;
		t->stepping = 1;
		return;
	}
	if (core_get(&t->rang)) {
		t->rang = 0;
		gate_poll(uc);
	}
	if (freeze_wanted() && t->own.slot != 0)
		freeze_here(uc);
	t->futex = FUTEX_NONE;
}

/* A single step inside the vDSO, on the way to where a ring can be answered. */
static int stepped(struct kernel_ucontext *uc, const struct kernel_siginfo *info)
{
	if (!core_thread()->stepping || info->code != 2 /* TRAP_TRACE */)
		return 0;
	uc->mc.regs.rflags &= ~KFLAGS_TF;
	core_thread()->stepping = 0;
	doorbell(uc);
	return 1;
}

void gate_handler(int signo, struct kernel_siginfo *info, struct kernel_ucontext *uc)
{
	core_clear_alignment_check();
	switch (signo) {
	case KSIG_SYS:
		if (info->code == KSI_SYS_SECCOMP) {
			trapped_call(uc);
			if ((int64_t)uc->mc.regs.rax == -EINTR)
				core_thread()->returned_to = uc->mc.regs.rip;
			return;
		}
		break;
	case KSIG_URG:
		doorbell(uc);
		return;
	case KSIG_TRAP:
		if (stepped(uc, info))
			return;
		break;
	case KSIG_ILL:
	case KSIG_SEGV:
	case KSIG_BUS:
		if (fix_up(uc))
			return;
		break;
	default:
		break;
	}
	if (in_library(uc->mc.regs.rip) && on_slot(uc->mc.regs.rsp))
		guest_end();	/* the gate itself faulted: nothing of it can be trusted any more */
	gate_fault(uc, signo, info);
}
