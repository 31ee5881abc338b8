/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of threads, from 1 to 500 of them: what each is told about itself stays true while it computes, what it returns
 * arrives, what belongs to it goes with it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <sys/prctl.h>

#include "thread.h"

enum { MOST = 500, SMALL = 16384, MEET = 8, MEETINGS = 250 };

static struct one {
	int number, rounds;
	pthread_t thread;
	pid_t tid;
	const void *local;
} ones[MOST];

static pthread_barrier_t together;
static _Thread_local uint64_t own = 77;
static _Thread_local unsigned char fresh[64];
static pthread_key_t key, stubborn;
static atomic_int destroyed, again, living;

/* Tasks that /proc shows for this process. */
static int tasks(void)
{
	int count = 0;
	DIR *directory = opendir("/proc/self/task");
	if (!check(directory != NULL, "/proc/self/task: %s", strerror(errno)))
		return 0;
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}

/* A joined thread is gone for the C library a moment before it is for the kernel. */
static void alone(const char *when)
{
	int64_t until = check_now(CLOCK_MONOTONIC) + INT64_C(10000000000);
	while (tasks() != 1 && check(check_now(CLOCK_MONOTONIC) < until, "%s: there are still %d tasks", when, tasks()))
		check_work(1, 30000);
}

static void *one(void *argument)
{
	struct one *me = argument;
	volatile int canary = me->number;
	check(own == 77, "thread %d: its own variable is %lu", me->number, own);
	for (size_t i = 0; i < sizeof fresh; i++)
		check(fresh[i] == 0, "thread %d: its own array is not zero", me->number);
	own = (uint64_t)me->number + 1000;
	fresh[7] = (unsigned char)me->number;
	me->local = &own;
	me->tid = thread_tid();
	pthread_t self = pthread_self();
	check(pthread_setspecific(key, &me->number) == 0 && pthread_setspecific(stubborn, me) == 0, "pthread_setspecific");
	pthread_barrier_wait(&together);
	check(pthread_equal(self, me->thread), "thread %d is not who its maker says", me->number);
	uint64_t x = own;
	for (int i = 0; i < me->rounds; i++) {
		x = check_work(x, 400);
		if (!check(thread_tid() == me->tid && pthread_equal(pthread_self(), self) && gettid() == me->tid,
			   "thread %d, round %d: its name has changed", me->number, i))
			break;
		if (!check(own == (uint64_t)me->number + 1000 && fresh[7] == (unsigned char)me->number && me->local == &own &&
				   canary == me->number && pthread_getspecific(key) == &me->number,
			   "thread %d, round %d: what is its own has changed", me->number, i))
			break;
	}
	pthread_barrier_wait(&together);
	if (me->number % 2)
		pthread_exit((void *)x);
	return (void *)x;
}

static void destroy(void *value)
{
	atomic_fetch_add(&destroyed, *(int *)value + 1);
}

/* Sets its value again: the library calls it four times in all. */
static void destroy_again(void *value)
{
	atomic_fetch_add(&again, 1);
	pthread_setspecific(stubborn, value);
}

static int by_tid(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

static void many(int n, size_t stack)
{
	static pid_t tids[MOST + 1];
	uint64_t sum = 0;
	destroyed = again = 0;
	pthread_barrier_init(&together, NULL, (unsigned)n + 1);
	for (int i = 0; i < n; i++) {
		ones[i] = (struct one){ .number = i, .rounds = 60000 / n };
		ones[i].thread = thread_start(one, &ones[i], stack);
	}
	pthread_barrier_wait(&together);
	check(tasks() == n + 1, "%d tasks, not %d", tasks(), n + 1);
	pthread_barrier_wait(&together);
	for (int i = 0; i < n; i++) {
		uint64_t result = (uint64_t)thread_end(ones[i].thread), right = (uint64_t)i + 1000;
		for (int k = 0; k < ones[i].rounds; k++)
			right = check_work(right, 400);
		check(result == right, "thread %d of %d returned %lx", i, n, result);
		sum += result;
		tids[i] = ones[i].tid;
	}
	tids[n] = getpid();
	qsort(tids, (size_t)n + 1, sizeof tids[0], by_tid);
	for (int i = 0; i < n; i++)
		check(tids[i] > 0 && tids[i] != tids[i + 1], "the thread id %d is there twice", tids[i]);
	alone("joined");
	check(tgkill(getpid(), ones[0].tid, 0) < 0 && errno == ESRCH, "a joined thread can be signalled");
	check(destroyed == n * (n + 1) / 2 && again == 4 * n, "destructors: %d and %d for %d threads", destroyed, again, n);
	check(own == 77 && thread_tid() == getpid() && gettid() == getpid(), "the main thread has changed");
	pthread_barrier_destroy(&together);
	printf("%d threads, %016lx\n", n, sum);
}

static void *detached(void *argument)
{
	if ((intptr_t)argument % 2)
		check(pthread_detach(pthread_self()) == 0, "pthread_detach");
	check_work(1, 20000);
	atomic_fetch_add(&living, -1);
	return argument;
}

static void detach(void)
{
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	for (intptr_t i = 0; i < 200; i++) {
		pthread_t thread;
		pthread_attr_setdetachstate(&attributes, i % 2 ? PTHREAD_CREATE_JOINABLE : PTHREAD_CREATE_DETACHED);
		atomic_fetch_add(&living, 1);
		check(pthread_create(&thread, &attributes, detached, (void *)i) == 0, "a detached thread");
	}
	pthread_attr_destroy(&attributes);
	alone("detached");
	printf("detached threads: %d left\n", living);
}

static void stack_of(const char *who, size_t size, int state)
{
	pthread_attr_t attributes;
	void *base;
	size_t length, guard;
	int detach_state;
	if (!check(pthread_getattr_np(pthread_self(), &attributes) == 0, "%s: pthread_getattr_np", who))
		return;
	pthread_attr_getstack(&attributes, &base, &length);
	pthread_attr_getguardsize(&attributes, &guard);
	pthread_attr_getdetachstate(&attributes, &detach_state);
	check((char *)&base > (char *)base && (char *)&base < (char *)base + length, "%s: its stack is elsewhere", who);
	check(size == 0 || (length == size && guard == 8192), "%s: a stack of %zu, guard %zu", who, length, guard);
	check(detach_state == state, "%s: joinable or not", who);
	pthread_attr_destroy(&attributes);
}

static void *named(void *argument)
{
	char name[16], expected[16], path[64];
	snprintf(expected, sizeof expected, "worker %d", (int)(intptr_t)argument);
	check(pthread_setname_np(pthread_self(), expected) == 0, "pthread_setname_np");
	pthread_barrier_wait(&together); /* the main thread looks and gives another name */
	pthread_barrier_wait(&together);
	snprintf(expected, sizeof expected, "renamed %d", (int)(intptr_t)argument);
	for (int i = 0; i < 60; i++) {
		check(prctl(PR_GET_NAME, name) == 0 && strcmp(name, expected) == 0, "thread %s is called %s", expected, name);
		check(pthread_getname_np(pthread_self(), name, sizeof name) == 0 && strcmp(name, expected) == 0, "its name: %s",
		      name);
		stack_of(expected, 131072, PTHREAD_CREATE_JOINABLE);
		check_compute(1);
	}
	snprintf(path, sizeof path, "/proc/self/task/%d/comm", thread_tid());
	FILE *file = fopen(path, "r");
	check(file != NULL && fgets(name, sizeof name, file) != NULL && strncmp(name, expected, strlen(expected)) == 0, "%s",
	      path);
	if (file != NULL)
		fclose(file);
	return NULL;
}

static void names(void)
{
	pthread_t threads[4];
	char name[16], expected[16];
	pthread_barrier_init(&together, NULL, 5);
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 131072);
	pthread_attr_setguardsize(&attributes, 8192);
	for (intptr_t i = 0; i < 4; i++)
		check(pthread_create(&threads[i], &attributes, named, (void *)i) == 0, "pthread_create");
	pthread_attr_destroy(&attributes);
	pthread_barrier_wait(&together);
	for (int i = 0; i < 4; i++) {
		snprintf(expected, sizeof expected, "worker %d", i);
		check(pthread_getname_np(threads[i], name, sizeof name) == 0 && strcmp(name, expected) == 0, "%s is called %s",
		      expected, name);
		snprintf(expected, sizeof expected, "renamed %d", i);
		check(pthread_setname_np(threads[i], expected) == 0, "another thread's name");
	}
	pthread_barrier_wait(&together);
	for (int i = 0; i < 40; i++) {
		stack_of("main", 0, PTHREAD_CREATE_JOINABLE);
		check(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "threads") == 0, "the main thread is called %s", name);
		check_compute(1);
	}
	for (int i = 0; i < 4; i++)
		thread_end(threads[i]);
	pthread_barrier_destroy(&together);
	puts("names and stacks");
}

static int met[MEET], leaders;

static void *meet(void *argument)
{
	int me = (int)(intptr_t)argument;
	for (int i = 1; i <= MEETINGS; i++) {
		met[me] = i;
		check_work(1, 500 * (me + 1));
		bool serial = pthread_barrier_wait(&together) == PTHREAD_BARRIER_SERIAL_THREAD;
		for (int k = 0; k < MEET; k++)
			check(met[k] == i, "meeting %d: thread %d is in %d", i, k, met[k]);
		leaders += serial;
		pthread_barrier_wait(&together);
	}
	return NULL;
}

static void barriers(void)
{
	pthread_t threads[MEET];
	pthread_barrier_init(&together, NULL, MEET);
	for (intptr_t i = 0; i < MEET; i++)
		threads[i] = thread_start(meet, (void *)i, SMALL);
	for (int i = 0; i < MEET; i++)
		thread_end(threads[i]);
	pthread_barrier_destroy(&together);
	printf("barriers: %d leaders of %d meetings\n", leaders, MEETINGS);
	check(leaders == MEETINGS, "%d leaders", leaders);
}

int main(void)
{
	static const int numbers[] = { 1, 2, 8, 64, MOST };
	check(pthread_key_create(&key, destroy) == 0 && pthread_key_create(&stubborn, destroy_again) == 0, "pthread_key_create");
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		many(numbers[i], SMALL);
		if (numbers[i] <= 64)
			many(numbers[i], 0);
	}
	detach();
	names();
	barriers();
	return check_result();
}
