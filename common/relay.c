/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#define BUFFER          65536
#define PIECES_A_TURN   32		/* moved before the loop's other work gets its turn */
#define SENT_TIMEOUT_MS 30000

enum state { CONNECTING, SHAKING, GREETING, RELAYING, STATES };

/* What came from one side and has not gone to the other. */
struct half {
	size_t start, end;
	bool finished;		/* nothing more will come */
	uint8_t data[BUFFER];
};

struct relay {
	LIST_ENTRY(relay) link;
	uv_poll_t far, near;
	uv_timer_t timer;
	unsigned handles;	/* not closed yet */
	bool ended;
	enum state state;
	struct tls *tls;
	int far_fd, near_fd;
	struct half out, in;	/* near to far, far to near */
	struct mosix_channel_hello hello;
	void (*done)(void *data, int error, int fd);
	bool (*welcome)(void *data, int fd, const struct mosix_channel_hello *hello);
	void *data;
};

struct relays {
	uv_loop_t *loop;
	LIST_HEAD(, relay) list;
};

static void watch(struct relay *r);

/* ---- life ---- */

static void closed_one(uv_handle_t *handle)
{
	struct relay *r = handle->data;

	if (--r->handles == 0)
		free(r);
}

static void end(struct relay *r)
{
	if (r->ended)
		return;
	r->ended = true;
	LIST_REMOVE(r, link);
	uv_close((uv_handle_t *)&r->timer, closed_one);
	uv_close((uv_handle_t *)&r->far, closed_one);
	if (r->near_fd >= 0) {
		uv_close((uv_handle_t *)&r->near, closed_one);
		close(r->near_fd);
	}
	tls_close(r->tls);
	r->tls = NULL;
	close(r->far_fd);
}

static void fail(struct relay *r, int error)
{
	void (*done)(void *data, int error, int fd) = r->state < RELAYING ? r->done : NULL;
	void *data = r->data;

	end(r);
	if (done)
		done(data, error, -1);
}

static void out_of_patience(uv_timer_t *timer)
{
	fail(timer->data, -ETIMEDOUT);
}

struct relays *relays_new(uv_loop_t *loop)
{
	struct relays *all = calloc(1, sizeof *all);

	if (all) {
		all->loop = loop;
		LIST_INIT(&all->list);
	}
	return all;
}

void relays_free(struct relays *all)
{
	while (all && !LIST_EMPTY(&all->list))
		end(LIST_FIRST(&all->list));
	free(all);
}

void relay_cancel(struct relay *r)
{
	end(r);
}

static size_t fill(const struct half *h)
{
	return h->end - h->start;
}

/* Room for one whole record, or none: a record that is half delivered would be invisible to poll(2). */
static size_t room(struct half *h)
{
	if (h->start == h->end)
		h->start = h->end = 0;
	if (BUFFER - h->end < TLS_RECORD_MAX && h->start > 0) {
		memmove(h->data, h->data + h->start, fill(h));
		h->end -= h->start;
		h->start = 0;
	}
	return BUFFER - h->end >= TLS_RECORD_MAX ? BUFFER - h->end : 0;
}

/* ---- moving bytes: each returns whether it moved some ---- */

static bool far_to_buffer(struct relay *r)
{
	if (r->in.finished || room(&r->in) == 0)
		return false;
	ssize_t n = tls_receive(r->tls, r->in.data + r->in.end, TLS_RECORD_MAX);

	if (n == -EAGAIN)
		return false;
	/* A connection that breaks ends the channel like one that is closed, but what came before is still delivered. */
	if (n <= 0)
		r->in.finished = true;
	else
		r->in.end += (size_t)n;
	return n > 0;
}

static bool buffer_to_far(struct relay *r)
{
	if (fill(&r->out) == 0)
		return false;
	ssize_t n = tls_send(r->tls, r->out.data + r->out.start, fill(&r->out));

	if (n == -EAGAIN)
		return false;
	if (n < 0) {
		end(r);
		return false;
	}
	r->out.start += (size_t)n;
	return true;
}

static bool near_to_buffer(struct relay *r)
{
	size_t size = r->out.finished ? 0 : room(&r->out);

	if (size == 0)
		return false;
	ssize_t n = recv(r->near_fd, r->out.data + r->out.end, size, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0)
		r->out.finished = true;
	else
		r->out.end += (size_t)n;
	return n > 0;
}

static bool buffer_to_near(struct relay *r)
{
	if (fill(&r->in) == 0)
		return false;
	ssize_t n = send(r->near_fd, r->in.data + r->in.start, fill(&r->in), MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0) {
		/* Nobody will read what comes; what was said before is still sent. */
		r->in.start = r->in.end = 0;
		r->in.finished = r->out.finished = true;
		return false;
	}
	r->in.start += (size_t)n;
	return true;
}

static void carry(struct relay *r)
{
	for (unsigned i = 0; i < PIECES_A_TURN && !r->ended; i++) {
		bool moved = far_to_buffer(r);

		moved |= buffer_to_near(r);
		moved |= near_to_buffer(r);
		moved |= buffer_to_far(r);
		if (!moved)
			break;
	}
	if (r->ended)
		return;
	if (r->out.finished && fill(&r->out) == 0) {
		tls_bye(r->tls);
		end(r);
	} else if (r->in.finished && fill(&r->in) == 0) {
		end(r);
	}
}

/* ---- until it stands ---- */

static void carried(uv_poll_t *poll, int status, int events);

/* Returns the other end for whoever speaks on the channel: 0 or -errno. */
static int open_near(struct relay *r, int *ret_fd)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	if (uv_poll_init(r->far.loop, &r->near, pair[0]) < 0) {
		close(pair[0]);
		close(pair[1]);
		return -ENOMEM;
	}
	r->near.data = r;
	r->handles++;
	r->near_fd = pair[0];
	*ret_fd = pair[1];
	return 0;
}

static void stand(struct relay *r)
{
	r->state = RELAYING;
	uv_timer_stop(&r->timer);
}

/* The connecting side. The hello is the first that goes out; there is room for it. */
static void shake(struct relay *r)
{
	int fd, error = tls_handshake(r->tls);

	if (error == -EAGAIN)
		return;
	if (error == 0)
		error = open_near(r, &fd);
	if (error < 0) {
		fail(r, error);
		return;
	}
	memcpy(r->out.data, &r->hello, sizeof r->hello);
	r->out.end = sizeof r->hello;
	stand(r);
	r->done(r->data, 0, fd);
	if (!r->ended)
		carry(r);
}

static void connected(struct relay *r)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(r->far_fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error) {
		fail(r, -error);
		return;
	}
	r->state = SHAKING;
	shake(r);
}

/* The accepting side. What comes behind the hello is the channel's. */
static void greet(struct relay *r)
{
	int fd;

	while (far_to_buffer(r))
		;
	if (fill(&r->in) < sizeof r->hello) {
		if (r->in.finished)
			end(r);
		return;
	}
	memcpy(&r->hello, r->in.data, sizeof r->hello);
	r->in.start = sizeof r->hello;
	if (open_near(r, &fd) < 0) {
		end(r);
		return;
	}
	stand(r);
	if (r->welcome(r->data, fd, &r->hello)) {
		carry(r);
		return;
	}
	close(fd);
	end(r);
}

static void (*const steps[STATES])(struct relay *r) = {
	[CONNECTING] = connected,
	[SHAKING]    = shake,
	[GREETING]   = greet,
	[RELAYING]   = carry,
};

static void carried(uv_poll_t *poll, int status, int events)
{
	struct relay *r = poll->data;

	(void)status;	/* the socket's own calls say more */
	(void)events;
	steps[r->state](r);
	if (!r->ended)
		watch(r);
}

static void want(uv_poll_t *poll, int events)
{
	if (events)
		uv_poll_start(poll, events, carried);
	else
		uv_poll_stop(poll);
}

static void watch(struct relay *r)
{
	int far = 0, near = 0;

	if (r->state == CONNECTING || (r->state == SHAKING && tls_wants_write(r->tls)))
		far = UV_WRITABLE;
	else if (!r->in.finished && room(&r->in) > 0)
		far = UV_READABLE;
	if (fill(&r->out) > 0)
		far |= UV_WRITABLE;
	want(&r->far, far);
	if (r->near_fd < 0)
		return;
	if (!r->out.finished && room(&r->out) > 0)
		near = UV_READABLE;
	if (fill(&r->in) > 0)
		near |= UV_WRITABLE;
	want(&r->near, near);
}

/* ---- beginning ---- */

static void tune(int fd)
{
	const int on = 1, idle = 20, interval = 5, probes = 6;
	const unsigned timeout = SENT_TIMEOUT_MS;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

static struct relay *relay_new(struct relays *all, int fd, struct tls *tls)
{
	struct relay *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	if (uv_poll_init(all->loop, &r->far, fd) < 0) {
		free(r);
		return NULL;
	}
	uv_timer_init(all->loop, &r->timer);
	r->far.data = r->timer.data = r;
	r->handles = 2;
	r->far_fd = fd;
	r->near_fd = -1;
	r->tls = tls;
	tune(fd);
	uv_update_time(all->loop);
	uv_timer_start(&r->timer, out_of_patience, RELAY_PATIENCE_MS, 0);
	LIST_INSERT_HEAD(&all->list, r, link);
	return r;
}

int relay_connect(struct relays *all, const struct sockaddr *address, const struct key *key,
		  const struct mosix_channel_hello *hello, void (*done)(void *data, int error, int fd), void *data,
		  struct relay **ret_relay)
{
	socklen_t size = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct relay *r = NULL;
	struct tls *tls = NULL;
	int error = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, address, size) < 0 && errno != EINPROGRESS)
		error = -errno;
	if (error == 0)
		error = tls_open(fd, TLS_CHANNEL, key, &tls);
	if (error == 0 && !(r = relay_new(all, fd, tls)))
		error = -ENOMEM;
	if (error < 0) {
		tls_close(tls);
		close(fd);
		return error;
	}
	r->hello = *hello;
	r->done = done;
	r->data = data;
	r->state = CONNECTING;
	watch(r);
	*ret_relay = r;
	return 0;
}

void relay_accept(struct relays *all, struct tls *tls, int fd,
		  bool (*welcome)(void *data, int fd, const struct mosix_channel_hello *hello), void *data)
{
	struct relay *r = relay_new(all, fd, tls);

	if (!r) {
		tls_close(tls);
		close(fd);
		return;
	}
	r->welcome = welcome;
	r->data = data;
	r->state = GREETING;
	greet(r);	/* the hello may have come with the handshake and lie in the library already */
	if (!r->ended)
		watch(r);
}
