/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's beginning and end. */
#ifndef MOSIX_CORE_GUEST_H
#define MOSIX_CORE_GUEST_H

#include <stdint.h>
#include "sigabi.h"

/* Where the loader's jump arrives (through core_guest_entry): takes the state from the manifest, says READY, starts the
   program. */
__attribute__((noreturn)) void guest_main(void *arena);

/*
 * Freezes the program as it stands in the gate's frame and sends it home. Returns only if home cannot take it. signo and
 * info (may be 0, NULL): a signal that home's kernel shall deliver there.
 */
void guest_go_home(struct kernel_ucontext *uc, uint32_t reason, uint64_t detail, int signo, const void *info);

/* Home has no room now: waits a moment, takes what waits there, and lets the program try its instruction again. */
void guest_pause(struct kernel_ucontext *uc);

/* The end of a guest whose home is gone, has it back or has ended. */
__attribute__((noreturn)) void guest_end(void);

#endif
