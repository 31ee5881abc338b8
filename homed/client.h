/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tool on the control socket, between control.c (requests) and survey.c (those that look at many processes). */
#ifndef HOMED_CLIENT_H
#define HOMED_CLIENT_H

#include <sys/queue.h>
#include "common/frame.h"
#include "homed/homed.h"
#include "homed/moves.h"
#include "homed/outcome.h"

struct survey;

struct client {
	struct homed *homed;
	uv_pipe_t pipe;
	struct frame_stream stream;
	struct move_waiter waiter;	/* of migrate */
	struct survey *survey;		/* under way, or NULL */
	bool asked, closed;
};

/* Finishes the message, sends it as the answer, and closes when the tool does. Frees the message. */
void client_answer(struct client *c, struct msg *message);
void client_refuse(struct client *c, const struct outcome *outcome);

/* ---- survey.c ---- */

/* ps: all processes; why: one, which need not be registered. Both look at /proc in libuv's pool, then answer. */
void survey_ps(struct client *c);
void survey_why(struct client *c, pid_t pid);
/* The client is gone: the survey ends without an answer. */
void survey_forget(struct survey *survey);

/* Why a process that is not registered is not: NO_PROCESS, NOT_OURS, NOT_LOADED or NOT_REGISTERED. */
void survey_absent(pid_t pid, struct outcome *ret_outcome);

#endif
