/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waiting for signals. SIGURG goes out of these sets, in a guest as well, because it is home's kernel that waits and would take
 * the migration signal. The program's own never waits in the kernel, so a set that has it is served from
 * mosix_own.pending: where the program has a handler for it, such a wait is not begun again by the core (restart 0),
 * because the EINTR may mean that one has come. Weaker than the real thing: sigwaitinfo() or sigtimedwait() on a set with a
 * SIGURG that has a handler may return EINTR after a move. A signalfd for SIGURG ends all that: urgent_keep().
 */
#define _GNU_SOURCE
#include "urgent.h"
#include <string.h>
#include <sys/signalfd.h>

WRAP_EXPORT int pause(void)
{
	struct mosix_record record;
	int result;

	if (!wrap_on)
		return REAL_OF(pause)();
	wrap_record(&record, SYS_pause, MOSIX_REST_NONE, 0, UINT64_MAX, 0);
	result = REAL_OF(pause)();
	wrap_done(&record);
	return result;
}

WRAP_EXPORT int sigsuspend(const sigset_t *set)
{
	struct mosix_record record;
	struct urgent_swap swap;
	int result;

	if (!wrap_on || !wrap_readable(set, 8))
		return REAL_OF(sigsuspend)(set);
	/* The kernel's sigset is the first word of libc's. */
	sigset_t whole;
	sigemptyset(&whole);
	memcpy(&whole, set, 8);
	if (urgent_enter(&swap, &whole)) {
		urgent_leave(&swap);
		errno = EINTR;
		return -1;
	}
	record.arg[0] = (uintptr_t)&swap.mask;
	record.arg[1] = 8;
	wrap_record(&record, SYS_rt_sigsuspend, MOSIX_REST_NONE, 0, UINT64_MAX, 3);
	result = REAL_OF(sigsuspend)(&swap.mask);
	wrap_done(&record);
	urgent_leave(&swap);
	return result;
}

int __sigsuspend(const sigset_t *set) WRAP_ALIAS(sigsuspend);

/* Three names, two meanings: BSD's takes the first 32 bits of a mask, X/Open's a signal to let through. */
static int pause_masked(int mask)
{
	sigset_t set;

	sigemptyset(&set);
	set.__val[0] = (unsigned int)mask;
	return sigsuspend(&set);
}

static int pause_for(int sig)
{
	sigset_t set;

	if (sigprocmask(SIG_BLOCK, NULL, &set) || sigdelset(&set, sig))
		return -1;
	return sigsuspend(&set);
}

WRAP_EXPORT int wrap_sigpause(int mask) __asm__("sigpause");
WRAP_EXPORT int wrap_xpg_sigpause(int sig) __asm__("__xpg_sigpause");
WRAP_EXPORT int __sigpause(int sig_or_mask, int is_sig);

int wrap_sigpause(int mask)
{
	return pause_masked(mask);
}

int wrap_xpg_sigpause(int sig)
{
	return pause_for(sig);
}

int __sigpause(int sig_or_mask, int is_sig)
{
	return is_sig ? pause_for(sig_or_mask) : pause_masked(sig_or_mask);
}

int urgent_take(const sigset_t *set, siginfo_t *info)
{
	if (!sigismember(set, SIGURG) || !mosix_own.pending)
		return 0;
	mosix_own.pending = 0;
	if (info) {
		memset(info, 0, sizeof(*info));
		info->si_signo = SIGURG;
		info->si_code = SI_KERNEL;
	}
	return SIGURG;
}

WRAP_EXPORT int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
	struct mosix_record record;
	uint64_t deadline = UINT64_MAX;
	enum mosix_rest rest = MOSIX_REST_NONE;
	sigset_t copy;
	int result, saved;

	if (!wrap_on || !wrap_readable(set, 8) || (timeout && !wrap_readable(timeout, sizeof(*timeout))) ||
	    (timeout && !wrap_timespec_valid(timeout)))
		return REAL_OF(sigtimedwait)(set, info, timeout);
	sigemptyset(&copy);
	memcpy(&copy, set, 8);
	result = urgent_take(&copy, info);
	if (result)
		return result;
	if (timeout) {
		record.left.ts = *timeout;
		deadline = wrap_deadline(timeout->tv_sec, timeout->tv_nsec);
		rest = MOSIX_REST_TIMESPEC;
		timeout = &record.left.ts;
	}
	record.arg[1] = (uintptr_t)info;
	record.arg[2] = (uintptr_t)timeout;
	record.arg[3] = 8;
	if (sigismember(&copy, SIGURG) && !urgent_kept()) {
		sigdelset(&copy, SIGURG);
		record.arg[0] = (uintptr_t)&copy;
		wrap_record(&record, SYS_rt_sigtimedwait, rest, 2, deadline, 15);
		record.restart = !urgent_listens();
		result = REAL_OF(sigtimedwait)(&copy, info, timeout);
		wrap_done(&record);
		sigaddset(&copy, SIGURG);
		saved = errno;
		if (result < 0 && saved == EINTR && urgent_take(&copy, info))
			return SIGURG;
		errno = saved;
		return result;
	}
	record.arg[0] = (uintptr_t)&copy;
	wrap_record(&record, SYS_rt_sigtimedwait, rest, 2, deadline, 15);
	result = REAL_OF(sigtimedwait)(&copy, info, timeout);
	wrap_done(&record);
	return result;
}

WRAP_EXPORT int sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
	return sigtimedwait(set, info, NULL);
}

WRAP_EXPORT int sigwait(const sigset_t *set, int *sig)
{
	siginfo_t info;

	while (sigtimedwait(set, &info, NULL) < 0) {
		if (errno != EINTR)
			return errno;
	}
	*sig = info.si_signo;
	return 0;
}

WRAP_EXPORT int signalfd(int fd, const sigset_t *set, int flags)
{
	sigset_t copy;

	if (!wrap_on || !wrap_readable(set, 8))
		return REAL_OF(signalfd)(fd, set, flags);
	sigemptyset(&copy);
	memcpy(&copy, set, 8);
	if (sigismember(&copy, SIGURG) && urgent_ours())
		urgent_keep();
	return REAL_OF(signalfd)(fd, &copy, flags);
}
