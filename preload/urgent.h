/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The program's own SIGURG. At home it is emulated: in the kernel SIGURG has the core's handler and is never blocked, and what
 * the program believes of it is in core_urgent() and, for each thread, in mosix_own. In a guest the gate keeps masks and
 * actions, SIGURG's among them, so the real calls are right there. A move translates one into the other. It may come between a
 * look at core_is_guest() and the call that relies on it, so everything here looks again afterwards and repairs: above all,
 * home's kernel must not be left with SIGURG blocked or without the core's handler, for then no order would ever arrive. (Two
 * moves between two neighbouring instructions are not thought of.) Only for wrappers, only when wrap_on.
 */
#ifndef MOSIX_URGENT_H
#define MOSIX_URGENT_H

#include "wrap.h"
#include "core/api.h"

#define URGENT_BIT (1ull << (SIGURG - 1))

extern __thread struct core_own mosix_own __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Learns the addresses of the core's handler and glibc's restorer. From the constructor, after core_start(). */
void urgent_learn(void);

/* Whether the caller is the enrolled process: a vfork child has its memory, but actions of its own. One system call. */
static inline int urgent_ours(void)
{
	return wrap_on && wrap_raw_(SYS_getpid, 0) == wrap_on;
}

/* Keeps the migration signal away at home: 1, and no move happens until urgent_release(). 0 in a guest: nothing to release. */
int  urgent_hold(void);
void urgent_release(void);

/* A pending SIGURG that the program has just unblocked is sent again: its handler has run when this returns. Returns 1 if a
   handler ran, 0 if nothing was pending or nobody listens. */
int urgent_deliver(void);

/* Takes the program's pending SIGURG if the set wants it: SIGURG and *info (may be NULL), else 0. */
int urgent_take(const sigset_t *set, siginfo_t *info);

/* The program wants its SIGURG from a descriptor, which only the kernel can give: from now on what the program blocks, the
   kernel does, and the process stays at home. Comes home first. One that waits for another thread by now is not found. */
void urgent_keep(void);
static inline int urgent_kept(void) { return core_urgent()->kept != 0; }

/* Whether a SIGURG that comes now would reach a handler of the program. */
int urgent_listens(void);

/* The program's mask has SIGURG, or has it not, from now on, wherever this runs. */
void urgent_block(int blocked);

/* rt_sigprocmask(2) as the program sees it, made by `real`: 0, or what real returned. *set can be read; sets are 8 bytes. */
typedef int (*urgent_real)(int how, const sigset_t *set, sigset_t *old);
int urgent_mask(urgent_real real, int how, const sigset_t *set, sigset_t *old);

/* For a call with a mask of its own: the program's SIGURG is blocked as in *mask meanwhile. swap->mask is what to give the
   kernel. Returns 1 if a pending SIGURG was delivered thereby: the call is over with EINTR. urgent_leave() undoes it either
   way. */
struct urgent_swap { uint32_t blocked, entered; sigset_t mask; };
int  urgent_enter(struct urgent_swap *swap, const sigset_t *mask);
void urgent_leave(const struct urgent_swap *swap);

/* sigaction(2) for SIGURG: as the kernel has it, with pointers of the caller's own (act may be NULL); and with glibc's view. */
void urgent_kernel_action(const struct mosix_sigaction *act, struct mosix_sigaction *ret_old);
int  urgent_action(const struct sigaction *act, struct sigaction *old);

/* The action that home's kernel has, with or without SA_ONSTACK. Nothing happens in a guest. */
void urgent_onstack(int on);

#endif
