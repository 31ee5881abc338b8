/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What libmosix and homed say to each other at home, over unix sockets in the runtime directory (paths.h).
 *
 *   register  SOCK_DGRAM      one struct mosix_register from the constructor (and from fork's child), credentials attached
 *   orders    SOCK_SEQPACKET  opened by the core when the migration signal arrives, or when it has something to tell:
 *                             core: mosix_word; homed: mosix_order (+ descriptors, + files); core: mosix_word (result)
 *
 * Structs travel as they are: both ends are of one build on one machine; version says so.
 */
#ifndef MOSIX_ORDER_H
#define MOSIX_ORDER_H

#include <stdint.h>

#define MOSIX_ORDER_MAGIC   0x6f736d31u
#define MOSIX_ORDER_VERSION 5u
#define MOSIX_ORDER_FILES   1024u
#define MOSIX_ORDER_OTHERS  2048u
#define MOSIX_ORDER_BATCH   250u	/* descriptors of one packet; the kernel takes 253 */

/* The migration signal: SIGURG, queued (SI_QUEUE) with the process's own secret in si_value.sival_ptr. */
#define MOSIX_SIGNAL SIGURG

struct mosix_register {
	uint32_t magic, version;
	uint32_t pid;
	uint32_t flags;		/* none yet */
	uint64_t secret;	/* never 0; known to this process and homed only */
	uint64_t arena;
};

enum mosix_word_kind {
	MOSIX_WORD_HERE = 1,	/* the signal arrived: what are my orders? */
	MOSIX_WORD_REFUSED,	/* cannot do that: reason, detail; the process is where it was */
	MOSIX_WORD_MOVED,	/* runs at the ordered node now (READY seen) */
	MOSIX_WORD_HOME,	/* runs at home again: reason says why (0: as ordered; MOSIX_WHY_RETURN: call in detail) */
	MOSIX_WORD_LOST,	/* the guest is gone after commit; the process ends now */
	MOSIX_WORD_FORK,	/* the program, which is away, forks: channels for the child? Answered with CHILD or NONE */
	MOSIX_WORD_FORKED,	/* from that child, its first word: detail is its birth, pages its secret, bytes its arena;
				   answered with NONE */
	MOSIX_WORD_STACK,	/* to STACK: one piece of the snapshot (stack.h) follows the struct; nothing does: that was all */
};

struct mosix_word {
	uint32_t magic, version;
	uint32_t pid;
	uint32_t kind;
	uint32_t epoch;
	uint32_t reason;	/* reason.def */
	int64_t  detail;	/* errno, call number, count: as the reason says */
	uint32_t state;		/* HERE: 0 at home, 1 away */
	uint32_t zero;
	uint64_t pages, bytes, freeze_ns, total_ns;	/* MOVED, HOME: of this move; FORKED: see there */
};

enum mosix_order_kind {
	MOSIX_ORDER_NONE = 1,	/* nothing (any more): go on */
	MOSIX_ORDER_LEAVE,	/* the channels' descriptors attached, in their order, files behind the struct. Of more than
				   MOSIX_ORDER_BATCH channels the rest follows at once in further packets of one zero byte and as
				   many descriptors at most */
	MOSIX_ORDER_HOME,	/* come home */
	MOSIX_ORDER_CHILD,	/* to FORK: the channels of a child, its epoch and birth; the guest has its ends */
	MOSIX_ORDER_STACK,	/* to HERE at home: say your stacks and go on */
};

struct mosix_order_file {
	uint64_t device, inode;		/* as stat(2) has them */
	uint64_t size;
	int64_t  mtime_ns;
};

struct mosix_order {
	uint32_t magic, version;
	uint32_t kind;
	uint32_t epoch;
	uint64_t deadline_ns;		/* from receipt: READY must have come by then, else the move is revoked */
	char     node[64];		/* for messages */
	uint32_t files;			/* ≤ MOSIX_ORDER_FILES; struct mosix_order_file each, right behind this struct */
	uint32_t others;		/* ≤ MOSIX_ORDER_OTHERS; behind those: files that homed saw, whose mappings travel as pages:
					   device and inode; size 0 if it only did not find the file by its name */
	uint32_t channels;		/* LEAVE: MOSIX_CHANNELS … MOSIX_CHANNELS_MAX (wire.h); CHILD: MOSIX_CHANNELS */
	uint32_t trace;			/* LEAVE: the descriptor of the process's own on which calls are told, 0 none */
	uint64_t birth;			/* CHILD: what FORKED shall name */
};

#endif
