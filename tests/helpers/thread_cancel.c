/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cancellation, deferred and asynchronous, wherever a thread may be, with its cleanup handlers in order. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/socket.h>

#include "thread.h"

enum { ROUNDS = 5 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static sem_t nothing;
static int empty[2], full[2], pair[2], file;
static pthread_t sleeper;
static atomic_int ready, returned, handlers, misplaced, destroyed;
static _Thread_local int order;
static pthread_key_t key;

static void wait_testcancel(void)
{
	for (;;) {
		check_work(1, 3000);
		pthread_testcancel();
	}
}

static void wait_compute(void)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (;;)
		check_work(1, 1000);
}

static void wait_read(void)
{
	char c;
	atomic_fetch_add(&returned, read(empty[0], &c, 1) >= -1);
}

static void wait_write(void)
{
	char block[70000] = { 0 };
	atomic_fetch_add(&returned, write(full[1], block, sizeof block) >= -1);
}

static void wait_receive(void)
{
	char c;
	atomic_fetch_add(&returned, recv(pair[0], &c, 1, 0) >= -1);
}

static void wait_poll(void)
{
	struct pollfd p = { .fd = empty[0], .events = POLLIN };
	atomic_fetch_add(&returned, poll(&p, 1, -1) >= -1);
}

static void wait_sleep(void)
{
	atomic_fetch_add(&returned, nanosleep(&(struct timespec){ 1000, 0 }, NULL) >= -1);
}

static void wait_pause(void)
{
	atomic_fetch_add(&returned, pause() == -1);
}

static void wait_sem(void)
{
	atomic_fetch_add(&returned, sem_wait(&nothing) >= -1);
}

static void wait_lock(void)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int other = open("locked", O_RDWR | O_CLOEXEC);
	atomic_fetch_add(&returned, fcntl(other, F_OFD_SETLKW, &all) >= -1);
}

static void wait_join(void)
{
	pthread_join(sleeper, NULL);
	atomic_fetch_add(&returned, 1);
}

static void wait_signal(void)
{
	sigset_t set;
	int number;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigwait(&set, &number);
	atomic_fetch_add(&returned, 1);
}

/* POSIX: the mutex is taken again before the first cleanup handler runs. */
static void unlock(void *unused)
{
	(void)unused;
	if (pthread_mutex_trylock(&lock) != EBUSY)
		atomic_fetch_add(&misplaced, 1);
	pthread_mutex_unlock(&lock);
}

static void wait_cond(void)
{
	pthread_mutex_lock(&lock);
	pthread_cleanup_push(unlock, NULL);
	for (;;)
		pthread_cond_wait(&never, &lock);
	pthread_cleanup_pop(0);
}

static void wait_cond_time(void)
{
	struct timespec until = thread_after(CLOCK_REALTIME, 1000000);
	pthread_mutex_lock(&lock);
	pthread_cleanup_push(unlock, NULL);
	while (pthread_cond_timedwait(&never, &lock, &until) == 0)
		continue;
	atomic_fetch_add(&returned, 1);
	pthread_cleanup_pop(0);
}

/* clang-format off */
static const struct { const char *name; void (*wait)(void); } kinds[] = {
	{ "testcancel", wait_testcancel }, { "computing", wait_compute },	{ "read", wait_read },
	{ "write", wait_write },	{ "recv", wait_receive },	{ "poll", wait_poll },
	{ "nanosleep", wait_sleep },	{ "pause", wait_pause },	{ "sem_wait", wait_sem },
	{ "fcntl", wait_lock },		{ "pthread_join", wait_join },	{ "sigwait", wait_signal },
	{ "cond_wait", wait_cond },	{ "cond_timedwait", wait_cond_time },
};
/* clang-format on */
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void cleanup(void *number)
{
	if (++order != (int)(intptr_t)number)
		atomic_fetch_add(&misplaced, 1);
	atomic_fetch_add(&handlers, 1);
}

static void destroy(void *value)
{
	if (order != 3 || value != &key)
		atomic_fetch_add(&misplaced, 1);
	atomic_fetch_add(&destroyed, 1);
}

static void *victim(void *argument)
{
	pthread_setspecific(key, &key);
	pthread_cleanup_push(cleanup, (void *)3);
	pthread_cleanup_push(cleanup, (void *)2);
	pthread_cleanup_push(cleanup, (void *)1);
	atomic_fetch_add(&ready, 1);
	kinds[(intptr_t)argument].wait();
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	return argument;
}

static void everywhere(void)
{
	pthread_t threads[KINDS];
	for (int round = 0; round < ROUNDS; round++) {
		ready = handlers = destroyed = 0;
		for (intptr_t i = 0; i < KINDS; i++)
			threads[i] = thread_start(victim, (void *)i, PTHREAD_STACK_MIN + 131072);
		thread_reached(&ready, KINDS, "threads");
		check_compute(round * 90); /* at once, and when they have been blocked for a while */
		for (int i = 0; i < KINDS; i++)
			check(pthread_cancel(threads[i]) == 0, "pthread_cancel");
		for (int i = 0; i < KINDS; i++)
			check(thread_end(threads[i]) == PTHREAD_CANCELED, "%s was not cancelled", kinds[i].name);
		check(handlers == 3 * KINDS && destroyed == KINDS, "%d cleanup handlers, %d destructors", handlers, destroyed);
	}
	check(pthread_mutex_trylock(&lock) == 0 && pthread_mutex_unlock(&lock) == 0, "the mutex is still locked");
	printf("%d kinds of waiting: %d returned, %d misplaced\n", KINDS, returned, misplaced);
	check(returned == 0 && misplaced == 0, "a cancelled thread went on");
}

static void *disabled(void *argument)
{
	int *steps = argument, old;
	check(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old) == 0 && old == PTHREAD_CANCEL_ENABLE,
	      "the state of a new thread");
	atomic_fetch_add(&ready, 1);
	for (; *steps < 40; ++*steps) {
		pthread_testcancel();
		nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
		check_compute(2);
	}
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	++*steps;
	pthread_testcancel();
	++*steps;
	return NULL;
}

static void with_states(void)
{
	int steps[3] = { 0 };
	pthread_t threads[3];
	ready = 0;
	for (int i = 0; i < 3; i++)
		threads[i] = thread_start(disabled, &steps[i], 0);
	thread_reached(&ready, 3, "threads");
	for (int i = 0; i < 3; i++)
		check(pthread_cancel(threads[i]) == 0, "pthread_cancel");
	for (int i = 0; i < 3; i++)
		check(thread_end(threads[i]) == PTHREAD_CANCELED && steps[i] == 41, "cancelled in step %d", steps[i]);
	printf("disabled: cancelled in step %d\n", steps[0]);
}

static void *itself(void *argument)
{
	pthread_setspecific(key, &key);
	pthread_cleanup_push(cleanup, (void *)3);
	pthread_cleanup_push(cleanup, (void *)2);
	pthread_cleanup_push(cleanup, (void *)1);
	check_work(1, 10000);
	if ((intptr_t)argument % 2) {
		pthread_cancel(pthread_self());
		pthread_testcancel();
	}
	pthread_exit((void *)42);
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
}

static void by_itself(void)
{
	handlers = destroyed = 0;
	for (intptr_t i = 0; i < 100; i++) {
		void *result = thread_end(thread_start(itself, (void *)i, 0));
		check(result == (i % 2 ? PTHREAD_CANCELED : (void *)42), "a thread that ends itself");
	}
	check(handlers == 300 && destroyed == 100, "%d handlers, %d destructors", handlers, destroyed);
	printf("by itself: %d handlers\n", handlers);
}

/* No handler is there that could end this. */
static void *sleeping(void *unused)
{
	(void)unused;
	pause();
	return NULL;
}

int main(void)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_key_create(&key, destroy);
	sem_init(&nothing, 0, 0);
	file = open("locked", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	check(fcntl(file, F_OFD_SETLK, &all) == 0, "a lock");
	check(pipe(empty) == 0 && pipe(full) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "pipes");
	fcntl(full[1], F_SETFL, O_NONBLOCK);
	static char block[4096];
	while (write(full[1], block, sizeof block) > 0)
		continue;
	fcntl(full[1], F_SETFL, 0);
	sleeper = thread_start(sleeping, NULL, 0);
	everywhere();
	pthread_cancel(sleeper);
	check(thread_end(sleeper) == PTHREAD_CANCELED, "the sleeper");
	with_states();
	by_itself();
	return check_result();
}
