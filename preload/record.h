/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Records: what a wrapper leaves for the core about the blocking call it is about to make, so that a move which interrupts
 * the call can go on with the rest of its time or count (see core/resume.h).
 *
 * A record lives on the wrapper's stack frame; `mosix_records` (initial-exec TLS) points to the innermost. A siglongjmp may
 * leave it pointing to a dead one, so the core trusts a record only if its magic and its own address are in it, it lies
 * above the interrupted stack pointer, the bytes before (or at) the interrupted PC are a syscall instruction and the
 * argument registers are the ones the record names. Who changes a register that the record names changes arg[] with it.
 *
 * An EINTR that comes with a signal for the program (a handler of its own ran, or its SIGURG was made pending for a wait
 * that wants it: `restart` is 0 then) stays.
 */
#ifndef MOSIX_RECORD_H
#define MOSIX_RECORD_H

#include <stdint.h>
#include <time.h>
#include <sys/time.h>

#define MOSIX_RECORD_MAGIC 0x6472636572786d31ull

enum mosix_rest {
	MOSIX_REST_NONE,	/* no rest: the call is simply begun again (pause, poll without a time-out…) */
	MOSIX_REST_MS,		/* milliseconds in argument `place` (int, negative: for ever): poll, epoll_wait */
	MOSIX_REST_TIMESPEC,	/* argument `place` points to this record's `left` as a struct timespec, relative */
	MOSIX_REST_TIMEVAL,	/* the same as a struct timeval: select */
	MOSIX_REST_ABSOLUTE,	/* absolute time: nothing to adjust */
	MOSIX_REST_COUNT,	/* bytes: buffer in argument 1, count in 2 (write, send, recv MSG_WAITALL, read of those) */
	MOSIX_REST_IOV,		/* bytes: argument 1 points to `iov` (a copy the core may advance), count in argument 2 */
	MOSIX_REST_MSG,		/* bytes: argument 1 points to a copied msghdr whose msg_iov is a copy the core may advance */
	MOSIX_REST_SPLICE,	/* bytes: count in argument 4 (copy_file_range), or argument 3 (sendfile: place says) */
	MOSIX_REST_SOCKET,	/* the socket's own time-out: begun again in full while deadline_ns is ahead, then -EAGAIN */
};

struct mosix_record {
	uint64_t magic;
	struct mosix_record *self;	/* its own address */
	struct mosix_record *outer;	/* the record of the wrapper that a signal handler interrupted */
	int32_t  nr;			/* call number that reaches the kernel */
	uint8_t  rest;			/* enum mosix_rest */
	uint8_t  place;
	uint8_t  restart;		/* 1: an EINTR that no handler of the program caused may be undone */
	uint8_t  zero;
	uint64_t deadline_ns;		/* CLOCK_MONOTONIC when the time-out ends; UINT64_MAX: none */
	uint64_t arg[6];		/* the arguments the kernel will see, for comparison (those that are not, 0 with arg_mask
					   clear) */
	uint32_t arg_mask;		/* bit n: arg[n] must be in its register for the record to count */
	uint32_t zero2;
	union { struct timespec ts; struct timeval tv; } left;
	uint64_t done;			/* bytes finished before the rest; the wrapper adds them to its result */
	uint64_t asked;			/* of a rest in bytes: all that was asked for; done + result == asked needs no rest */
};

extern __thread struct mosix_record *mosix_records __attribute__((tls_model("initial-exec"), visibility("hidden")));

#endif
