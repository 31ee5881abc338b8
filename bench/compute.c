/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* compute SECONDS ROUNDS: after so many seconds of computing (time to be moved), the median time in microseconds of ROUNDS equal pieces of work. */
#include <stdio.h>

#include "measure.h"

enum { CELLS = 1 << 15 };

static double a[CELLS], b[CELLS];

/* Integers, floating point and memory in the second-level cache. */
static double piece(uint64_t *seed)
{
	for (int i = 0; i < CELLS; i++) {
		*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		a[i] = a[i] * 0.999 + (double)(*seed >> 40) * b[*seed >> 49];
		b[i] = a[(i * 7) % CELLS] * 0.5 + 1.0;
	}
	return a[*seed >> 49];
}

int main(int argc, char **argv)
{
	uint64_t seed = 1;
	double sum = 0;
	if (argc != 3)
		return 2;
	size_t rounds = (size_t)atol(argv[2]);
	double *times = malloc(rounds * sizeof *times);
	if (rounds == 0 || times == NULL)
		return 2;
	for (double until = measure_now() + atof(argv[1]) * 1e6; measure_now() < until;)
		sum += piece(&seed);
	for (size_t i = 0; i < rounds; i++) {
		double begun = measure_now();
		for (int n = 0; n < 10; n++)
			sum += piece(&seed);
		times[i] = measure_now() - begun;
	}
	printf("%.3f\n", measure_median(times, rounds));
	free(times);
	return sum == 0.5;
}
