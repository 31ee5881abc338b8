/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the ordinary half of libmosix (constructor, wrappers) may ask of the core. Callable at home and in a guest, from any
 * thread; nothing here uses TLS or errno.
 */
#ifndef MOSIX_CORE_API_H
#define MOSIX_CORE_API_H

#include <stdint.h>
#include <mosix/manifest.h>

struct core_config {
	uint64_t secret;		/* never 0 */
	char     orders_path[108];	/* of homed's orders socket, absolute, NUL-terminated */
	uint64_t library_start, library_end;	/* where libmosix.so itself is mapped */
	uint64_t vdso_start, vdso_end;	/* 0 if the process has none */
	uint64_t vdso[MOSIX_VDSO_KINDS];	/* entry points, 0 where missing */
	int64_t  records_offset;	/* &mosix_records less the FS base, bytes (initial-exec: the same in each thread) */
	int64_t  own_offset;	/* struct core_own, the same way */
	int64_t  rseq_offset;		/* rseq area relative to the FS base (__rseq_offset) */
	uint32_t rseq_size;		/* __rseq_size, 0: not registered by glibc */
	uint32_t trace;			/* descriptor at home on which calls made away are told, 0 none (trace.h) */
	uint32_t step;			/* enum mosix_step to wait at (step.h); in a guest it is its remoted's */
};

/* Reserves the arena and installs the migration handler. Call once, from the constructor. Returns 0 or -errno; on failure the
   process is as it was. */
int core_start(const struct core_config *config);

/* A fork child is a process of its own: new secret, no move under way. From the atfork child handler. */
void core_forked(uint64_t secret);

/* The arena's address, for the registration. */
uint64_t core_arena(void);

/*
 * The program's own SIGURG, as its wrappers and the migration handler see it. The kernel's disposition of SIGURG is always
 * the core's handler; a SIGURG that is not the migration signal is dispatched to `action` by the handler.
 * Wrappers and handler of the same thread share its core_own: it is changed by plain stores.
 */
struct core_urgent {
	struct mosix_sigaction action;	/* what the program set; all zero: SIG_DFL */
	uint32_t kept;			/* it reads SIGURG from a descriptor: the kernel blocks it, and nobody leaves */
};
struct core_urgent *core_urgent(void);

/* What the core finds in each thread at own_offset, while the process is at home; all zero is a thread's beginning. */
struct core_own {
	uint32_t blocked;		/* the program's mask has SIGURG */
	uint32_t pending;		/* one arrived meanwhile */
	uint64_t away_ns;		/* CPU time this thread has consumed at other nodes */
};

/* Whether this code runs in a guest, where the gate stands between the program and the kernel. */
int core_is_guest(void);

/* A number that is another one after every move: what was read on both sides of an unchanged one was read in one place. */
uint64_t core_whereabouts(void);

/* CPU time this process has consumed at other nodes, nanoseconds: user, system. For wrapped clocks at home. */
uint64_t core_away_user(void);
uint64_t core_away_system(void);
/* The same of one of its threads, user and system together; tid 0: the caller. 0 in a guest. */
uint64_t core_away_thread(int tid);

#endif
