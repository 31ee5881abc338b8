/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The program's own SIGURG, emulated. In the kernel SIGURG has the core's handler and is never blocked but while a handler on
 * an alternate stack runs; what the program believes of it is in core_urgent(). Only for wrappers, only when wrap_on.
 */
#ifndef MOSIX_URGENT_H
#define MOSIX_URGENT_H

#include "wrap.h"
#include "core/api.h"

/* A pending SIGURG that the program has just unblocked is sent again: its handler has run when this returns. Returns 1 if a
   handler ran, 0 if nothing was pending or nobody listens. */
int urgent_deliver(void);

/* For a call with a mask of its own: the program's SIGURG is blocked as in *mask meanwhile. Copies the mask without SIGURG.
   Returns 1 if a pending SIGURG was delivered thereby: the call is over with EINTR. urgent_leave() undoes it either way. */
struct urgent_swap { uint32_t blocked; sigset_t mask; };
int  urgent_enter(struct urgent_swap *swap, const sigset_t *mask);
void urgent_leave(const struct urgent_swap *swap);

/* sigaction(2) for SIGURG, with glibc's view of it. 0 or -1 with errno. */
int urgent_action(const struct sigaction *act, struct sigaction *old);

#endif
