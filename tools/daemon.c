/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mosix/paths.h>
#include "common/runtime.h"
#include "clock.h"
#include "descriptor.h"
#include "locate.h"

#define READY_FD  3
#define ARGUMENTS 32
#define HOMED_MS  10000

void daemon_clean_preload(void)
{
	const char *old = getenv("LD_PRELOAD");
	char *copy, *rest, *word, *kept;
	size_t fill = 0;

	if (!old || !strstr(old, "libmosix.so"))
		return;
	copy = strdup(old);
	kept = calloc(1, strlen(old) + 1);
	if (!copy || !kept)
		goto out;
	for (word = strtok_r(copy, ": ", &rest); word; word = strtok_r(NULL, ": ", &rest)) {
		const char *base = strrchr(word, '/');

		if (!strcmp(base ? base + 1 : word, "libmosix.so"))
			continue;
		fill += (size_t)sprintf(kept + fill, "%s%s", fill ? ":" : "", word);
	}
	if (fill)
		setenv("LD_PRELOAD", kept, 1);
	else
		unsetenv("LD_PRELOAD");
out:
	free(copy);
	free(kept);
}

/* In the daemon to be; only a failure comes back. */
static void become(char *const argv[], int log, int ready)
{
	char *all[ARGUMENTS], directory[PATH_MAX], whole[PATH_MAX];
	sigset_t none;
	int count = 0, null;

	for (; argv[count] && count < ARGUMENTS - 4; count++)
		all[count] = argv[count];
	all[count++] = "--foreground";
	all[count++] = "--ready-fd";
	all[count++] = "3";
	all[count] = NULL;

	for (int signo = 1; signo < NSIG; signo++)
		signal(signo, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(077);
	/* A relative one means another place after chdir(). */
	if (!runtime_directory(directory, sizeof directory) && realpath(directory, whole))
		setenv("MOSIX_RUNTIME_DIR", whole, 1);
	null = open("/dev/null", O_RDWR);
	/* Out of the way first: any of the four may be one of the numbers that are about to be taken. */
	log = fcntl(log, F_DUPFD, 10);
	ready = fcntl(ready, F_DUPFD, 10);
	null = fcntl(null, F_DUPFD, 10);
	if (chdir("/") || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 || dup2(ready, READY_FD) < 0)
		return;
	close_range(READY_FD + 1, ~0u, 0);
	daemon_clean_preload();
	execv(argv[0], all);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
}

/* The last line of the log, which says why the daemon ended. */
static void explain(const char *log_path, off_t from, const char *program, char ret_text[static DAEMON_TEXT])
{
	CLOSE_AUTO int fd = open(log_path, O_RDONLY | O_CLOEXEC);
	char tail[DAEMON_TEXT], *line, *text;
	struct stat st;
	ssize_t length;

	snprintf(ret_text, DAEMON_TEXT, "%s ended at once", program);
	if (fd < 0 || fstat(fd, &st) || st.st_size <= from)
		return;
	if (st.st_size - from > (off_t)sizeof tail - 1)
		from = st.st_size - (off_t)sizeof tail + 1;
	length = pread(fd, tail, sizeof tail - 1, from);
	while (length > 0 && tail[length - 1] == '\n')
		length--;
	if (length <= 0)
		return;
	tail[length] = 0;
	line = strrchr(tail, '\n');
	line = line ? line + 1 : tail;
	/* What common/log.h puts in front says nothing that is not known here. */
	text = strstr(line, " error: ");
	snprintf(ret_text, DAEMON_TEXT, "%s", text ? text + 8 : line);
}

static int await_ready(int fd, int timeout_ms)
{
	long end = clock_ms() + timeout_ms;
	char line[16];
	size_t fill = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		long left = end - clock_ms();
		int n = poll(&p, 1, left > 0 ? (int)left : 0);
		ssize_t length;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ETIMEDOUT;
		length = read(fd, line + fill, sizeof line - fill);
		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			return -ECHILD;
		fill += (size_t)length;
		if (fill >= 6 && !memcmp(line, "ready\n", 6))
			return 0;
		if (fill >= 6)
			return -EPROTO;
	}
}

int daemon_start(char *const argv[], const char *log_path, int timeout_ms, char ret_text[static DAEMON_TEXT])
{
	CLOSE_AUTO int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	CLOSE_AUTO int input = -1;
	CLOSE_AUTO int output = -1;
	int pipes[2], error;
	struct stat st;
	pid_t child;

	if (log < 0 || fstat(log, &st) || pipe2(pipes, O_CLOEXEC)) {
		error = -errno;
		snprintf(ret_text, DAEMON_TEXT, "%s: %s", log_path, strerror(-error));
		return error;
	}
	input = pipes[0];
	output = pipes[1];
	/* Twice, so that the program which mosrun becomes has no child it knows nothing of. */
	child = fork();
	if (child == 0) {
		if (setsid() < 0)
			_exit(1);
		child = fork();
		if (child == 0) {
			become(argv, log, output);
			_exit(127);
		}
		_exit(child < 0);
	}
	if (child < 0) {
		error = -errno;
		snprintf(ret_text, DAEMON_TEXT, "fork: %s", strerror(-error));
		return error;
	}
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	descriptor_close(&output);
	error = await_ready(input, timeout_ms);
	if (error == -ECHILD)
		explain(log_path, st.st_size, argv[0], ret_text);
	else if (error)
		snprintf(ret_text, DAEMON_TEXT, "%s is not ready after %d s (see %s)", argv[0], timeout_ms / 1000, log_path);
	return error;
}

int daemon_lock(int *ret_fd)
{
	char path[PATH_MAX];
	int error = runtime_directory(path, sizeof path);
	int fd;

	if (error)
		return error;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX)) {
		if (errno != EINTR) {
			error = -errno;
			close(fd);
			return error;
		}
	}
	*ret_fd = fd;
	return 0;
}

int daemon_start_homed(char ret_text[static DAEMON_TEXT])
{
	CLOSE_AUTO int lock = -1;
	CLOSE_AUTO int probe = -1;
	char path[PATH_MAX], log[PATH_MAX];
	char *argv[] = { path, NULL };
	int error = daemon_lock(&lock);

	if (!error)
		error = runtime_path("homed.log", log, sizeof log);
	if (error) {
		snprintf(ret_text, DAEMON_TEXT, "the runtime directory cannot be used: %s", strerror(-error));
		return error;
	}
	if (!runtime_connect(MOSIX_PATH_CONTROL, SOCK_STREAM | SOCK_CLOEXEC, &probe))
		return 0; /* another mosrun was faster */
	error = locate(PART_HOMED, path, sizeof path);
	if (error) {
		snprintf(ret_text, DAEMON_TEXT, "there is no homed at %.900s", path);
		return error;
	}
	return daemon_start(argv, log, HOMED_MS, ret_text);
}
