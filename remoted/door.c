/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remoted/door.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include <mosix/wire.h>

#include "common/log.h"
#include "remoted/guest.h"
#include "remoted/node.h"
#include "remoted/visitor.h"

#define TLS_FIRST_BYTE 0x16	/* a handshake record */
#define ACCEPTS_A_TURN 16
#define PAUSE_MS       100	/* without descriptors there is nothing to accept with */

struct stranger {
	TAILQ_ENTRY(stranger) link;
	struct door *door;
	int fd;
	struct watch *watch;
	struct alarm *alarm;
	size_t got;
	struct mosix_channel_hello hello;
};

struct door {
	struct node *node;
	int fd;
	struct watch *watch;
	struct alarm *pause;
	TAILQ_HEAD(, stranger) strangers;	/* the one who waits longest comes first */
	unsigned count;
};

static void callers(void *data);

/* Frees the record; the socket is closed unless somebody has taken it over. */
static void leave(struct stranger *s, bool keep_socket)
{
	watch_end(&s->watch);
	alarm_end(&s->alarm);
	if (!keep_socket)
		close(s->fd);
	TAILQ_REMOVE(&s->door->strangers, s, link);
	s->door->count--;
	free(s);
}

static void out_of_patience(void *data)
{
	leave(data, false);
}

/* Without a trusted network only this machine itself may speak in the clear. */
static bool may_be_plain(const struct node *node, int fd)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&peer;
	const struct in6_addr *v6 = &((const struct sockaddr_in6 *)&peer)->sin6_addr;
	socklen_t size = sizeof peer;

	if (node->trusted_network)
		return true;
	getpeername(fd, (struct sockaddr *)&peer, &size);
	if (peer.ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	if (peer.ss_family != AF_INET6)
		return false;
	return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == IN_LOOPBACKNET);
}

static void speaks(void *data)
{
	struct stranger *s = data;
	struct node *node = s->door->node;
	int fd = s->fd;
	uint8_t first;
	ssize_t n;

	if (s->got == 0) {
		n = recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
		if (n == 1 && first == TLS_FIRST_BYTE) {
			leave(s, true);
			visitor_accept(node, fd);
			return;
		}
	}
	/* Never more than the hello: what follows on a page channel is for others. */
	n = recv(fd, (char *)&s->hello + s->got, sizeof s->hello - s->got, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		leave(s, false);
		return;
	}
	s->got += (size_t)n;
	if (s->got < sizeof s->hello)
		return;

	/* The guest watches the same descriptor: this watch has to go first. */
	struct mosix_channel_hello hello = s->hello;

	bool plain = may_be_plain(node, fd);

	leave(s, true);
	if (plain && guest_link(node, fd, &hello))
		return;
	log_info("somebody at the door was sent away: %s", plain ? "no guest awaits this channel" :
		 "channels from other machines must come through TLS (trusted_network = no)");
	close(fd);
}

static void admit(struct door *door, int fd)
{
	struct stranger *s = calloc(1, sizeof *s);

	if (!s) {
		close(fd);
		return;
	}
	s->door = door;
	s->fd = fd;
	if (door->count >= DOOR_STRANGERS)
		leave(TAILQ_FIRST(&door->strangers), false);
	TAILQ_INSERT_TAIL(&door->strangers, s, link);
	door->count++;
	s->watch = watch_new(door->node->loop, fd, speaks, s);
	s->alarm = alarm_new(door->node->loop, out_of_patience, s);
	if (s->watch && s->alarm)
		alarm_set(s->alarm, DOOR_PATIENCE_MS);
	else
		leave(s, false);
}

static void open_again(void *data)
{
	struct door *door = data;

	door->watch = watch_new(door->node->loop, door->fd, callers, door);
	if (!door->watch)
		alarm_set(door->pause, PAUSE_MS);
}

static void callers(void *data)
{
	struct door *door = data;

	for (unsigned i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0) {
			admit(door, fd);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			/* The waiting connection stays readable: to be called again at once would only burn the processor. */
			log_warning("no descriptors left to let anybody in");
			watch_end(&door->watch);
			alarm_set(door->pause, PAUSE_MS);
			return;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			return;
		}
	}
}

static int listen_at(const struct sockaddr *address, int *ret_fd, uint16_t *ret_port)
{
	socklen_t size = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	struct sockaddr_storage bound;
	const int on = 1;
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	/* So that a node that was just stopped can start again at its port. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, address, size) < 0 || listen(fd, SOMAXCONN) < 0)
		goto failed;
	size = sizeof bound;
	if (getsockname(fd, (struct sockaddr *)&bound, &size) < 0)
		goto failed;
	*ret_port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
						      : ((struct sockaddr_in *)&bound)->sin_port);
	*ret_fd = fd;
	return 0;
failed:;
	int error = errno;

	close(fd);
	return -error;
}

int door_open(struct node *node, const struct sockaddr *address, struct door **ret_door, uint16_t *ret_port)
{
	struct door *door = calloc(1, sizeof *door);

	if (!door)
		return -ENOMEM;
	door->node = node;
	TAILQ_INIT(&door->strangers);
	int r = listen_at(address, &door->fd, ret_port);

	if (r < 0) {
		free(door);
		return r;
	}
	door->watch = watch_new(node->loop, door->fd, callers, door);
	door->pause = alarm_new(node->loop, open_again, door);
	if (!door->watch || !door->pause) {
		door_close(door);
		return -ENOMEM;
	}
	*ret_door = door;
	return 0;
}

void door_close(struct door *door)
{
	if (!door)
		return;
	while (!TAILQ_EMPTY(&door->strangers))
		leave(TAILQ_FIRST(&door->strangers), false);
	watch_end(&door->watch);
	alarm_end(&door->pause);
	close(door->fd);
	free(door);
}
