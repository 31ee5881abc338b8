/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads that stand in functions of known names, for whoever looks at their stacks, and that find out whether anybody did:
 * no call of theirs is interrupted, falls short or ends early, no descriptor is taken for a moment, no signal comes.
 *
 * Says "ready" on stderr, ends when a line comes on stdin, and prints what each thread has seen.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREADS 7
#define FUNCTION __attribute__((noinline, noclone)) int
/* No tail call. */
#define AFTER(call) ({ int result_ = (call); __asm__ volatile("" : "+r"(result_)); result_; })

/* Global, so that a stripped program still has their names (-rdynamic). */
int main_inner(int fd), main_middle(int fd), main_outer(int fd), spin_inner(unsigned *x), spin_outer(unsigned *x);
int wait_inner(void), wait_outer(void), handler_inner(void), signal_outer(void), code_inner(void);
int sleep_outer(void), trap_outer(void);

static atomic_int standing, stop, urgent;
static int on_pipe[2], code_pipe[2];
static __thread char text[64];

/* A read that is never cut short natively. */
static int read_once(int fd, const char *who)
{
	ssize_t n = read(fd, text, sizeof text - 1);

	text[n > 0 ? n : 0] = 0;
	snprintf(text + strlen(text), sizeof text - strlen(text), "|%zd|%s|%s", n, n < 0 ? strerror(errno) : "", who);
	return (int)n;
}

/* ---- the main thread, in read ---- */

FUNCTION main_inner(int fd) { return AFTER(read_once(fd, "main")) + 1; }
FUNCTION main_middle(int fd) { return AFTER(main_inner(fd)) + 1; }
FUNCTION main_outer(int fd) { return AFTER(main_middle(fd)) + 1; }

/* ---- one that computes ---- */

FUNCTION spin_inner(unsigned *x)
{
	while (!stop)
		for (int i = 0; i < 1000; i++)
			*x = *x * 1664525 + 1013904223;
	return (int)(*x & 1);
}
FUNCTION spin_outer(unsigned *x) { return AFTER(spin_inner(x)) + 1; }

static void *spin(void *unused)
{
	unsigned x = 1;

	standing++;
	spin_outer(&x);
	return unused;
}

/* ---- one that waits for another ---- */

FUNCTION wait_inner(void)
{
	int r = AFTER(syscall(SYS_futex, &stop, 128 /* FUTEX_WAIT | FUTEX_PRIVATE_FLAG */, 0, NULL, NULL, 0));

	return r < 0 && errno != EAGAIN ? errno : 0;	/* set before it slept, or slept again */
}
FUNCTION wait_outer(void) { return AFTER(wait_inner()) + 0; }

static void *waiter(void *ret)
{
	standing++;
	*(int *)ret = wait_outer();
	return NULL;
}

/* ---- one in a handler, on an alternate stack ---- */

FUNCTION handler_inner(void) { return AFTER(read_once(on_pipe[0], "handler")) + 1; }

static void handler(int signo)
{
	(void)signo;
	handler_inner();
}

FUNCTION signal_outer(void)
{
	return AFTER((int)syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1)) + 1;
}

static void *interrupted(void *ret)
{
	static char stack[64 << 10];

	sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = sizeof stack }, NULL);
	standing++;
	signal_outer();
	strcpy(ret, text);
	return NULL;
}

/* ---- one below code that has no file ---- */

FUNCTION code_inner(void) { return AFTER(read_once(code_pipe[0], "code")) + 1; }

static void *made_code(void *ret)
{
	/* Calls %rdi. */
	static const unsigned char code[] = { 0x48, 0x83, 0xec, 0x08, 0xff, 0xd7, 0x48, 0x83, 0xc4, 0x08, 0xc3 };
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(at, code, sizeof code);
	standing++;
	((int (*)(int (*)(void)))at)(code_inner);
	strcpy(ret, text);
	return NULL;
}

/* ---- one that takes descriptors, and one that sleeps ---- */

static void *opener(void *ret)
{
	int first = open("/dev/null", O_RDONLY), others = 0;

	close(first);
	standing++;
	while (!stop) {
		int fd = open("/dev/null", O_RDONLY);

		others += fd != first;
		close(fd);
		usleep(500);
	}
	*(int *)ret = others;
	return NULL;
}

FUNCTION sleep_outer(void)
{
	int early = 0;

	while (!stop) {
		struct timespec before, after, left = { 0, 20000000 };
		int r;

		clock_gettime(CLOCK_MONOTONIC, &before);
		r = nanosleep(&left, NULL);
		clock_gettime(CLOCK_MONOTONIC, &after);
		early += r != 0 || (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec < 20000000;
	}
	return AFTER(early);
}

static void *sleeper(void *ret)
{
	standing++;
	*(int *)ret = sleep_outer();
	return NULL;
}

/* ---- one that makes a call after the other, each of which is a signal while it is away ---- */

FUNCTION trap_outer(void)
{
	struct timespec now;
	int wrong = 0;

	while (!stop) {
		long r = SYS_clock_gettime;

		__asm__ volatile("syscall" : "+a"(r) : "D"(CLOCK_MONOTONIC), "S"(&now) : "rcx", "r11", "memory");
		wrong += r != 0;
	}
	return wrong;
}

static void *trapper(void *ret)
{
	standing++;
	*(int *)ret = trap_outer();
	return NULL;
}

static void on_urgent(int signo)
{
	(void)signo;
	urgent++;
}

int main(void)
{
	static char on_handler[64], on_code[64];
	int waited = -1, others = -1, early = -1, wrong = -1;
	pthread_t thread[THREADS];

	if (pipe(on_pipe) < 0 || pipe(code_pipe) < 0)
		return 1;
	sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = handler, .sa_flags = SA_ONSTACK }, NULL);
	sigaction(SIGURG, &(struct sigaction){ .sa_handler = on_urgent }, NULL);
	pthread_create(&thread[0], NULL, spin, NULL);
	pthread_create(&thread[1], NULL, waiter, &waited);
	pthread_create(&thread[2], NULL, interrupted, on_handler);
	pthread_create(&thread[3], NULL, made_code, on_code);
	pthread_create(&thread[4], NULL, opener, &others);
	pthread_create(&thread[5], NULL, sleeper, &early);
	pthread_create(&thread[6], NULL, trapper, &wrong);
	while (standing < THREADS)
		usleep(1000);
	fputs("ready\n", stderr);
	main_outer(0);
	puts(text);
	stop = 1;
	syscall(SYS_futex, &stop, 129 /* FUTEX_WAKE | FUTEX_PRIVATE_FLAG */, 100, NULL, NULL, 0);
	if (write(on_pipe[1], "for the handler", 15) != 15 || write(code_pipe[1], "for the code", 12) != 12)
		return 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	printf("%s\n%s\nfutex: %d\nother descriptors: %d\n", on_handler, on_code, waited, others);
	printf("early: %d\nwrong: %d\nSIGURG: %d\n", early, wrong, urgent);
	return 0;
}
