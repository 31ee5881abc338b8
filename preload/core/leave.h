/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The migration handler and the way out. */
#ifndef MOSIX_CORE_LEAVE_H
#define MOSIX_CORE_LEAVE_H

#include "sigabi.h"

#pragma GCC visibility push(hidden)	/* their addresses are taken: never through the GOT */

/* The kernel's handler of SIGURG at home and in the deputy. */
void leave_handler(int signo, struct kernel_siginfo *info, struct kernel_ucontext *uc);

/* Takes what the kernel has of the program's in the calling thread from it. */
struct core_thread;
void leave_detach(struct core_thread *t);

#pragma GCC visibility pop

#endif
