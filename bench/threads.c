/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * threads SECONDS ROUNDS: after so many seconds of computing (time to be moved), the median times in microseconds, each of ROUNDS,
 * in which four threads have taken one mutex a thousand times each, and in which they have each computed a piece.
 */
#include <pthread.h>
#include <stdio.h>

#include "measure.h"

enum { THREADS = 4, TAKES = 1000, STEPS = 400000 };

static pthread_barrier_t begin, end;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void (*volatile work)(void);
static unsigned long taken;

static void take(void)
{
	for (int i = 0; i < TAKES; i++) {
		pthread_mutex_lock(&mutex);
		for (volatile int inside = 0; inside < 20; inside++)
			;
		taken++;
		pthread_mutex_unlock(&mutex);
	}
}

static void compute(void)
{
	volatile double result;
	double x = 1;
	for (int i = 1; i < STEPS; i++)
		x = x * 0.999999 + 1.0 / i;
	result = x;
	(void)result;
}

static void *thread(void *unused)
{
	for (;;) {
		pthread_barrier_wait(&begin);
		if (!work)
			return unused;
		work();
		pthread_barrier_wait(&end);
	}
}

static double round_of(void (*what)(void))
{
	double begun = measure_now();
	work = what;
	pthread_barrier_wait(&begin);
	if (what)
		pthread_barrier_wait(&end);
	return measure_now() - begun;
}

int main(int argc, char **argv)
{
	pthread_t id[THREADS];
	if (argc != 3)
		return 2;
	size_t rounds = (size_t)atol(argv[2]);
	double *times = malloc(rounds * sizeof *times);
	if (rounds == 0 || times == NULL)
		return 2;
	pthread_barrier_init(&begin, NULL, THREADS + 1);
	pthread_barrier_init(&end, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&id[i], NULL, thread, NULL) != 0)
			return 1;
	for (double until = measure_now() + atof(argv[1]) * 1e6; measure_now() < until;)
		round_of(compute);
	for (size_t i = 0; i < rounds; i++)
		times[i] = round_of(take);
	printf("%.3f ", measure_median(times, rounds));
	for (size_t i = 0; i < rounds; i++)
		times[i] = round_of(compute);
	printf("%.3f\n", measure_median(times, rounds));
	round_of(NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(id[i], NULL);
	free(times);
	return taken == 0;
}
