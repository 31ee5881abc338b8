/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Signal masks. Home's kernel never gets SIGURG; the program sees the bit it set (urgent.h). Weaker than the real thing: at
 * home the bit is one a process, not one a thread, and masks that the C library or the kernel saves and restores by themselves
 * (return from a handler, siglongjmp, setcontext, sa_mask) do not carry it.
 */
#define _GNU_SOURCE
#include "urgent.h"

WRAP_EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	return wrap_on ? urgent_mask(REAL_OF(sigprocmask), how, set, old) : REAL_OF(sigprocmask)(how, set, old);
}

WRAP_EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	return wrap_on ? urgent_mask(REAL_OF(pthread_sigmask), how, set, old) : REAL_OF(pthread_sigmask)(how, set, old);
}

/* The masks of 4.2BSD are the first 32 signals. */
static int old_mask(int how, const int *mask)
{
	sigset_t set, old;

	sigemptyset(&set);
	if (mask)
		set.__val[0] = (unsigned int)*mask;
	if (sigprocmask(how, mask ? &set : NULL, &old))
		return -1;
	return (int)(unsigned int)old.__val[0];
}

WRAP_EXPORT int sigblock(int mask);
WRAP_EXPORT int sigsetmask(int mask);
WRAP_EXPORT int siggetmask(void);

int sigblock(int mask)
{
	return old_mask(SIG_BLOCK, &mask);
}

int sigsetmask(int mask)
{
	return old_mask(SIG_SETMASK, &mask);
}

int siggetmask(void)
{
	return old_mask(SIG_BLOCK, NULL);
}

static int one(int how, int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	return sigprocmask(how, &set, NULL);
}

WRAP_EXPORT int sighold(int sig)
{
	return wrap_on && sig == SIGURG ? one(SIG_BLOCK, sig) : REAL_OF(sighold)(sig);
}

WRAP_EXPORT int sigrelse(int sig)
{
	return wrap_on && sig == SIGURG ? one(SIG_UNBLOCK, sig) : REAL_OF(sigrelse)(sig);
}

WRAP_EXPORT int sigpending(sigset_t *set)
{
	int result = REAL_OF(sigpending)(set);

	if (result == 0 && wrap_on && !core_is_guest() && !urgent_kept()) {
		if (mosix_own.pending && mosix_own.blocked)
			sigaddset(set, SIGURG);
		else
			sigdelset(set, SIGURG);
	}
	return result;
}

/* In a guest as well: threads are made at home. */
WRAP_EXPORT int pthread_attr_setsigmask_np(pthread_attr_t *attributes, const sigset_t *set)
{
	sigset_t copy;

	if (!wrap_on || !set || !sigismember(set, SIGURG))
		return REAL_OF(pthread_attr_setsigmask_np)(attributes, set);
	copy = *set;
	sigdelset(&copy, SIGURG);
	return REAL_OF(pthread_attr_setsigmask_np)(attributes, &copy);
}
