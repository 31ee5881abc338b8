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

/* Is it the process's or one of its threads' CPU clock? Dynamic ones have ~pid or ~tid above bit 2, 0 for oneself. */
static int counts_us(clockid_t clock)
{
	pid_t id;

	if (clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID)
		return 1;
	if (clock >= 0 || (clock & 7) == 3)	/* 3: a descriptor's clock */
		return 0;
	id = ~(clock >> 3);
	return id == 0 || id == wrap_on || wrap_raw_(SYS_tgkill, wrap_on, id, 0) == 0;
}

static void add_away(struct timespec *time, uint64_t nanoseconds)
{
	nanoseconds += (uint64_t)time->tv_nsec;
	time->tv_sec += (time_t)(nanoseconds / 1000000000);
	time->tv_nsec = (long)(nanoseconds % 1000000000);
}

static __attribute__((noinline)) int get_cpu_time(clockid_t clock, struct timespec *time)
{
	int result = REAL_OF(clock_gettime)(clock, time);
	uint64_t away;

	if (result == 0 && wrap_on) {
		away = core_away_user();
		if ((clock & 3) != 1 || clock >= 0)	/* CPUCLOCK_VIRT is user time alone */
			away += core_away_system();
		if (away && counts_us(clock))
			add_away(time, away);
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
	clock_t result = REAL_OF(clock)();

	if (result != (clock_t)-1 && wrap_on)
		result += (clock_t)((core_away_user() + core_away_system()) / (1000000000 / CLOCKS_PER_SEC));
	return result;
}

/* Ticks are 1/100 s on x86-64, whatever the kernel's own. */
WRAP_EXPORT clock_t times(struct tms *buffer)
{
	clock_t result = REAL_OF(times)(buffer);

	if (wrap_on && buffer && result != (clock_t)-1) {
		buffer->tms_utime += (clock_t)(core_away_user() / 10000000);
		buffer->tms_stime += (clock_t)(core_away_system() / 10000000);
	}
	return result;
}

WRAP_EXPORT int getrusage(__rusage_who_t who, struct rusage *usage)
{
	int result = REAL_OF(getrusage)(who, usage);

	if (result == 0 && wrap_on && (who == RUSAGE_SELF || who == RUSAGE_THREAD)) {
		add_time(&usage->ru_utime, core_away_user());
		add_time(&usage->ru_stime, core_away_system());
	}
	return result;
}
