/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "urgent.h"
#include <string.h>

/* What the kernel keeps of sa_flags on x86-64 (5.11 and later). */
#define KERNEL_FLAGS (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | SA_RESETHAND | 0x04000800)
#define KERNEL_RESTORER 0x04000000ull

int urgent_deliver(void)
{
	struct core_urgent *urgent = core_urgent();
	uint64_t handler = urgent->action.handler;
	siginfo_t info;

	if (!urgent->pending)
		return 0;
	urgent->pending = 0;
	if (handler == (uintptr_t)SIG_DFL || handler == (uintptr_t)SIG_IGN)
		return 0;
	/* Who sent it was not kept. Urgent data is the kernel's message, and nearly always the cause. */
	memset(&info, 0, sizeof(info));
	info.si_signo = SIGURG;
	info.si_code = SI_KERNEL;
	wrap_raw_(SYS_rt_tgsigqueueinfo, wrap_raw_(SYS_getpid, 0), wrap_raw_(SYS_gettid, 0), SIGURG, &info);
	return 1;
}

int urgent_enter(struct urgent_swap *swap, const sigset_t *mask)
{
	struct core_urgent *urgent = core_urgent();

	swap->mask = *mask;
	swap->blocked = urgent->blocked;
	urgent->blocked = (uint32_t)sigismember(mask, SIGURG);
	sigdelset(&swap->mask, SIGURG);
	return !urgent->blocked && urgent_deliver();
}

void urgent_leave(const struct urgent_swap *swap)
{
	core_urgent()->blocked = swap->blocked;
}

/*
 * The address of glibc's signal restorer, which it puts into every action and shows in old ones, and which the core needs to
 * build frames for the program's handler. Learnt once: glibc sets the core's own handler again, and what it gave the kernel
 * is read before the core's action is put back.
 */
static uint64_t restorer(void)
{
	static uint64_t known;
	struct mosix_sigaction core, seen;
	struct sigaction same;

	if (known || wrap_raw_(SYS_rt_sigaction, SIGURG, 0, &core, 8))
		return known;
	memset(&same, 0, sizeof(same));
	same.sa_handler = (wrap_handler)core.handler;
	same.sa_flags = (int)(core.flags & ~KERNEL_RESTORER);
	memcpy(&same.sa_mask, &core.mask, sizeof(core.mask));
	if (REAL_OF(sigaction)(SIGURG, &same, NULL) == 0) {
		if (wrap_raw_(SYS_rt_sigaction, SIGURG, 0, &seen, 8) == 0)
			known = seen.restorer;
		wrap_raw_(SYS_rt_sigaction, SIGURG, &core, 0, 8);
	}
	return known;
}

int urgent_action(const struct sigaction *act, struct sigaction *old)
{
	struct core_urgent *urgent = core_urgent();
	struct mosix_sigaction before = urgent->action, after = { 0, 0, 0, 0 };

	if (act) {
		after.handler = (uintptr_t)act->sa_handler;
		after.flags = ((uint64_t)(int64_t)act->sa_flags | KERNEL_RESTORER) & (uint64_t)(uint32_t)KERNEL_FLAGS;
		after.restorer = restorer();
		memcpy(&after.mask, &act->sa_mask, sizeof(after.mask));
		after.mask &= ~(1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1));
		/* The handler of the core may look at any moment: never an action half old and half new. */
		uint64_t urg = 1ull << (SIGURG - 1), mask;
		wrap_raw_(SYS_rt_sigprocmask, SIG_BLOCK, &urg, &mask, 8);
		urgent->action = after;
		if (after.handler == (uintptr_t)SIG_DFL || after.handler == (uintptr_t)SIG_IGN)
			urgent->pending = 0;
		wrap_raw_(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, 8);
	}
	if (old) {
		old->sa_handler = (wrap_handler)before.handler;
		old->sa_flags = (int)before.flags;
		old->sa_restorer = (void (*)(void))before.restorer;
		memcpy(&old->sa_mask, &before.mask, sizeof(before.mask));
	}
	return 0;
}
