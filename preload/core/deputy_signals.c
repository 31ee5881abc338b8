/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arena.h"
#include "core.h"
#include "deputy_signals.h"
#include "entry.h"

void signals_mask(uint64_t mask)
{
	SYS4(__NR_rt_sigprocmask, KSIG_SETMASK, &mask, NULL, 8);
}

void signals_close(void)
{
	if (core_here->kernel_mask == ~0ull)
		return;
	signals_mask(~0ull);
	core_here->kernel_mask = ~0ull;
}

/* Never from open to open: the mask of a signal caught between the note and the call would be undone. */
void signals_open(uint64_t mask)
{
	struct core_state *s = core_here;

	if (s->kernel_mask == mask)
		return;
	signals_close();
	if (s->held.signo && mask != SIGNALS_FULL)
		return;
	s->kernel_mask = mask;
	signals_mask(mask);
}

/* In the deputy's handlers the program's frame, altstack and mask do not exist. */
static void on_signal(int signo, struct kernel_siginfo *info, struct kernel_ucontext *uc)
{
	signals_catch(signo, info, uc);
}

static int has_handler(const struct mosix_sigaction *action)
{
	return action->handler != KSIG_DFL && action->handler != KSIG_IGN;
}

/* A default action that dumps core must find the program's memory: it is caught, and taken at home. */
static int dumps_core(int signo, const struct mosix_sigaction *action)
{
	const struct mosix_manifest *m = arena_at(ARENA_MANIFEST);

	return action->handler == KSIG_DFL && KSIGSET_CORES & ksigset_bit(signo) && m->rlimit_core.soft > 0;
}

static void install(int signo, const struct mosix_sigaction *action)
{
	struct mosix_sigaction ours = *action;

	if (signo == KSIG_KILL || signo == KSIG_STOP || signo == KSIG_URG)
		return;
	if (has_handler(action) || dumps_core(signo, action)) {
		/* What the kernel itself looks at stays: restarting, and what children do. */
		ours.flags = (action->flags & (KSA_RESTART | KSA_NOCLDSTOP | KSA_NOCLDWAIT)) | KSA_SIGINFO | KSA_RESTORER;
		ours.handler = (uint64_t)on_signal;
		ours.restorer = (uint64_t)core_restorer;
		ours.mask = SIGNALS_FULL;
	}
	SYS4(__NR_rt_sigaction, signo, &ours, NULL, 8);
}

void signals_install(void)
{
	for (int signo = 1; signo <= KSIG_MAX; signo++)
		if (has_handler(&core_here->action[signo]) || dumps_core(signo, &core_here->action[signo]))
			install(signo, &core_here->action[signo]);
}

/* Where the kernel has the deputy's handler. Others are left alone: setting SIG_IGN again would flush what is pending. */
static int stood_in(int signo)
{
	const struct mosix_sigaction *action = &core_here->action[signo];

	if (signo == KSIG_KILL || signo == KSIG_STOP || signo == KSIG_URG)
		return 0;
	return has_handler(action) || (action->handler == KSIG_DFL && KSIGSET_CORES & ksigset_bit(signo));
}

void signals_restore(void)
{
	for (int signo = 1; signo <= KSIG_MAX; signo++)
		if (stood_in(signo))
			SYS4(__NR_rt_sigaction, signo, &core_here->action[signo], NULL, 8);
}

void signals_change(int signo, const struct mosix_sigaction *action)
{
	core_here->action[signo] = *action;
	if (signo == KSIG_URG)
		core_here->urgent.action = *action;
	else
		install(signo, action);
}

void signals_catch(int signo, const struct kernel_siginfo *info, struct kernel_ucontext *uc)
{
	struct core_state *s = core_here;
	uint64_t rip = uc->mc.regs.rip;

	s->held.signo = signo;
	s->stop = 1;
	memcpy(s->held.info, info, sizeof(s->held.info));
	if (rip >= (uint64_t)deputy_window_begin && rip <= (uint64_t)deputy_window_call)
		uc->mc.regs.rip = (uint64_t)deputy_window_abort;
	uc->sigmask = s->kernel_mask = ~0ull;
}

void signals_poll(uint64_t mask)
{
	if (core_here->held.signo == 0)
		signals_open(mask & ~ksigset_bit(KSIG_URG));
	signals_close();
}

/*
 * A real-time signal goes to this thread's own queue, which the kernel empties before the process's (dequeue_signal() in
 * kernel/signal.c): so it stays ahead of those of its number that came later, or are just coming. A standard one coalesces with
 * what waits there, as it would have, had it been blocked from the start, and is the one that stays.
 */
void signals_requeue(void)
{
	struct core_state *s = core_here;
	struct kernel_siginfo later;
	uint64_t set = ksigset_bit(s->held.signo);
	struct { int64_t sec, nsec; } now = { 0, 0 };

	if (s->held.signo < KSIG_RTMIN)
		while (SYS4(__NR_rt_sigtimedwait, &set, &later, &now, 8) > 0)
			;
	SYS4(__NR_rt_tgsigqueueinfo, s->pid, s->pid, s->held.signo, s->held.info);
	s->held.signo = 0;
}
