/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "action.h"
#include "altstack.h"
#include "syscall.h"
#include "urgent.h"
#include <string.h>

static int raw_mask(int how, const sigset_t *set, sigset_t *old)
{
	return (int)wrap_raw_(SYS_rt_sigprocmask, how, set, old, 8);
}

static int raw_altstack(const stack_t *set, stack_t *old)
{
	return (int)wrap_raw_(SYS_sigaltstack, set, old);
}

/* Whether the kernel would read *address (NULL is fine) as a set of its size. */
static int good_set(long address, long size)
{
	return size == 8 && (!address || wrap_readable((const void *)address, 8));
}

static long action(const long a[6])
{
	struct mosix_sigaction act, old;
	struct action_view view;
	int sig = (int)a[0];
	long result;

	if (a[3] != 8 || (a[1] && !wrap_readable((const void *)a[1], sizeof(act))))
		return syscall_plain(SYS_rt_sigaction, a);
	if (a[1])
		memcpy(&act, (const void *)a[1], sizeof(act));
	if (sig == SIGURG && urgent_ours()) {
		urgent_kernel_action(a[1] ? &act : NULL, &old);
		return a[2] ? syscall_store(a[2], &old, sizeof(old)) : 0;
	}
	action_enter(&view, sig, a[1] ? &act.mask : NULL);
	result = wrap_raw_(SYS_rt_sigaction, sig, a[1] ? &act : NULL, a[2], 8);
	if (result == 0)
		action_done(&view, sig, a[2] ? &((struct mosix_sigaction *)a[2])->mask : NULL);
	return result;
}

static long pending(const long a[6])
{
	long result = syscall_plain(SYS_rt_sigpending, a);

	if (result == 0 && a[1] == 8 && !core_is_guest() && !urgent_kept()) {
		if (mosix_own.pending && mosix_own.blocked)
			sigaddset((sigset_t *)a[0], SIGURG);
		else
			sigdelset((sigset_t *)a[0], SIGURG);
	}
	return result;
}

/* set, info, time-out, size: as sigtimedwait() in wrap_wait.c */
static long wait_signal(long a[6])
{
	struct mosix_record record;
	uint64_t deadline = UINT64_MAX;
	enum mosix_rest rest = MOSIX_REST_NONE;
	sigset_t set;
	siginfo_t info;
	long result;
	int named;

	if (!a[0] || !good_set(a[0], a[3]))
		return syscall_plain(SYS_rt_sigtimedwait, a);
	sigemptyset(&set);
	memcpy(&set, (const void *)a[0], 8);
	if (a[2]) {
		if (!wrap_readable((const void *)a[2], sizeof(record.left.ts)))
			return syscall_plain(SYS_rt_sigtimedwait, a);
		memcpy(&record.left.ts, (const void *)a[2], sizeof(record.left.ts));
		if (!wrap_timespec_valid(&record.left.ts))
			return syscall_plain(SYS_rt_sigtimedwait, a);
		deadline = wrap_deadline(record.left.ts.tv_sec, record.left.ts.tv_nsec);
		rest = MOSIX_REST_TIMESPEC;
		a[2] = (long)&record.left.ts;
	}
	if (urgent_take(&set, &info))
		return a[1] && syscall_store(a[1], &info, sizeof(info)) != 0 ? -EFAULT : SIGURG;
	named = sigismember(&set, SIGURG) && !urgent_kept();
	if (named)
		sigdelset(&set, SIGURG);
	a[0] = (long)&set;
	for (int i = 0; i < 6; i++)
		record.arg[i] = (uint64_t)a[i];
	wrap_record(&record, SYS_rt_sigtimedwait, rest, 2, deadline, 63);
	record.restart = !named || !urgent_listens();
	result = syscall_called(SYS_rt_sigtimedwait, a);
	wrap_done(&record);
	if (named && result == -EINTR) {
		sigaddset(&set, SIGURG);
		if (urgent_take(&set, &info))
			return a[1] && syscall_store(a[1], &info, sizeof(info)) != 0 ? -EFAULT : SIGURG;
	}
	return result;
}

/* fd, set, size: as signalfd() in wrap_wait.c */
static long signal_descriptor(long nr, long a[6])
{
	uint64_t set;

	if (a[1] && good_set(a[1], a[2])) {
		memcpy(&set, (const void *)a[1], 8);
		if (set & URGENT_BIT && urgent_ours())
			urgent_keep();
		a[1] = (long)&set;
	}
	return syscall_plain(nr, a);
}

long syscall_signals(long nr, long a[6])
{
	switch (nr) {
	case SYS_rt_sigprocmask:
		if (!good_set(a[1], a[3]))
			return syscall_plain(nr, a);
		return urgent_mask(raw_mask, (int)a[0], (const sigset_t *)a[1], (sigset_t *)a[2]);
	case SYS_rt_sigaction:
		return action(a);
	case SYS_rt_sigpending:
		return pending(a);
	case SYS_sigaltstack:
		return altstack_change(raw_altstack, (const stack_t *)a[0], (stack_t *)a[1]);
	case SYS_rt_sigtimedwait:
		return wait_signal(a);
	default:
		return signal_descriptor(nr, a);
	}
}
