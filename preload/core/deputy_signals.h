/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The deputy's side of signals: its handlers stand where the program's would, catch, and hand on. DESIGN, signals. */
#ifndef MOSIX_CORE_DEPUTY_SIGNALS_H
#define MOSIX_CORE_DEPUTY_SIGNALS_H

#include <stdint.h>
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

/* Opens the mask so that a pending signal is caught; then closes it again. At most one is caught (core_here->held). */
void signals_poll(uint64_t mask);

/* Gives the held signal back to the kernel, before any of the same number that came later. */
void signals_requeue(void);

/* Sets the kernel's mask of this thread. */
void signals_mask(uint64_t mask);

#endif
