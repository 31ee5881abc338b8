/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/pass.h"
#include "warden.h"

#ifndef MOSIX_LIBEXECDIR
#define MOSIX_LIBEXECDIR "/usr/local/libexec"
#endif

enum { STAND_MS = 10000 };

struct cage {
	int socket;
	int warden;	/* pidfd */
	pid_t pid;	/* of the warden */
};

static const char *const sentences[] = {
#define STEP(name, sentence) [WARDEN_##name] = sentence,
	WARDEN_STEPS(STEP)
#undef STEP
};

static int open_loader(int *ret_fd)
{
	const char *named = secure_getenv("MOSIX_LOADER");
	char path[PATH_MAX];
	ssize_t n;
	int fd;

	if (named != NULL && *named != '\0') {
		fd = open(named, O_RDONLY | O_CLOEXEC);
	} else {
		n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("../guest/mosix-loader"));
		while (n > 0 && path[n - 1] != '/')
			n--;
		strcpy(path + (n > 0 ? n : 0), "mosix-loader");
		fd = n > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
		if (fd < 0 && n > 0) {	/* in a build tree */
			strcpy(path + n, "../guest/mosix-loader");
			fd = open(path, O_RDONLY | O_CLOEXEC);
		}
		if (fd < 0)
			fd = open(MOSIX_LIBEXECDIR "/mosix-loader", O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static void end_warden(struct cage *c)
{
	close(c->socket);
	if (c->warden < 0)
		return;
	syscall(SYS_pidfd_send_signal, c->warden, SIGKILL, NULL, 0);
	while (waitid(P_PIDFD, (id_t)c->warden, &(siginfo_t){ 0 }, WEXITED | __WALL) < 0 && errno == EINTR)
		;
	close(c->warden);
}

/* The first message says that the cage stands, or what did not work. */
static int await_warden(struct cage *c, enum warden_step *ret_step)
{
	struct pollfd p = { .fd = c->socket, .events = POLLIN };
	struct warden_answer a;
	int r;

	do
		r = poll(&p, 1, STAND_MS);
	while (r < 0 && errno == EINTR);
	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	if (recv(c->socket, &a, sizeof(a), MSG_DONTWAIT) != sizeof(a) || a.kind != WARDEN_STANDS)
		return -EPROTO;
	*ret_step = (enum warden_step)a.status;
	return a.error;
}

static int start_warden(const char *home, int loader, struct cage *ret, enum warden_step *ret_step)
{
	/* Exit signal 0: the warden is nobody's SIGCHLD but cage_close()'s. */
	struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&ret->warden,
	};
	uint32_t uid = geteuid(), gid = getegid();
	sigset_t all, before;
	int pair[2], error;
	long pid;

	*ret_step = WARDEN_NAMESPACES;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	/* remoted's handlers must not run in the warden, where they would write into remoted's pipes. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		warden_run(pair[1], loader, home, uid, gid);
	error = -errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return error;
	}
	ret->socket = pair[0];
	ret->pid = (pid_t)pid;
	return 0;
}

static int open_cage(const char *home, struct cage **ret, enum warden_step *ret_step)
{
	struct cage c = { -1, -1, 0 }, *copy;
	int loader, r;

	*ret_step = WARDEN_LOADER;
	r = open_loader(&loader);
	if (r != 0)
		return r;
	copy = malloc(sizeof(*copy));
	if (copy == NULL) {
		close(loader);
		return -ENOMEM;
	}
	r = start_warden(home, loader, &c, ret_step);
	close(loader);
	if (r == 0) {
		r = await_warden(&c, ret_step);
		if (r != 0)
			end_warden(&c);
	}
	if (r != 0) {
		free(copy);
		return r;
	}
	*copy = c;
	*ret = copy;
	return 0;
}

int cage_open(const char *home, struct cage **ret)
{
	enum warden_step step;

	return open_cage(home, ret, &step);
}

int cage_probe(const char **ret_step)
{
	enum warden_step step;
	struct cage *c;
	int r = open_cage("probe", &c, &step);

	if (r == 0)
		cage_close(c);
	else
		*ret_step = (size_t)step < sizeof(sentences) / sizeof(*sentences) ? sentences[step] : "";
	return r;
}

void cage_close(struct cage *c)
{
	if (c == NULL)
		return;
	end_warden(c);
	free(c);
}

int cage_fd(const struct cage *c)
{
	return c->socket;
}

pid_t cage_warden(const struct cage *c)
{
	return c->pid;
}

int cage_read(struct cage *c, struct cage_event *ret)
{
	struct warden_answer a;
	ssize_t n;

	do
		n = recv(c->socket, &a, sizeof(a), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? -EAGAIN : -EPIPE;
	if (n != sizeof(a))
		return -EPIPE;
	*ret = (struct cage_event){
		.kind = (enum cage_event_kind)a.kind, .pid = a.pid, .epoch = a.epoch, .error = a.error, .status = a.status,
	};
	return 0;
}

static int request(struct cage *c, const struct warden_request *q, int fd)
{
	int r = pass_descriptors(c->socket, &(struct iovec){ (void *)q, sizeof(*q) }, 1, &fd, fd >= 0);

	return r == -ECONNRESET ? -EPIPE : r;
}

int cage_spawn(struct cage *c, uint32_t pid, uint32_t epoch, int64_t mono_offset_ns, int64_t boot_offset_ns,
	       uint64_t stack_limit, int loader_socket)
{
	const struct warden_request q = {
		.kind = WARDEN_SPAWN, .pid = pid, .epoch = epoch, .mono_ns = mono_offset_ns, .boot_ns = boot_offset_ns,
		.stack_limit = stack_limit,
	};

	if (loader_socket < 0)
		return -EBADF;
	return request(c, &q, loader_socket);
}

int cage_adopt(struct cage *c, uint32_t pid, uint32_t epoch)
{
	return request(c, &(struct warden_request){ .kind = WARDEN_ADOPT, .pid = pid, .epoch = epoch }, -1);
}

int cage_sweep(struct cage *c)
{
	return request(c, &(struct warden_request){ .kind = WARDEN_SWEEP }, -1);
}

int cage_signal(struct cage *c, uint32_t pid, uint32_t epoch, int sig)
{
	const struct warden_request q = { .kind = WARDEN_SIGNAL, .pid = pid, .epoch = epoch, .sig = sig };

	if (sig != SIGSTOP && sig != SIGCONT && sig != SIGKILL)
		return -EINVAL;
	return request(c, &q, -1);
}
