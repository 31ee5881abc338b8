/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "homed/channels.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/relay.h"

/* How long an unreachable node may keep a deputy waiting before the kernel breaks the channel. */
#define SILENCE_MS 15000
/* Connections under way at once: the door of a node lets only so many wait that have not spoken (remoted/door.h). */
#define OPENING_MOST 16

struct channel {
	struct channels *all;
	int fd;			/* -1 none yet */
	bool polled;		/* connected by ourselves … */
	uv_poll_t poll;
	struct relay *relay;	/* … or by this one, until it is done */
};

struct channels {
	struct homed *homed;
	struct sockaddr_storage peer;
	unsigned handles;
	bool closed, plain, over;	/* over: done() was called */
	struct mosix_channel_hello hello;
	void (*done)(void *data, int error);
	void *data;
	unsigned count, begun, ready;	/* channels in all, asked for, standing */
	struct channel channel[];
};

static int set_options(int fd)
{
	static const struct { int level, name, value; } options[] = {
		{ IPPROTO_TCP, TCP_NODELAY,      1          },
		{ SOL_SOCKET,  SO_KEEPALIVE,     1          },
		{ IPPROTO_TCP, TCP_KEEPIDLE,     5          },
		{ IPPROTO_TCP, TCP_KEEPINTVL,    5          },
		{ IPPROTO_TCP, TCP_KEEPCNT,      2          },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, SILENCE_MS },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int)) < 0)
			return -errno;
	return 0;
}

static void handle_closed(uv_handle_t *handle)
{
	struct channel *c = handle->data;

	if (--c->all->handles == 0)
		free(c->all);
}

void channels_close(struct channels *c)
{
	if (!c || c->closed)
		return;
	c->closed = true;
	for (unsigned i = 0; i < c->count; i++) {
		if (c->channel[i].relay)
			relay_cancel(c->channel[i].relay);
		if (c->channel[i].polled)
			uv_close((uv_handle_t *)&c->channel[i].poll, handle_closed);
		if (c->channel[i].fd >= 0)
			close(c->channel[i].fd);
	}
	if (!c->handles)
		free(c);
}

unsigned channels_descriptors(const struct channels *c, int ret_fd[MOSIX_CHANNELS_MAX])
{
	for (unsigned i = 0; i < c->count; i++)
		ret_fd[i] = c->channel[i].fd;
	return c->count;
}

unsigned channels_needed(uint32_t threads)
{
	uint32_t calls = threads > MOSIX_CALLS_MAX ? MOSIX_CALLS_MAX : threads + mosix_spare(threads);

	return MOSIX_CHANNELS - 1 + (calls > MOSIX_CALLS_MAX ? MOSIX_CALLS_MAX : calls);
}

bool channels_relayed(const struct channels *c)
{
	return !c->plain;
}

static int open_more(struct channels *all);

/* One of them stands or has failed. done() may close them all, also while some are still being opened. */
static void settled(struct channel *c, int error)
{
	struct channels *all = c->all;

	if (all->over)
		return;
	if (!error) {
		all->ready++;
		error = open_more(all);
	}
	all->over = error || all->ready == all->count;
	if (all->over)
		all->done(all->data, error);
}

static void writable(uv_poll_t *poll, int status, int events)
{
	struct channel *c = poll->data;
	struct mosix_channel_hello hello = c->all->hello;
	socklen_t size = sizeof(int);
	int error = 0;

	(void)events;
	uv_poll_stop(poll);
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (!error && status < 0)
		error = -status;
	hello.channel = (uint16_t)(c - c->all->channel);
	/* a fresh connection's buffer takes so little at once */
	if (!error && send(c->fd, &hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello))
		error = errno ? errno : EIO;
	/* the deputy waits in plain blocking calls */
	if (!error && fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) & ~O_NONBLOCK) < 0)
		error = errno;
	settled(c, -error);
}

static int connect_plain(struct homed *homed, const struct sockaddr *peer, struct channel *c)
{
	socklen_t size = peer->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	int r;

	c->fd = socket(peer->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	r = set_options(c->fd);
	if (r == 0 && connect(c->fd, peer, size) < 0 && errno != EINPROGRESS)
		r = -errno;
	if (r == 0)
		r = uv_poll_init(homed->loop, &c->poll, c->fd);
	if (r < 0)
		return r;
	c->polled = true;
	c->poll.data = c;
	c->all->handles++;
	return uv_poll_start(&c->poll, UV_WRITABLE, writable);
}

static void relayed(void *data, int error, int fd)
{
	struct channel *c = data;

	c->relay = NULL;
	c->fd = fd;
	settled(c, error);
}

static int connect_relayed(struct homed *homed, const struct sockaddr *peer, struct channel *c)
{
	struct mosix_channel_hello hello = c->all->hello;

	hello.channel = (uint16_t)(c - c->all->channel);
	return relay_connect(homed->relays, peer, &homed->key, &hello, relayed, c, &c->relay);
}

static bool is_loopback(const struct sockaddr *peer)
{
	if (peer->sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)peer)->sin6_addr);
	return ntohl(((const struct sockaddr_in *)peer)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static int open_more(struct channels *all)
{
	const struct sockaddr *peer = (const struct sockaddr *)&all->peer;
	int r = 0;

	while (r == 0 && all->begun < all->count && all->begun - all->ready < OPENING_MOST)
		r = (all->plain ? connect_plain : connect_relayed)(all->homed, peer, &all->channel[all->begun++]);
	return r;
}

int channels_open(struct homed *homed, const struct sockaddr *peer, pid_t pid, const uint8_t token[MOSIX_TOKEN_SIZE],
		  unsigned count, void (*done)(void *data, int error), void *data, struct channels **ret_channels)
{
	struct channels *all = calloc(1, sizeof(*all) + count * sizeof(all->channel[0]));
	int r;

	if (!all)
		return -ENOMEM;
	all->homed = homed;
	memcpy(&all->peer, peer, peer->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
	all->hello = (struct mosix_channel_hello){ .magic = MOSIX_HELLO_MAGIC, .version = MOSIX_PROTOCOL, .pid = (uint32_t)pid };
	memcpy(all->hello.token, token, MOSIX_TOKEN_SIZE);
	all->plain = homed->conf.trusted_network || is_loopback(peer);
	all->done = done;
	all->data = data;
	all->count = count;
	for (unsigned i = 0; i < count; i++) {
		all->channel[i].all = all;
		all->channel[i].fd = -1;
	}
	r = open_more(all);
	if (r < 0) {
		channels_close(all);
		return r;
	}
	*ret_channels = all;
	return 0;
}
