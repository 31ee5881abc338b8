/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "syscall.h"
#include "urgent.h"
#include <dlfcn.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <string.h>

/* What has to be done about a number. */
enum kind { NOTHING, WAIT, FUTEX, SLEEP, RANDOM, BYTES, SIGNALS, OTHERS };

/* For syscall_entry.S. */
extern uint8_t syscall_kinds[512] __attribute__((visibility("hidden")));
long syscall_served(long nr, long a, long b, long c, long d, long e, long f) __attribute__((visibility("hidden")));
long syscall_failed(long error) __attribute__((visibility("hidden")));

static long (*syscall_real)(long nr, ...);

/* clang-format off */
uint8_t syscall_kinds[512] = {
	[SYS_pause] = WAIT,          [SYS_nanosleep] = WAIT,      [SYS_poll] = WAIT,           [SYS_ppoll] = WAIT,
	[SYS_select] = WAIT,         [SYS_pselect6] = WAIT,       [SYS_epoll_wait] = WAIT,     [SYS_epoll_pwait] = WAIT,
	[SYS_epoll_pwait2] = WAIT,   [SYS_semop] = WAIT,          [SYS_semtimedop] = WAIT,     [SYS_msgrcv] = WAIT,
	[SYS_msgsnd] = WAIT,         [SYS_io_getevents] = WAIT,   [SYS_io_pgetevents] = WAIT,  [SYS_io_uring_enter] = WAIT,
	[SYS_rt_sigsuspend] = WAIT,  [SYS_fallocate] = WAIT,
	[SYS_futex] = FUTEX,         [SYS_clock_nanosleep] = SLEEP, [SYS_getrandom] = RANDOM,
	[SYS_write] = BYTES,         [SYS_writev] = BYTES,        [SYS_pwritev2] = BYTES,      [SYS_sendfile] = BYTES,
	[SYS_copy_file_range] = BYTES, [SYS_sendto] = BYTES,      [SYS_sendmsg] = BYTES,       [SYS_recvfrom] = BYTES,
	[SYS_recvmsg] = BYTES,       [SYS_read] = BYTES,          [SYS_readv] = BYTES,         [SYS_accept] = BYTES,
	[SYS_accept4] = BYTES,       [SYS_connect] = BYTES,       [SYS_setsockopt] = BYTES,
	[SYS_rt_sigprocmask] = SIGNALS, [SYS_rt_sigaction] = SIGNALS, [SYS_rt_sigpending] = SIGNALS,
	[SYS_rt_sigtimedwait] = SIGNALS, [SYS_sigaltstack] = SIGNALS, [SYS_signalfd] = SIGNALS, [SYS_signalfd4] = SIGNALS,
};

/* Calls that wait: which argument is the time-out, in what form, and which the mask (its size is the next). -1: none. */
static const struct wait {
	int16_t nr;
	int8_t  timeout, form;
	int8_t  writes;		/* the kernel stores what is left */
	int8_t  mask, pair;	/* pair: argument `mask` points to the mask's address and size */
} waits[] = {
	{ SYS_pause,         -1, MOSIX_REST_NONE,     0, -1, 0 },
	{ SYS_nanosleep,      0, MOSIX_REST_TIMESPEC, 0, -1, 0 },
	{ SYS_poll,           2, MOSIX_REST_MS,       0, -1, 0 },
	{ SYS_ppoll,          2, MOSIX_REST_TIMESPEC, 1,  3, 0 },
	{ SYS_select,         4, MOSIX_REST_TIMEVAL,  1, -1, 0 },
	{ SYS_pselect6,       4, MOSIX_REST_TIMESPEC, 1,  5, 1 },
	{ SYS_epoll_wait,     3, MOSIX_REST_MS,       0, -1, 0 },
	{ SYS_epoll_pwait,    3, MOSIX_REST_MS,       0,  4, 0 },
	{ SYS_epoll_pwait2,   3, MOSIX_REST_TIMESPEC, 0,  4, 0 },
	{ SYS_semop,         -1, MOSIX_REST_NONE,     0, -1, 0 },
	{ SYS_semtimedop,     3, MOSIX_REST_TIMESPEC, 0, -1, 0 },
	{ SYS_msgrcv,        -1, MOSIX_REST_NONE,     0, -1, 0 },
	{ SYS_msgsnd,        -1, MOSIX_REST_NONE,     0, -1, 0 },
	{ SYS_io_getevents,   4, MOSIX_REST_TIMESPEC, 0, -1, 0 },
	{ SYS_io_pgetevents,  4, MOSIX_REST_TIMESPEC, 0,  5, 1 },
	{ SYS_io_uring_enter, -1, MOSIX_REST_NONE,    0,  4, 0 },
	{ SYS_rt_sigsuspend, -1, MOSIX_REST_NONE,     0,  0, 0 },
	{ SYS_fallocate,     -1, MOSIX_REST_NONE,     0, -1, 0 },
};
/* clang-format on */

__attribute__((noinline)) long syscall_called(long nr, const long a[6])
{
	return syscall_plain(nr, a);
}

int syscall_store(long address, const void *value, size_t size)
{
	if (!wrap_writable((void *)address, size))
		return -EFAULT;
	memcpy((void *)address, value, size);
	return 0;
}

/* Copies a relative time-out into the record. 0, or -EINVAL: the call does not wait for it, or fails. */
static int take_timeout(struct mosix_record *record, const struct wait *wait, long *argument, uint64_t *ret_deadline)
{
	if (wait->form == MOSIX_REST_MS) {
		int milliseconds = (int)*argument;

		if (milliseconds > 0)
			*ret_deadline = wrap_deadline(milliseconds / 1000, milliseconds % 1000 * 1000000l);
		return milliseconds == 0 ? -EINVAL : 0;
	}
	if (*argument == 0)
		return 0;
	if (!wrap_readable((const void *)*argument, sizeof(record->left)))
		return -EINVAL;
	memcpy(&record->left, (const void *)*argument, sizeof(record->left));
	if (wait->form == MOSIX_REST_TIMEVAL) {
		if (record->left.tv.tv_sec < 0 || record->left.tv.tv_usec < 0 || record->left.tv.tv_usec > INT64_MAX / 1000)
			return -EINVAL;
		*ret_deadline = wrap_deadline(record->left.tv.tv_sec, record->left.tv.tv_usec * 1000);
	} else {
		if (!wrap_timespec_valid(&record->left.ts))
			return -EINVAL;
		*ret_deadline = wrap_deadline(record->left.ts.tv_sec, record->left.ts.tv_nsec);
	}
	*argument = (long)&record->left;
	return 0;
}

struct pair { const sigset_t *mask; size_t size; };

/* The mask that argument at (with its size behind it) points to, without SIGURG. 1: over before it began. */
static int take_mask(struct urgent_swap *swap, long *at, long size, int *ret_entered)
{
	sigset_t mask;

	if (!*at || size != 8 || !wrap_readable((const void *)*at, 8))
		return 0;
	sigemptyset(&mask);
	memcpy(&mask, (const void *)*at, 8);
	*at = (long)&swap->mask;
	*ret_entered = 1;
	return urgent_enter(swap, &mask);
}

static __attribute__((noinline)) long serve_wait(const struct wait *wait, long a[6])
{
	struct mosix_record record;
	struct urgent_swap swap;
	struct pair pair;
	uint64_t deadline = UINT64_MAX;
	long timeout = wait->timeout < 0 ? 0 : a[wait->timeout], result;
	int entered = 0, over = 0;

	if (wait->timeout >= 0 && take_timeout(&record, wait, &a[wait->timeout], &deadline) != 0)
		deadline = UINT64_MAX;
	if (wait->pair && a[wait->mask] && wrap_readable((const void *)a[wait->mask], sizeof(pair))) {
		memcpy(&pair, (const void *)a[wait->mask], sizeof(pair));
		over = take_mask(&swap, (long *)&pair.mask, (long)pair.size, &entered);
		a[wait->mask] = (long)&pair;
	} else if (wait->mask >= 0 && !wait->pair) {
		over = take_mask(&swap, &a[wait->mask], a[wait->mask + 1], &entered);
	}
	result = over ? -EINTR :
		 syscall_recorded(&record, wait->nr, a, deadline == UINT64_MAX ? MOSIX_REST_NONE : (enum mosix_rest)wait->form,
				  wait->timeout < 0 ? 0 : wait->timeout, deadline);
	if (entered)
		urgent_leave(&swap);
	if (wait->writes && timeout != 0 && timeout != a[wait->timeout] &&
	    memcmp((const void *)timeout, &record.left, sizeof(record.left)) != 0)
		syscall_store(timeout, &record.left, sizeof(record.left));
	return result;
}

/* Waits without a time-out, and those for locks, are begun again by the kernel. */
static __attribute__((noinline)) long serve_futex(long a[6])
{
	static const struct wait relative = { .nr = SYS_futex, .timeout = 3, .form = MOSIX_REST_TIMESPEC };
	int operation = (int)a[1] & FUTEX_CMD_MASK;
	uint64_t deadline = UINT64_MAX;
	struct mosix_record record;

	if (!a[3] || (operation != FUTEX_WAIT && operation != FUTEX_WAIT_BITSET))
		return syscall_plain(SYS_futex, a);
	if (operation == FUTEX_WAIT_BITSET)
		return syscall_recorded(&record, SYS_futex, a, MOSIX_REST_ABSOLUTE, 0, UINT64_MAX);
	if (take_timeout(&record, &relative, &a[3], &deadline) != 0)
		return syscall_plain(SYS_futex, a);
	return syscall_recorded(&record, SYS_futex, a, MOSIX_REST_TIMESPEC, 3, deadline);
}

static __attribute__((noinline)) long serve_sleep(long a[6])
{
	static const struct wait relative = { .nr = SYS_clock_nanosleep, .timeout = 2, .form = MOSIX_REST_TIMESPEC };
	int clock = (int)a[0];
	uint64_t deadline = UINT64_MAX;
	struct mosix_record record;

	/* CPU clocks: wrap_sleep.c */
	if (clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID || clock < 0)
		return syscall_plain(SYS_clock_nanosleep, a);
	if (a[1] & TIMER_ABSTIME)
		return syscall_recorded(&record, SYS_clock_nanosleep, a, MOSIX_REST_ABSOLUTE, 2, UINT64_MAX);
	if (!a[2] || take_timeout(&record, &relative, &a[2], &deadline) != 0)
		return syscall_plain(SYS_clock_nanosleep, a);
	return syscall_recorded(&record, SYS_clock_nanosleep, a, MOSIX_REST_TIMESPEC, 2, deadline);
}

static long serve_random(const long a[6])
{
	long rest[6] = { a[0], a[1], a[2] }, done = 0, result;

	do {
		result = syscall_plain(SYS_getrandom, rest);
		if (result <= 0)
			return done > 0 ? done : result;
		done += result;
		rest[0] += result;
		rest[1] -= result;
	} while (rest[1] > 0);
	return done;
}

static long serve(long nr, long a[6])
{
	switch (syscall_kinds[nr]) {
	case WAIT:
		/* its fifth argument is no mask then */
		if (nr == SYS_io_uring_enter && a[3] & IORING_ENTER_EXT_ARG)
			return syscall_plain(nr, a);
		for (unsigned int i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
			if (waits[i].nr == nr)
				return serve_wait(&waits[i], a);
		return syscall_plain(nr, a);
	case FUTEX:
		return serve_futex(a);
	case SLEEP:
		return serve_sleep(a);
	case RANDOM:
		return serve_random(a);
	case BYTES:
		return syscall_bytes(nr, a);
	case SIGNALS:
		return syscall_signals(nr, a);
	default:
		return syscall_plain(nr, a);
	}
}

/* Everything that syscall_entry.S does not call itself. */
long syscall_served(long nr, long a, long b, long c, long d, long e, long f)
{
	long arguments[6] = { a, b, c, d, e, f }, result;

	if (!syscall_real)
		syscall_real = REAL_OF(syscall);
	if (!wrap_on || syscall_kinds[nr] == OTHERS)
		return syscall_real(nr, a, b, c, d, e, f);
	result = serve(nr, arguments);
	return result < 0 && result >= -4095 ? syscall_failed(result) : result;
}

long syscall_failed(long error)
{
	errno = (int)-error;
	return -1;
}

/* A library between this one and libc may have its own plans with every number. */
void syscall_learn(long (*real)(long nr, ...), const void *libc)
{
	struct dl_find_object theirs, ours;

	syscall_real = real;
	if (_dl_find_object((void *)real, &theirs) == 0 && _dl_find_object((void *)libc, &ours) == 0 &&
	    theirs.dlfo_link_map == ours.dlfo_link_map)
		return;
	for (int nr = 0; nr < 512; nr++)
		if (syscall_kinds[nr] == NOTHING)
			syscall_kinds[nr] = OTHERS;
}
