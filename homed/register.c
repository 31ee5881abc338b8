/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "homed/register.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <mosix/order.h>
#include <mosix/paths.h>
#include "common/log.h"
#include "common/runtime.h"
#include "homed/moves.h"
#include "homed/place.h"
#include "homed/process.h"

/* So many at most before others in the loop have their turn. */
#define BATCH 256

struct registrar { struct homed *homed; int fd; uv_poll_t poll; };

static void apply_place(struct process *p, const struct place *place)
{
	p->stay = place->stay;
	p->noauto = place->noauto;
	p->trace = place->trace;
	process_save(p);
	if (place->node[0])
		moves_request(p, place->node, MOVE_BY_PLACE, NULL);
}

static void take(struct homed *homed, pid_t pid, const struct mosix_register *m)
{
	struct process *p;
	struct place place;
	int r;

	if (m->magic != MOSIX_ORDER_MAGIC || m->version != MOSIX_ORDER_VERSION || m->pid != (uint32_t)pid || !m->secret) {
		log_warning("process %d sent a registration that is not understood", pid);
		return;
	}
	r = process_register(homed, pid, m->secret, m->arena, &p);
	if (r < 0) {
		if (r != -ESRCH)
			log_warning("process %d cannot be registered: %s", pid, strerror(-r));
		return;
	}
	log_debug("process %d has registered", pid);
	if (places_take(homed->places, pid, p->start, &place))
		apply_place(p, &place);
}

/* 1: taken; 0: none there. */
static int receive(struct registrar *g)
{
	union { struct cmsghdr head; char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(64)]; } control;
	struct mosix_register m;
	struct iovec iov = { &m, sizeof(m) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct ucred cred = { .pid = 0 };
	ssize_t n = recvmsg(g->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&cred, CMSG_DATA(c), sizeof(cred));
		} else if (c->cmsg_type == SCM_RIGHTS) {
			/* nobody should send descriptors here: do not keep them */
			for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
				int fd;

				memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
				close(fd);
			}
		}
	}
	if (cred.pid > 0 && cred.uid == getuid() && n == sizeof(m) && !(msg.msg_flags & MSG_TRUNC))
		take(g->homed, cred.pid, &m);
	return 1;
}

static void readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	for (int i = 0; i < BATCH && receive(poll->data); i++)
		;
}

int registrar_start(struct homed *homed, struct registrar **ret_registrar)
{
	struct registrar *g = calloc(1, sizeof(*g));
	int on = 1, r;

	if (!g)
		return -ENOMEM;
	g->homed = homed;
	r = runtime_listen(MOSIX_PATH_REGISTER, SOCK_DGRAM | SOCK_NONBLOCK, &g->fd);
	if (r < 0) {
		free(g);
		return r;
	}
	if (setsockopt(g->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		r = -errno;
	if (r == 0)
		r = uv_poll_init(homed->loop, &g->poll, g->fd);
	if (r < 0) {
		close(g->fd);
		free(g);
		return r;
	}
	g->poll.data = g;
	uv_poll_start(&g->poll, UV_READABLE, readable);
	*ret_registrar = g;
	return 0;
}
