/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "wrap.h"

__thread struct mosix_record *mosix_records __attribute__((tls_model("initial-exec"), visibility("hidden")));

uint64_t wrap_now(void)
{
	struct timespec now;

	if (REAL_OF(clock_gettime)(CLOCK_MONOTONIC, &now))
		return UINT64_MAX;
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t wrap_deadline(int64_t seconds, int64_t nanoseconds)
{
	uint64_t now = wrap_now();
	uint64_t span, end;

	if (now == UINT64_MAX || seconds < 0 || nanoseconds < 0 ||
	    __builtin_mul_overflow((uint64_t)seconds, 1000000000ull, &span) ||
	    __builtin_add_overflow(span, (uint64_t)nanoseconds, &span) || __builtin_add_overflow(span, now, &end))
		return UINT64_MAX;
	return end;
}

/* rt_sigprocmask reads the new set before it looks at `how`: EFAULT if it cannot, else EINVAL and nothing has happened. */
static int probe(uintptr_t address)
{
	return wrap_raw_(SYS_rt_sigprocmask, 99, address, 0, 8) != -EFAULT;
}

int wrap_readable(const void *address, size_t size)
{
	uintptr_t start = (uintptr_t)address, here = (uintptr_t)__builtin_frame_address(0), end;

	if (start >= here && size <= 65536 && start - here <= 65536 - size)
		return 1;
	if (start < 65536 || __builtin_add_overflow(start, size, &end) || end > MOSIX_TASK_SIZE)
		return 0;
	for (uintptr_t page = start; page < end; page = (page | 4095) + 1) {
		/* eight bytes that do not reach into the next page, unless the object itself does */
		uintptr_t last = (page | 4095) + 1 - 8;
		if (!probe(page < last ? page : last))
			return 0;
	}
	return 1;
}

/* rt_sigprocmask stores the old mask of eight bytes. */
int wrap_writable(void *address, size_t size)
{
	uintptr_t start = (uintptr_t)address, here = (uintptr_t)__builtin_frame_address(0), end = start + size;

	if (start >= here && start - here <= 65536 - size)
		return 1;
	if (start < 65536 || start > MOSIX_TASK_SIZE - size)
		return 0;
	return wrap_raw_(SYS_rt_sigprocmask, SIG_BLOCK, 0, start, 8) == 0 &&
	       wrap_raw_(SYS_rt_sigprocmask, SIG_BLOCK, 0, end - 8, 8) == 0;
}
