/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The deputy: what the home process is while its program runs elsewhere. */
#ifndef MOSIX_CORE_DEPUTY_H
#define MOSIX_CORE_DEPUTY_H

#include <stdint.h>
#include <mosix/wire.h>

/* Becomes the deputy of the guest that has just said READY. All signals blocked. Ends by leaving the handler for the
   program, at home again, or with the process. */
__attribute__((noreturn)) void deputy_main(void);

/* Executes the call of a frame and answers it. Does not return for exit_group. 0 or -errno (of the channel). */
int deputy_call_serve(const struct mosix_frame *request);

/* Completes a reply with the held signal, if it may be delivered under mask. Returns bytes put at the start of payload. */
uint32_t deputy_put_signal(struct mosix_frame *reply, uint8_t *payload);

/*
 * Sends a reply without a payload of its own, with the held signal, if one may be delivered, and the wish that the guest come
 * home. 0 or -errno (of the channel).
 */
int deputy_answer(struct mosix_frame *reply);

/* The migration signal arrived while away: asks homed what for. Returns 1 if the guest is to come home. */
int deputy_ask_orders(void);

/*
 * The process must come home, for this reason. The first deputy decides when: it lets every thread know, if it can be reached
 * itself.
 */
void deputy_want_home(uint32_t reason, int64_t detail);
/* First deputy: does so if there is such a wish. */
void deputy_consent(void);

#endif
