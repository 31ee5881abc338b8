/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames: u32 little-endian length (≤ FRAME_MAX) and one msgpack map. Three users: anything that gets bytes and wants maps
 * (struct frame_buffer), libuv streams (struct frame_stream), and tools with a blocking descriptor.
 *
 * Nothing is allocated on the word of the other side: the length is capped first, and frame_check() walks the bytes and
 * proves every inner length and the depth before msgpack sees them.
 */
#ifndef MOSIX_FRAME_H
#define MOSIX_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "common/msg.h"

#define FRAME_MAX   (1u << 20)
#define FRAME_DEPTH 8

/* 0 if the bytes are exactly one map of well-formed msgpack with text keys, at most FRAME_DEPTH deep; else -EPROTO. */
int frame_check(const void *data, size_t size);

/* frame_check(), then unpacks; *ret_message keeps the data of its own (msgpack_unpacked_destroy). 0, -EPROTO or -ENOMEM. */
int frame_unpack(const void *data, size_t size, msgpack_unpacked *ret_message);

/* ---- bytes in, maps out ---- */

struct frame_buffer { uint8_t *data; size_t fill, room, taken; };

void frame_buffer_init(struct frame_buffer *b);
void frame_buffer_free(struct frame_buffer *b);

/* Appends what was received. 0 or -ENOMEM. The caller drains with frame_next() after each, so little is ever kept. */
int frame_push(struct frame_buffer *b, const void *data, size_t size);

/* 1: *ret_message is the next map; 0: not whole yet; -EMSGSIZE, -EPROTO, -ENOMEM: close the connection. */
int frame_next(struct frame_buffer *b, msgpack_unpacked *ret_message);

/* ---- libuv streams (loop thread) ---- */

struct frame_stream;

struct frame_events {
	/* A message; it is gone after the return. The stream may be closed in here. */
	void (*message)(struct frame_stream *s, const msgpack_object *map);
	/* The other side ended (0) or the stream failed (-errno). Called once, never after frame_stream_close(). */
	void (*down)(struct frame_stream *s, int error);
};

struct frame_stream {
	uv_stream_t *stream;
	const struct frame_events *events;
	void *data;			/* the owner's */
	struct frame_buffer in;
	size_t queued;			/* bytes handed to libuv and not yet written */
	bool ended;			/* no event will be called any more */
};

/* Starts to read. stream->data is taken. 0 or -errno. */
int frame_stream_start(struct frame_stream *s, uv_stream_t *stream, const struct frame_events *events, void *data);

/* Sends a copy of a finished message. 0, -EMSGSIZE, -ENOMEM or the stream's error. */
int frame_stream_send(struct frame_stream *s, const void *data, size_t size);

/* Stops reading and frees what is buffered; no event follows. The owner closes the handle itself. */
void frame_stream_stop(struct frame_stream *s);

/* ---- blocking descriptors (tools) ---- */

/* 0 or -errno; -ETIMEDOUT after timeout_ms (negative: wait for ever); read: -ECONNRESET when the other side ended. */
int frame_write_fd(int fd, const void *data, size_t size, int timeout_ms);
int frame_read_fd(int fd, msgpack_unpacked *ret_message, int timeout_ms);

#endif
