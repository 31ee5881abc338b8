/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls of the loader: raw, -errno on failure. No libc, no errno, no TLS. */
#ifndef MOSIX_GUEST_SYS_H
#define MOSIX_GUEST_SYS_H

#include <stdint.h>
#include <sys/syscall.h>

static inline long sys6(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#define SYS(name, a, b, c, d, e, f) \
	sys6(SYS_##name, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), (uint64_t)(e), (uint64_t)(f))
#define SYS1(name, a)             SYS(name, a, 0, 0, 0, 0, 0)
#define SYS2(name, a, b)          SYS(name, a, b, 0, 0, 0, 0)
#define SYS3(name, a, b, c)       SYS(name, a, b, c, 0, 0, 0)
#define SYS4(name, a, b, c, d)    SYS(name, a, b, c, d, 0, 0)
#define SYS5(name, a, b, c, d, e) SYS(name, a, b, c, d, e, 0)

#endif
