/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One question to homed over its control socket, one answer. */
#ifndef MOSIX_ASK_H
#define MOSIX_ASK_H

#include <stdint.h>
#include <msgpack.h>
#include "common/msg.h"

#define ASK_TEXT 512

struct answer {
	msgpack_unpacked message; /* the map is message.data */
	uint32_t reason;          /* of an error answer, reason.def; 0 otherwise */
	char text[ASK_TEXT];      /* why ask() failed, a sentence without a full stop; "" if it did not */
};

/*
 * Finishes and sends `question` and waits for the answer, at most timeout_ms (negative: for ever). Returns 0 with the answer in
 * *ret_answer; -ECONNREFUSED: no homed listens; -EREMOTEIO: homed said no (reason and text); else another -errno, all with a
 * sentence in ret_answer->text. The caller calls answer_free() in every case.
 */
int ask(struct msg *question, int timeout_ms, struct answer *ret_answer);

/* The same for an answer before which come parts, messages of their own: part() gets each; its -errno ends the conversation. */
int ask_parts(struct msg *question, int timeout_ms, int (*part)(const msgpack_object *map, void *data), void *data,
	      struct answer *ret_answer);
void answer_free(struct answer *answer);

#define ANSWER_AUTO __attribute__((cleanup(answer_free)))

#endif
