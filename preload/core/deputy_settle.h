/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel lets no thread go on in the program once a signal for it is there, so whatever a sender does next comes after the
 * handler: a lock that it gives up, a word that it writes. From home a signal takes a ring and an answer. So a thread that sends
 * one to another of its own process goes on when that has it.
 */
#ifndef MOSIX_CORE_DEPUTY_SETTLE_H
#define MOSIX_CORE_DEPUTY_SETTLE_H

#include <stdint.h>
#include "thread.h"

/* Before the call: to be given to deputy_settle(). */
static inline uint32_t settle_begin(void)
{
	return __atomic_load_n(&core_here->taken, __ATOMIC_SEQ_CST);
}

/* The guest has the signal that it was handed, or has refused it. */
void settle_taken(void);

/*
 * The call has succeeded. If it has sent a signal that another thread of the program is to handle, waits until a thread has, at
 * most a tenth of a second, and not while all are called home.
 */
void deputy_settle(uint64_t nr, const uint64_t arg[6], uint32_t begun);

#endif
