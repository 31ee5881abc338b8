/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the benchmarks share: a clock and a median. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

__attribute__((unused)) static double measure_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;	/* microseconds */
}

__attribute__((unused)) static int measure_order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

__attribute__((unused)) static double measure_median(double *values, size_t count)
{
	qsort(values, count, sizeof *values, measure_order);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

#endif
