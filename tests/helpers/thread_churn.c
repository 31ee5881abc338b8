/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads come and go all the time: thousands of short ones, nested, detached, some that block, while others compute
 * throughout.
 */
#define _GNU_SOURCE
#include "thread.h"

enum { ROUNDS = 1000, WIDTH = 4, DEPTH = 6, FAMILIES = 20, DETACHED = 3000, SMALL = 32768, WORKERS = 2 };

static atomic_long sum;
static atomic_int ended, living, finished;
static _Thread_local long own;
static pthread_key_t key;

static void destroy(void *value)
{
	atomic_fetch_add(&sum, (intptr_t)value);
	atomic_fetch_add(&ended, 1);
}

/* Counts by way of what ends with the thread: a lost destructor is a lost number. */
static void *brief(void *argument)
{
	intptr_t number = (intptr_t)argument;
	check(own == 0, "a new thread has an old thread's variable: %ld", own);
	own = number;
	pthread_setspecific(key, argument);
	check_work((uint64_t)number, 300 + number % 7 * 1500);
	if (number % 50 == 0)
		nanosleep(&(struct timespec){ 0, 3000000 }, NULL);
	check(own == number, "a thread's own variable has changed: %ld", own);
	return (void *)(number * 3);
}

static void short_lives(void)
{
	pthread_t threads[WIDTH];
	long results = 0, expected = 0;
	for (intptr_t i = 0; i < ROUNDS; i++) {
		for (int k = 0; k < WIDTH; k++)
			threads[k] = thread_start(brief, (void *)(i * WIDTH + k + 1), k % 2 ? SMALL : 0);
		for (int k = 0; k < WIDTH; k++)
			results += (intptr_t)thread_end(threads[(k * 3 + i) % WIDTH]);
	}
	for (long i = 1; i <= ROUNDS * WIDTH; i++)
		expected += i;
	printf("short lives: %d, sums %ld and %ld\n", ended, sum, results);
	check(ended == ROUNDS * WIDTH && sum == expected && results == 3 * expected, "some are lost");
}

/* Each starts two of the next generation and waits for them. */
static void *family(void *argument)
{
	intptr_t depth = (intptr_t)argument;
	if (depth == 0) {
		check_work(1, 30000);
		return (void *)1;
	}
	pthread_t first = thread_start(family, (void *)(depth - 1), SMALL);
	check_work(1, 3000);
	pthread_t second = thread_start(family, (void *)(depth - 1), SMALL);
	intptr_t left = (intptr_t)thread_end(first), right = (intptr_t)thread_end(second);
	return (void *)(left + right + 1);
}

static void families(void)
{
	intptr_t members = 0;
	for (int i = 0; i < FAMILIES; i++)
		members += (intptr_t)thread_end(thread_start(family, (void *)DEPTH, 0));
	printf("families: %ld members\n", members);
	check(members == FAMILIES * ((1 << (DEPTH + 1)) - 1), "members");
}

static void *child_of_detached(void *argument)
{
	atomic_fetch_add(&sum, (intptr_t)argument);
	atomic_fetch_add(&living, -1);
	return NULL;
}

static void *detached(void *argument)
{
	intptr_t number = (intptr_t)argument;
	pthread_detach(pthread_self());
	if (number % 10 == 0) { /* leaves another one behind, and ends first */
		atomic_fetch_add(&living, 1);
		pthread_detach(thread_start(child_of_detached, (void *)1000000, SMALL));
	}
	check_work(1, 10000);
	return child_of_detached(argument);
}

static void on_their_own(void)
{
	long expected = 0;
	sum = 0;
	for (intptr_t i = 0; i < DETACHED; i++) {
		expected += i + (i % 10 == 0 ? 1000000 : 0);
		atomic_fetch_add(&living, 1);
		thread_start(detached, (void *)i, SMALL);
		/* Not more than a few at a time. */
		for (int64_t until = check_now(CLOCK_MONOTONIC) + INT64_C(20000000000);
		     living > 20 && check_now(CLOCK_MONOTONIC) < until;)
			check_work(1, 3000);
	}
	for (int64_t until = check_now(CLOCK_MONOTONIC) + INT64_C(20000000000); living > 0 && check_now(CLOCK_MONOTONIC) < until;)
		check_work(1, 3000);
	printf("on their own: %d left, sum %ld\n", living, sum);
	check(living == 0 && sum == expected, "some are lost");
}

/* Computes the same thing over and over: a register or page of another moment gives another result. */
static void *steady(void *unused)
{
	(void)unused;
	uint64_t first = check_work(12345, 200000);
	double series = 0;
	for (int i = 0; i < 1000; i++)
		series += 1.0 / (i + 1);
	long rounds = 0;
	for (; !finished; rounds++) {
		double again = 0;
		for (volatile int i = 0; i < 1000; i = i + 1)
			again += 1.0 / (i + 1);
		if (!check(check_work(12345, 200000) == first && again == series, "a result has changed in round %ld", rounds))
			break;
	}
	return (void *)rounds;
}

int main(void)
{
	pthread_t workers[WORKERS];
	pthread_key_create(&key, destroy);
	for (int i = 0; i < WORKERS; i++)
		workers[i] = thread_start(steady, NULL, 0);
	short_lives();
	families();
	on_their_own();
	atomic_store(&finished, 1);
	for (int i = 0; i < WORKERS; i++)
		check((intptr_t)thread_end(workers[i]) > 0, "a worker did nothing");
	return check_result();
}
