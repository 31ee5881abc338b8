/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mosix/wire.h>

#include "frame.h"
#include "msg.h"
#include "tls.h"

#define WHY_MAX         256
#define HEADER          4
#define RECORDS_A_TURN  64		/* received before the loop's other work gets its turn */
#define SENT_TIMEOUT_MS 30000		/* what was sent and is not acknowledged for so long ends the connection */

enum state { CONNECTING, SHAKING, GREETING, UP, FAILED, CLOSED, STATES };

struct session {
	uv_poll_t poll;
	uv_timer_t timer;		/* the deadline until UP; when something has failed, the way to call `down` from the
					   loop */
	unsigned handles;		/* not closed yet */
	int fd;
	enum state state;
	bool server;
	struct tls *tls;
	const struct session_events *events;
	void *data;

	msgpack_sbuffer hello;		/* own, packed; sent after the handshake */
	struct frame_buffer in;
	uint8_t *out;			/* frames not yet sent: out[out_start … out_end) */
	size_t out_start, out_end, out_room;
	bool wants_drained;

	enum mosix_why reason;
	char why[WHY_MAX];
	char peer[INET6_ADDRSTRLEN + 8];
};

static void advance(struct session *s);
static void watch(struct session *s);

/* ---- end ---- */

static void closed_one(uv_handle_t *handle)
{
	struct session *s = handle->data;

	if (--s->handles == 0)
		free(s);
}

static void end(struct session *s)
{
	s->state = CLOSED;
	uv_close((uv_handle_t *)&s->timer, closed_one);
	uv_close((uv_handle_t *)&s->poll, closed_one);
	tls_close(s->tls);
	if (s->fd >= 0)
		close(s->fd);
	frame_buffer_free(&s->in);
	msgpack_sbuffer_destroy(&s->hello);
	free(s->out);
	s->tls = NULL;
	s->out = NULL;
}

static void tell_down(uv_timer_t *timer)
{
	struct session *s = timer->data;
	char why[WHY_MAX];

	memcpy(why, s->why, sizeof why);
	s->events->down(s, s->data, s->reason, why);
	if (s->state != CLOSED)
		end(s);
}

static void fail(struct session *s, enum mosix_why reason, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The first failure is the one that is told, from the loop: no owner is called from within a function it called. */
static void fail(struct session *s, enum mosix_why reason, const char *format, ...)
{
	va_list args;

	if (s->state >= FAILED)
		return;
	va_start(args, format);
	vsnprintf(s->why, sizeof s->why, format, args);
	va_end(args);
	s->reason = reason;
	s->state = FAILED;
	uv_poll_stop(&s->poll);
	uv_timer_start(&s->timer, tell_down, 0, 0);
}

static void fail_tls(struct session *s, int error)
{
	if (error == -EACCES)
		fail(s, MOSIX_WHY_WRONG_KEY, "%s has another key", s->peer);
	else if (error == -ECONNRESET)
		fail(s, MOSIX_WHY_CUT, "the connection with %s broke", s->peer);
	else if (error == -ENOMEM)
		fail(s, MOSIX_WHY_NO_MEMORY, "there is no memory for the session with %s", s->peer);
	else
		fail(s, MOSIX_WHY_MALFORMED, "what %s sends is no session: %s", s->peer, tls_reason(s->tls));
}

static void deadline(uv_timer_t *timer)
{
	struct session *s = timer->data;

	if (s->state == CONNECTING)
		fail(s, MOSIX_WHY_NODE_DEAD, "%s does not answer", s->peer);
	else
		fail(s, MOSIX_WHY_TIMED_OUT, "%s accepts connections but does not greet", s->peer);
}

/* ---- sending ---- */

static size_t queued(const struct session *s)
{
	return s->out_end - s->out_start;
}

static int make_room(struct session *s, size_t size)
{
	if (s->out_room - s->out_end >= size)
		return 0;
	if (s->out_start > 0)
		memmove(s->out, s->out + s->out_start, queued(s));
	s->out_end -= s->out_start;
	s->out_start = 0;
	if (s->out_room - s->out_end >= size)
		return 0;

	size_t room = s->out_room ? s->out_room : 4096;

	while (room - s->out_end < size)
		room *= 2;
	uint8_t *out = realloc(s->out, room);

	if (!out)
		return -ENOMEM;
	s->out = out;
	s->out_room = room;
	return 0;
}

static int queue(struct session *s, const void *message, size_t size)
{
	int r = make_room(s, HEADER + size);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < HEADER; i++)
		s->out[s->out_end++] = (uint8_t)(size >> 8 * i);
	memcpy(s->out + s->out_end, message, size);
	s->out_end += size;
	return 0;
}

static void flush(struct session *s)
{
	while (queued(s) > 0) {
		ssize_t n = tls_send(s->tls, s->out + s->out_start, queued(s));

		if (n == -EAGAIN)
			return;
		if (n < 0) {
			fail_tls(s, (int)n);
			return;
		}
		s->out_start += (size_t)n;
	}
	/* Megabytes that were queued once are not kept by an idle session. */
	if (s->out_room > SESSION_MESSAGE_MAX) {
		free(s->out);
		s->out = NULL;
		s->out_room = 0;
	}
	s->out_start = s->out_end = 0;
}

size_t session_room(const struct session *s)
{
	size_t used = queued(s) + HEADER;
	size_t room = used < SESSION_QUEUE_MAX ? SESSION_QUEUE_MAX - used : 0;

	return room < SESSION_MESSAGE_MAX ? room : SESSION_MESSAGE_MAX;
}

int session_send(struct session *s, const void *message, size_t size)
{
	if (s->state != UP)
		return -ENOTCONN;
	if (size > SESSION_MESSAGE_MAX || size == 0)
		return -EMSGSIZE;
	if (size > session_room(s)) {
		s->wants_drained = true;
		return -ENOBUFS;
	}
	int r = queue(s, message, size);

	if (r < 0)
		return r;
	if (session_room(s) < SESSION_MESSAGE_MAX)
		s->wants_drained = true;
	watch(s);
	return 0;
}

/* ---- receiving ---- */

static void greeted(struct session *s, const msgpack_object *map)
{
	char node[SESSION_NODE_MAX];
	uint64_t version;

	if (!msg_is(map, "hello") || msg_get_uint(map, "v", &version) < 0) {
		fail(s, MOSIX_WHY_MALFORMED, "%s does not begin with a hello", s->peer);
		return;
	}
	if (version != MOSIX_PROTOCOL) {
		fail(s, MOSIX_WHY_VERSION, "%s speaks version %llu of the protocol, this is version %d", s->peer,
		     (unsigned long long)version, MOSIX_PROTOCOL);
		return;
	}
	if (msg_get_str(map, "node", node, sizeof node) < 0 || !node[0]) {
		fail(s, MOSIX_WHY_MALFORMED, "the hello of %s has no name of a node", s->peer);
		return;
	}
	s->state = UP;
	uv_timer_stop(&s->timer);
	s->events->up(s, s->data, node, map);
}

static void take(struct session *s, const msgpack_object *map)
{
	char type[32];

	if (msg_get_str(map, "t", type, sizeof type) < 0)
		fail(s, MOSIX_WHY_MALFORMED, "%s sent a message without a type", s->peer);
	else if (s->state == GREETING)
		greeted(s, map);
	else if (strcmp(type, "hello") == 0)
		fail(s, MOSIX_WHY_MALFORMED, "%s greets twice", s->peer);
	else
		s->events->message(s, s->data, type, map);
}

/* Every callback in here may have ended the session. */
static void take_frames(struct session *s)
{
	while (s->state == GREETING || s->state == UP) {
		msgpack_unpacked message;
		int r = frame_next(&s->in, &message);

		if (r == 0)
			return;
		if (r == -ENOMEM)
			fail(s, MOSIX_WHY_NO_MEMORY, "there is no memory for a message of %s", s->peer);
		else if (r < 0)
			fail(s, MOSIX_WHY_MALFORMED, "%s sent a malformed message (%s)", s->peer,
			     r == -EMSGSIZE ? "too long" : "not a well-formed map");
		if (r < 0)
			return;
		take(s, &message.data);
		msgpack_unpacked_destroy(&message);
	}
}

static void receive(struct session *s)
{
	uint8_t record[TLS_RECORD_MAX];

	for (unsigned i = 0; (s->state == GREETING || s->state == UP) && (i < RECORDS_A_TURN || tls_pending(s->tls) > 0); i++) {
		ssize_t n = tls_receive(s->tls, record, sizeof record);

		if (n == -EAGAIN)
			return;
		if (n == 0)
			fail(s, MOSIX_WHY_CUT, "%s ended the session", s->peer);
		else if (n < 0)
			fail_tls(s, (int)n);
		else if (frame_push(&s->in, record, (size_t)n) < 0)
			fail(s, MOSIX_WHY_NO_MEMORY, "there is no memory for the session with %s", s->peer);
		else
			take_frames(s);
	}
}

/* ---- one step of each state when the socket is ready ---- */

static void connected(struct session *s)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error) {
		fail(s, MOSIX_WHY_NODE_DEAD, "%s cannot be reached: %s", s->peer, strerror(error));
		return;
	}
	s->state = SHAKING;
	advance(s);
}

/* The poll handle has to go before somebody else polls the descriptor. */
static void become_channel(struct session *s)
{
	const struct session_events *events = s->events;
	struct tls *tls = s->tls;
	int fd = s->fd;

	if (!events->channel) {
		fail(s, MOSIX_WHY_MALFORMED, "%s opens a channel where there are none", s->peer);
		return;
	}
	s->tls = NULL;
	s->fd = -1;
	end(s);
	events->channel(s, s->data, tls, fd);
}

static void shake(struct session *s)
{
	int r = tls_handshake(s->tls);

	if (r == -EAGAIN)
		return;
	if (r < 0) {
		fail_tls(s, r);
		return;
	}
	if (s->server && tls_client_role(s->tls) == TLS_CHANNEL) {
		become_channel(s);
		return;
	}
	s->state = GREETING;
	if (queue(s, s->hello.data, s->hello.size) < 0)
		fail(s, MOSIX_WHY_NO_MEMORY, "there is no memory for the session with %s", s->peer);
	else
		advance(s);	/* the other side's hello may be here already, in the library's buffer */
}

static void exchange(struct session *s)
{
	flush(s);
	receive(s);
	if (s->state == UP && s->wants_drained && queued(s) == 0) {
		s->wants_drained = false;
		if (s->events->drained)
			s->events->drained(s, s->data);
	}
}

static void nothing(struct session *s)
{
	(void)s;
}

static void (*const steps[STATES])(struct session *s) = {
	[CONNECTING] = connected,
	[SHAKING]    = shake,
	[GREETING]   = exchange,
	[UP]         = exchange,
	[FAILED]     = nothing,
	[CLOSED]     = nothing,
};

static void advance(struct session *s)
{
	steps[s->state](s);
}

static void ready(uv_poll_t *poll, int status, int events)
{
	struct session *s = poll->data;

	(void)events;
	advance(s);
	/* Only after everything was read that came before the error: it may say why. */
	if (status < 0)
		fail(s, MOSIX_WHY_CUT, "the connection with %s broke", s->peer);
	watch(s);
}

static void watch(struct session *s)
{
	int events = UV_READABLE;

	if (s->state >= FAILED)
		return;
	if (s->state == CONNECTING || (s->state == SHAKING && tls_wants_write(s->tls)))
		events = UV_WRITABLE;
	else if (queued(s) > 0)
		events |= UV_WRITABLE;
	uv_poll_start(&s->poll, events, ready);
}

/* ---- beginning ---- */

static int pack_hello(msgpack_sbuffer *buffer, const struct session_hello *hello)
{
	msgpack_packer packer;
	struct { const char *key, *text; } pairs[] = { { "t", "hello" }, { "node", hello->node } };

	msgpack_sbuffer_init(buffer);
	msgpack_packer_init(&packer, buffer, msgpack_sbuffer_write);
	int r = msgpack_pack_map(&packer, hello->pairs + 3);

	for (unsigned i = 0; i < 2; i++) {
		r |= msgpack_pack_str_with_body(&packer, pairs[i].key, strlen(pairs[i].key));
		r |= msgpack_pack_str_with_body(&packer, pairs[i].text, strlen(pairs[i].text));
	}
	r |= msgpack_pack_str_with_body(&packer, "v", 1);
	r |= msgpack_pack_uint32(&packer, MOSIX_PROTOCOL);
	if (hello->more_size)
		r |= msgpack_sbuffer_write(buffer, hello->more, hello->more_size);
	return r ? -ENOMEM : 0;
}

static void name_peer(struct session *s, const struct sockaddr *address)
{
	char host[INET6_ADDRSTRLEN] = "?";
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

	if (address->sa_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
		snprintf(s->peer, sizeof s->peer, "%s:%u", host, ntohs(v4->sin_port));
	} else if (address->sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
		snprintf(s->peer, sizeof s->peer, "[%s]:%u", host, ntohs(v6->sin6_port));
	} else {
		snprintf(s->peer, sizeof s->peer, "the other side");
	}
}

static void tune(int fd)
{
	const int on = 1, idle = 15, interval = 5, probes = 3;
	const unsigned timeout = SENT_TIMEOUT_MS;

	/* Hints only: a socket without them (of a test, not TCP) serves as well. The probes are for the side that is asked and
	   never asks: it would not notice that a machine has gone without a word. */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
}

static struct session *session_new(uv_loop_t *loop, int fd, enum tls_role role, const struct key *key,
				   const struct session_hello *hello, const struct session_events *events, void *data)
{
	struct session *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->fd = fd;
	s->server = role == TLS_SERVER;
	s->events = events;
	s->data = data;
	frame_buffer_init(&s->in);
	if (pack_hello(&s->hello, hello) < 0 || tls_open(fd, role, key, &s->tls) < 0 || uv_poll_init(loop, &s->poll, fd) < 0) {
		tls_close(s->tls);
		msgpack_sbuffer_destroy(&s->hello);
		free(s);
		return NULL;
	}
	uv_timer_init(loop, &s->timer);
	s->poll.data = s->timer.data = s;
	s->handles = 2;
	tune(fd);
	uv_update_time(loop);
	uv_timer_start(&s->timer, deadline, SESSION_DEADLINE_MS, 0);
	return s;
}

struct session *session_connect(uv_loop_t *loop, const struct sockaddr *address, const struct key *key,
				const struct session_hello *hello, const struct session_events *events, void *data)
{
	socklen_t size = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return NULL;
	struct session *s = session_new(loop, fd, TLS_SESSION, key, hello, events, data);

	if (!s) {
		close(fd);
		return NULL;
	}
	name_peer(s, address);
	s->state = CONNECTING;
	if (connect(fd, address, size) < 0 && errno != EINPROGRESS)
		fail(s, MOSIX_WHY_NODE_DEAD, "%s cannot be reached: %s", s->peer, strerror(errno));
	watch(s);
	return s;
}

struct session *session_accept(uv_loop_t *loop, int fd, const struct key *key, const struct session_hello *hello,
			       const struct session_events *events, void *data)
{
	struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
	socklen_t size = sizeof address;
	int flags = fcntl(fd, F_GETFL);
	struct session *s = NULL;

	if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
		s = session_new(loop, fd, TLS_SERVER, key, hello, events, data);
	if (!s) {
		close(fd);
		return NULL;
	}
	getpeername(fd, (struct sockaddr *)&address, &size);
	name_peer(s, (const struct sockaddr *)&address);
	s->state = SHAKING;
	watch(s);
	return s;
}

void session_close(struct session *s)
{
	if (!s || s->state == CLOSED)
		return;
	if (s->state == UP) {
		flush(s);
		if (s->state == UP)
			tls_bye(s->tls);
	}
	end(s);
}

void *session_data(const struct session *s)
{
	return s->data;
}

void session_set_data(struct session *s, void *data)
{
	s->data = data;
}

const char *session_peer(const struct session *s)
{
	return s->peer;
}
