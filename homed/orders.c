/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "homed/orders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>
#include <mosix/paths.h>
#include <mosix/stack.h>
#include "common/log.h"
#include "common/pass.h"
#include "common/runtime.h"
#include "homed/births.h"
#include "homed/move.h"

#define LINKS_MAX     4096
#define LINKS_PROCESS 8		/* of one pid at a time */
#define SWEEP_MS      2500
#define FIRST_MS      5000	/* from connect to the first word */
#define IDLE_MS       60000	/* without a move */

struct order_link {
	LIST_ENTRY(order_link) list;
	struct orders *orders;
	int fd;
	pid_t pid;		/* of who connected */
	uv_poll_t poll;
	struct move *move;
	uint64_t heard_ms;
	bool spoken, closed;
};

/* A word and, with one of a snapshot, a piece of that. */
struct packet {
	struct mosix_word word;
	uint8_t bytes[sizeof(struct mosix_stack_piece) + MOSIX_STACK_PACKET];
};

struct orders {
	struct homed *homed;
	int fd;
	uv_poll_t poll;
	uv_timer_t sweep;
	unsigned count;
	LIST_HEAD(, order_link) links;
};

static void link_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void close_link(struct order_link *link)
{
	if (link->closed)
		return;
	link->closed = true;
	LIST_REMOVE(link, list);
	link->orders->count--;
	uv_close((uv_handle_t *)&link->poll, link_closed);
	close(link->fd);
	link->fd = -1;
}

void order_link_bind(struct order_link *link, struct move *move)
{
	link->move = move;
}

void order_link_bind_none(struct move *move)
{
	if (move->link)
		move->link->move = NULL;
	move->link = NULL;
}

/* The connection is of no use any more. */
static void cut(struct order_link *link)
{
	struct move *move = link->move;

	if (link->closed)
		return;
	link->move = NULL;
	births_link_cut(link);
	close_link(link);
	if (move)
		moves_link_cut(move, link);
}

static int send_order(struct order_link *link, const struct mosix_order *order, const struct mosix_order_file *file,
		      const int *fd, unsigned fds)
{
	struct iovec iov[2] = { { (void *)order, sizeof(*order) },
				{ (void *)file, (order->files + order->others) * sizeof(*file) } };
	unsigned n = fds < MOSIX_ORDER_BATCH ? fds : MOSIX_ORDER_BATCH;
	int r = pass_descriptors(link->fd, iov, file ? 2 : 1, fd, n);

	while (r == 0 && n < fds) {
		unsigned next = fds - n < MOSIX_ORDER_BATCH ? fds - n : MOSIX_ORDER_BATCH;
		struct iovec byte = { (void *)"", 1 };

		r = pass_descriptors(link->fd, &byte, 1, fd + n, next);
		n += next;
	}
	/* Half an order: the core is not to wait for the rest. */
	if (r < 0 && fds)
		shutdown(link->fd, SHUT_WR);
	return r;
}

void order_none(struct order_link *link)
{
	struct mosix_order order = { MOSIX_ORDER_MAGIC, MOSIX_ORDER_VERSION, MOSIX_ORDER_NONE, .epoch = 0 };

	/* If it cannot be sent, its last word may still be there to be read, and behind that the end of the connection. */
	send_order(link, &order, NULL, NULL, 0);
}

int order_home(struct order_link *link, uint32_t epoch)
{
	struct mosix_order order = { MOSIX_ORDER_MAGIC, MOSIX_ORDER_VERSION, MOSIX_ORDER_HOME, .epoch = epoch };

	return send_order(link, &order, NULL, NULL, 0);
}

int order_leave(struct order_link *link, uint32_t epoch, uint32_t trace, uint64_t deadline_ns, const char *node,
		const struct files *files, const int *fd, unsigned fds)
{
	struct mosix_order order = {
		MOSIX_ORDER_MAGIC, MOSIX_ORDER_VERSION, MOSIX_ORDER_LEAVE,
		.epoch = epoch, .deadline_ns = deadline_ns, .files = files->count, .others = files->others,
		.channels = fds, .trace = trace,
	};
	struct mosix_order_file *list = calloc(files->count + files->others + 1, sizeof(*list));
	int r;

	if (!list)
		return -ENOMEM;
	strncpy(order.node, node, sizeof(order.node) - 1);
	for (uint32_t i = 0; i < files->count; i++) {
		const struct file *f = &files->file[i];

		list[i] = (struct mosix_order_file){ f->device, f->inode, f->size, f->mtime_ns };
	}
	if (files->others)
		memcpy(list + files->count, files->other, files->others * sizeof(*list));
	r = send_order(link, &order, list, fd, fds);
	free(list);
	return r;
}

int order_child(struct order_link *link, uint32_t epoch, uint64_t birth, const int *fd, unsigned fds)
{
	struct mosix_order order = {
		MOSIX_ORDER_MAGIC, MOSIX_ORDER_VERSION, MOSIX_ORDER_CHILD, .epoch = epoch, .channels = fds, .birth = birth,
	};

	return send_order(link, &order, NULL, fd, fds);
}

int order_stack(struct order_link *link)
{
	struct mosix_order order = { MOSIX_ORDER_MAGIC, MOSIX_ORDER_VERSION, MOSIX_ORDER_STACK, .epoch = 0 };

	return send_order(link, &order, NULL, NULL, 0);
}

/* Only pieces of a snapshot come with a word. */
static bool is_whole(const struct mosix_word *word, size_t size)
{
	return size == sizeof(*word) ||
	       (size > sizeof(*word) && size <= sizeof(struct packet) && word->kind == MOSIX_WORD_STACK);
}

static void take_word(struct order_link *link, const struct packet *packet, size_t size)
{
	const struct mosix_word *word = &packet->word;
	struct process *p;

	if (!is_whole(word, size) || word->magic != MOSIX_ORDER_MAGIC || word->version != MOSIX_ORDER_VERSION ||
	    word->pid != (uint32_t)link->pid || word->kind < MOSIX_WORD_HERE || word->kind > MOSIX_WORD_STACK) {
		log_warning("process %d said something that is not understood", link->pid);
		cut(link);
		return;
	}
	link->spoken = true;
	link->heard_ms = uv_now(link->orders->homed->loop);
	p = process_find(link->orders->homed, link->pid);
	if (word->kind == MOSIX_WORD_FORK)
		births_ask(link->orders->homed, p, link, word);
	else if (word->kind == MOSIX_WORD_FORKED && !births_forked(link->orders->homed, link->pid, link, word))
		cut(link);
	else if (word->kind == MOSIX_WORD_FORKED)
		return;
	else if (p)
		moves_word(p, link, word, packet->bytes, size - sizeof(*word));
	else if (word->kind == MOSIX_WORD_HERE)
		order_none(link);
}

static void readable(uv_poll_t *poll, int status, int events)
{
	static struct packet packet;
	struct order_link *link = poll->data;
	ssize_t n;

	(void)status;
	(void)events;
	while (!link->closed) {
		n = recv(link->fd, &packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			cut(link);
		else
			take_word(link, &packet, (size_t)n);
	}
}

static bool welcome(struct orders *o, int fd, pid_t *ret_pid)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);
	struct order_link *link;
	unsigned same = 0;

	if (o->count >= LINKS_MAX || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0 || cred.uid != getuid() ||
	    cred.pid <= 0)
		return false;
	LIST_FOREACH(link, &o->links, list)
		if (link->pid == cred.pid && ++same == LINKS_PROCESS)
			return false;
	*ret_pid = cred.pid;
	return true;
}

static void acceptable(uv_poll_t *poll, int status, int events)
{
	struct orders *o = poll->data;
	struct order_link *link;
	pid_t pid;
	int fd;

	(void)status;
	(void)events;
	while ((fd = accept4(o->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (!welcome(o, fd, &pid)) {
			close(fd);
			continue;
		}
		link = calloc(1, sizeof(*link));
		if (!link || uv_poll_init(o->homed->loop, &link->poll, fd) < 0) {
			free(link);
			close(fd);
			continue;
		}
		link->orders = o;
		link->fd = fd;
		link->pid = pid;
		link->poll.data = link;
		link->heard_ms = uv_now(o->homed->loop);
		LIST_INSERT_HEAD(&o->links, link, list);
		o->count++;
		uv_poll_start(&link->poll, UV_READABLE, readable);
	}
}

void orders_drain(struct orders *orders, pid_t pid)
{
	struct order_link *link, *next;

	acceptable(&orders->poll, 0, UV_READABLE);
	for (link = LIST_FIRST(&orders->links); link; link = next) {
		next = LIST_NEXT(link, list);
		if (link->pid == pid)
			readable(&link->poll, 0, UV_READABLE);
	}
}

/* A process that is away keeps its connection for the next order. */
static bool is_away(struct orders *o, pid_t pid)
{
	const struct process *p = process_find(o->homed, pid);

	return p && process_away(p);
}

static void sweep(uv_timer_t *timer)
{
	struct orders *o = timer->data;
	struct order_link *link = LIST_FIRST(&o->links), *next;

	for (; link; link = next) {
		uint64_t silent = uv_now(o->homed->loop) - link->heard_ms;

		next = LIST_NEXT(link, list);
		if (!link->move && silent > (link->spoken ? IDLE_MS : FIRST_MS) && !is_away(o, link->pid))
			cut(link);
	}
}

int orders_start(struct homed *homed, struct orders **ret_orders)
{
	struct orders *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return -ENOMEM;
	o->homed = homed;
	r = runtime_listen(MOSIX_PATH_ORDERS, SOCK_SEQPACKET | SOCK_NONBLOCK, &o->fd);
	if (r < 0) {
		free(o);
		return r;
	}
	r = uv_poll_init(homed->loop, &o->poll, o->fd);
	if (r < 0) {
		close(o->fd);
		free(o);
		return r;
	}
	uv_timer_init(homed->loop, &o->sweep);
	o->poll.data = o;
	o->sweep.data = o;
	uv_poll_start(&o->poll, UV_READABLE, acceptable);
	uv_timer_start(&o->sweep, sweep, SWEEP_MS, SWEEP_MS);
	*ret_orders = o;
	return 0;
}
