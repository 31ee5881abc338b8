/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signals to single threads and to all of them: each arrives where it must, once, in order, under the masks of that thread. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <sys/signalfd.h>

#include "thread.h"

enum { THREADS = 4, QUEUED = 150, KINDS = 3, TURNS = 200 };

/* What a handler writes about the thread that it runs in. */
struct record {
	volatile int next[KINDS], count[65], disorder, stranger;
};

static struct record records[THREADS];
static pid_t tids[THREADS];
static pthread_t threads[THREADS];
static _Thread_local struct record *mine;
static _Thread_local pid_t my_tid;
static _Thread_local sigjmp_buf back;
static pthread_barrier_t together;
static atomic_int finished, received, handled;

static sigset_t set_of(int a, int b, int c)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, a);
	if (b != 0)
		sigaddset(&set, b);
	if (c != 0)
		sigaddset(&set, c);
	return set;
}

static void on(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO };
	sigemptyset(&action.sa_mask);
	check(sigaction(number, &action, NULL) == 0, "sigaction %d", number);
}

static void mask(int how, int number)
{
	sigset_t set = set_of(number, 0, 0);
	check(pthread_sigmask(how, &set, NULL) == 0, "pthread_sigmask");
}

/* Values of each kind come as 0, 1, 2, ... in each thread. */
static void directed(int number, siginfo_t *info, void *context)
{
	(void)context;
	int kind = number - SIGRTMIN;
	if (mine == NULL || thread_tid() != my_tid || mine != &records[info->si_value.sival_int / 10000] ||
	    info->si_pid != getpid()) {
		if (mine != NULL)
			mine->stranger++;
		return;
	}
	int value = info->si_value.sival_int % 10000;
	if (info->si_code != SI_QUEUE || value != mine->next[kind])
		mine->disorder++;
	mine->next[kind] = value + 1;
	mine->count[number]++;
	atomic_fetch_add(&handled, 1);
}

static void counted(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (mine == NULL || thread_tid() != my_tid || (info->si_code != SI_TKILL && info->si_code != SI_USER))
		return;
	mine->count[number]++;
	atomic_fetch_add(&received, 1);
}

static void jump(int number, siginfo_t *info, void *context)
{
	(void)info, (void)context;
	siglongjmp(back, number);
}

static void enter(intptr_t number)
{
	mine = &records[number];
	my_tid = tids[number] = thread_tid();
	pthread_barrier_wait(&together);
}

static void start(void *(*run)(void *))
{
	memset(records, 0, sizeof records);
	finished = received = handled = 0;
	pthread_barrier_init(&together, NULL, THREADS + 1);
	for (intptr_t i = 0; i < THREADS; i++)
		threads[i] = thread_start(run, (void *)i, 0);
	pthread_barrier_wait(&together);
}

static void stop(void)
{
	atomic_store(&finished, 1);
	for (int i = 0; i < THREADS; i++)
		thread_end(threads[i]);
	pthread_barrier_destroy(&together);
}

static void *computing(void *number)
{
	uint64_t x = 1;
	enter((intptr_t)number);
	while (!finished)
		x = check_work(x, 10000);
	return (void *)x;
}

static void send(int error)
{
	check(error == 0, "not sent: %s", strerror(error));
}

static void to_each(void)
{
	for (int k = 0; k < KINDS; k++)
		on(SIGRTMIN + k, directed, SA_RESTART);
	on(SIGUSR1, counted, SA_RESTART);
	start(computing);
	for (int i = 0; i < QUEUED; i++)
		for (int t = 0; t < THREADS; t++) {
			union sigval value = { .sival_int = t * 10000 + i };
			int error;
			for (int k = 0; k < KINDS; k++)
				while ((error = pthread_sigqueue(threads[t], SIGRTMIN + k, value)) != 0)
					if (!check(error == EAGAIN, "pthread_sigqueue: %s", strerror(error)))
						break;
			if (i % 5 == t) {
				int before = received;
				send(t % 2                                    ? pthread_kill(threads[t], SIGUSR1)
				     : tgkill(getpid(), tids[t], SIGUSR1) < 0 ? errno
									      : 0);
				thread_reached(&received, before + 1, "SIGUSR1 to a thread");
			}
		}
	thread_reached(&handled, THREADS * QUEUED * KINDS, "queued to threads");
	check(pthread_kill(threads[0], 0) == 0 && pthread_kill(threads[0], 99) == EINVAL, "pthread_kill");
	stop();
	int users = 0;
	for (int t = 0; t < THREADS; t++) {
		for (int k = 0; k < KINDS; k++)
			check(records[t].count[SIGRTMIN + k] == QUEUED, "thread %d: %d of %d", t, records[t].count[SIGRTMIN + k],
			      QUEUED);
		check(records[t].disorder == 0 && records[t].stranger == 0, "thread %d: disorder %d, strangers %d", t,
		      records[t].disorder, records[t].stranger);
		check(records[t].count[SIGUSR1] == QUEUED / 5, "thread %d: SIGUSR1 %d times", t, records[t].count[SIGUSR1]);
		users += records[t].count[SIGUSR1];
	}
	printf("to each thread: %d queued, %d counted\n", handled, users);
}

/* ---- to the process: whoever does not block it ---- */

static void *one_open(void *argument)
{
	intptr_t number = (intptr_t)argument;
	uint64_t x = 1;
	if (number == 2)
		mask(SIG_UNBLOCK, SIGRTMIN);
	enter(number);
	while (!finished) {
		sigset_t now;
		x = check_work(x, 20000);
		pthread_sigmask(SIG_BLOCK, NULL, &now);
		check(sigismember(&now, SIGRTMIN) == (number != 2) && sigismember(&now, SIGHUP) == 1,
		      "the mask of a thread has changed");
	}
	return (void *)x;
}

static void to_the_process(void)
{
	mask(SIG_BLOCK, SIGRTMIN);
	mask(SIG_BLOCK, SIGHUP);
	on(SIGRTMIN, directed, SA_RESTART);
	start(one_open);
	for (int i = 0; i < 800; i++) {
		union sigval value = { .sival_int = 20000 + i };
		while (sigqueue(getpid(), SIGRTMIN, value) < 0)
			if (!check(errno == EAGAIN, "sigqueue"))
				break;
		check_work(1, 10000);
	}
	thread_reached(&handled, 800, "queued to the process");
	stop();
	check(records[2].count[SIGRTMIN] == 800 && records[2].disorder == 0 && records[2].stranger == 0,
	      "the open thread: %d, disorder %d", records[2].count[SIGRTMIN], records[2].disorder);
	printf("to the process: %d\n", handled);
	mask(SIG_UNBLOCK, SIGRTMIN);
	mask(SIG_UNBLOCK, SIGHUP);
}

/* ---- waited for ---- */

static void *waiter(void *unused)
{
	sigset_t set = set_of(SIGRTMIN, SIGRTMIN + 1, SIGUSR2);
	siginfo_t info;
	int kinds[2] = { 0 }, users = 0;
	while (kinds[0] + kinds[1] < 2 * TURNS) {
		int number = sigwaitinfo(&set, &info);
		if (!check(number > 0 || errno == EINTR, "sigwaitinfo: %s", strerror(errno)) || number <= 0)
			continue;
		if (number == SIGUSR2) {
			users++;
			continue;
		}
		int kind = number - SIGRTMIN;
		check(info.si_value.sival_int == kinds[kind] && info.si_pid == getpid(), "kind %d: %d instead of %d", kind,
		      info.si_value.sival_int, kinds[kind]);
		kinds[kind]++;
		atomic_fetch_add(&handled, 1);
	}
	check(users >= 1 && users <= TURNS, "SIGUSR2 %d times", users);
	return unused;
}

static void waited_for(void)
{
	sigset_t set = set_of(SIGRTMIN, SIGRTMIN + 1, SIGUSR2), pending;
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	handled = 0;
	pthread_t one = thread_start(waiter, NULL, 0);
	for (int i = 0; i < TURNS; i++) {
		union sigval value = { .sival_int = i };
		check(i % 2 ? pthread_sigqueue(one, SIGRTMIN, value) == 0 : sigqueue(getpid(), SIGRTMIN, value) == 0, "queued");
		check(sigqueue(getpid(), SIGRTMIN + 1, value) == 0 && kill(getpid(), SIGUSR2) == 0, "queued");
		/* One queue for the process and one for the thread have no order among them: one at a time. */
		thread_reached(&handled, 2 * i + 2, "sigwaitinfo");
	}
	thread_end(one);
	struct timespec none = { 0, 0 }, little = { 0, 30000000 };
	while (sigtimedwait(&set, NULL, &none) == SIGUSR2)
		continue;
	check(sigtimedwait(&set, NULL, &little) < 0 && errno == EAGAIN, "sigtimedwait of nothing");
	union sigval value = { .sival_int = 1 };
	for (int k = 1; k >= 0; k--) /* whatever the order of sending: the lowest number first */
		check(pthread_sigqueue(pthread_self(), SIGRTMIN + k, value) == 0 && sigpending(&pending) == 0 &&
			      sigismember(&pending, SIGRTMIN + k) == 1,
		      "pending");
	for (int k = 0; k < 2; k++)
		check(sigwaitinfo(&set, NULL) == SIGRTMIN + k, "the lowest number first");
	printf("waited for: %d\n", handled);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* A signal that waits for one thread is not pending in another. */
static void *sees_nothing(void *unused)
{
	sigset_t pending, both = set_of(SIGUSR1, SIGUSR2, 0);
	pthread_barrier_wait(&together);
	check_compute(60);
	check(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == 0 && sigismember(&pending, SIGUSR2) == 1,
	      "what is pending");
	int fd = signalfd(-1, &both, SFD_NONBLOCK | SFD_CLOEXEC);
	struct signalfd_siginfo info;
	check(read(fd, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR2, "signalfd: the signal of the process");
	check(read(fd, &info, sizeof info) < 0 && errno == EAGAIN, "signalfd: the signal of another thread");
	close(fd);
	return unused;
}

static void pending_apart(void)
{
	sigset_t pending, one = set_of(SIGUSR1, 0, 0);
	mask(SIG_BLOCK, SIGUSR1);
	mask(SIG_BLOCK, SIGUSR2);
	pthread_barrier_init(&together, NULL, 2);
	for (int i = 0; i < 5; i++) {
		pthread_t other = thread_start(sees_nothing, NULL, 0);
		pthread_kill(pthread_self(), SIGUSR1);
		kill(getpid(), SIGUSR2);
		pthread_barrier_wait(&together);
		thread_end(other);
		sigpending(&pending);
		check(sigismember(&pending, SIGUSR1) == 1 && sigismember(&pending, SIGUSR2) == 0, "what is left");
		check(sigwaitinfo(&one, NULL) == SIGUSR1, "SIGUSR1");
	}
	pthread_barrier_destroy(&together);
	mask(SIG_UNBLOCK, SIGUSR1);
	mask(SIG_UNBLOCK, SIGUSR2);
	puts("pending apart");
}

/* ---- jumps, and turns by sigsuspend ---- */

static void *jumping(void *number)
{
	volatile int jumps = 0;
	enter((intptr_t)number);
	for (volatile int i = 0; i < 150; i++) {
		if (sigsetjmp(back, 1) == 0)
			pthread_kill(pthread_self(), SIGHUP);
		else
			jumps++;
		check_work(1, 5000);
	}
	sigset_t now;
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	check(sigismember(&now, SIGHUP) == 0, "SIGHUP is blocked after siglongjmp");
	return (void *)(intptr_t)jumps;
}

static void jumps(void)
{
	on(SIGHUP, jump, 0);
	start(jumping);
	intptr_t sum = 0;
	for (int i = 0; i < THREADS; i++)
		sum += (intptr_t)thread_end(threads[i]);
	pthread_barrier_destroy(&together);
	printf("jumps out of handlers: %ld\n", sum);
	check(sum == THREADS * 150, "jumps");
}

static void await_signals(const sigset_t *open, int number)
{
	while (mine->count[SIGUSR1] < number)
		check(sigsuspend(open) < 0 && errno == EINTR, "sigsuspend");
	check(mine->count[SIGUSR1] == number, "%d signals instead of %d", mine->count[SIGUSR1], number);
}

/* Threads 0 and 1, and threads 2 and 3, wake each other; the odd one begins. */
static void *turns(void *argument)
{
	intptr_t number = (intptr_t)argument;
	sigset_t open;
	mask(SIG_BLOCK, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, NULL, &open);
	sigdelset(&open, SIGUSR1);
	enter(number);
	for (int i = 0; i < TURNS; i++) {
		await_signals(&open, number % 2 ? i : i + 1);
		send(tgkill(getpid(), tids[number ^ 1], SIGUSR1) < 0 ? errno : 0);
		check_work(1, 1000);
	}
	await_signals(&open, TURNS);
	return NULL;
}

static void ping_pong(void)
{
	on(SIGUSR1, counted, 0);
	start(turns);
	for (int i = 0; i < THREADS; i++)
		thread_end(threads[i]);
	pthread_barrier_destroy(&together);
	printf("turns: %d %d\n", records[0].count[SIGUSR1], records[2].count[SIGUSR1]);
	check(records[0].count[SIGUSR1] == TURNS && records[2].count[SIGUSR1] == TURNS, "turns");
}

int main(void)
{
	to_each();
	to_the_process();
	waited_for();
	pending_apart();
	jumps();
	ping_pong();
	return check_result();
}
