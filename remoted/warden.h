/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The warden: first process of a cage, single-threaded (a thread would forbid unshare(CLONE_NEWTIME)). It starts guests,
 * reaps them and says how they ended, and it dies with remoted; the kernel then kills every guest of the cage.
 *
 * It talks with cage.c over a SOCK_SEQPACKET pair, structs as they are.
 */
#ifndef MOSIX_REMOTED_WARDEN_H
#define MOSIX_REMOTED_WARDEN_H

#include <stdint.h>

enum warden_request_kind { WARDEN_SPAWN = 1, WARDEN_SIGNAL, WARDEN_ADOPT, WARDEN_SWEEP };

struct warden_request {
	uint32_t kind;
	uint32_t pid, epoch;
	int32_t  sig;			/* SIGNAL */
	int64_t  mono_ns, boot_ns;	/* SPAWN, with the loader socket attached */
	uint64_t stack_limit;
};

/* The steps that make a cage; WARDEN_READY means that it stands. */
#define WARDEN_STEPS(STEP) \
	STEP(READY,      "")						\
	STEP(LOADER,     "the loader cannot be opened")			\
	STEP(NAMESPACES, "user namespaces are not allowed here")	\
	STEP(MAP,        "the user cannot be mapped into a user namespace") \
	STEP(PROC,       "/proc cannot be used")			\
	STEP(EMPTY,      "the mount namespace cannot be emptied")	\
	STEP(CAPABILITY, "capabilities cannot be dropped")		\
	STEP(TIME,       "time namespaces are not allowed here")	\
	STEP(LOOP,       "the warden cannot wait for its guests")

enum warden_step {
#define STEP(name, sentence) WARDEN_##name,
	WARDEN_STEPS(STEP)
#undef STEP
};

enum { WARDEN_STANDS = 100 };	/* kind of the first answer; further ones are enum cage_event_kind */

struct warden_answer {
	uint32_t kind;
	uint32_t pid, epoch;
	int32_t  error;		/* STANDS, FAILED: 0 or -errno */
	int32_t  status;	/* ENDED: wait status; STANDS: enum warden_step */
};

/* The life of a warden, in a process just cloned into the cage's namespaces. socket and loader: its only descriptors in the end.
   uid, gid: whom remoted runs as. */
_Noreturn void warden_run(int socket, int loader, const char *home, uint32_t uid, uint32_t gid);

#endif
