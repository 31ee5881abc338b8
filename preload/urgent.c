/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program's action for SIGURG, and its own SIGURG when it comes late (urgent.h). */
#define _GNU_SOURCE
#include "urgent.h"
#include <string.h>

/* What the kernel keeps of sa_flags on x86-64 (5.11 and later). */
#define KERNEL_FLAGS (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | SA_RESETHAND | 0x04000800)
#define KERNEL_RESTORER 0x04000000ull

static uint64_t core_handler, restorer;
__thread struct core_own mosix_own __attribute__((tls_model("initial-exec"), visibility("hidden")));

/*
 * glibc puts its restorer into every action and shows it in old ones, and the core needs it to build frames for the program's
 * handler: glibc sets the core's own handler again, and what it gave the kernel is read before the core's action is put back.
 */
void urgent_learn(void)
{
	struct mosix_sigaction core, seen;
	struct sigaction same;

	if (wrap_raw_(SYS_rt_sigaction, SIGURG, 0, &core, 8))
		return;
	core_handler = core.handler;
	memset(&same, 0, sizeof(same));
	same.sa_handler = (wrap_handler)core.handler;
	same.sa_flags = (int)(core.flags & ~KERNEL_RESTORER);
	memcpy(&same.sa_mask, &core.mask, sizeof(core.mask));
	if (REAL_OF(sigaction)(SIGURG, &same, NULL) != 0)
		return;
	if (wrap_raw_(SYS_rt_sigaction, SIGURG, 0, &seen, 8) == 0)
		restorer = seen.restorer;
	wrap_raw_(SYS_rt_sigaction, SIGURG, &core, 0, 8);
}

static int is_handler(uint64_t handler)
{
	return handler != (uintptr_t)SIG_DFL && handler != (uintptr_t)SIG_IGN;
}

int urgent_listens(void)
{
	struct mosix_sigaction now = { 0, 0, 0, 0 };

	if (!core_is_guest())
		return is_handler(core_urgent()->action.handler);
	wrap_raw_(SYS_rt_sigaction, SIGURG, 0, &now, 8);
	return is_handler(now.handler) && now.handler != core_handler;
}

int urgent_deliver(void)
{
	siginfo_t info;

	if (!mosix_own.pending)
		return 0;
	mosix_own.pending = 0;
	if (!is_handler(core_urgent()->action.handler))
		return 0;
	/* Who sent it was not kept. Urgent data is the kernel's message, and nearly always the cause. */
	memset(&info, 0, sizeof(info));
	info.si_signo = SIGURG;
	info.si_code = SI_KERNEL;
	wrap_raw_(SYS_rt_tgsigqueueinfo, wrap_raw_(SYS_getpid, 0), wrap_raw_(SYS_gettid, 0), SIGURG, &info);
	return 1;
}

/* The gate's action. 0: this is home, where nothing has been changed. */
static int guest_action(const struct mosix_sigaction *act, struct mosix_sigaction *ret_old)
{
	struct mosix_sigaction old = { 0, 0, 0, 0 };

	wrap_raw_(SYS_rt_sigaction, SIGURG, act, &old, 8);
	if (!core_is_guest() && old.handler == core_handler) {	/* moved first: the core's handler was thrown out */
		wrap_raw_(SYS_rt_sigaction, SIGURG, &old, 0, 8);
		return 0;
	}
	*ret_old = old;
	return 1;
}

void urgent_kernel_action(const struct mosix_sigaction *act, struct mosix_sigaction *ret_old)
{
	struct core_urgent *urgent = core_urgent();
	struct mosix_sigaction after, old;

	if (act) {
		after = *act;
		after.flags &= (uint64_t)(uint32_t)KERNEL_FLAGS;
		after.mask &= ~(1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1));
	}
	for (;;) {
		/* The core's handler may look at any moment: never an action half old and half new. */
		if (urgent_hold()) {
			old = urgent->action;
			if (act) {
				urgent->action = after;
				if (!is_handler(after.handler))
					mosix_own.pending = 0;
			}
			urgent_release();
			break;
		}
		if (guest_action(act ? &after : NULL, &old))
			break;
	}
	*ret_old = old;
}

int urgent_action(const struct sigaction *act, struct sigaction *old)
{
	struct mosix_sigaction before, after;

	if (act) {
		after.handler = (uintptr_t)act->sa_handler;
		after.flags = (uint64_t)(int64_t)act->sa_flags | KERNEL_RESTORER;
		after.restorer = restorer;
		memcpy(&after.mask, &act->sa_mask, sizeof(after.mask));
	}
	urgent_kernel_action(act ? &after : NULL, &before);
	if (old) {
		old->sa_handler = (wrap_handler)before.handler;
		old->sa_flags = (int)before.flags;
		old->sa_restorer = (void (*)(void))before.restorer;
		memcpy(&old->sa_mask, &before.mask, sizeof(before.mask));
	}
	return 0;
}

void urgent_onstack(int on)
{
	struct mosix_sigaction action;

	if (!urgent_hold())
		return;
	if (wrap_raw_(SYS_rt_sigaction, SIGURG, 0, &action, 8) == 0 && action.handler == core_handler) {
		action.flags = on ? action.flags | SA_ONSTACK : action.flags & ~(uint64_t)SA_ONSTACK;
		wrap_raw_(SYS_rt_sigaction, SIGURG, &action, 0, 8);
	}
	urgent_release();
}
