/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sleeps. All of them are clock_nanosleep() of glibc, which gives its pointers to the kernel as they are; the request is the
 * record's copy, so that a move can shorten it.
 */
#define _GNU_SOURCE
#include "wrap.h"
#include <threads.h>

/* Returns 0 or an error number, as clock_nanosleep does. */
static int rest_for(clockid_t clock, int flags, const struct timespec *request, struct timespec *remain)
{
	struct mosix_record record;
	uint64_t deadline = UINT64_MAX;
	enum mosix_rest rest = MOSIX_REST_ABSOLUTE;
	int result;

	/* Time on a CPU clock does not pass while the process is on its way: the real call is right as it is, but an order that
	   interrupts it is seen as EINTR. */
	if (!wrap_on || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID || clock < 0 ||
	    !wrap_readable(request, sizeof(*request)) || !wrap_timespec_valid(request))
		return REAL_OF(clock_nanosleep)(clock, flags, request, remain);
	if (!(flags & TIMER_ABSTIME)) {
		record.left.ts = *request;
		deadline = wrap_deadline(request->tv_sec, request->tv_nsec);
		rest = MOSIX_REST_TIMESPEC;
		request = &record.left.ts;
	}
	record.arg[0] = (uint32_t)clock;
	record.arg[1] = (uint32_t)flags;
	record.arg[2] = (uintptr_t)request;
	record.arg[3] = (uintptr_t)remain;
	wrap_record(&record, SYS_clock_nanosleep, rest, 2, deadline, 15);
	result = REAL_OF(clock_nanosleep)(clock, flags, request, remain);
	wrap_done(&record);
	return result;
}

WRAP_EXPORT int clock_nanosleep(clockid_t clock, int flags, const struct timespec *request, struct timespec *remain)
{
	return rest_for(clock, flags, request, remain);
}

WRAP_EXPORT int nanosleep(const struct timespec *request, struct timespec *remain)
{
	int error = rest_for(CLOCK_REALTIME, 0, request, remain);

	if (error == 0)
		return 0;
	errno = error;
	return -1;
}

int __nanosleep(const struct timespec *request, struct timespec *remain) WRAP_ALIAS(nanosleep);

WRAP_EXPORT int usleep(useconds_t microseconds)
{
	struct timespec request = { microseconds / 1000000, microseconds % 1000000 * 1000l };

	return nanosleep(&request, NULL);
}

WRAP_EXPORT unsigned int sleep(unsigned int seconds)
{
	struct timespec request = { seconds, 0 };
	int saved = errno;

	/* glibc: what a signal left, whole seconds, and errno says so; else errno stays. */
	if (nanosleep(&request, &request) < 0)
		return (unsigned int)request.tv_sec;
	errno = saved;
	return 0;
}

WRAP_EXPORT int thrd_sleep(const struct timespec *request, struct timespec *remain)
{
	int error = rest_for(CLOCK_REALTIME, 0, request, remain);

	return error == 0 ? 0 : error == EINTR ? -1 : -2;
}
