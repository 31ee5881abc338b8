/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All threads of a process at home stand still in their migration handlers, and become deputies or go on. The first thread
 * leads: it has the orders, stops the others, and alone may take descriptors while they stand.
 *
 *   first thread   stop_all() … capture, image, READY … stop_detach() … stop_serve()      or stop_let_go()
 *   every other    stop_here(): stands, detaches, becomes a deputy                        or goes on
 */
#ifndef MOSIX_CORE_STOP_H
#define MOSIX_CORE_STOP_H

#include <stdint.h>
#include "sigabi.h"

enum stop_phase {		/* core_here->phase */
	STOP_NONE,		/* whoever is told to stand goes on: it was told too late */
	STOP_STAND,
	STOP_DETACH,		/* take the program's areas from the kernel */
	STOP_SERVE,		/* be deputies */
	STOP_RESUME,		/* homecoming: make the frame ready and put the areas back */
	STOP_RUN,		/* homecoming: leave through it */
};

/*
 * First thread, on its slot's stack, from its handler. Makes room for the others and brings every one of them to stand.
 * Takes no descriptor that the others could see. 0, or the reason why not; then nobody stands.
 */
uint32_t stop_all(void);

/* Why one of those who stand cannot leave, 0 if all can. */
uint32_t stop_objection(void);

/* They go on as if nothing had happened; returns when all have gone. */
void stop_let_go(void);

/* All have nothing of the program's registered with the kernel when this returns; then they become deputies. */
void stop_detach(void);
void stop_serve(void);

/* Any other thread's handler, on the program's stack, inside a call (number + 1) or not (0). Returns if it is to go on. */
void stop_here(struct kernel_ucontext *uc, uint32_t inside);

/* Whether the first thread has to be told that an order is there: another one's handler got the signal. */
int  stop_is_first(void);

/* The migration signal from one thread to another: an order waits (to the first), or: stand, look around (to the others). */
void stop_tell_order(void);
void stop_nudge(uint32_t tid);
/* Every deputy but the caller. */
void stop_nudge_all(void);

/* The values that ride with it (si_value), besides the secret itself, with which homed orders. */
static inline uint64_t stop_nudge_value(uint64_t secret) { return ~secret; }

#endif
