/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * poll, select and epoll. poll and epoll_wait have their milliseconds in a register. ppoll, select and pselect copy the
 * time-out in glibc, and the kernel writes what is left into that copy: here the copy is the record's, and the call is made
 * by wrap_cancellable(). Calls that do not wait leave no record. Like glibc they read the time-out without asking whether it
 * can be read; unlike glibc's, the mask of the program is read here, after a test.
 */
#define _GNU_SOURCE
#include "urgent.h"
#include <string.h>

#define POLL_RECORDED(nr, mask, milliseconds, place, call) __extension__ ({ \
	uint64_t deadline_ = (milliseconds) < 0 ? UINT64_MAX : \
		wrap_deadline((milliseconds) / 1000, (milliseconds) % 1000 * 1000000l); \
	int result_; \
	wrap_record(&record, nr, MOSIX_REST_MS, place, deadline_, mask); \
	result_ = call; \
	wrap_done(&record); \
	result_; })

WRAP_EXPORT int poll(struct pollfd *fds, nfds_t count, int milliseconds)
{
	struct mosix_record record;

	if (!wrap_on || milliseconds == 0)
		return REAL_OF(poll)(fds, count, milliseconds);
	record.arg[0] = (uintptr_t)fds;
	record.arg[1] = count;
	record.arg[2] = (uint32_t)milliseconds;
	return POLL_RECORDED(SYS_poll, 7, milliseconds, 2, REAL_OF(poll)(fds, count, milliseconds));
}

int __poll(struct pollfd *fds, nfds_t count, int milliseconds) WRAP_ALIAS(poll);
WRAP_EXPORT int __poll_chk(struct pollfd *fds, nfds_t count, int milliseconds, size_t size);
WRAP_EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t size);

int __poll_chk(struct pollfd *fds, nfds_t count, int milliseconds, size_t size)
{
	if (size / sizeof(*fds) < count)
		return REAL_OF(__poll_chk)(fds, count, milliseconds, size);
	return poll(fds, count, milliseconds);
}

/*
 * The mask of a call, without SIGURG. *ret_mask is what to give the kernel: the program's own pointer when there is none or it
 * cannot be read. Returns 1 when the call is over before it began (errno EINTR).
 */
static int enter(struct urgent_swap *swap, const sigset_t *mask, const sigset_t **ret_mask, int *ret_entered)
{
	sigset_t copy;

	*ret_entered = 0;
	*ret_mask = mask;
	if (!mask || !wrap_readable(mask, 8))
		return 0;
	sigemptyset(&copy);
	memcpy(&copy, mask, 8);
	*ret_entered = 1;
	*ret_mask = &swap->mask;
	if (!urgent_enter(swap, &copy))
		return 0;
	urgent_leave(swap);
	errno = EINTR;
	return 1;
}

/* A time-out for the kernel in the record; NULL stays NULL. Returns the deadline. */
static uint64_t take_timeout(struct mosix_record *record, const struct timespec *timeout, enum mosix_rest *ret_rest)
{
	*ret_rest = MOSIX_REST_NONE;
	if (!timeout)
		return UINT64_MAX;
	record->left.ts = *timeout;
	if (!wrap_timespec_valid(timeout) || (timeout->tv_sec == 0 && timeout->tv_nsec == 0))
		return UINT64_MAX;
	*ret_rest = MOSIX_REST_TIMESPEC;
	return wrap_deadline(timeout->tv_sec, timeout->tv_nsec);
}

WRAP_EXPORT int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	struct mosix_record record;
	struct urgent_swap swap;
	const sigset_t *kernel_mask;
	enum mosix_rest rest;
	uint64_t deadline;
	int entered, result;

	if (!wrap_on)
		return REAL_OF(ppoll)(fds, count, timeout, mask);
	deadline = take_timeout(&record, timeout, &rest);
	if (enter(&swap, mask, &kernel_mask, &entered))
		return -1;
	record.arg[0] = (uintptr_t)fds;
	record.arg[1] = count;
	record.arg[2] = timeout ? (uintptr_t)&record.left.ts : 0;
	record.arg[3] = (uintptr_t)kernel_mask;
	record.arg[4] = 8;
	wrap_record(&record, SYS_ppoll, rest, 2, deadline, 31);
	result = (int)wrap_cancellable(SYS_ppoll, (long)fds, (long)count, (long)record.arg[2], (long)kernel_mask, 8, 0);
	wrap_done(&record);
	if (entered)
		urgent_leave(&swap);
	return result;
}

int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t size)
{
	if (size / sizeof(*fds) < count)
		return REAL_OF(__ppoll_chk)(fds, count, timeout, mask, size);
	return ppoll(fds, count, timeout, mask);
}

/* glibc's select() is pselect6 as well, without a mask: no sixth argument at all. */
static int select_recorded(struct mosix_record *record, int count, fd_set *in, fd_set *out, fd_set *except, int timed,
			   enum mosix_rest rest, uint64_t deadline, const void *mask)
{
	int result;

	record->arg[0] = (uint32_t)count;
	record->arg[1] = (uintptr_t)in;
	record->arg[2] = (uintptr_t)out;
	record->arg[3] = (uintptr_t)except;
	record->arg[4] = timed ? (uintptr_t)&record->left.ts : 0;
	record->arg[5] = (uintptr_t)mask;
	wrap_record(record, SYS_pselect6, rest, 4, deadline, 63);
	result = (int)wrap_cancellable(SYS_pselect6, count, (long)in, (long)out, (long)except, (long)record->arg[4], (long)mask);
	wrap_done(record);
	return result;
}

WRAP_EXPORT int select(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	struct mosix_record record;
	struct timespec span;
	enum mosix_rest rest;
	uint64_t deadline;
	int result, saved;

	if (!wrap_on)
		return REAL_OF(select)(count, in, out, except, timeout);
	if (timeout) {
		/* as glibc has it: 32 bits of the microseconds, which may be more than a second, saturating */
		int32_t microseconds = (int32_t)timeout->tv_usec;
		if (timeout->tv_sec < 0 || microseconds < 0) {
			errno = EINVAL;
			return -1;
		}
		span.tv_nsec = microseconds % 1000000 * 1000l;
		if (__builtin_add_overflow(timeout->tv_sec, microseconds / 1000000, &span.tv_sec)) {
			span.tv_sec = INT64_MAX;
			span.tv_nsec = 999999999;
		}
	}
	deadline = take_timeout(&record, timeout ? &span : NULL, &rest);
	result = select_recorded(&record, count, in, out, except, timeout != NULL, rest, deadline, NULL);
	if (timeout) {
		saved = errno;
		timeout->tv_sec = record.left.ts.tv_sec;
		timeout->tv_usec = record.left.ts.tv_nsec / 1000;
		errno = saved;
	}
	return result;
}

int __select(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout) WRAP_ALIAS(select);

WRAP_EXPORT int pselect(int count, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout,
			const sigset_t *mask)
{
	struct mosix_record record;
	struct urgent_swap swap;
	struct { const sigset_t *mask; size_t size; } data = { NULL, 8 };
	enum mosix_rest rest;
	uint64_t deadline;
	int entered, result;

	if (!wrap_on)
		return REAL_OF(pselect)(count, in, out, except, timeout, mask);
	deadline = take_timeout(&record, timeout, &rest);
	if (enter(&swap, mask, &data.mask, &entered))
		return -1;
	result = select_recorded(&record, count, in, out, except, timeout != NULL, rest, deadline, &data);
	if (entered)
		urgent_leave(&swap);
	return result;
}

WRAP_EXPORT int epoll_wait(int fd, struct epoll_event *events, int count, int milliseconds)
{
	struct mosix_record record;

	if (!wrap_on || milliseconds == 0)
		return REAL_OF(epoll_wait)(fd, events, count, milliseconds);
	record.arg[0] = (uint32_t)fd;
	record.arg[1] = (uintptr_t)events;
	record.arg[2] = (uint32_t)count;
	record.arg[3] = (uint32_t)milliseconds;
	return POLL_RECORDED(SYS_epoll_wait, 15, milliseconds, 3, REAL_OF(epoll_wait)(fd, events, count, milliseconds));
}

WRAP_EXPORT int epoll_pwait(int fd, struct epoll_event *events, int count, int milliseconds, const sigset_t *mask)
{
	struct mosix_record record;
	struct urgent_swap swap;
	const sigset_t *kernel_mask;
	int entered, result;

	if (!wrap_on)
		return REAL_OF(epoll_pwait)(fd, events, count, milliseconds, mask);
	if (enter(&swap, mask, &kernel_mask, &entered))
		return -1;
	record.arg[0] = (uint32_t)fd;
	record.arg[1] = (uintptr_t)events;
	record.arg[2] = (uint32_t)count;
	record.arg[3] = (uint32_t)milliseconds;
	record.arg[4] = (uintptr_t)kernel_mask;
	record.arg[5] = 8;
	result = POLL_RECORDED(SYS_epoll_pwait, 63, milliseconds, 3,
			       REAL_OF(epoll_pwait)(fd, events, count, milliseconds, kernel_mask));
	if (entered)
		urgent_leave(&swap);
	return result;
}

WRAP_EXPORT int epoll_pwait2(int fd, struct epoll_event *events, int count, const struct timespec *timeout, const sigset_t *mask)
{
	struct mosix_record record;
	struct urgent_swap swap;
	const sigset_t *kernel_mask;
	enum mosix_rest rest;
	uint64_t deadline;
	int entered, result;

	/* glibc does not read this time-out: the kernel does, and may say EFAULT. */
	if (!wrap_on || (timeout && !wrap_readable(timeout, sizeof(*timeout))))
		return REAL_OF(epoll_pwait2)(fd, events, count, timeout, mask);
	deadline = take_timeout(&record, timeout, &rest);
	if (enter(&swap, mask, &kernel_mask, &entered))
		return -1;
	if (timeout)
		timeout = &record.left.ts;
	record.arg[0] = (uint32_t)fd;
	record.arg[1] = (uintptr_t)events;
	record.arg[2] = (uint32_t)count;
	record.arg[3] = (uintptr_t)timeout;
	record.arg[4] = (uintptr_t)kernel_mask;
	record.arg[5] = 8;
	wrap_record(&record, SYS_epoll_pwait2, rest, 3, deadline, 63);
	result = REAL_OF(epoll_pwait2)(fd, events, count, timeout, kernel_mask);
	wrap_done(&record);
	if (entered)
		urgent_leave(&swap);
	return result;
}
