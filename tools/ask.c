/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ask.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mosix/paths.h>
#include "common/frame.h"
#include "common/reason.h"
#include "common/runtime.h"
#include "descriptor.h"

static int explain(struct answer *answer, int error, const char *what)
{
	snprintf(answer->text, sizeof answer->text, "%s: %s", what, strerror(-error));
	return error;
}

static int connect_homed(int *ret_fd, struct answer *answer)
{
	int error = runtime_connect(MOSIX_PATH_CONTROL, SOCK_STREAM | SOCK_CLOEXEC, ret_fd);

	if (error == -ENOENT || error == -ECONNREFUSED) {
		snprintf(answer->text, sizeof answer->text, "homed does not run (mosrun or mosctl up starts it)");
		return -ECONNREFUSED;
	}
	if (error == -EPERM) {
		snprintf(answer->text, sizeof answer->text,
			 "the runtime directory belongs to somebody else, or others may write it");
		return error;
	}
	return error ? explain(answer, error, "homed cannot be reached") : 0;
}

static int read_answer(struct answer *answer)
{
	const msgpack_object *map = &answer->message.data;

	if (msg_is(map, "done"))
		return 0;
	if (!msg_is(map, "error"))
		return explain(answer, -EPROTO, "homed's answer is not understood");
	if (msg_get_u32(map, "reason", &answer->reason))
		answer->reason = MOSIX_WHY_NONE;
	if (msg_get_str(map, "text", answer->text, sizeof answer->text) || !answer->text[0])
		snprintf(answer->text, sizeof answer->text, "%s", reason_sentence(answer->reason));
	if (!answer->text[0])
		snprintf(answer->text, sizeof answer->text, "homed refused without a reason");
	return -EREMOTEIO;
}

/* Hands on the parts that come before the answer. */
static int read_messages(int fd, int timeout_ms, int (*part)(const msgpack_object *map, void *data), void *data,
			 struct answer *answer)
{
	for (;;) {
		int error = frame_read_fd(fd, &answer->message, timeout_ms);

		if (!error && part && msg_is(&answer->message.data, "part"))
			error = part(&answer->message.data, data);
		else
			return error;
		if (error)
			return error;
		msgpack_unpacked_destroy(&answer->message);
	}
}

int ask(struct msg *question, int timeout_ms, struct answer *ret_answer)
{
	return ask_parts(question, timeout_ms, NULL, NULL, ret_answer);
}

int ask_parts(struct msg *question, int timeout_ms, int (*part)(const msgpack_object *map, void *data), void *data,
	      struct answer *ret_answer)
{
	CLOSE_AUTO int fd = -1;
	struct sigaction pipe_action;
	const void *bytes;
	size_t size;
	int error;

	memset(ret_answer, 0, sizeof *ret_answer);
	msgpack_unpacked_init(&ret_answer->message);
	error = msg_finish(question, &bytes, &size);
	if (error)
		return explain(ret_answer, error, "the question cannot be written");
	error = connect_homed(&fd, ret_answer);
	if (error)
		return error;
	/* A homed that ends now shall be a sentence; mosrun's program gets the signal back as it was. */
	sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, &pipe_action);
	error = frame_write_fd(fd, bytes, size, timeout_ms);
	if (!error)
		error = read_messages(fd, timeout_ms, part, data, ret_answer);
	sigaction(SIGPIPE, &pipe_action, NULL);
	if (error == -ETIMEDOUT) {
		snprintf(ret_answer->text, sizeof ret_answer->text, "homed does not answer");
		return error;
	}
	if (error)
		return explain(ret_answer, error, "homed broke the connection");
	return read_answer(ret_answer);
}

void answer_free(struct answer *answer)
{
	msgpack_unpacked_destroy(&answer->message);
}
