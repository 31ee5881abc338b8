/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The gate: every system call, fault and ring of the guest arrives here, on the gate's own stack. */
#ifndef MOSIX_CORE_GATE_H
#define MOSIX_CORE_GATE_H

#include <stdint.h>
#include <mosix/call.h>
#include <mosix/wire.h>
#include "sigabi.h"

#pragma GCC visibility push(hidden)	/* their addresses are taken: never through the GOT */

/* The kernel's handler of SIGSYS, faults and the doorbell in the guest. */
void gate_handler(int signo, struct kernel_siginfo *info, struct kernel_ucontext *uc);

/*
 * Whether address lies in the guest's own vDSO, where the program must neither be frozen nor get a signal: home has other
 * code there, if any.
 */
int gate_in_vdso(uint64_t address);

/* gate_call.c: executes a call at home and changes uc as its answer says. Comes home if it must. */
void gate_forward(struct kernel_ucontext *uc, const struct call *call, uint64_t nr);

/* The program is at its `syscall` instruction again, about to make this call, and goes home to make it there. */
void gate_return(struct kernel_ucontext *uc, uint64_t nr);

/*
 * Tells home the program's mask and takes what waits there: signals one by one, each with its frame, and the order to come
 * home.
 */
void gate_poll(struct kernel_ucontext *uc);

/*
 * The same, with more to tell: flags, signo, length and its payload. With MOSIX_F_RESET the caller holds action_lock, which is
 * free once home has heard.
 */
void gate_poll_with(struct kernel_ucontext *uc, struct mosix_frame *poll, const void *payload);

/*
 * Sends a frame with its payload and receives the answer, whose payload lies at ARENA_PAYLOAD. epoch and sequence are filled
 * in. 0, or -errno: home is gone.
 */
int gate_exchange(struct mosix_frame *frame, const void *payload, struct mosix_frame *answer);

/* The same, without a payload, on the channel of a thread that is not there. */
struct core_thread;
int gate_exchange_for(struct core_thread *other, struct mosix_frame *frame, struct mosix_frame *answer);

/* The signal and the order that an answer brings, after its result is in uc. */
void gate_answered(struct kernel_ucontext *uc, const struct mosix_frame *answer);

/* Receives a frame, payload at ARENA_PAYLOAD. */
int gate_hear(struct mosix_frame *answer);

/* gate_signal.c: starts the program's handler for a signal from home, in the temporary mask or (NULL) the program's own. */
void gate_signal(struct kernel_ucontext *uc, int signo, const void *info, const uint64_t *temporary_mask);

/* gate_signal.c: a fault of the program's own instruction. */
void gate_fault(struct kernel_ucontext *uc, int signo, const struct kernel_siginfo *info);

/*
 * gate_local.c, gate_signal.c: calls that the gate serves itself. Return the result; or GATE_FORWARD: home has to be asked
 * as well or instead; GATE_RETURN: the process must go home for it; GATE_DONE: uc is already as it has to be.
 */
#define GATE_FORWARD (-100001)
#define GATE_RETURN  (-100002)
#define GATE_DONE    (-100003)
/* gate_local.c: whether [start, start + length) has anything of home's special mappings, of libmosix or of the arena. */
int gate_is_protected(uint64_t start, uint64_t length);

/* times(2) was answered by home: adds what was used elsewhere to the program's struct tms. */
void gate_add_times(uint64_t tms);
int64_t gate_local(struct kernel_ucontext *uc, const struct call *call, uint64_t nr, const uint64_t arg[6]);
int64_t gate_signal_call(struct kernel_ucontext *uc, const struct call *call, uint64_t nr, const uint64_t arg[6]);

#pragma GCC visibility pop

#endif
