/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Children of a helper: made, ended and waited for in the same way everywhere. */
#ifndef TESTS_HELPERS_FORK_H
#define TESTS_HELPERS_FORK_H

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { FORK_WRONG = 99 };

/* The end of a child, which has printed nothing but what was wrong. */
__attribute__((unused)) static _Noreturn void fork_end(int code)
{
	_exit(fflush(stdout) != 0 || check_wrong != 0 ? FORK_WRONG : code);
}

/* fork() with nothing in stdout's buffer, and nothing wrong yet in the child. */
__attribute__((unused)) static pid_t fork_start(void)
{
	fflush(stdout);
	pid_t child = fork();
	check(child >= 0, "fork: %s", strerror(errno));
	if (child == 0)
		check_wrong = 0;
	return child;
}

/* waitpid() that no signal ends early. */
__attribute__((unused)) static pid_t fork_wait(pid_t child, int *ret_status, int options)
{
	pid_t waited;
	do
		waited = waitpid(child, ret_status, options);
	while (waited < 0 && errno == EINTR);
	return waited;
}

/* The child must end with this wait status. */
__attribute__((unused)) static void fork_expect(pid_t child, int expected, const char *what)
{
	int status = 0;
	pid_t waited = child > 0 ? fork_wait(child, &status, 0) : -1;
	check(waited == child && status == expected, "%s: wait says %d for %d, status %x instead of %x", what, waited, child, status,
	      expected);
}

/* What exit(2) makes of a code. */
__attribute__((unused)) static int fork_code(int code)
{
	return W_EXITCODE(code & 255, 0);
}

__attribute__((unused)) static void fork_sleep(int milliseconds)
{
	struct timespec left = { milliseconds / 1000, milliseconds % 1000 * 1000000L };
	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

/* All of it, or what came before the end of the file. */
__attribute__((unused)) static size_t fork_read(int fd, void *buffer, size_t size)
{
	size_t got = 0;
	while (got < size) {
		ssize_t n = read(fd, (char *)buffer + got, size - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	return got;
}

__attribute__((unused)) static void fork_write(int fd, const void *buffer, size_t size)
{
	ssize_t n;
	do
		n = write(fd, buffer, size);
	while (n < 0 && errno == EINTR);
	check(n == (ssize_t)size, "write of %zu: %zd", size, n);
}

#endif
