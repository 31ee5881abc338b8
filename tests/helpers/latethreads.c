/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Computes alone for two seconds, then with threads, then alone again. */
#include <pthread.h>

#include "check.h"

enum { THREADS = 4 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn, rounds;
static _Thread_local uint64_t own = 77;

static void *work(void *number)
{
	int me = (int)(intptr_t)number;
	check(own == 77, "thread-local data of thread %d", me);
	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&lock);
		while (turn != me)
			pthread_cond_wait(&changed, &lock);
		rounds++;
		turn = (turn + 1) % THREADS;
		own = check_work(own, 2000);
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&lock);
	}
	return (void *)own;
}

int main(void)
{
	pthread_t threads[THREADS];
	setvbuf(stdout, NULL, _IOLBF, 0);
	check_compute(2000);
	puts("alone");
	own = 78;
	for (int i = 0; i < THREADS; i++)
		check(pthread_create(&threads[i], NULL, work, (void *)(intptr_t)i) == 0, "thread %d", i);
	uint64_t sum = 0;
	for (int i = 0; i < THREADS; i++) {
		void *result;
		pthread_join(threads[i], &result);
		sum += (uint64_t)result;
	}
	check(own == 78 && rounds == THREADS * 200, "%d rounds", rounds);
	printf("%d rounds by threads, %016lx\n", rounds, sum);
	check_compute(800);
	puts("alone again");
	return check_result();
}
