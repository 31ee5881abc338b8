/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stands in for remoted/cage.c, filter.c and snapshot.c: guests that are no processes, but start and end as remoted expects of
   them. */
#include "tests/fuzz/cage_double.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "remoted/cage.h"
#include "remoted/filter.h"
#include "remoted/snapshot.h"

#define EVENTS_MOST 4096

struct cage { int fd; unsigned first, count; struct cage_event event[EVENTS_MOST]; };

int cage_double_loader = -1;

int cage_open(const char *home, struct cage **ret)
{
	struct cage *c = calloc(1, sizeof(*c));

	(void)home;
	if (!c)
		return -ENOMEM;
	c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
	*ret = c;
	return 0;
}

int cage_probe(const char **ret_step)
{
	(void)ret_step;
	return 0;
}

void cage_close(struct cage *c)
{
	if (!c)
		return;
	close(c->fd);
	free(c);
}

int cage_fd(const struct cage *c)
{
	return c->fd;
}

static int say(struct cage *c, struct cage_event event)
{
	if (c->count == EVENTS_MOST)
		return -EAGAIN;
	c->event[(c->first + c->count++) % EVENTS_MOST] = event;
	return eventfd_write(c->fd, 1) < 0 ? -errno : 0;
}

int cage_read(struct cage *c, struct cage_event *ret)
{
	eventfd_t one;

	if (eventfd_read(c->fd, &one) < 0)
		return -EAGAIN;
	*ret = c->event[c->first];
	c->first = (c->first + 1) % EVENTS_MOST;
	c->count--;
	return 0;
}

/* As the warden: offsets that no kernel takes are a failure. */
int cage_spawn(struct cage *c, uint32_t pid, uint32_t epoch, int64_t mono_offset_ns, int64_t boot_offset_ns,
	       uint64_t stack_limit, int loader_socket)
{
	const int64_t most = INT64_MAX / 2;

	(void)stack_limit;
	if (mono_offset_ns > most || mono_offset_ns < -most || boot_offset_ns > most || boot_offset_ns < -most)
		return say(c, (struct cage_event){ .kind = CAGE_FAILED, .pid = pid, .epoch = epoch, .error = -ERANGE });
	if (cage_double_loader >= 0)
		close(cage_double_loader);
	cage_double_loader = fcntl(loader_socket, F_DUPFD_CLOEXEC, 0);
	return say(c, (struct cage_event){ .kind = CAGE_SPAWNED, .pid = pid, .epoch = epoch });
}

int cage_adopt(struct cage *c, uint32_t pid, uint32_t epoch)
{
	(void)c;
	(void)pid;
	(void)epoch;
	return 0;
}

int cage_sweep(struct cage *c)
{
	(void)c;
	return 0;
}

pid_t cage_warden(const struct cage *c)
{
	(void)c;
	return 1;
}

int cage_signal(struct cage *c, uint32_t pid, uint32_t epoch, int sig)
{
	if (sig == SIGKILL)
		return say(c, (struct cage_event){ .kind = CAGE_ENDED, .pid = pid, .epoch = epoch, .status = SIGKILL });
	return sig == SIGSTOP || sig == SIGCONT ? 0 : -EINVAL;
}

/* Sees nothing, or a little at once. */
int snapshot_start(pid_t warden, uint32_t number, int *ret_fd, pid_t *ret_pid)
{
	int pipe[2];

	(void)warden;
	if (pipe2(pipe, O_CLOEXEC) < 0)
		return -errno;
	*ret_pid = fork();
	if (*ret_pid == 0)
		_exit(0);
	if (*ret_pid > 0 && number % 2 && write(pipe[1], "a snapshot", 10) < 0)
		errno = EIO;
	close(pipe[1]);
	*ret_fd = pipe[0];
	return *ret_pid < 0 ? -errno : 0;
}

int filter_build(uint64_t gate_secret, struct sock_filter **ret_program, uint32_t *ret_length)
{
	(void)gate_secret;
	*ret_program = calloc(100, sizeof(**ret_program));
	*ret_length = 100;
	return *ret_program ? 0 : -ENOMEM;
}
