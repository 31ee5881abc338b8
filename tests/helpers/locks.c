/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What POSIX has for threads to wait for each other: every kind of mutex, conditions, rwlocks, spinlocks, semaphores,
 * time-outs.
 */
#define _GNU_SOURCE
#include <semaphore.h>

#include "thread.h"

enum { THREADS = 8, TURNS = 3000, ITEMS = 20000, SLOTS = 16, LATE = 10 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t together;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static long counter, shadow;
static atomic_int readers, writers, torn;

static void mutex_init(pthread_mutex_t *mutex, int type, int protocol, int robust)
{
	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, type);
	pthread_mutexattr_setprotocol(&attributes, protocol);
	pthread_mutexattr_setrobust(&attributes, robust);
	check(pthread_mutex_init(mutex, &attributes) == 0, "pthread_mutex_init %d %d %d", type, protocol, robust);
	pthread_mutexattr_destroy(&attributes);
}

/* ---- mutual exclusion: not one increment is lost ---- */

static void *count_mutex(void *recursive)
{
	for (int i = 0; i < TURNS; i++) {
		int error = pthread_mutex_lock(&lock), again = recursive != NULL ? pthread_mutex_lock(&lock) : 0;
		if (!check(error == 0 && again == 0, "pthread_mutex_lock: %s, %s", strerror(error), strerror(again)))
			return NULL;
		long was = counter;
		check_work(1, 100);
		counter = was + 1;
		shadow++;
		error = pthread_mutex_unlock(&lock);
		if (recursive != NULL)
			error |= pthread_mutex_unlock(&lock);
		check(error == 0, "pthread_mutex_unlock");
	}
	return NULL;
}

static void *count_spin(void *unused)
{
	for (int i = 0; i < TURNS; i++) {
		pthread_spin_lock(&spin);
		long was = counter;
		check_work(1, 300);
		counter = was + 1;
		shadow++;
		pthread_spin_unlock(&spin);
		check_work(1, 200);
	}
	return unused;
}

static void *count_rwlock(void *argument)
{
	for (int i = 0; i < TURNS; i++)
		if ((i + (int)(intptr_t)argument) % 4 == 0) {
			pthread_rwlock_wrlock(&rwlock);
			if (atomic_fetch_add(&writers, 1) != 0 || readers != 0)
				atomic_fetch_add(&torn, 1);
			counter++;
			check_work(1, 100);
			shadow++;
			atomic_fetch_add(&writers, -1);
			pthread_rwlock_unlock(&rwlock);
		} else {
			pthread_rwlock_rdlock(&rwlock);
			atomic_fetch_add(&readers, 1);
			if (counter != shadow || writers != 0)
				atomic_fetch_add(&torn, 1);
			check_work(1, 50);
			atomic_fetch_add(&readers, -1);
			pthread_rwlock_unlock(&rwlock);
		}
	return NULL;
}

static void exclusion(const char *what, void *(*run)(void *), bool recursive, int threads, long expected)
{
	pthread_t ids[THREADS];
	counter = shadow = 0;
	for (intptr_t i = 0; i < threads; i++)
		ids[i] = thread_start(run, (void *)(run == count_rwlock ? i : recursive), 0);
	for (int i = 0; i < threads; i++)
		thread_end(ids[i]);
	printf("%s: %ld, %ld\n", what, counter, shadow);
	check(counter == expected && shadow == expected && torn == 0, "%s: %d times two at once", what, torn);
}

static void mutexes(void)
{
	/* clang-format off */
	static const struct { const char *name; int type, protocol, robust; } kinds[] = {
		{ "normal",		PTHREAD_MUTEX_NORMAL,		PTHREAD_PRIO_NONE,	PTHREAD_MUTEX_STALLED },
		{ "recursive",		PTHREAD_MUTEX_RECURSIVE,	PTHREAD_PRIO_NONE,	PTHREAD_MUTEX_STALLED },
		{ "errorcheck",		PTHREAD_MUTEX_ERRORCHECK,	PTHREAD_PRIO_NONE,	PTHREAD_MUTEX_STALLED },
		{ "adaptive",		PTHREAD_MUTEX_ADAPTIVE_NP,	PTHREAD_PRIO_NONE,	PTHREAD_MUTEX_STALLED },
		{ "robust",		PTHREAD_MUTEX_NORMAL,		PTHREAD_PRIO_NONE,	PTHREAD_MUTEX_ROBUST },
		{ "inheriting",		PTHREAD_MUTEX_NORMAL,		PTHREAD_PRIO_INHERIT,	PTHREAD_MUTEX_STALLED },
		{ "inheriting recursive", PTHREAD_MUTEX_RECURSIVE,	PTHREAD_PRIO_INHERIT,	PTHREAD_MUTEX_STALLED },
		{ "inheriting robust",	PTHREAD_MUTEX_NORMAL,		PTHREAD_PRIO_INHERIT,	PTHREAD_MUTEX_ROBUST },
	};
	/* clang-format on */
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		mutex_init(&lock, kinds[i].type, kinds[i].protocol, kinds[i].robust);
		exclusion(kinds[i].name, count_mutex, kinds[i].type == PTHREAD_MUTEX_RECURSIVE, THREADS, (long)THREADS * TURNS);
		pthread_mutex_lock(&lock);
		int again = pthread_mutex_trylock(&lock);
		check(again == (kinds[i].type == PTHREAD_MUTEX_RECURSIVE ? 0 : EBUSY), "%s: trylock: %s", kinds[i].name,
		      strerror(again));
		if (again == 0)
			pthread_mutex_unlock(&lock);
		if (kinds[i].type == PTHREAD_MUTEX_ERRORCHECK)
			check(pthread_mutex_lock(&lock) == EDEADLK, "%s: locked twice", kinds[i].name);
		pthread_mutex_unlock(&lock);
		if (kinds[i].type == PTHREAD_MUTEX_ERRORCHECK)
			check(pthread_mutex_unlock(&lock) == EPERM, "%s: unlocked twice", kinds[i].name);
		check(pthread_mutex_destroy(&lock) == 0, "%s: destroyed while locked", kinds[i].name);
	}
}

/* ---- owners that end ---- */

static void *leave_locked(void *mutex)
{
	check(pthread_mutex_lock(mutex) == 0, "lock");
	pthread_barrier_wait(&together);
	check_compute(15);
	return NULL;
}

static void *another(void *mutex)
{
	int error = pthread_mutex_lock(mutex);
	if (error == EOWNERDEAD)
		error = pthread_mutex_consistent(mutex) == 0 ? EOWNERDEAD : EINVAL;
	pthread_mutex_unlock(mutex);
	return (void *)(intptr_t)error;
}

static void owners(int protocol)
{
	int dead = 0, well = 0;
	pthread_mutex_t mutex;
	for (int i = 0; i < 10; i++) {
		mutex_init(&mutex, PTHREAD_MUTEX_NORMAL, protocol, PTHREAD_MUTEX_ROBUST);
		pthread_barrier_init(&together, NULL, 2);
		pthread_t owner = thread_start(leave_locked, &mutex, 0), heirs[3];
		pthread_barrier_wait(&together);
		for (int k = 0; k < 3; k++)
			heirs[k] = thread_start(another, &mutex, 0);
		for (int k = 0; k < 3; k++) {
			int error = (int)(intptr_t)thread_end(heirs[k]);
			dead += error == EOWNERDEAD;
			well += error == 0;
		}
		thread_end(owner);
		owner = thread_start(leave_locked, &mutex, 0);
		pthread_barrier_wait(&together);
		int error = pthread_mutex_lock(&mutex);
		check(error == EOWNERDEAD, "the owner has ended: %s", strerror(error));
		pthread_mutex_unlock(&mutex);
		error = pthread_mutex_lock(&mutex);
		check(error == ENOTRECOVERABLE, "left as it was: %s", strerror(error));
		thread_end(owner);
		pthread_mutex_destroy(&mutex);
		pthread_barrier_destroy(&together);
	}
	printf("owners that end: %d told, %d did not need to know\n", dead, well);
	check(dead == 10 && well == 20, "heirs");
}

/* ---- time-outs: never early ---- */

static void timed(const char *what, int error, clockid_t clock, const struct timespec *until)
{
	int64_t late = check_now(clock) - (until->tv_sec * INT64_C(1000000000) + until->tv_nsec);
	check(error == ETIMEDOUT && late >= 0 && late < LATE * INT64_C(1000000000), "%s: %s, %ld us late", what, strerror(error),
	      late / 1000);
}

static void *time_out(void *argument)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC };
	static pthread_mutex_t mine = PTHREAD_MUTEX_INITIALIZER;
	pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t nobody;
	pthread_condattr_t attributes;
	sem_t zero;
	clockid_t clock = clocks[(intptr_t)argument % 2];
	sem_init(&zero, 0, 0);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, clock);
	pthread_cond_init(&nobody, &attributes);
	pthread_mutex_lock(&own);
	for (int i = 0; i < 6; i++) {
		struct timespec until = thread_after(clock, 10 * i);
		int error;
		do
			error = pthread_cond_timedwait(&nobody, &own, &until);
		while (error == 0);
		timed("pthread_cond_timedwait", error, clock, &until);
		check(pthread_mutex_trylock(&own) == EBUSY, "the mutex is not mine again");
		until = thread_after(clock, 10);
		do
			error = pthread_cond_clockwait(&nobody, &own, clock, &until);
		while (error == 0);
		timed("pthread_cond_clockwait", error, clock, &until);
		until = thread_after(clock, 20);
		timed("pthread_mutex_clocklock", pthread_mutex_clocklock(&lock, clock, &until), clock, &until);
		until = thread_after(CLOCK_REALTIME, 10);
		timed("pthread_mutex_timedlock", pthread_mutex_timedlock(&lock, &until), CLOCK_REALTIME, &until);
		until = thread_after(clock, 10);
		timed("pthread_rwlock_clockwrlock", pthread_rwlock_clockwrlock(&rwlock, clock, &until), clock, &until);
		until = thread_after(CLOCK_REALTIME, 10);
		timed("pthread_rwlock_timedwrlock", pthread_rwlock_timedwrlock(&rwlock, &until), CLOCK_REALTIME, &until);
		until = thread_after(CLOCK_REALTIME, 20);
		timed("sem_timedwait", sem_timedwait(&zero, &until) < 0 ? errno : 0, CLOCK_REALTIME, &until);
		until = thread_after(clock, 10);
		timed("sem_clockwait", sem_clockwait(&zero, clock, &until) < 0 ? errno : 0, clock, &until);
		check(sem_trywait(&zero) < 0 && errno == EAGAIN, "sem_trywait");
		pthread_mutex_lock(&mine);
		check_compute(4);
		pthread_mutex_unlock(&mine);
	}
	pthread_mutex_unlock(&own);
	pthread_cond_destroy(&nobody);
	sem_destroy(&zero);
	return NULL;
}

static void time_outs(void)
{
	pthread_t threads[6];
	mutex_init(&lock, PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED);
	pthread_mutex_lock(&lock);
	pthread_rwlock_rdlock(&rwlock);
	for (intptr_t i = 0; i < 6; i++)
		threads[i] = thread_start(time_out, (void *)i, 0);
	for (int i = 0; i < 6; i++)
		thread_end(threads[i]);
	check(pthread_rwlock_trywrlock(&rwlock) == EBUSY && pthread_rwlock_tryrdlock(&rwlock) == 0, "the rwlock");
	pthread_rwlock_unlock(&rwlock);
	pthread_rwlock_unlock(&rwlock);
	pthread_mutex_unlock(&lock);
	puts("time-outs");
}

/* ---- producers and consumers ---- */

static long slots[SLOTS], head, tail, eaten[4];
static sem_t room, filled;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER;
static atomic_int next_item;

static long take(void)
{
	return atomic_fetch_add(&next_item, 1);
}

static void *produce_by_sem(void *unused)
{
	for (long item; (item = take()) < ITEMS;) {
		sem_wait(&room);
		pthread_mutex_lock(&lock);
		slots[head++ % SLOTS] = item;
		pthread_mutex_unlock(&lock);
		sem_post(&filled);
	}
	return unused;
}

static void *consume_by_sem(void *number)
{
	for (int i = 0; i < ITEMS / 4; i++) {
		sem_wait(&filled);
		pthread_mutex_lock(&lock);
		eaten[(intptr_t)number] += slots[tail++ % SLOTS];
		pthread_mutex_unlock(&lock);
		sem_post(&room);
		check_work(1, 300);
	}
	return NULL;
}

static void *produce_by_cond(void *unused)
{
	for (long item; (item = take()) < ITEMS;) {
		pthread_mutex_lock(&lock);
		while (head - tail == SLOTS)
			pthread_cond_wait(&not_full, &lock);
		slots[head++ % SLOTS] = item;
		pthread_cond_signal(&changed);
		pthread_mutex_unlock(&lock);
	}
	return unused;
}

static void *consume_by_cond(void *number)
{
	for (int i = 0; i < ITEMS / 4; i++) {
		struct timespec until = thread_after(CLOCK_REALTIME, 60000);
		int error = 0;
		pthread_mutex_lock(&lock);
		while (head == tail && error == 0)
			error = pthread_cond_timedwait(&changed, &lock, &until);
		check(error == 0, "a consumer starves: %s", strerror(error));
		eaten[(intptr_t)number] += slots[tail++ % SLOTS];
		pthread_cond_signal(&not_full);
		pthread_mutex_unlock(&lock);
		check_work(1, 300);
	}
	return NULL;
}

static void trade(const char *what, void *(*produce)(void *), void *(*consume)(void *))
{
	pthread_t threads[8];
	head = tail = next_item = 0;
	memset(eaten, 0, sizeof eaten);
	for (intptr_t i = 0; i < 8; i++)
		threads[i] = thread_start(i < 4 ? produce : consume, (void *)(i % 4), 0);
	for (int i = 0; i < 8; i++)
		thread_end(threads[i]);
	long sum = eaten[0] + eaten[1] + eaten[2] + eaten[3];
	printf("%s: %ld made, %ld eaten, sum %ld\n", what, head, tail, sum);
	check(head == ITEMS && tail == ITEMS && sum == (long)ITEMS * (ITEMS - 1) / 2, "items are lost");
}

int main(void)
{
	mutexes();
	pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
	exclusion("spin", count_spin, false, 3, 3L * TURNS);
	exclusion("rwlock", count_rwlock, false, THREADS, (long)THREADS * TURNS / 4);
	owners(PTHREAD_PRIO_NONE);
	owners(PTHREAD_PRIO_INHERIT);
	time_outs();
	sem_init(&room, 0, SLOTS);
	sem_init(&filled, 0, 0);
	trade("semaphores", produce_by_sem, consume_by_sem);
	trade("conditions", produce_by_cond, consume_by_cond);
	int left;
	check(sem_getvalue(&room, &left) == 0 && left == SLOTS && sem_getvalue(&filled, &left) == 0 && left == 0,
	      "semaphores: %d", left);
	return check_result();
}
