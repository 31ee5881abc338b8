/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/frame.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HEAD 4
/* A sender that is this far ahead of the other side's reading is refused: whoever asks for so much does not read. */
#define QUEUE_MAX (8u << 20)

/* ---- the walker ---- */

struct walk { const uint8_t *at, *end; };

static uint64_t big_endian(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

enum { KIND_SCALAR, KIND_TEXT, KIND_BYTES, KIND_ARRAY, KIND_MAP, KIND_BAD };

/* What each first byte from 0xc0 to 0xdf means: the kind, bytes of length that follow, bytes of body beside it. */
static const struct { uint8_t kind, length, body; } heads[32] = {
	/* c0 nil, -, false, true */
	{ KIND_SCALAR, 0, 0 }, { KIND_BAD,    0, 0 }, { KIND_SCALAR, 0, 0 }, { KIND_SCALAR, 0, 0 },
	/* c4 bin8/16/32, ext8 */
	{ KIND_BYTES,  1, 0 }, { KIND_BYTES,  2, 0 }, { KIND_BYTES,  4, 0 }, { KIND_BAD,    0, 0 },
	/* c8 ext16, ext32, float, double */
	{ KIND_BAD,    0, 0 }, { KIND_BAD,    0, 0 }, { KIND_SCALAR, 0, 4 }, { KIND_SCALAR, 0, 8 },
	/* cc uint8/16/32/64 */
	{ KIND_SCALAR, 0, 1 }, { KIND_SCALAR, 0, 2 }, { KIND_SCALAR, 0, 4 }, { KIND_SCALAR, 0, 8 },
	/* d0 int8/16/32/64 */
	{ KIND_SCALAR, 0, 1 }, { KIND_SCALAR, 0, 2 }, { KIND_SCALAR, 0, 4 }, { KIND_SCALAR, 0, 8 },
	/* d4 fixext: nobody here sends any */
	{ KIND_BAD,    0, 0 }, { KIND_BAD,    0, 0 }, { KIND_BAD,    0, 0 }, { KIND_BAD,    0, 0 },
	/* d8 fixext16, str8/16/32 */
	{ KIND_BAD,    0, 0 }, { KIND_TEXT,   1, 0 }, { KIND_TEXT,   2, 0 }, { KIND_TEXT,   4, 0 },
	/* dc array16/32, map16/32 */
	{ KIND_ARRAY,  2, 0 }, { KIND_ARRAY,  4, 0 }, { KIND_MAP,    2, 0 }, { KIND_MAP,    4, 0 },
};

/* Steps over one value; *ret_kind says what it was. Recursion is bounded by FRAME_DEPTH. */
static int walk_value(struct walk *w, unsigned depth, int *ret_kind)
{
	uint64_t length = 0;
	int kind, inner;
	uint8_t head;

	if (w->at == w->end)
		return -EPROTO;
	head = *w->at++;
	if (head <= 0x7f || head >= 0xe0) {
		kind = KIND_SCALAR;
	} else if (head <= 0x8f) {
		kind = KIND_MAP;
		length = head & 0x0f;
	} else if (head <= 0x9f) {
		kind = KIND_ARRAY;
		length = head & 0x0f;
	} else if (head <= 0xbf) {
		kind = KIND_TEXT;
		length = head & 0x1f;
	} else {
		unsigned n = heads[head - 0xc0].length;

		kind = heads[head - 0xc0].kind;
		length = heads[head - 0xc0].body;
		if (n) {
			if ((size_t)(w->end - w->at) < n)
				return -EPROTO;
			length = big_endian(w->at, n);
			w->at += n;
		}
	}
	*ret_kind = kind;
	if (kind == KIND_BAD)
		return -EPROTO;
	if (kind == KIND_ARRAY || kind == KIND_MAP) {
		/* each element takes a byte at least, so the count is bounded by what is there */
		if (depth == FRAME_DEPTH || length * (kind == KIND_MAP ? 2 : 1) > (uint64_t)(w->end - w->at))
			return -EPROTO;
		for (; length; length--) {
			if (kind == KIND_MAP && (walk_value(w, depth + 1, &inner) < 0 || inner != KIND_TEXT))
				return -EPROTO;
			if (walk_value(w, depth + 1, &inner) < 0)
				return -EPROTO;
		}
		return 0;
	}
	if (length > (uint64_t)(w->end - w->at))
		return -EPROTO;
	w->at += length;
	return 0;
}

int frame_check(const void *data, size_t size)
{
	struct walk w = { data, (const uint8_t *)data + size };
	int kind;

	if (walk_value(&w, 0, &kind) < 0 || kind != KIND_MAP || w.at != w.end)
		return -EPROTO;
	return 0;
}

int frame_unpack(const void *data, size_t size, msgpack_unpacked *ret_message)
{
	msgpack_unpacked message;
	msgpack_unpack_return got;
	size_t offset = 0;
	char *copy;

	if (frame_check(data, size) < 0)
		return -EPROTO;
	/* msgpack points into what it is given: a copy that the message frees makes it stand alone */
	copy = malloc(size);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, size);
	msgpack_unpacked_init(&message);
	got = msgpack_unpack_next(&message, copy, size, &offset);
	if (got == MSGPACK_UNPACK_SUCCESS && msgpack_zone_push_finalizer(message.zone, free, copy)) {
		*ret_message = message;
		return 0;
	}
	msgpack_unpacked_destroy(&message);
	free(copy);
	return got == MSGPACK_UNPACK_SUCCESS || got == MSGPACK_UNPACK_NOMEM_ERROR ? -ENOMEM : -EPROTO;
}

/* ---- bytes in, maps out ---- */

void frame_buffer_init(struct frame_buffer *b)
{
	memset(b, 0, sizeof(*b));
}

void frame_buffer_free(struct frame_buffer *b)
{
	free(b->data);
	frame_buffer_init(b);
}

int frame_push(struct frame_buffer *b, const void *data, size_t size)
{
	if (!size)
		return 0;	/* libuv says so when there was nothing to read; there may be no buffer yet */
	if (b->taken) {
		memmove(b->data, b->data + b->taken, b->fill - b->taken);
		b->fill -= b->taken;
		b->taken = 0;
	}
	if (b->fill + size > b->room) {
		size_t room = (b->fill + size) * 2;
		uint8_t *grown = realloc(b->data, room);

		if (!grown)
			return -ENOMEM;
		b->data = grown;
		b->room = room;
	}
	memcpy(b->data + b->fill, data, size);
	b->fill += size;
	return 0;
}

int frame_next(struct frame_buffer *b, msgpack_unpacked *ret_message)
{
	size_t have = b->fill - b->taken;
	uint32_t length;
	int r;

	if (have < HEAD)
		return 0;
	memcpy(&length, b->data + b->taken, HEAD);
	length = le32toh(length);
	if (length > FRAME_MAX)
		return -EMSGSIZE;
	if (have - HEAD < length)
		return 0;
	r = frame_unpack(b->data + b->taken + HEAD, length, ret_message);
	if (r < 0)
		return r;
	b->taken += HEAD + length;
	return 1;
}

/* ---- libuv streams ---- */

struct send { uv_write_t request; struct frame_stream *stream; size_t size; uint8_t data[]; };

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
	(void)handle;
	ret_buffer->base = malloc(suggested);
	ret_buffer->len = ret_buffer->base ? suggested : 0;
}

static void go_down(struct frame_stream *s, int error)
{
	const struct frame_events *events = s->events;

	if (s->ended)
		return;
	frame_stream_stop(s);
	events->down(s, error);
}

static void bytes_arrived(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	struct frame_stream *s = stream->data;
	msgpack_unpacked message;
	int r;

	if (n < 0) {
		free(buffer->base);
		go_down(s, n == UV_EOF ? 0 : (int)n);
		return;
	}
	r = frame_push(&s->in, buffer->base, n);
	free(buffer->base);
	if (r < 0) {
		go_down(s, r);
		return;
	}
	while (!s->ended && (r = frame_next(&s->in, &message)) > 0) {
		s->events->message(s, &message.data);
		msgpack_unpacked_destroy(&message);
	}
	if (!s->ended && r < 0)
		go_down(s, r);
}

int frame_stream_start(struct frame_stream *s, uv_stream_t *stream, const struct frame_events *events, void *data)
{
	memset(s, 0, sizeof(*s));
	s->stream = stream;
	s->events = events;
	s->data = data;
	stream->data = s;
	return uv_read_start(stream, give_room, bytes_arrived);
}

static void sent(uv_write_t *request, int status)
{
	struct send *send = (struct send *)request;

	/* cancelled: the handle is being closed and its owner's struct may be gone */
	if (status != UV_ECANCELED)
		send->stream->queued -= send->size;
	free(send);
}

int frame_stream_send(struct frame_stream *s, const void *data, size_t size)
{
	struct send *send;
	uint32_t length;
	uv_buf_t buffer;
	int r;

	if (size > FRAME_MAX)
		return -EMSGSIZE;
	if (s->ended)
		return -EPIPE;
	if (s->queued > QUEUE_MAX)
		return -ENOBUFS;
	send = malloc(sizeof(*send) + HEAD + size);
	if (!send)
		return -ENOMEM;
	length = htole32((uint32_t)size);
	memcpy(send->data, &length, HEAD);
	memcpy(send->data + HEAD, data, size);
	send->stream = s;
	send->size = HEAD + size;
	buffer = uv_buf_init((char *)send->data, (unsigned)send->size);
	r = uv_write(&send->request, s->stream, &buffer, 1, sent);
	if (r < 0) {
		free(send);
		return r;
	}
	s->queued += send->size;
	return 0;
}

void frame_stream_stop(struct frame_stream *s)
{
	if (s->ended)
		return;
	s->ended = true;
	uv_read_stop(s->stream);
	frame_buffer_free(&s->in);
}

/* ---- blocking descriptors ---- */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		int64_t left = deadline < 0 ? -1 : deadline - now_ms();
		int r;

		if (deadline >= 0 && left <= 0)
			return -ETIMEDOUT;
		r = poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left);
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

static int write_all(int fd, const void *data, size_t size, int64_t deadline)
{
	while (size) {
		ssize_t n;
		int r = wait_for(fd, POLLOUT, deadline);

		if (r < 0)
			return r;
		n = write(fd, data, size);
		if (n < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			return -errno;
		}
		data = (const uint8_t *)data + n;
		size -= n;
	}
	return 0;
}

static int read_all(int fd, void *data, size_t size, int64_t deadline)
{
	while (size) {
		ssize_t n;
		int r = wait_for(fd, POLLIN, deadline);

		if (r < 0)
			return r;
		n = read(fd, data, size);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			return -errno;
		}
		data = (uint8_t *)data + n;
		size -= n;
	}
	return 0;
}

int frame_write_fd(int fd, const void *data, size_t size, int timeout_ms)
{
	int64_t deadline = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
	uint32_t length = htole32((uint32_t)size);
	int r;

	if (size > FRAME_MAX)
		return -EMSGSIZE;
	r = write_all(fd, &length, HEAD, deadline);
	return r < 0 ? r : write_all(fd, data, size, deadline);
}

int frame_read_fd(int fd, msgpack_unpacked *ret_message, int timeout_ms)
{
	int64_t deadline = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
	uint32_t length;
	uint8_t *data;
	int r;

	r = read_all(fd, &length, HEAD, deadline);
	if (r < 0)
		return r;
	length = le32toh(length);
	if (length > FRAME_MAX)
		return -EMSGSIZE;
	data = malloc(length ? length : 1);
	if (!data)
		return -ENOMEM;
	r = read_all(fd, data, length, deadline);
	if (r == 0)
		r = frame_unpack(data, length, ret_message);
	free(data);
	return r;
}
