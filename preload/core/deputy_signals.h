/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The deputy's side of signals: its handlers stand where the program's would, catch, and hand on. DESIGN, signals. */
#ifndef MOSIX_CORE_DEPUTY_SIGNALS_H
#define MOSIX_CORE_DEPUTY_SIGNALS_H

#include <stdint.h>
#include "thread.h"
#include "sigabi.h"

#define SIGNALS_FULL (~0ull & ~ksigset_bit(KSIG_URG))	/* everything blocked but the migration signal */

/* Puts the deputy's handler where the program has one (core_here->action) and leaves SIG_DFL and SIG_IGN as they are. */
void signals_install(void);

/* Puts the program's own dispositions back into the kernel. With all signals blocked. */
void signals_restore(void);

/* The program changed one disposition while it is away. */
void signals_change(int signo, const struct mosix_sigaction *action);

/* What the kernel's handler does in the deputy: remember the signal, stop the call in the window, block everything. */
void signals_catch(int signo, const struct kernel_siginfo *info, struct kernel_ucontext *uc);

/* Opens the mask so that a pending signal is caught; then closes it again. At most one is caught (core_thread()->held). */
void signals_poll(uint64_t mask);

/*
 * Gives the held signal back to the kernel, before any of the same number that came later. blocked: the program does, in this
 * thread.
 */
void signals_requeue(int blocked);

/* A signal whose frame the guest could not build goes to this thread's kernel queue. */
void signals_refused(void);

/* First thread: gives back to the kernel what others could not (core_here->returned). */
void signals_returned(void);

/* Sets the kernel's mask of this thread. At home; the deputy has the two below. */
void signals_mask(uint64_t mask);

/*
 * The deputy leaves signals open from one request to the next, because closing and opening them around every call would cost
 * a tenth of it each. Whatever the program has a handler for is caught at any instruction of the deputy then, but only one:
 * from there on everything is closed (core_thread()->kernel_mask) until the deputy opens it. So what finds nothing held may be
 * wrong a moment later, and what finds something held is right and stays so.
 *
 * signals_open(): what is held keeps them closed, unless the mask is SIGNALS_FULL. signals_close(): before anything that
 * must not be disturbed. Neither costs anything where nothing changes.
 */
void signals_open(uint64_t mask);
void signals_close(void);

/* Before looking at what has come: whatever comes later stops the next call in the window. */
static inline void signals_watch(void)
{
	core_thread()->stop = 0;
	__asm__ volatile("" : : : "memory");
}

#endif
