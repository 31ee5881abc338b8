/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core.h"
#include "deputy_settle.h"
#include "lock.h"
#include "stop.h"

#define PATIENCE_NS 100000000ull	/* a thread that stands, or waits for a vfork child, takes none for now */
#define LOOK_NS       2000000ull

enum { NOT_SENT = 0, TO_PROCESS = -1 };

void settle_taken(void)
{
	struct core_thread *t = core_thread();

	if (!t->handed)
		return;
	t->handed = 0;
	core_add(&core_here->taken, 1);
}

static int is_own_process(int64_t pid)
{
	return pid == 0 || pid == -1 || pid == core_here->pid || (pid < 0 && -pid == SYS0(__NR_getpgrp));
}

/* Whom a call has sent which signal: a thread's number, TO_PROCESS or NOT_SENT. */
static int64_t receiver(uint64_t nr, const uint64_t arg[6], int *signo)
{
	*signo = (int)arg[nr == __NR_tgkill || nr == __NR_rt_tgsigqueueinfo ? 2 : 1];
	switch (nr) {
	case __NR_kill:
	case __NR_rt_sigqueueinfo:   return is_own_process((int)arg[0]) ? TO_PROCESS : NOT_SENT;
	case __NR_tkill:             return (int)arg[0];
	case __NR_tgkill:
	case __NR_rt_tgsigqueueinfo: return (int)arg[0] == (int)core_here->pid ? (int)arg[1] : NOT_SENT;
	default:                     return NOT_SENT;
	}
}

/* Calls each for the other threads that may get what was sent, until one says yes. */
static int any_other(int64_t to, int signo, int (*each)(const struct core_thread *t, int signo))
{
	const struct core_state *s = core_here;

	for (uint32_t n = 0; n <= s->slot_count; n++) {
		const struct core_thread *t = slot_thread(n);

		if ((n == 0 || slot_is_used(n)) && t != core_thread() && (to == TO_PROCESS || t->own.tid == to) && each(t, signo))
			return 1;
	}
	return 0;
}

static int takes(const struct core_thread *t, int signo)
{
	return !ksigset_has(t->own.mask, signo);
}

static int has_it(const struct core_thread *t, int signo)
{
	return t->handed || t->held.signo == signo;
}

static int is_handled(int signo)
{
	const struct mosix_sigaction *action = &core_here->action[signo];

	return action->handler != KSIG_DFL && action->handler != KSIG_IGN;
}

void deputy_settle(uint64_t nr, const uint64_t arg[6], uint32_t begun)
{
	struct core_state *s = core_here;
	uint64_t until;
	int signo;
	int64_t to = receiver(nr, arg, &signo);

	if (to == NOT_SENT || signo < 1 || signo > KSIG_MAX || core_get(&s->threads) == 1 || to == core_thread()->own.tid)
		return;
	if (!is_handled(signo) || !any_other(to, signo, takes))
		return;
	until = core_clock(1) + PATIENCE_NS;
	while (!s->come_home && !s->guest_gone && core_get(&s->phase) != STOP_RESUME && core_clock(1) < until) {
		uint32_t taken = settle_begin();

		if (to == TO_PROCESS && core_thread()->held.signo == signo)
			return;		/* this one was chosen itself */
		if (taken != begun && !any_other(to, signo, has_it))
			return;
		core_wait(&s->taken, taken, core_clock(1) + LOOK_NS);
	}
}
