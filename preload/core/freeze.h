/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All threads of a guest stand still in the gate, to go home. The first thread leads: it captures and sends. A thread learns of
 * it from an answer of its deputy (MOSIX_F_COMEHOME), or from the first thread's tgkill; one that waits in the gate for its
 * deputy's answer is brought back by home, which interrupts the call.
 */
#ifndef MOSIX_CORE_FREEZE_H
#define MOSIX_CORE_FREEZE_H

#include <stdint.h>
#include "sigabi.h"

/* First thread: every other one stands when this returns 0. -ETIMEDOUT: one is in a call that does not end; all go on. */
int freeze_all(void);
void freeze_end(void);

/* Whether threads are to stand. */
int freeze_wanted(void);

/* Any other thread: stands as it is in uc until the process is at home (never to return), or goes on. */
void freeze_here(struct kernel_ucontext *uc);

/* Frees the slots of threads that have really ended: the kernel clears and wakes what they leave behind (clear_child_tid, robust
   locks) only then, and an image must not be made before. */
void freeze_reap(void);

#endif
