/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "warden.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cage.h"
#include "common/step.h"
#include "warden_parts.h"

enum { GUESTS_MAX = 4096 };

/* Live or dead, but not reaped: a slot is free when pid is 0. */
struct guest { uint32_t pid, epoch; };

static struct guest guests[GUESTS_MAX];

static struct guest *find(uint32_t pid)
{
	for (int i = 0; i < GUESTS_MAX; i++)
		if (guests[i].pid == pid)
			return &guests[i];
	return NULL;
}

/* Blocks if remoted is slow to read; remoted never blocks on us. If it is gone, so are we. */
static void answer(int socket, const struct warden_answer *a)
{
	ssize_t n;

	do
		n = send(socket, a, sizeof(*a), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		_exit(1);
}

/* Also children of guests before they are adopted, and what a hostile guest may have cloned. */
static void reap(int socket)
{
	struct guest *g;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
		g = find((uint32_t)pid);
		if (g == NULL)
			continue;
		step_pass("warden.", "home_ended");
		answer(socket, &(struct warden_answer){
			.kind = CAGE_ENDED, .pid = g->pid, .epoch = g->epoch, .status = status,
		});
		*g = (struct guest){ 0 };
	}
}

/* Takes loader_socket: once remoted knows, only the guest has it. */
static void spawn(const struct warden *w, const struct warden_request *q, int loader_socket)
{
	struct warden_answer a = { .kind = CAGE_SPAWNED, .pid = q->pid, .epoch = q->epoch };
	struct guest *g;

	step_pass("warden.", "asked");
	/* Its last life may have ended just now: that must be told first. */
	reap(w->socket);
	g = find(0);
	if (q->pid <= 1 || q->pid > INT32_MAX || loader_socket < 0)
		a.error = -EINVAL;
	else if (g == NULL)
		a.error = -EAGAIN;
	else if (find(q->pid) != NULL)
		a.error = -EEXIST;
	else
		a.error = warden_spawn(w, q, loader_socket);
	if (a.error != 0)
		a.kind = CAGE_FAILED;
	else
		*g = (struct guest){ q->pid, q->epoch };
	if (a.error == 0)
		step_pass("warden.", "spawned");
	if (loader_socket >= 0)
		close(loader_socket);
	answer(w->socket, &a);
}

static void adopt(const struct warden *w, const struct warden_request *q)
{
	struct guest *g;

	reap(w->socket);
	g = find(0);
	/* Not reaped, so it is still the one that is meant. */
	if (q->pid <= 1 || q->pid > INT32_MAX || find(q->pid) != NULL)
		return;		/* remoted asks for no such thing */
	if (g != NULL && kill((pid_t)q->pid, 0) == 0) {
		*g = (struct guest){ q->pid, q->epoch };
		return;
	}
	kill((pid_t)q->pid, SIGKILL);	/* there is no place for it, if it lives */
	answer(w->socket, &(struct warden_answer){ .kind = CAGE_ENDED, .pid = q->pid, .epoch = q->epoch });
}

static void serve(const struct warden *w)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct warden_request q;
	struct iovec iov = { &q, sizeof(q) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control) };
	struct cmsghdr *h;
	struct guest *g;
	int fd = -1;
	ssize_t n = recvmsg(w->socket, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (n != sizeof(q))
		_exit(0);
	h = CMSG_FIRSTHDR(&msg);
	if (h != NULL && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(h), sizeof(int));

	switch (q.kind) {
	case WARDEN_SPAWN:
		spawn(w, &q, fd);
		fd = -1;
		break;
	case WARDEN_SIGNAL:
		g = q.pid == 0 ? NULL : find(q.pid);
		/* Not reaped, so the pid cannot be anybody else's. */
		if (g != NULL && g->epoch == q.epoch)
			kill((pid_t)q.pid, q.sig);
		break;
	case WARDEN_ADOPT:
		adopt(w, &q);
		break;
	case WARDEN_SWEEP:
		kill(-1, SIGKILL);
		break;
	}
	if (fd >= 0)
		close(fd);
}

static int open_signals(int *ret_fd)
{
	sigset_t all, child;
	int fd;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

_Noreturn void warden_run(int socket, int loader, const char *home, uint32_t uid, uint32_t gid)
{
	struct warden w = { .socket = socket, .loader = loader, .proc = -1, .offsets = -1 };
	struct signalfd_siginfo info;
	enum warden_step step;
	int signals = -1, error;

	error = warden_enclose(&w, home, uid, gid, &step);
	if (error == 0) {
		step = WARDEN_LOOP;
		error = open_signals(&signals);
	}
	step_pass("warden.", "stands");
	answer(w.socket, &(struct warden_answer){
		.kind = WARDEN_STANDS, .error = error, .status = error == 0 ? WARDEN_READY : (int)step,
	});
	if (error != 0)
		_exit(1);

	for (;;) {
		struct pollfd p[] = { { .fd = w.socket, .events = POLLIN }, { .fd = signals, .events = POLLIN } };

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			_exit(1);
		if (p[1].revents != 0) {
			while (read(signals, &info, sizeof(info)) > 0)
				;
			reap(w.socket);
		}
		if (p[0].revents != 0)
			serve(&w);
	}
}
