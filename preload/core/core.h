/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rules of the core (everything in this folder):
 *
 *   - It runs in signal handlers, on stacks of its own, in a deputy whose program memory is gone and in a guest whose libc
 *     state belongs to the program. So: raw system calls only; no libc, no TLS, no errno, no malloc, no stack protector, no
 *     PLT, no floating point; memory is the arena.
 *   - Functions return 0, a length or -errno.
 *   - Program memory is touched only through core_copy_in(), core_copy_out(), core_probe_write() and the kernel.
 *   - No lock that the program could hold.
 *
 * Names that would break the rules are poisoned below, and the build checks the object files for undefined symbols and %fs.
 */
#ifndef MOSIX_CORE_H
#define MOSIX_CORE_H

#include <stddef.h>
#include <stdint.h>

#pragma GCC poison errno malloc calloc realloc free printf fprintf snprintf pthread_self pthread_mutex_lock __errno_location

#define CORE_SHORT_PAGE 4096ull

/* The kernel's error numbers and call numbers the core names (asm-generic/errno*.h, asm/unistd_64.h). */
#include <asm/errno.h>
#include <asm/unistd_64.h>
#define CORE_ERESTARTSYS 512	/* kernel-internal; here: the window's word for "did not run" */

/*
 * One system call. In a guest the sixth register carries the gate's secret, which is what the filter lets through; so calls
 * with six arguments exist at home only (core_syscall6), but for the mmap of a memfd (gate_map.c). entry.S.
 */
long core_syscall(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);
long core_syscall6(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);

#define SYS0(nr)             core_syscall(nr, 0, 0, 0, 0, 0)
#define SYS1(nr, a)          core_syscall(nr, (uint64_t)(a), 0, 0, 0, 0)
#define SYS2(nr, a, b)       core_syscall(nr, (uint64_t)(a), (uint64_t)(b), 0, 0, 0)
#define SYS3(nr, a, b, c)    core_syscall(nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), 0, 0)
#define SYS4(nr, a, b, c, d) core_syscall(nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), 0)
#define SYS5(nr, a, b, c, d, e) core_syscall(nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), (uint64_t)(e))

/*
 * Program memory. Return 0 or -EFAULT (some bytes may have been copied then). In a guest they run on the fix-up table of
 * entry.S; at home, where faults belong to the program's handlers, through process_vm_readv(2) on itself.
 */
int core_copy_in(void *dst, uint64_t address, size_t size);
int core_copy_out(uint64_t address, const void *src, size_t size);
/* 0 if every page of the range can be written (and is then present), else -EFAULT. Changes no byte. Guest only. */
int core_probe_write(uint64_t address, size_t size);
/* Copies a string with its NUL: its length without it, -EFAULT, or -ENAMETOOLONG if cap bytes are too few: dst has those. */
long core_string_in(char *dst, uint64_t address, size_t cap);

/* Alignment checks stay with the program: a handler inherits RFLAGS.AC, and the core makes unaligned accesses. */
static inline void core_clear_alignment_check(void)
{
	__asm__ volatile("pushfq\n\tandl $0xfffbffff, (%%rsp)\n\tpopfq" : : : "memory", "cc");
}

void *memcpy(void *dst, const void *src, size_t size);
void *memmove(void *dst, const void *src, size_t size);
void *memset(void *dst, int byte, size_t size);
int   memcmp(const void *a, const void *b, size_t size);
size_t core_length(const char *string);
int   core_starts(const char *string, const char *prefix);

/* io.c: whole transfers over stream descriptors; 0, -errno, or -EPIPE at end of file. EINTR is gone on with. */
int core_read_all(int fd, void *buffer, uint64_t size);
int core_write_all(int fd, const void *buffer, uint64_t size);
/* Nanoseconds of a clock. */
uint64_t core_clock(int clock);
/* A line on descriptor 2: "mosix: " and the text, a name, a number. For the one thing a user must read when all is lost. */
void core_say(const char *text, const char *name);

#endif
