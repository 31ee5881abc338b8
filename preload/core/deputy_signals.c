/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arena.h"
#include "core.h"
#include "deputy_signals.h"
#include "entry.h"
#include "lock.h"
#include "stop.h"
#include "thread.h"

void signals_mask(uint64_t mask)
{
	SYS4(__NR_rt_sigprocmask, KSIG_SETMASK, &mask, NULL, 8);
}

void signals_close(void)
{
	struct core_thread *t = core_thread();

	if (t->kernel_mask == ~0ull)
		return;
	signals_mask(~0ull);
	t->kernel_mask = ~0ull;
}

/* Never from open to open: the mask of a signal caught between the note and the call would be undone. */
void signals_open(uint64_t mask)
{
	struct core_thread *t = core_thread();

	if (t->kernel_mask == mask)
		return;
	signals_close();
	if (t->held.signo && mask != SIGNALS_FULL)
		return;
	t->kernel_mask = mask;
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
	struct core_thread *t = core_thread();
	uint64_t rip = uc->mc.regs.rip;

	t->held.signo = signo;
	t->stop = 1;
	memcpy(t->held.info, info, sizeof(t->held.info));
	if (rip >= (uint64_t)deputy_window_begin && rip <= (uint64_t)deputy_window_call)
		uc->mc.regs.rip = (uint64_t)deputy_window_abort;
	uc->sigmask = t->kernel_mask = ~0ull;
}

void signals_poll(uint64_t mask)
{
	if (core_thread()->held.signo == 0)
		signals_open(mask & ~ksigset_bit(KSIG_URG));
	signals_close();
}

/* To the process. The kernel lets only the first thread say for its process what another one sent (do_rt_sigqueueinfo). */
static void give_to_process(const struct core_signal *signal)
{
	struct core_state *s = core_here;
	struct core_thread *t = core_thread();
	const struct kernel_siginfo *info = (const void *)signal->info;

	if (t->own.slot == 0 || info->code < 0) {
		SYS3(__NR_rt_sigqueueinfo, s->pid, signal->signo, info);
	} else if (__atomic_load_n(&t->returned.signo, __ATOMIC_SEQ_CST) == 0) {
		memcpy(t->returned.info, signal->info, sizeof(t->returned.info));
		__atomic_store_n(&t->returned.signo, signal->signo, __ATOMIC_SEQ_CST);
		s->returned = 1;
		stop_nudge(s->pid);
	} else {
		SYS4(__NR_rt_tgsigqueueinfo, s->pid, t->own.tid, signal->signo, info);
	}
}

/*
 * The only thread gets a real-time signal into its own queue, which the kernel empties before the process's (dequeue_signal() in
 * kernel/signal.c): so it stays ahead of those of its number that came later, or are just coming. A standard one coalesces with
 * what waits there, as it would have, had it been blocked from the start, and is the one that stays. Where there are other
 * threads and this one blocks it by now, what was sent to the process must be free to go to them.
 */
void signals_requeue(int blocked)
{
	struct core_state *s = core_here;
	struct core_thread *t = core_thread();
	uint64_t set = ksigset_bit(t->held.signo);
	struct { int64_t sec, nsec; } now = { 0, 0 };
	struct kernel_siginfo *info = (void *)t->held.info, later;

	if (t->held.signo < KSIG_RTMIN)
		while (SYS4(__NR_rt_sigtimedwait, &set, &later, &now, 8) > 0)
			;
	if (!blocked || core_get(&s->threads) == 1 || info->code == KSI_TKILL)
		SYS4(__NR_rt_tgsigqueueinfo, s->pid, t->own.tid, t->held.signo, info);
	else
		give_to_process(&t->held);
	t->held.signo = 0;
}

void signals_refused(void)
{
	struct core_thread *t = core_thread();

	if (t->refused.signo > 0 && t->refused.signo <= KSIG_MAX)
		SYS4(__NR_rt_tgsigqueueinfo, core_here->pid, t->own.tid, t->refused.signo, t->refused.info);
	t->refused.signo = 0;
}

void signals_returned(void)
{
	struct core_state *s = core_here;

	if (!__atomic_exchange_n(&s->returned, 0, __ATOMIC_SEQ_CST))
		return;
	for (uint32_t n = 1; n <= s->slot_count; n++) {
		struct core_thread *t = slot_thread(n);
		int32_t signo = slot_is_used(n) ? __atomic_load_n(&t->returned.signo, __ATOMIC_SEQ_CST) : 0;

		if (signo == 0)
			continue;
		SYS3(__NR_rt_sigqueueinfo, s->pid, signo, t->returned.info);
		__atomic_store_n(&t->returned.signo, 0, __ATOMIC_SEQ_CST);
	}
}
