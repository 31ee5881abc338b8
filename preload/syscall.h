/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * syscall(2): raw calls by number that need what their wrappers do. Functions here take a number and six arguments and return
 * what the kernel would have, result or -errno.
 */
#ifndef MOSIX_SYSCALL_H
#define MOSIX_SYSCALL_H

#include "wrap.h"

static inline long syscall_plain(long nr, const long a[6])
{
	return wrap_raw(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* The same out of line: a function that calls another has no red zone, so its record lies above the stack pointer, where the
   core looks for it. */
long syscall_called(long nr, const long a[6]);

/* The call with a record of all its arguments, which are then known to the last bit. */
static inline __attribute__((always_inline)) long syscall_recorded(struct mosix_record *r, long nr, const long a[6],
								   enum mosix_rest rest, int place, uint64_t deadline)
{
	long result;

	for (int i = 0; i < 6; i++)
		r->arg[i] = (uint64_t)a[i];
	wrap_record(r, (int)nr, rest, place, deadline, 63);
	result = syscall_called(nr, a);
	wrap_done(r);
	return result;
}

/* What a system call left for the program, stored as the kernel does: 0, or -EFAULT. size: 8 to 4096. */
int syscall_store(long address, const void *value, size_t size);

/* From the constructor: the next library's syscall(), and something that is libc's own. */
void syscall_learn(long (*real)(long nr, ...), const void *libc);

long syscall_bytes(long nr, long a[6]);		/* transfers, sockets: syscall_bytes.c */
long syscall_signals(long nr, long a[6]);	/* masks, handlers, waiting for signals: syscall_signals.c */

#endif
