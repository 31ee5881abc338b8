/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Common ground of the wrappers: the real functions, records (record.h), and a few raw system calls.
 *
 * Rules for a wrapper: where no move can matter it is a test of `wrap_on` and a call of the real function; it never touches
 * errno but as the real function does; it never reads through a pointer of the program for which the kernel would have
 * said EFAULT (wrap_readable()); it is as safe in signal handlers as the function it wraps.
 */
#ifndef MOSIX_WRAP_H
#define MOSIX_WRAP_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <mosix/order.h>
#include <mosix/manifest.h>
#include "record.h"

#define WRAP_EXPORT __attribute__((visibility("default")))
#define WRAP_ALIAS(name) __attribute__((visibility("default"), alias(#name), copy(name)))

typedef void (*wrap_handler)(int);
struct aiocb;
struct termios;

/* Not 0 from the constructor on if the core runs in this process, so that records and the emulation of SIGURG are wanted: the
   pid, which a vfork child finds to be its parent's. */
extern int wrap_on __attribute__((visibility("hidden")));

/* The real functions; all resolved by the constructor. A wrapper that is called earlier resolves its own. */
enum wrap_index {
#define REAL(result, name, parameters) WRAP_##name,
#include "reals.def"
#undef REAL
	WRAP_REALS
};

struct wrap_reals {
#define REAL(result, name, parameters) result (*name) parameters;
#include "reals.def"
#undef REAL
};

extern struct wrap_reals wrap_reals __attribute__((visibility("hidden")));

/* Finds real function `index`, stores and returns it. dlsym(3) is safe as soon as libmosix has been relocated. */
void *wrap_resolve(enum wrap_index index);
void wrap_resolve_all(void);

#define REAL_OF(name) \
	(__builtin_expect(wrap_reals.name != NULL, 1) ? wrap_reals.name : (__typeof__(wrap_reals.name))wrap_resolve(WRAP_##name))

/* A raw system call: result or -errno, no cancellation point. Any context. */
static inline long wrap_raw(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#define WRAP_RAW_ARGS(a, b, c, d, e, f, ...) (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f)
#define wrap_raw_(nr, ...) wrap_raw(nr, WRAP_RAW_ARGS(__VA_ARGS__, 0, 0, 0, 0, 0, 0))

/* The same as a cancellation point, as glibc makes one (cancel.c): for the functions of libc that copy a time-out out of a
   record's reach. Returns the result, or -1 with errno. */
long wrap_cancellable(long nr, long a, long b, long c, long d, long e, long f);

/* Would the kernel be able to read size bytes (> 0) there? Costs nothing for memory near the top of the stack, else a system
   call a page. */
int wrap_readable(const void *address, size_t size);

/* Would the kernel be able to write size bytes (8 to 4096) there? What is there is lost where it would: for what is written at
   once. */
int wrap_writable(void *address, size_t size);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t wrap_now(void);

/* When a relative time-out that starts now ends; UINT64_MAX when that is out of range. */
uint64_t wrap_deadline(int64_t seconds, int64_t nanoseconds);

static inline int wrap_timespec_valid(const struct timespec *t)
{
	return t->tv_sec >= 0 && (uint64_t)t->tv_nsec < 1000000000;
}

/*
 * Records. wrap_record() fills one in and makes it the innermost; wrap_done() undoes that. The record is complete before
 * it is reachable and dead (no magic) before its frame goes; a cancelled or jumped-over wrapper leaves a stale one behind,
 * which record.h's conditions make harmless.
 */
static inline __attribute__((always_inline)) void wrap_record(struct mosix_record *r, int nr, enum mosix_rest rest, int place,
							      uint64_t deadline, uint32_t arg_mask)
{
	r->self = r;
	r->outer = mosix_records;
	r->nr = nr;
	r->rest = (uint8_t)rest;
	r->place = (uint8_t)place;
	r->restart = 1;
	r->zero = 0;
	r->deadline_ns = deadline;
	r->arg_mask = arg_mask;
	r->zero2 = 0;
	r->done = 0;
	r->magic = MOSIX_RECORD_MAGIC;
	__asm__ volatile("" ::: "memory");
	mosix_records = r;
	__asm__ volatile("" ::: "memory");
}

static inline __attribute__((always_inline)) void wrap_done(struct mosix_record *r)
{
	__asm__ volatile("" ::: "memory");
	mosix_records = r->outer;
	r->magic = 0;
	__asm__ volatile("" ::: "memory");
}

/* An int as the kernel's register will have it: upper half clear, whatever the caller left there. Records compare all of it. */
#define WRAP_INT(x) __extension__ ({ int x_ = (x); __asm__("movl %k0, %k0" : "+r"(x_)); x_; })

/* What a call that was finished in pieces returns: all bytes if the last piece worked or some came before it failed. */
static inline ssize_t wrap_total(ssize_t result, const struct mosix_record *r)
{
	uint64_t done = *(const volatile uint64_t *)&r->done;

	return result >= 0 ? result + (ssize_t)done : done ? (ssize_t)done : result;
}

#endif
