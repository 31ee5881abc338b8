/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A storm of signals of all kinds while the program computes. What the kernel guarantees is counted: queued signals arrive once each and in
 * order; the rest is printed and compared with a native run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { QUEUED = 600, KINDS = 3, CHILDREN = 40 };

static volatile int count[65], depth, deepest, chain_length;
static volatile int next_value[KINDS], disorder;
static char chain[4096];
static sigjmp_buf back;

static void on(int number, void (*handler)(int, siginfo_t *, void *), int flags, int fill)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO };
	if (fill)
		sigfillset(&action.sa_mask);
	else
		sigemptyset(&action.sa_mask);
	check(sigaction(number, &action, NULL) == 0, "sigaction %d", number);
}

static sigset_t set_of(int a, int b)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, a);
	if (b != 0)
		sigaddset(&set, b);
	return set;
}

static void counting(int number, siginfo_t *info, void *context)
{
	(void)info, (void)context;
	count[number]++;
}

/* Values of each kind must come as 0, 1, 2, ... */
static void queued(int number, siginfo_t *info, void *context)
{
	(void)context;
	int kind = number - SIGRTMIN;
	if (info->si_code != SI_QUEUE || info->si_value.sival_int != next_value[kind] || info->si_signo != number)
		disorder++;
	next_value[kind] = info->si_value.sival_int + 1;
	count[number]++;
}

static void nested(int number, siginfo_t *info, void *context)
{
	(void)info, (void)context;
	depth++;
	if (depth > deepest)
		deepest = depth;
	if (count[number]++ < 5)
		raise(number);
	depth--;
}

static void written(int number, siginfo_t *info, void *context)
{
	(void)context;
	chain_length += snprintf(chain + chain_length, sizeof chain - (size_t)chain_length, " %d", number >= SIGRTMIN ? number - SIGRTMIN + 1000 : number);
	if (info->si_code == SI_QUEUE)
		chain_length += snprintf(chain + chain_length, sizeof chain - (size_t)chain_length, ":%d", info->si_value.sival_int);
}

static void jump(int number, siginfo_t *info, void *context)
{
	(void)info, (void)context;
	siglongjmp(back, number);
}

static void reap(int number, siginfo_t *info, void *context)
{
	(void)number, (void)info, (void)context;
	int saved = errno, status;
	while (waitpid(-1, &status, WNOHANG) > 0) {
		count[0]++;
		if (!WIFEXITED(status))
			disorder++;
		else
			count[SIGCHLD] += WEXITSTATUS(status);
	}
	errno = saved;
}

static void send_queued(pid_t to, int signal_number, int value)
{
	union sigval v = { .sival_int = value };
	while (sigqueue(to, signal_number, v) < 0)
		if (errno != EAGAIN)
			_exit(1);
}

static void from_a_child(void)
{
	for (int i = 0; i < KINDS; i++)
		on(SIGRTMIN + i, queued, SA_RESTART, 0);
	memset((void *)count, 0, sizeof count);
	memset((void *)next_value, 0, sizeof next_value);
	disorder = 0;
	on(SIGUSR1, counting, SA_RESTART, 0);
	fflush(stdout);
	pid_t parent = getpid(), child = fork();
	if (child == 0) {
		for (int i = 0; i < QUEUED; i++) {
			for (int k = 0; k < KINDS; k++)
				send_queued(parent, SIGRTMIN + k, i);
			kill(parent, SIGUSR1);
			if (i % 3 == 0)
				nanosleep(&(struct timespec){ 0, 4000000 }, NULL);
		}
		_exit(0);
	}
	int status;
	uint64_t x = 1;
	while (waitpid(child, &status, WNOHANG) == 0)
		x = check_work(x, 200000);
	for (int64_t until = check_now(CLOCK_MONOTONIC) + INT64_C(3000000000);
	     count[SIGRTMIN] + count[SIGRTMIN + 1] + count[SIGRTMIN + 2] < KINDS * QUEUED && check_now(CLOCK_MONOTONIC) < until;)
		x = check_work(x, 1000);
	printf("queued: %d %d %d, out of order or foreign %d\n", count[SIGRTMIN], count[SIGRTMIN + 1], count[SIGRTMIN + 2], disorder);
	check(count[SIGUSR1] >= 1 && count[SIGUSR1] <= QUEUED, "SIGUSR1 came %d times of %d", count[SIGUSR1], QUEUED);
	check(x != 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0, "the sender");
}

static void to_myself(void)
{
	disorder = 0;
	memset((void *)count, 0, sizeof count);
	for (int k = 0; k < KINDS; k++)
		next_value[k] = 0;
	for (int k = 0; k < KINDS; k++)
		on(SIGRTMIN + k, queued, SA_RESTART, 0);
	on(SIGUSR2, counting, 0, 0);
	uint64_t x = 1;
	for (int i = 0; i < 1500; i++) {
		send_queued(getpid(), SIGRTMIN + i % KINDS, i / KINDS);
		check(count[SIGRTMIN + i % KINDS] == i / KINDS + 1, "a signal to myself was not there when the call returned (%d)", i);
		syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR2);
		check(count[SIGUSR2] == i + 1, "a signal to my thread was not there when the call returned (%d)", i);
		x = check_work(x, 30000);
	}
	printf("to myself: %d %d %d, %d to the thread, disorder %d\n", count[SIGRTMIN], count[SIGRTMIN + 1], count[SIGRTMIN + 2], count[SIGUSR2], disorder);
	check(x != 0, "zero");
}

static void order(void)
{
	static char first[sizeof chain];
	sigset_t all, old;
	sigfillset(&all);
	for (int fill = 0; fill < 2; fill++) {
		static const int standard[] = { SIGTERM, SIGHUP, SIGUSR2, SIGUSR1, SIGWINCH, SIGCONT };
		for (size_t i = 0; i < sizeof standard / sizeof standard[0]; i++)
			on(standard[i], written, 0, fill);
		for (int i = 0; i < 5; i++)
			on(SIGRTMIN + i, written, 0, fill);
		for (int round = 0; round < 8; round++) {
			chain_length = 0;
			sigprocmask(SIG_BLOCK, &all, &old);
			for (int i = 4; i >= 0; i--)
				for (int n = 0; n < 3; n++)
					send_queued(getpid(), SIGRTMIN + i, 10 * i + n);
			for (size_t i = 0; i < sizeof standard / sizeof standard[0]; i++) {
				kill(getpid(), standard[i]);
				syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), standard[i]);
			}
			check_compute(20);
			sigset_t pending;
			sigpending(&pending);
			check(sigismember(&pending, SIGTERM) && sigismember(&pending, SIGRTMIN + 4), "not pending");
			sigprocmask(SIG_SETMASK, &old, NULL);
			if (round == 0)
				printf("order, %s mask:%s\n", fill ? "full" : "empty", strcpy(first, chain));
			check(strcmp(first, chain) == 0, "order in round %d:%s", round, chain);
		}
	}
}

static void flags(void)
{
	memset((void *)count, 0, sizeof count);
	deepest = 0;
	on(SIGUSR1, nested, SA_NODEFER, 0);
	raise(SIGUSR1);
	printf("SA_NODEFER: %d calls, %d deep\n", count[SIGUSR1], deepest);
	deepest = 0;
	on(SIGUSR2, nested, 0, 0);
	raise(SIGUSR2);
	printf("deferred: %d calls, %d deep\n", count[SIGUSR2], deepest);
	struct sigaction now;
	on(SIGTERM, counting, SA_RESETHAND, 0);
	raise(SIGTERM);
	sigaction(SIGTERM, NULL, &now);
	printf("SA_RESETHAND: %d, then %s\n", count[SIGTERM], now.sa_handler == SIG_DFL ? "default" : "kept");
	signal(SIGTERM, SIG_IGN);
	raise(SIGTERM);
	on(SIGHUP, jump, 0, 0);
	sigset_t mask;
	volatile int jumps = 0;
	for (volatile int i = 0; i < 300; i++) {
		if (sigsetjmp(back, 1) == 0)
			kill(getpid(), SIGHUP);
		else
			jumps++;
		check_work(1, 20000);
	}
	sigprocmask(SIG_SETMASK, NULL, &mask);
	printf("siglongjmp: %d, SIGHUP blocked %d\n", jumps, sigismember(&mask, SIGHUP));
	if (sigsetjmp(back, 0) == 0)
		raise(SIGHUP);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	printf("without the mask: SIGHUP blocked %d\n", sigismember(&mask, SIGHUP));
	mask = set_of(SIGHUP, 0);
	sigprocmask(SIG_UNBLOCK, &mask, NULL);
}

static void restart(void)
{
	memset((void *)count, 0, sizeof count);
	for (int flag = 0; flag < 2; flag++) {
		int ends[2];
		char c;
		if (pipe(ends) < 0)
			check(false, "pipe");
		on(SIGALRM, counting, flag ? SA_RESTART : 0, 0);
		fflush(stdout);
		pid_t child = fork();
		if (child == 0) {
			nanosleep(&(struct timespec){ 0, 400000000 }, NULL);
			_exit(write(ends[1], "x", 1) != 1);
		}
		setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 0 }, { 0, 150000 } }, NULL);
		ssize_t n = read(ends[0], &c, 1);
		printf("read %s SA_RESTART: %zd %s\n", flag ? "with" : "without", n, n < 0 ? strerror(errno) : "");
		waitpid(child, NULL, 0);
		close(ends[0]);
		close(ends[1]);
	}
	check(count[SIGALRM] == 2, "%d alarms", count[SIGALRM]);
	setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 0 }, { 0, 100000 } }, NULL);
	struct timespec left = { 0, 0 };
	int result = nanosleep(&(struct timespec){ 5, 0 }, &left);
	printf("nanosleep: %d, %s left\n", result, left.tv_sec == 4 && left.tv_nsec > 200000000 ? "enough" : "wrong time");
	setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 0 }, { 0, 100000 } }, NULL);
	result = poll(NULL, 0, 5000);
	printf("poll: %d %s\n", result, strerror(errno));
	setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 0 }, { 0, 100000 } }, NULL);
	sigset_t empty;
	sigemptyset(&empty);
	result = sigsuspend(&empty);
	printf("sigsuspend: %d %s, %d alarms\n", result, strerror(errno), count[SIGALRM]);
}

static void waiting(void)
{
	sigset_t set = set_of(SIGRTMIN + 7, SIGUSR1), old;
	siginfo_t info;
	sigprocmask(SIG_BLOCK, &set, &old);
	int sum = 0;
	for (int i = 0; i < 200; i++)
		send_queued(getpid(), SIGRTMIN + 7, i);
	for (int i = 0; i < 200; i++) {
		check(sigwaitinfo(&set, &info) == SIGRTMIN + 7 && info.si_value.sival_int == i, "sigwaitinfo %d: %d", i, info.si_value.sival_int);
		sum += info.si_value.sival_int;
		check_work(1, 100000);
	}
	int result = sigtimedwait(&set, &info, &(struct timespec){ 0, 200000000 });
	printf("sigwaitinfo: %d, then %d %s\n", sum, result, strerror(errno));
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	for (int i = 0; i < 100; i++)
		send_queued(getpid(), SIGRTMIN + 7, i);
	kill(getpid(), SIGUSR1);
	struct signalfd_siginfo got[16];
	int numbers = 0;
	sum = 0;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	while (poll(&p, 1, 50) == 1) {
		ssize_t n = read(fd, got, sizeof got);
		for (ssize_t i = 0; i < n / (ssize_t)sizeof got[0]; i++) {
			numbers++;
			sum += got[i].ssi_int;
			check(got[i].ssi_pid == (uint32_t)getpid(), "signalfd: pid %u", got[i].ssi_pid);
		}
	}
	printf("signalfd: %d, %d\n", numbers, sum);
	close(fd);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void timers(void)
{
	memset((void *)count, 0, sizeof count);
	on(SIGRTMIN + 9, counting, SA_RESTART, 0);
	on(SIGALRM, counting, SA_RESTART, 0);
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 9, .sigev_value = { .sival_int = 99 } };
	timer_t timer;
	check(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer_create");
	struct itimerspec every = { { 0, 20000000 }, { 0, 20000000 } }, left;
	int64_t begin = check_now(CLOCK_MONOTONIC);
	timer_settime(timer, 0, &every, NULL);
	setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 30000 }, { 0, 30000 } }, NULL);
	check_compute(1000);
	timer_gettime(timer, &left);
	check(left.it_interval.tv_nsec == 20000000, "interval");
	int64_t passed = check_now(CLOCK_MONOTONIC) - begin;
	check(count[SIGRTMIN + 9] >= 10 && count[SIGRTMIN + 9] <= passed / 20000000 + 1, "the timer came %d times", count[SIGRTMIN + 9]);
	check(count[SIGALRM] >= 8 && count[SIGALRM] <= passed / 30000000 + 1, "the alarm came %d times", count[SIGALRM]);
	timer_delete(timer);
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	int before = count[SIGRTMIN + 9];
	check_compute(50);
	check(count[SIGRTMIN + 9] - before <= 1, "a deleted timer goes on");
	puts("timers");
}

static void children(void)
{
	memset((void *)count, 0, sizeof count);
	disorder = 0;
	on(SIGCHLD, reap, SA_RESTART, 0);
	fflush(stdout);
	for (int i = 0; i < CHILDREN; i++) {
		pid_t child = fork();
		if (child == 0) {
			nanosleep(&(struct timespec){ 0, 1000000 * (i % 7 * 11) }, NULL);
			_exit(i % 5 + 1);
		}
		check_work(1, 300000);
	}
	uint64_t x = 1;
	for (int64_t until = check_now(CLOCK_MONOTONIC) + INT64_C(5000000000); count[0] < CHILDREN && check_now(CLOCK_MONOTONIC) < until;)
		x = check_work(x, 1000);
	printf("children: %d, statuses %d, wrong %d\n", count[0], count[SIGCHLD], disorder);
	check(x != 0, "zero");
	signal(SIGCHLD, SIG_DFL);
}

/* Calls that send the process a signal which is there before the next instruction. */
static void by_calls(void)
{
	enum { TIMES = 200 };
	int renamed = 0, truncated = 0, closed = 0;
	struct rlimit limit;

	on(SIGRTMIN + 5, counting, SA_RESTART, 0);
	on(SIGXFSZ, counting, SA_RESTART, 0);
	on(SIGIO, counting, SA_RESTART, 0);
	count[SIGRTMIN + 5] = count[SIGXFSZ] = count[SIGIO] = 0;

	int directory = open(".", O_RDONLY | O_DIRECTORY), file = open("one", O_RDWR | O_CREAT, 0600);
	check(file >= 0 && fcntl(directory, F_SETSIG, SIGRTMIN + 5) == 0, "F_SETSIG");
	int watched = fcntl(directory, F_NOTIFY, DN_RENAME | DN_MULTISHOT) == 0;	/* where the kernel has it */
	getrlimit(RLIMIT_FSIZE, &limit);
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 4096, limit.rlim_max });
	for (int i = 0; i < TIMES; i++) {
		int ends[2], before = count[SIGRTMIN + 5];
		check(rename(i % 2 ? "two" : "one", i % 2 ? "one" : "two") == 0, "rename");
		renamed += count[SIGRTMIN + 5] == before + 1;

		before = count[SIGXFSZ];
		check(ftruncate(file, 4097) == -1 && errno == EFBIG, "ftruncate");
		truncated += count[SIGXFSZ] == before + 1;

		check(pipe(ends) == 0 && fcntl(ends[0], F_SETOWN, getpid()) == 0 && fcntl(ends[0], F_SETFL, O_ASYNC) == 0, "O_ASYNC");
		before = count[SIGIO];
		close(ends[1]);
		closed += count[SIGIO] > before;
		close(ends[0]);
		check_compute(1);
	}
	printf("at once: rename %d, ftruncate %d, close %d\n", watched ? renamed : 0, truncated, closed);
	setrlimit(RLIMIT_FSIZE, &limit);
	signal(SIGXFSZ, SIG_DFL);
	unlink("one");
	close(directory);
	close(file);
}

int main(void)
{
	order();
	flags();
	waiting();
	timers();
	to_myself();
	by_calls();
	restart();
	from_a_child();
	children();
	return check_result();
}
