/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "remoted/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <mosix/plan.h>

#include "common/log.h"
#include "common/pass.h"
#include "common/reason.h"
#include "remoted/guest.h"
#include "remoted/member.h"
#include "remoted/node.h"
#include "remoted/visitor.h"

/* ---- the offer ---- */

static bool lives(const struct guest *g)
{
	return (g->state == GUEST_PLANNED || g->state == GUEST_RUNNING) && g->process == GUEST_ALIVE && g->loader >= 0;
}

int child_take(struct visitor *v, const msgpack_object *map)
{
	struct guest *parent, *child = NULL;
	uint32_t pid, epoch;
	const void *token;
	uint64_t id;
	size_t size;
	struct msg m;

	if (msg_get_uint(map, "id", &id) < 0 || msg_get_u32(map, "pid", &pid) < 0 || msg_get_u32(map, "epoch", &epoch) < 0 ||
	    msg_get_bin(map, "token", &token, &size) < 0 || size != MOSIX_TOKEN_SIZE)
		return -EPROTO;
	parent = guest_find(v->node, v->name, pid, epoch);
	if (parent && lives(parent) && node_has_descriptors(v->node, MOSIX_CHANNELS) && !node_blocked(v->node))
		child = guest_new(parent->home, v, 0, (uint32_t)id);
	if (!child || guest_await_channels(child, MOSIX_CHANNELS) < 0) {
		if (child)
			guest_free(child);
		visitor_refuse(v, id, MOSIX_WHY_REFUSED, 0, reason_sentence(MOSIX_WHY_REFUSED));
		return 0;
	}
	child->id = id;
	child->parent_pid = pid;
	child->parent_epoch = epoch;
	memcpy(child->token, token, MOSIX_TOKEN_SIZE);
	guest_enter(child, GUEST_ACCEPTED);
	msg_begin(&m, "accept");
	msg_add_uint(&m, "id", id);
	visitor_send(v, &m);
	return 0;
}

/* ---- its channels, to the parent ---- */

static int send_fds(int link, uint64_t birth, const int *fds, unsigned count)
{
	return pass_descriptors(link, &(struct iovec){ &birth, sizeof birth }, 1, fds, count);
}

static int open_link(int pair[2])
{
	const int on = 1;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	if (setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0)
		return 0;
	close(pair[0]);
	close(pair[1]);
	return -EIO;
}

/* Everything but the control channel is the guest's alone from now on: its end of file is what home goes by. */
static void keep_control(struct guest *child)
{
	child->control = child->channels[MOSIX_CHANNEL_CONTROL];
	child->channels[MOSIX_CHANNEL_CONTROL] = -1;
	guest_close_channels(child);
}

static void hear(void *data);

static int hand_over(struct guest *child, const struct guest *parent)
{
	int pair[2], fds[MOSIX_BIRTH_FDS], r = open_link(pair);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < MOSIX_CHANNELS; i++) {
		fcntl(child->channels[i], F_SETFL, fcntl(child->channels[i], F_GETFL) & ~O_NONBLOCK);
		fds[i] = child->channels[i];
	}
	fds[MOSIX_CHANNELS] = pair[1];
	child->loader = pair[0];
	child->watch = watch_new(child->home->node->loop, child->loader, hear, child);
	r = child->watch ? send_fds(parent->loader, child->id, fds, MOSIX_BIRTH_FDS) : -ENOMEM;
	close(pair[1]);
	if (r == 0)
		keep_control(child);
	return r;
}

void child_linked(struct guest *child)
{
	struct node *node = child->home->node;
	struct guest *parent = guest_find(node, child->home->name, child->parent_pid, child->parent_epoch);
	struct msg m;
	int r = parent && lives(parent) ? hand_over(child, parent) : -ESRCH;

	if (r < 0) {
		guest_fail(child, MOSIX_WHY_LOADER, -r, "its parent does not take its channels: %s", strerror(-r));
		return;
	}
	msg_begin(&m, "linked");
	msg_add_uint(&m, "id", child->id);
	visitor_send(child->visitor, &m);
	child->visitor = NULL;
	guest_enter(child, GUEST_AWAITED);
}

/* ---- its first word ---- */

/* The word and who said it, by the number that it has here. 0, or -errno; -EPIPE: the guest has thrown the link away. */
static int hear_word(int link, pid_t *ret_pid)
{
	union { struct cmsghdr head; char space[CMSG_SPACE(sizeof(struct ucred))]; } control;
	uint32_t word = 0;
	struct iovec iov = { &word, sizeof word };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	struct ucred cred = { .pid = 0 };
	ssize_t n = recvmsg(link, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (n == 0)
		return -EPIPE;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof cred))
		memcpy(&cred, CMSG_DATA(c), sizeof cred);
	if (n != sizeof word || word != MOSIX_BIRTH_WORD || cred.pid <= 0)
		return -EPROTO;
	*ret_pid = cred.pid;
	return 0;
}

/* What comes on the control channel is a ring, as the loader makes it for other guests. */
static int hang_doorbell(int control, pid_t pid)
{
	const struct f_owner_ex owner = { .type = F_OWNER_PID, .pid = pid };
	int flags = fcntl(control, F_GETFL);

	if (flags < 0 || fcntl(control, F_SETOWN_EX, &owner) < 0 || fcntl(control, F_SETSIG, SIGURG) < 0 ||
	    fcntl(control, F_SETFL, flags | O_ASYNC) < 0)
		return -errno;
	return 0;
}

/* A guest that says the word itself is none. */
static bool is_new(const struct guest *child, uint32_t pid)
{
	const struct guest *other;

	LIST_FOREACH(other, &child->home->guests, link)
		if (other != child && other->pid == pid && other->process != GUEST_NO_PROCESS)
			return false;
	return true;
}

/* Physical addresses are shown to whomever opened it with CAP_SYS_ADMIN, which remoted has when it runs as root. -1 and errno. */
static int open_pagemap(int proc)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct own[2], less[2];
	int fd;

	if (syscall(SYS_capget, &head, own) < 0)
		return -1;
	memcpy(less, own, sizeof less);
	less[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
	if (syscall(SYS_capset, &head, less) < 0)
		return -1;
	fd = openat(proc, "pagemap", O_RDONLY | O_CLOEXEC);
	if (syscall(SYS_capset, &head, own) < 0)
		log_error("cannot take its capabilities back: %s", strerror(errno));
	return fd;
}

static int welcome(struct guest *child, pid_t pid)
{
	char path[32];
	int fds[2] = { -1, -1 }, proc, r = -EIO;
	uint32_t number;

	snprintf(path, sizeof path, "/proc/%d", (int)pid);
	proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return -errno;
	number = member_number(proc, pid, cage_warden(child->home->cage));
	if (number && is_new(child, number))
		r = cage_adopt(child->home->cage, number, child->parent_epoch);
	if (r == 0) {
		child->pid = number;
		child->epoch = child->parent_epoch;
		child->process = GUEST_ALIVE;
		r = hang_doorbell(child->control, pid);
	}
	if (r == 0) {
		fds[0] = openat(proc, "maps", O_RDONLY | O_CLOEXEC);
		fds[1] = open_pagemap(proc);
		r = fds[0] < 0 || fds[1] < 0 ? -errno : send_fds(child->loader, child->id, fds, 2);
	}
	for (unsigned i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	close(proc);
	return r;
}

static void hear(void *data)
{
	struct guest *child = data;
	struct home *home = child->home;
	pid_t pid = 0;
	int r = hear_word(child->loader, &pid);

	if (r == -EAGAIN)
		return;
	if (r == 0)
		r = child->home->cage ? welcome(child, pid) : -ESRCH;
	watch_end(&child->watch);
	close(child->control);
	child->control = -1;
	if (r == -EPIPE) {
		guest_free(child);
		home_changed(home);
	} else if (r < 0) {
		guest_fail(child, MOSIX_WHY_LOADER, -r, "what its parent made is no child: %s", strerror(-r));
	} else {
		log_info("guest %u/%u of %s was born to %u", child->pid, child->epoch, child->home->name, child->parent_pid);
		guest_enter(child, GUEST_RUNNING);
	}
}
