/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/poll.h>
#include <mosix/reason.h>
#include "arena.h"
#include "core.h"
#include "entry.h"
#include "gate.h"
#include "guest.h"

/* A bad pointer of the program, met by a guarded copy, or an instruction on trial: it continues where it reports -EFAULT. */
static int fix_up(struct kernel_ucontext *uc)
{
	uint64_t rip = uc->mc.regs.rip;

	if (rip != (uint64_t)core_fix_copy && rip != (uint64_t)core_fix_touch && rip != (uint64_t)core_fix_fs_base)
		return 0;
	uc->mc.regs.rip = (uint64_t)core_fix_landing;
	return 1;
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
	if (core_here->inside != nr + 1)
		core_here->inside = 0;
	if (call->where == CALL_RETURN || call->where == CALL_UNCLASSIFIED) {
		gate_return(uc, nr);
		return;
	}
	if (call->special)
		result = gate_signal_call(uc, call, nr, arg);
	if (result == GATE_FORWARD && call->where != CALL_HOME)
		result = gate_local(uc, call, nr, arg);
	if (result == GATE_DONE)
		return;
	if (result == GATE_RETURN) {
		gate_return(uc, nr);
		return;
	}
	if (result == GATE_FORWARD) {
		gate_forward(uc, call, nr);
		return;
	}
	core_here->inside = 0;
	regs->rax = (uint64_t)result;
}

/* Empties the control channel, whose bytes mean nothing but "ask". Its end is the guest's. */
static void doorbell(struct kernel_ucontext *uc)
{
	struct pollfd poll = { .fd = core_here->control_fd, .events = POLLIN };
	struct { int64_t sec, nsec; } now = { 0, 0 };
	uint8_t bells[64];
	int rang = 0;

	while (SYS5(__NR_ppoll, &poll, 1, &now, NULL, 0) == 1) {
		if (SYS3(__NR_read, core_here->control_fd, bells, sizeof(bells)) <= 0)
			guest_end();
		rang = 1;
		now.sec = now.nsec = 0;
	}
	if (rang)
		core_here->rang = 1;
	if (!core_here->rang)
		return;
	if (gate_in_vdso(uc->mc.regs.rip)) {	/* let it out, instruction by instruction, and ask then */
		uc->mc.regs.rflags |= KFLAGS_TF;
		return;
	}
	core_here->rang = 0;
	gate_poll(uc, 0, 0);
}

/* A single step inside the vDSO, on the way to where a ring can be answered. */
static int stepped(struct kernel_ucontext *uc, const struct kernel_siginfo *info)
{
	if (!core_here->rang || info->code != 2 /* TRAP_TRACE */)
		return 0;
	uc->mc.regs.rflags &= ~KFLAGS_TF;
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
	if (in_library(uc->mc.regs.rip) && uc->mc.regs.rsp - core_here->base < MOSIX_ARENA_SIZE)
		guest_end();	/* the gate itself faulted: nothing of it can be trusted any more */
	gate_fault(uc, signo, info);
}
