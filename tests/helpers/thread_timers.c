/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Timers that signal a thread or start one, alarms, and calls that a signal interrupts in the one thread that it is meant for.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "thread.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum { THREADS = 4, EXPIRATIONS = 20 };

static pthread_barrier_t together;
static atomic_int finished, alarms, elsewhere, notified, returned;
static _Thread_local volatile int mine;
static _Thread_local bool chosen;
static int pipes[2], pair[2];
static sem_t nothing;
static atomic_uint word;

static void counted(int number, siginfo_t *info, void *context)
{
	(void)number, (void)info, (void)context;
	mine = mine + 1;
	atomic_fetch_add(chosen ? &alarms : &elsewhere, 1);
}

static void on(int number, int flags)
{
	struct sigaction action = { .sa_sigaction = counted, .sa_flags = flags | SA_SIGINFO };
	sigemptyset(&action.sa_mask);
	check(sigaction(number, &action, NULL) == 0, "sigaction %d", number);
}

static void mask(int how, int number)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, number);
	check(pthread_sigmask(how, &set, NULL) == 0, "pthread_sigmask");
}

/* ---- timers ---- */

static void *with_timer(void *unused)
{
	timer_t timer;
	struct itimerspec every = { { 0, 15000000 }, { 0, 15000000 } }, left;
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
				  .sigev_signo = SIGRTMIN + 2,
				  .sigev_notify_thread_id = thread_tid() };
	chosen = true;
	check(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer_create");
	pthread_barrier_wait(&together);
	int64_t begin = check_now(CLOCK_MONOTONIC);
	check(timer_settime(timer, 0, &every, NULL) == 0, "timer_settime");
	for (int64_t until = begin + INT64_C(20000000000); mine < EXPIRATIONS && check_now(CLOCK_MONOTONIC) < until;)
		check_work(1, 10000);
	int64_t passed = check_now(CLOCK_MONOTONIC) - begin;
	check(mine >= EXPIRATIONS && mine <= passed / 15000000 + 1, "%d expirations in %ld ms", mine, passed / 1000000);
	check(timer_gettime(timer, &left) == 0 && left.it_interval.tv_nsec == 15000000 && timer_getoverrun(timer) >= 0,
	      "timer_gettime");
	timer_delete(timer);
	return unused;
}

static void to_threads(void)
{
	pthread_t threads[THREADS];
	on(SIGRTMIN + 2, SA_RESTART);
	pthread_barrier_init(&together, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		threads[i] = thread_start(with_timer, NULL, 0);
	for (int i = 0; i < THREADS; i++)
		thread_end(threads[i]);
	pthread_barrier_destroy(&together);
	check(elsewhere == 0, "%d expirations in other threads", elsewhere);
	puts("timers of threads");
}

static void notify(union sigval value)
{
	if (value.sival_int != 4321 || thread_tid() == getpid())
		atomic_fetch_add(&elsewhere, 1);
	check_work(1, 10000);
	atomic_fetch_add(&notified, 1);
}

static void new_threads(void)
{
	timer_t timer;
	struct itimerspec every = { { 0, 20000000 }, { 0, 20000000 } };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD,
				  .sigev_notify_function = notify,
				  .sigev_value = { .sival_int = 4321 } };
	check(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &every, NULL) == 0, "timer_create");
	thread_reached(&notified, EXPIRATIONS, "threads started by a timer");
	timer_delete(timer);
	check(elsewhere == 0, "%d wrong", elsewhere);
	puts("threads of timers");
}

/* ---- the alarm ---- */

static void *has_alarm(void *argument)
{
	chosen = (intptr_t)argument == 1;
	if (chosen)
		mask(SIG_UNBLOCK, SIGALRM);
	pthread_barrier_wait(&together);
	while (!finished)
		check_work(1, 10000);
	check(chosen ? mine >= EXPIRATIONS : mine == 0, "%d alarms in thread %ld", mine, (intptr_t)argument);
	return NULL;
}

static void alarmed(void)
{
	pthread_t threads[THREADS];
	struct itimerval every = { { 0, 20000 }, { 0, 20000 } }, none = { 0 };
	on(SIGALRM, SA_RESTART);
	mask(SIG_BLOCK, SIGALRM);
	alarms = elsewhere = finished = 0;
	pthread_barrier_init(&together, NULL, THREADS + 1);
	for (intptr_t i = 0; i < THREADS; i++)
		threads[i] = thread_start(has_alarm, (void *)i, 0);
	pthread_barrier_wait(&together);
	check(setitimer(ITIMER_REAL, &every, NULL) == 0, "setitimer");
	thread_reached(&alarms, EXPIRATIONS, "alarms");
	setitimer(ITIMER_REAL, &none, NULL);
	atomic_store(&finished, 1);
	for (int i = 0; i < THREADS; i++)
		thread_end(threads[i]);
	pthread_barrier_destroy(&together);
	check(elsewhere == 0, "%d alarms in other threads", elsewhere);
	sigset_t pending;
	sigpending(&pending);
	if (sigismember(&pending, SIGALRM)) { /* one that came after the thread had ended */
		int number;
		sigemptyset(&pending);
		sigaddset(&pending, SIGALRM);
		sigwait(&pending, &number);
	}
	mask(SIG_UNBLOCK, SIGALRM);
	puts("alarms");
}

/* ---- interrupted calls ---- */

static int wait_read(void)
{
	char c;
	return (int)read(pipes[0], &c, 1);
}

static int wait_receive(void)
{
	char c;
	return (int)recv(pair[0], &c, 1, 0);
}

static int wait_sleep(void)
{
	struct timespec left = { 0, 0 };
	int result = nanosleep(&(struct timespec){ 500, 0 }, &left), error = errno;
	check(result == 0 || (left.tv_sec > 400 && left.tv_sec < 500), "nanosleep: %ld s left", left.tv_sec);
	errno = error;
	return result;
}

static int wait_until(void)
{
	struct timespec until = thread_after(CLOCK_MONOTONIC, 500000);
	errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	return errno == 0 ? 0 : -1;
}

static int wait_sem(void)
{
	return sem_wait(&nothing);
}

static int wait_sem_time(void)
{
	struct timespec until = thread_after(CLOCK_REALTIME, 500000);
	return sem_timedwait(&nothing, &until);
}

static int wait_poll(void)
{
	struct pollfd p = { .fd = pipes[0], .events = POLLIN };
	return poll(&p, 1, 500000);
}

static int wait_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(fd, EPOLL_CTL_ADD, pipes[0], &event);
	int result = epoll_wait(fd, &event, 1, -1), error = errno;
	close(fd);
	errno = error;
	return result;
}

static int wait_futex(void)
{
	long result;
	do
		result = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	while (result == 0 && word == 0); /* it may end for no reason: futex(2) */
	return result < 0 && errno == EAGAIN && word != 0 ? 0 : (int)result;
}

static int wait_pause(void)
{
	return pause();
}

/* clang-format off */
static const struct { const char *name; int (*wait)(void); bool restarts; } calls[] = {
	{ "read", wait_read, true },		{ "recv", wait_receive, true },		{ "nanosleep", wait_sleep, false },
	{ "clock_nanosleep", wait_until, false }, { "sem_wait", wait_sem, true },	{ "sem_timedwait", wait_sem_time, false },
	{ "poll", wait_poll, false },		{ "epoll_wait", wait_epoll, false },	{ "futex", wait_futex, true },
	{ "pause", wait_pause, false },
};
/* clang-format on */
enum { CALLS = sizeof calls / sizeof calls[0] };

static struct {
	pthread_t thread;
	atomic_int done, signals;
} callers[2 * CALLS];

/* Each call stands twice: the even thread is interrupted by SIGUSR1, the odd one by nothing until the end. */
static void *interrupted(void *argument)
{
	intptr_t number = (intptr_t)argument;
	chosen = number % 2 == 0;
	pthread_barrier_wait(&together);
	int result = calls[number / 2].wait(), error = errno;
	check(result == -1 && error == EINTR && mine > 0, "%s %ld: %d %s after %d signals", calls[number / 2].name, number % 2,
	      result, strerror(error), mine);
	atomic_store(&callers[number].signals, mine);
	atomic_store(&callers[number].done, 1);
	return NULL;
}

static void interrupt(int number, int signal_number)
{
	/* A signal that comes before the call interrupts nothing: once more. */
	for (int64_t until = check_now(CLOCK_MONOTONIC) + INT64_C(20000000000); callers[number].done == 0;) {
		if (!check(check_now(CLOCK_MONOTONIC) < until, "%s is not interrupted", calls[number / 2].name))
			exit(check_result());
		pthread_kill(callers[number].thread, signal_number);
		check_compute(5);
	}
	thread_end(callers[number].thread);
}

static void interruptions(void)
{
	on(SIGUSR1, 0);
	on(SIGUSR2, 0);
	check(pipe(pipes) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && sem_init(&nothing, 0, 0) == 0, "pipe");
	alarms = elsewhere = 0;
	pthread_barrier_init(&together, NULL, 2 * CALLS + 1);
	for (intptr_t i = 0; i < 2 * CALLS; i++)
		callers[i].thread = thread_start(interrupted, (void *)i, 0);
	pthread_barrier_wait(&together);
	check_compute(100);
	for (int i = 0; i < 2 * CALLS; i += 2) {
		interrupt(i, SIGUSR1);
		check(callers[i + 1].done == 0, "%s ended in the other thread, too", calls[i / 2].name);
	}
	check(elsewhere == 0, "%d signals in other threads", elsewhere);
	for (int i = 1; i < 2 * CALLS; i += 2) {
		check(callers[i].done == 0, "%s ended before its signal came", calls[i / 2].name);
		interrupt(i, SIGUSR2);
	}
	pthread_barrier_destroy(&together);
	printf("%d calls interrupted, each in one thread of two\n", CALLS);
}

static void *restarted(void *argument)
{
	intptr_t number = (intptr_t)argument;
	chosen = true;
	pthread_barrier_wait(&together);
	int result = calls[number].wait();
	check(result >= 0 && mine > 0, "%s with SA_RESTART: %d %s after %d signals", calls[number].name, result, strerror(errno),
	      mine);
	atomic_fetch_add(&returned, 1);
	return NULL;
}

static void restarts(void)
{
	int number = 0;
	on(SIGUSR1, SA_RESTART);
	for (int i = 0; i < CALLS; i++)
		number += calls[i].restarts;
	pthread_barrier_init(&together, NULL, (unsigned)number + 1);
	for (intptr_t i = 0; i < CALLS; i++)
		if (calls[i].restarts)
			callers[i].thread = thread_start(restarted, (void *)i, 0);
	pthread_barrier_wait(&together);
	for (int round = 0; round < 10; round++) {
		check_compute(20);
		alarms = 0;
		for (int i = 0; i < CALLS; i++)
			if (calls[i].restarts)
				check(pthread_kill(callers[i].thread, SIGUSR1) == 0, "pthread_kill");
		thread_reached(&alarms, number, "signals");
	}
	check(returned == 0, "%d calls did not go on", returned);
	check(write(pipes[1], "x", 1) == 1 && send(pair[1], "x", 1, 0) == 1 && sem_post(&nothing) == 0, "ends");
	word = 1;
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	for (int i = 0; i < CALLS; i++)
		if (calls[i].restarts)
			thread_end(callers[i].thread);
	printf("%d calls went on after 10 signals\n", returned);
}

int main(void)
{
	to_threads();
	new_threads();
	alarmed();
	interruptions();
	restarts();
	return check_result();
}
