/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that the program makes and ends while it is away: home's thread first, which gives the number, then the guest's own. */
#ifndef MOSIX_CORE_GATE_THREAD_H
#define MOSIX_CORE_GATE_THREAD_H

#include <stdint.h>
#include "sigabi.h"
#include "thread.h"

/* clone(2), clone3(2), exit(2): as gate_local(). */
int64_t gate_clone(struct kernel_ucontext *uc, uint64_t nr, const uint64_t arg[6]);
int64_t gate_exit(struct kernel_ucontext *uc, const uint64_t arg[6]);

/*
 * Starts a thread of the image, whose frame stands: it waits for core_here->go, asks its deputy and leaves for the program.
 * 0 or -errno.
 */
int gate_thread_start(const struct mosix_thread *own);

#endif
