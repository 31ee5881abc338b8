/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The core's helpers for unit tests, where core code runs in an ordinary program (core.h says what they promise). */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "core.h"

long core_syscall6(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

long core_syscall(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	return core_syscall6(nr, a, b, c, d, e, 0);
}

static int transfer(int nr, void *here, uint64_t address, size_t size)
{
	struct iovec local = { here, size }, program = { (void *)address, size };

	if (size == 0)
		return 0;
	return core_syscall6(nr, (uint64_t)getpid(), (uint64_t)&local, 1, (uint64_t)&program, 1, 0) == (long)size ? 0 : -EFAULT;
}

int core_copy_in(void *dst, uint64_t address, size_t size)
{
	return transfer(__NR_process_vm_readv, dst, address, size);
}

int core_copy_out(uint64_t address, const void *src, size_t size)
{
	return transfer(__NR_process_vm_writev, (void *)src, address, size);
}

int core_probe_write(uint64_t address, size_t size)
{
	uint64_t last = address + size - 1;
	uint8_t byte;

	for (uint64_t at = address; size > 0; at = (at | (CORE_SHORT_PAGE - 1)) + 1) {
		if (core_copy_in(&byte, at, 1) != 0 || core_copy_out(at, &byte, 1) != 0)
			return -EFAULT;
		if ((at | (CORE_SHORT_PAGE - 1)) >= last)
			break;
	}
	return 0;
}

long core_string_in(char *dst, uint64_t address, size_t cap)
{
	for (size_t n = 0; n < cap; n++) {
		if (core_copy_in(dst + n, address + n, 1) != 0)
			return -EFAULT;
		if (dst[n] == '\0')
			return (long)n;
	}
	return -ENAMETOOLONG;
}

uint64_t core_clock(int clock)
{
	struct timespec now = { 0, 0 };

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}
