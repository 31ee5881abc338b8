/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the helpers of the system tests share. A helper prints what it found, the same in every run; a thing that must hold and
 * does not prints a line with WRONG and makes the exit status 1.
 */
#ifndef TESTS_HELPERS_CHECK_H
#define TESTS_HELPERS_CHECK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CHECK_SHOWN = 10 };

static int check_wrong;

__attribute__((unused, format(printf, 2, 3))) static bool check(bool holds, const char *format, ...)
{
	if (holds)
		return true;
	va_list list;
	if (++check_wrong > CHECK_SHOWN)
		return false;
	fputs("WRONG: ", stdout);
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	putchar('\n');
	fflush(stdout);
	return false;
}

__attribute__((unused)) static int check_result(void)
{
	printf(check_wrong ? "%d wrong\n" : "all right\n", check_wrong);
	return fflush(stdout) != 0 || check_wrong != 0;
}

__attribute__((unused)) static int64_t check_now(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Work that no compiler removes, about a millisecond for 300,000 rounds. */
__attribute__((unused, noipa)) static uint64_t check_work(uint64_t seed, long rounds)
{
	for (long i = 0; i < rounds; i++)
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return seed;
}

/* Busy for so long by the clock: nothing but computing and, now and then, a look at the time. */
__attribute__((unused)) static void check_compute(int milliseconds)
{
	uint64_t x = 1;
	for (int64_t until = check_now(CLOCK_MONOTONIC) + milliseconds * INT64_C(1000000); check_now(CLOCK_MONOTONIC) < until;)
		x = check_work(x, 100000);
	if (x == 0)
		puts("zero");
}

#endif
