/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of calls: what calls.def says about each, as data. The schema of a row stands on top of calls.def.
 * Constant, no pointers (no relocations): usable in the core, in the daemons, in tools and tests alike.
 */
#ifndef MOSIX_CALL_H
#define MOSIX_CALL_H

#include <stdint.h>

enum call_where {
	CALL_UNCLASSIFIED,	/* 0: a hole; treated as RETURN, and the build fails if a known number has it */
	CALL_LOCAL,		/* runs in the guest, by the gate */
	CALL_HOME,		/* runs in the deputy */
	CALL_BOTH,		/* runs in the guest by a gate function and is made known at home */
	CALL_RETURN,		/* the process comes home first and runs it there */
};

enum call_blocking {
	CALL_NEVER,		/* does not block, or not interruptibly */
	CALL_RESTART,		/* SA_RESTART restarts it, else EINTR */
	CALL_LEFT,		/* restartable without a handler with the time that is left; a handler makes it EINTR */
	CALL_EINTR,		/* a handler always makes it EINTR */
};

enum call_result { RESULT_VALUE, RESULT_LENGTH, RESULT_DESCRIPTOR, RESULT_PID, RESULT_NONE };

enum call_arg_kind {
	ARG_NONE,
	ARG_VALUE,		/* passed as it is */
	ARG_FD,			/* a descriptor: home's number; the deputy keeps guests off its channels */
	ARG_STRING,		/* NUL-terminated, in; `size` bytes at most, with ref = 1 a longer one is cut there */
	ARG_IN,			/* struct of `size` bytes, in */
	ARG_OUT,		/* struct of `size` bytes, out */
	ARG_INOUT,		/* both, and back on failure too */
	ARG_IN_LENGTH,		/* in, args[ref] × size bytes */
	ARG_OUT_LENGTH,		/* out, args[ref] × size bytes capacity, all of it comes back */
	ARG_INOUT_LENGTH,	/* both, args[ref] × size bytes */
	ARG_OUT_RESULT,		/* out, args[ref] × size bytes capacity; result × size bytes come back */
	ARG_OUT_SOCKLEN,	/* out, capacity (of which at most `size` count) and filled length in *args[ref] (socklen_t) */
	ARG_INOUT_SOCKLEN,	/* the same, and in */
	ARG_SOCKLEN,		/* the socklen_t that those refer to, in and out */
	ARG_IOV_IN,		/* iovec array of args[ref] entries, gathered */
	ARG_IOV_OUT,		/* iovec array of args[ref] entries, scattered */
	ARG_MSG_IN, ARG_MSG_OUT,	/* struct msghdr with everything it points to */
	ARG_MMSG_IN, ARG_MMSG_OUT,	/* args[ref] × struct mmsghdr */
	ARG_STRINGS,		/* array of NUL-terminated strings, ended by NULL, in */
	ARG_FDSET,		/* fd_set of args[0] bits, in and out */
	ARG_SIGSET_PAIR,	/* pselect6's { const sigset_t *, size_t } */
	ARG_OUT_DATA,		/* out; capacity args[ref] bytes, but nothing when args[ref] is 0 (getxattr, readlink…) */
	ARG_QUEUE_IN, ARG_QUEUE_OUT,	/* struct msgbuf with args[ref] bytes of text; args[ref] is capacity for OUT */
	ARG_POLL,		/* args[ref] × struct pollfd */
	ARG_SIGSET,		/* sigset_t of 8 bytes, in; the deputy takes SIGURG out */
};

/* The hand-written functions of gate and deputy; the list with a sentence each is in calls.def. */
enum call_special {
#define SPECIAL(name, text) SPECIAL_##name,
#include <mosix/calls.def>
	CALL_SPECIALS
};

struct call_arg { uint8_t kind, ref; uint16_t size; };

struct call {
	char     name[28];
	uint8_t  where, blocking, result;
	uint8_t  special;	/* enum call_special: the hand-written gate or deputy function, 0 none */
	struct call_arg arg[6];
};

#define CALL_NUMBERS 512	/* numbers are below this */

/*
 * The effective row of a call with these arguments: rows of the second tables (ioctl, fcntl, prctl, setsockopt,
 * getsockopt by command) replace the row of the first. Never NULL: a number that is not known gets a row that says RETURN.
 * Freestanding; any context.
 */
const struct call *call_find(uint64_t nr, const uint64_t arg[6]);

/* The row of the call itself, whatever its arguments: for its name in traces. Never NULL. */
const struct call *call_base(uint64_t nr);

#endif
