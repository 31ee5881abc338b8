/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Signal handlers. SIGURG's is emulated (urgent.h). In every other action only SIGURG in sa_mask is touched: it goes out, so
 * that the process stays movable inside the handler, and because a migration signal that waited for the handler's end would be
 * taken right behind the call that the handler interrupted, where it could not be told from the cause of that EINTR. In a guest
 * as well, for these actions come home as they are. Old actions show what the program set.
 */
#define _GNU_SOURCE
#include "action.h"
#include "urgent.h"
#include <stdatomic.h>

/* A bit a signal: the mask it was last set with came through us, and had SIGURG. */
static atomic_ullong ours, wanted;

/* signal() and siginterrupt() of glibc share this about SIGURG. */
static int interrupts;

static unsigned long long bit(int sig)
{
	return sig > 0 && sig < NSIG ? 1ull << (sig - 1) : 0;
}

static int emulated(int sig)
{
	return sig == SIGURG && urgent_ours();
}

void action_enter(struct action_view *view, int sig, uint64_t *mask)
{
	view->known = (atomic_load_explicit(&ours, memory_order_relaxed) & bit(sig)) != 0;
	view->had = (atomic_load_explicit(&wanted, memory_order_relaxed) & bit(sig)) != 0;
	view->set = mask != NULL;
	view->named = mask && *mask & URGENT_BIT;
	if (mask)
		*mask &= ~URGENT_BIT;
}

void action_done(const struct action_view *view, int sig, uint64_t *old_mask)
{
	if (old_mask && view->known)
		*old_mask = view->had ? *old_mask | URGENT_BIT : *old_mask & ~URGENT_BIT;
	if (!view->set)
		return;
	if (view->named)
		atomic_fetch_or_explicit(&wanted, bit(sig), memory_order_relaxed);
	else
		atomic_fetch_and_explicit(&wanted, ~bit(sig), memory_order_relaxed);
	atomic_fetch_or_explicit(&ours, bit(sig), memory_order_relaxed);
}

WRAP_EXPORT int sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct action_view view;
	struct sigaction copy;
	int result;

	if (!wrap_on)
		return REAL_OF(sigaction)(sig, act, old);
	if (emulated(sig))
		return urgent_action(act, old);
	if (act)
		copy = *act;
	action_enter(&view, sig, act ? (uint64_t *)&copy.sa_mask : NULL);
	result = REAL_OF(sigaction)(sig, act ? &copy : NULL, old);
	if (result == 0)
		action_done(&view, sig, old ? (uint64_t *)&old->sa_mask : NULL);
	return result;
}

int __sigaction(int sig, const struct sigaction *act, struct sigaction *old) WRAP_ALIAS(sigaction);

/* The real function is about to set an action with a mask of its own making. */
static void forget(int sig)
{
	if (wrap_on)
		atomic_fetch_and_explicit(&ours, ~bit(sig), memory_order_relaxed);
}

static wrap_handler urgent_signal(wrap_handler handler, int flags, int masked)
{
	struct sigaction act, old;

	if (handler == SIG_ERR) {
		errno = EINVAL;
		return SIG_ERR;
	}
	act.sa_handler = handler;
	act.sa_flags = flags;
	sigemptyset(&act.sa_mask);
	if (masked)
		sigaddset(&act.sa_mask, SIGURG);
	urgent_action(&act, &old);
	return old.sa_handler;
}

WRAP_EXPORT wrap_handler signal(int sig, wrap_handler handler)
{
	if (emulated(sig))
		return urgent_signal(handler, interrupts ? 0 : SA_RESTART, 1);
	forget(sig);
	return REAL_OF(signal)(sig, handler);
}

wrap_handler bsd_signal(int sig, wrap_handler handler) WRAP_ALIAS(signal);
wrap_handler ssignal(int sig, wrap_handler handler) WRAP_ALIAS(signal);

WRAP_EXPORT wrap_handler sysv_signal(int sig, wrap_handler handler)
{
	if (emulated(sig))
		return urgent_signal(handler, (int)(SA_RESETHAND | SA_NODEFER), 0);
	forget(sig);
	return REAL_OF(sysv_signal)(sig, handler);
}

wrap_handler __sysv_signal(int sig, wrap_handler handler) WRAP_ALIAS(sysv_signal);

WRAP_EXPORT wrap_handler sigset(int sig, wrap_handler handler)
{
	struct sigaction action;
	sigset_t set, before;
	wrap_handler old;

	if (!emulated(sig) || handler == SIG_ERR) {
		forget(sig);
		return REAL_OF(sigset)(sig, handler);
	}
	sigemptyset(&set);
	sigaddset(&set, sig);
	if (handler == SIG_HOLD) {
		if (sigprocmask(SIG_BLOCK, &set, &before))
			return SIG_ERR;
		urgent_action(NULL, &action);
		return sigismember(&before, sig) ? SIG_HOLD : action.sa_handler;
	}
	old = urgent_signal(handler, 0, 0);
	if (sigprocmask(SIG_UNBLOCK, &set, &before))
		return SIG_ERR;
	return sigismember(&before, sig) ? SIG_HOLD : old;
}

WRAP_EXPORT int sigignore(int sig)
{
	if (emulated(sig))
		return urgent_signal(SIG_IGN, 0, 0) == SIG_ERR ? -1 : 0;
	forget(sig);
	return REAL_OF(sigignore)(sig);
}

/* Reads the action and sets it again with another SA_RESTART: the mask stays as it is in the kernel. */
WRAP_EXPORT int siginterrupt(int sig, int interrupt)
{
	struct sigaction act;

	if (!emulated(sig))
		return REAL_OF(siginterrupt)(sig, interrupt);
	urgent_action(NULL, &act);
	interrupts = interrupt != 0;
	act.sa_flags = interrupt ? act.sa_flags & ~SA_RESTART : act.sa_flags | SA_RESTART;
	return urgent_action(&act, NULL);
}
