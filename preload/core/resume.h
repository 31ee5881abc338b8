/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A thread that was moved while it was inside a blocking call: how its registers are set so that it goes on with the call,
 * and when the call must end with EINTR instead. Works on program memory through core_copy_in/out.
 */
#ifndef MOSIX_CORE_RESUME_H
#define MOSIX_CORE_RESUME_H

#include <stdint.h>
#include "sigabi.h"

/*
 * For a context that the migration signal interrupted. If it stands at a `syscall` instruction, or just behind one that our
 * signal made fail or fall short and a live record proves it, the context is left at the instruction with what remains of
 * the call. Returns the number of the call + 1 if the thread is logically inside a call that can block, else 0.
 */
uint32_t resume_rewind(struct kernel_ucontext *uc);

/*
 * In a guest: the call that regs were trapped in is to be begun again elsewhere. left_ns: what is left of its time-out
 * (negative: no time-out to adjust); done: bytes already transferred. 0, or -EINVAL when only a live record could carry the
 * rest and there is none (nothing is changed then).
 */
int resume_rest(struct mosix_registers *regs, int64_t left_ns, uint64_t done);

/*
 * What a live record says of the call in regs, whose instruction has been executed: MOSIX_F_RECORD if there is one,
 * MOSIX_F_STARTED if a handled signal ends it whatever its SA_RESTART says (it has a time-out, or some of its bytes were done
 * before a move); else 0.
 */
uint16_t resume_recorded(const struct mosix_registers *regs, uint64_t nr);

/*
 * If the thread is inside a call (inside = number + 1) and one of the pending, unblocked signals would have interrupted it,
 * the context is changed to "returned -EINTR". To be done with signals blocked, right before the context is resumed.
 */
void resume_interrupt(struct mosix_registers *regs, uint32_t inside, uint64_t pending);

/*
 * The same for whatever is pending now and not blocked by mask, at home, where the kernel has the program's dispositions. What
 * was sent to the process interrupts one thread only: the one that takes it.
 */
void resume_pending(struct mosix_registers *regs, uint32_t inside, uint64_t mask);

/*
 * /dev/zero, /dev/random and /dev/urandom give all that is asked for, unless a signal is pending: then they stop at a page
 * (drivers/char/mem.c, drivers/char/random.c). resume_fill() reads on, with signals closed: bytes done.
 */
int resume_is_endless(int fd);
uint64_t resume_fill(int fd, uint64_t address, uint64_t count);

#endif
