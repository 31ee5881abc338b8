/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Several threads fault at the same time, each handler on its own thread's alternative stack; overflows of small stacks are
 * survived.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <sys/mman.h>

#include "thread.h"

enum { THREADS = 5, PAGES = 700, PAGE = 4096, ALTERNATIVE = 32768, ROUNDS = 3, OVERFLOWS = 4, STACK = 131072 };

static _Thread_local struct {
	unsigned char *area;
	volatile int faults, elsewhere, overflows, bus;
	char *alternative;
	pid_t tid;
	sigjmp_buf back;
} mine;
static pthread_barrier_t together;

static void serve(int number, siginfo_t *info, void *context)
{
	(void)context;
	char *local = (char *)&number;
	if (local < mine.alternative || local >= mine.alternative + ALTERNATIVE || thread_tid() != mine.tid)
		mine.elsewhere++;
	if (number == SIGBUS || number == SIGFPE || number == SIGILL) {
		mine.bus++;
		siglongjmp(mine.back, 2);
	}
	unsigned char *page = (unsigned char *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1));
	if (mine.area == NULL || page < mine.area || page >= mine.area + (size_t)PAGES * PAGE) {
		mine.overflows++;
		siglongjmp(mine.back, 1);
	}
	mine.faults++;
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
	page[1] = (unsigned char)mine.faults;
}

static __attribute__((noinline)) int overflow(int depth)
{
	volatile char frame[1024];
	frame[0] = (char)depth;
	return depth > 1 << 20 ? 0 : overflow(depth + 1) + frame[0];
}

static __attribute__((noinline)) int divide(volatile int *a, volatile int *b)
{
	return *a / *b;
}

static void *faulting(void *number)
{
	stack_t stack = { .ss_sp = malloc(ALTERNATIVE), .ss_size = ALTERNATIVE }, now;
	volatile uint64_t sum = 0;
	check(sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_DISABLE, "a new thread has an alternative stack");
	mine.alternative = stack.ss_sp;
	mine.tid = thread_tid();
	check(sigaltstack(&stack, NULL) == 0, "sigaltstack");
	for (int round = 0; round < ROUNDS; round++) {
		mine.area = mmap(NULL, (size_t)PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		pthread_barrier_wait(&together);
		for (int i = 0; i < PAGES; i++) {
			int n = i * 11 % PAGES;
			mine.area[(size_t)n * PAGE] = 1;
			sum = check_work(sum + mine.area[(size_t)n * PAGE + 1] + (uintptr_t)number, 80000);
		}
		munmap(mine.area, (size_t)PAGES * PAGE);
		mine.area = NULL;
	}
	for (volatile int i = 0; i < OVERFLOWS; i++) {
		pthread_barrier_wait(&together);
		if (sigsetjmp(mine.back, 1) == 0)
			overflow(0);
		volatile int one = 1, zero = 0;
		if (sigsetjmp(mine.back, 1) == 0)
			sum += (uint64_t)divide(&one, &zero);
		if (sigsetjmp(mine.back, 1) == 0)
			__asm__ volatile("ud2");
	}
	sigset_t mask;
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	check(sigismember(&mask, SIGSEGV) == 0 && sigismember(&mask, SIGFPE) == 0, "a signal of a fault is blocked");
	check(mine.faults == ROUNDS * PAGES && mine.elsewhere == 0, "%d faults, %d on another stack", mine.faults,
	      mine.elsewhere);
	check(mine.overflows == OVERFLOWS && mine.bus == 2 * OVERFLOWS, "%d overflows, %d others", mine.overflows, mine.bus);
	check(sigaltstack(NULL, &now) == 0 && now.ss_sp == stack.ss_sp && now.ss_size == ALTERNATIVE && now.ss_flags == 0,
	      "the alternative stack has changed");
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	free(mine.alternative);
	return (void *)sum;
}

int main(void)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	struct sigaction action = { .sa_sigaction = serve, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		sigaction(numbers[i], &action, NULL);
	pthread_t threads[THREADS];
	uint64_t sum = 0;
	pthread_barrier_init(&together, NULL, THREADS);
	for (intptr_t i = 0; i < THREADS; i++)
		threads[i] = thread_start(faulting, (void *)i, STACK);
	for (int i = 0; i < THREADS; i++)
		sum ^= (uint64_t)thread_end(threads[i]);
	printf("%d threads: %d faults, %d overflows each, %016lx\n", THREADS, ROUNDS * PAGES, OVERFLOWS, sum);
	return check_result();
}
