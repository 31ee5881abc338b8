/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clocks never step back, the vDSO and the system call agree, sleeping until a time does not end early. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "check.h"

static int64_t raw(clockid_t clock)
{
	struct timespec t;
	syscall(SYS_clock_gettime, clock, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int main(void)
{
	static const struct { clockid_t clock; const char *name; } clocks[] = {
		{ CLOCK_MONOTONIC, "monotonic" }, { CLOCK_REALTIME, "realtime" }, { CLOCK_BOOTTIME, "boottime" },
		{ CLOCK_MONOTONIC_COARSE, "monotonic coarse" }, { CLOCK_MONOTONIC_RAW, "monotonic raw" },
		{ CLOCK_PROCESS_CPUTIME_ID, "process" }, { CLOCK_THREAD_CPUTIME_ID, "thread" },
	};
	enum { COUNT = sizeof clocks / sizeof clocks[0] };
	int64_t last[COUNT] = { 0 };
	int64_t begin = check_now(CLOCK_MONOTONIC);
	time_t wall = time(NULL);
	long looks = 0;
	do {
		for (int i = 0; i < COUNT; i++) {
			int64_t now = check_now(clocks[i].clock);
			check(now >= last[i], "%s stepped back by %ld ns", clocks[i].name, (long)(last[i] - now));
			last[i] = now;
		}
		int64_t a = check_now(CLOCK_MONOTONIC), b = raw(CLOCK_MONOTONIC), c = check_now(CLOCK_MONOTONIC);
		check(a <= b && b <= c, "monotonic by vDSO, call, vDSO: %ld %ld %ld", (long)a, (long)b, (long)c);
		a = check_now(CLOCK_BOOTTIME), b = raw(CLOCK_BOOTTIME), c = check_now(CLOCK_BOOTTIME);
		check(a <= b && b <= c, "boottime by vDSO, call, vDSO: %ld %ld %ld", (long)a, (long)b, (long)c);
		struct timeval day;
		gettimeofday(&day, NULL);
		check(day.tv_sec - time(NULL) <= 1 && time(NULL) - day.tv_sec <= 1, "gettimeofday and time differ");
		last[1] = check_now(CLOCK_REALTIME);
		if (++looks % 64 == 0) {
			struct timespec until;
			clock_gettime(CLOCK_MONOTONIC, &until);
			until.tv_nsec += 3000000;
			if (until.tv_nsec >= 1000000000) {
				until.tv_sec++;
				until.tv_nsec -= 1000000000;
			}
			int error = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
			int64_t late = check_now(CLOCK_MONOTONIC) - (until.tv_sec * INT64_C(1000000000) + until.tv_nsec);
			check(error == 0 && late >= 0, "clock_nanosleep: %d, %ld ns", error, (long)late);
		}
	} while (last[0] - begin < INT64_C(2500000000) && check_wrong < 10);
	double passed = (double)(last[0] - begin) / 1e9, wall_passed = (double)(time(NULL) - wall);
	check(wall_passed - passed < 2 && passed - wall_passed < 2, "%g s by the monotonic clock, %g s by the wall", passed, wall_passed);
	check((double)check_now(CLOCK_PROCESS_CPUTIME_ID) / 1e9 <= passed + 2, "more CPU time than time");
	struct timespec resolution;
	clock_getres(CLOCK_MONOTONIC, &resolution);
	printf("resolution %ld ns\n", resolution.tv_nsec);
	return check_result();
}
