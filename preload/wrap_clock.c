/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CPU clocks count the time spent at other nodes. Children's times do not. */
#define _GNU_SOURCE
#include "wrap.h"
#include "core/api.h"
#include <string.h>

static void add_time(struct timeval *time, uint64_t nanoseconds)
{
	uint64_t microseconds = (uint64_t)time->tv_usec + nanoseconds / 1000;

	time->tv_sec += (time_t)(microseconds / 1000000);
	time->tv_usec = (suseconds_t)(microseconds % 1000000);
}

/*
 * Is it the process's CPU clock, or one of its threads' (*ret_tid, 0 for oneself)? Dynamic ones have ~pid or ~tid above bit 2, 0
 * for oneself, and bit 2 is set for threads.
 */
enum counted { NOBODY_OF_US, PROCESS, THREAD };

static enum counted whose(clockid_t clock, pid_t *ret_tid)
{
	pid_t id = clock < 0 ? ~(clock >> 3) : 0;

	*ret_tid = id;
	if (clock == CLOCK_PROCESS_CPUTIME_ID)
		return PROCESS;
	if (clock == CLOCK_THREAD_CPUTIME_ID)
		return THREAD;
	if (clock >= 0 || (clock & 7) == 3)	/* 3: a descriptor's clock */
		return NOBODY_OF_US;
	if (!(clock & 4))
		return id == 0 || id == wrap_on ? PROCESS : NOBODY_OF_US;
	return id == 0 || wrap_raw_(SYS_tgkill, wrap_on, id, 0) == 0 ? THREAD : NOBODY_OF_US;
}

/* What was used elsewhere, read together with what the kernel here knows: a move in between would count a part twice. */
struct away { uint64_t user, system; };

#define TOGETHER(away, read) \
	do { \
		uint64_t where_; \
		do { \
			where_ = core_whereabouts(); \
			read; \
			(away).user = core_away_user(); \
			(away).system = core_away_system(); \
		} while (where_ != core_whereabouts()); \
	} while (0)

static void add_away(struct timespec *time, uint64_t nanoseconds)
{
	nanoseconds += (uint64_t)time->tv_nsec;
	time->tv_sec += (time_t)(nanoseconds / 1000000000);
	time->tv_nsec = (long)(nanoseconds % 1000000000);
}

static __attribute__((noinline)) int get_cpu_time(clockid_t clock, struct timespec *time)
{
	struct away away;
	pid_t tid;
	int result;

	if (!wrap_on)
		return REAL_OF(clock_gettime)(clock, time);
	TOGETHER(away, result = REAL_OF(clock_gettime)(clock, time));
	if (result != 0 || !(away.user || away.system))
		return result;
	if ((clock & 3) == 1 && clock < 0)	/* CPUCLOCK_VIRT is user time alone */
		away.system = 0;
	switch (whose(clock, &tid)) {
	case PROCESS: add_away(time, away.user + away.system); break;
	case THREAD:  add_away(time, core_away_thread(tid)); break;
	default:      break;
	}
	return result;
}

WRAP_EXPORT int clock_gettime(clockid_t clock, struct timespec *time)
{
	if (__builtin_expect(clock >= 0 && clock != CLOCK_PROCESS_CPUTIME_ID && clock != CLOCK_THREAD_CPUTIME_ID &&
			     wrap_reals.clock_gettime, 1))
		return wrap_reals.clock_gettime(clock, time);
	return get_cpu_time(clock, time);
}

WRAP_EXPORT clock_t clock(void)
{
	struct away away;
	clock_t result;

	if (!wrap_on)
		return REAL_OF(clock)();
	TOGETHER(away, result = REAL_OF(clock)());
	if (result != (clock_t)-1)
		result += (clock_t)((away.user + away.system) / (1000000000 / CLOCKS_PER_SEC));
	return result;
}

/* Ticks are 1/100 s on x86-64, whatever the kernel's own. */
WRAP_EXPORT clock_t times(struct tms *buffer)
{
	struct away away;
	clock_t result;

	if (!wrap_on || !buffer)
		return REAL_OF(times)(buffer);
	TOGETHER(away, result = REAL_OF(times)(buffer));
	if (result != (clock_t)-1) {
		buffer->tms_utime += (clock_t)(away.user / 10000000);
		buffer->tms_stime += (clock_t)(away.system / 10000000);
	}
	return result;
}

WRAP_EXPORT int getrusage(__rusage_who_t who, struct rusage *usage)
{
	struct away away;
	int result;

	if (!wrap_on || (who != RUSAGE_SELF && who != RUSAGE_THREAD))
		return REAL_OF(getrusage)(who, usage);
	TOGETHER(away, result = REAL_OF(getrusage)(who, usage));
	if (result == 0 && who == RUSAGE_THREAD) {
		add_time(&usage->ru_utime, core_away_thread(0));
	} else if (result == 0) {
		add_time(&usage->ru_utime, away.user);
		add_time(&usage->ru_stime, away.system);
	}
	return result;
}
