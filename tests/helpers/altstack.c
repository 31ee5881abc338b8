/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handlers on an alternative stack: page faults served by a SIGSEGV handler, stack overflow survived by siglongjmp. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

enum { PAGES = 3000, PAGE = 4096 };

static unsigned char *volatile area;
static volatile int faults, on_altstack, overflows;
static char alternative[65536] __attribute__((aligned(16)));
static sigjmp_buf back;

static bool is_here(const void *p)
{
	return (const char *)p >= alternative && (const char *)p < alternative + sizeof alternative;
}

static void serve(int number, siginfo_t *info, void *context)
{
	(void)context;
	int local = number;
	on_altstack += is_here(&local);
	unsigned char *page = (unsigned char *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1));
	if (page < area || page >= area + (size_t)PAGES * PAGE) {
		overflows++;
		siglongjmp(back, 1);
	}
	faults++;
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
	page[1] = (unsigned char)faults;
}

static __attribute__((noinline)) int overflow(int depth)
{
	volatile char frame[4096];
	frame[0] = (char)depth;
	return depth > 1 << 20 ? 0 : overflow(depth + 1) + frame[0];
}

int main(void)
{
	stack_t stack = { .ss_sp = alternative, .ss_size = sizeof alternative }, now;
	struct sigaction action = { .sa_sigaction = serve, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	sigemptyset(&action.sa_mask);
	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, NULL);
	volatile uint64_t sum = 0;
	for (int round = 0; round < 3; round++) {
		area = mmap(NULL, (size_t)PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (int i = 0; i < PAGES; i++) {
			int n = i * 7 % PAGES;
			area[(size_t)n * PAGE] = 1;
			sum = check_work(sum + area[(size_t)n * PAGE + 1], 100000);
		}
		munmap(area, (size_t)PAGES * PAGE);
		area = NULL;
	}
	check(faults == 3 * PAGES && on_altstack == faults, "%d faults, %d on the alternative stack", faults, on_altstack);
	for (volatile int i = 0; i < 5; i++)
		if (sigsetjmp(back, 1) == 0)
			overflow(0);
	check(overflows == 5, "%d overflows", overflows);
	sigaltstack(NULL, &now);
	check(now.ss_sp == alternative && now.ss_size == sizeof alternative && now.ss_flags == 0, "the alternative stack has changed");
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	sigaltstack(NULL, &now);
	check(now.ss_flags == SS_DISABLE, "the alternative stack is still there");
	printf("%d faults served, %d overflows survived, %016lx\n", faults, overflows, sum);
	return check_result();
}
