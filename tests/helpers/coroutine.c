/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Coroutines by swapcontext on stacks of their own, some of them small. */
#include <ucontext.h>

#include "check.h"

enum { COUNT = 32, STACK = 16384, STEPS = 26000 };

static ucontext_t here, contexts[COUNT];
static char stacks[COUNT][STACK] __attribute__((aligned(16)));
static uint64_t values[COUNT];
static int steps[COUNT];

static void routine(int number)
{
	uint64_t own = (uint64_t)number;
	double real = number;
	for (int i = 0; i < STEPS; i++) {
		own = check_work(own, 1000 + number);
		real = real * 0.5 + (double)(own >> 50);
		values[number] = own ^ (uint64_t)real;
		steps[number]++;
		swapcontext(&contexts[number], &contexts[(number + 1) % COUNT]);
	}
	setcontext(&here);
}

int main(void)
{
	for (int i = 0; i < COUNT; i++) {
		getcontext(&contexts[i]);
		contexts[i].uc_stack.ss_sp = stacks[i];
		contexts[i].uc_stack.ss_size = STACK;
		contexts[i].uc_link = &here;
		makecontext(&contexts[i], (void (*)(void))routine, 1, i);
	}
	swapcontext(&here, &contexts[0]);
	uint64_t all = 0;
	int total = 0;
	for (int i = 0; i < COUNT; i++) {
		all = check_work(all ^ values[i], 3);
		total += steps[i];
	}
	check(total == COUNT * STEPS, "%d steps", total);
	printf("%d steps, %016lx\n", total, all);
	return check_result();
}
