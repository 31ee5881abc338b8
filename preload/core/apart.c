/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/futex.h>
#include <linux/sched.h>
#include "apart.h"
#include "arena.h"
#include "core.h"
#include "entry.h"
#include "lock.h"
#include "thread.h"

struct task { void (*f)(void *); void *argument; };

/* The kernel says that a thread has ended before it closes what that had open. */
static void run(void *argument)
{
	const struct task *task = argument;

	task->f(task->argument);
	SYS3(__NR_close_range, 0, ~0u, 0);
}

int apart_run(void (*f)(void *), void *argument, uint32_t *ret_tid)
{
	struct task task = { f, argument };
	uint32_t alive = 1;
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID,
		.child_tid = (uint64_t)&alive,
		.stack = slot_here() + ARENA_APART, .stack_size = ARENA_APART_SIZE,
	};
	long tid = core_clone(&args, sizeof(args), run, &task);

	if (tid < 0)
		return (int)tid;
	*ret_tid = (uint32_t)tid;
	while (core_get(&alive) != 0)	/* the kernel wakes without FUTEX_PRIVATE_FLAG */
		SYS4(__NR_futex, &alive, FUTEX_WAIT, 1, NULL);
	return 0;
}
