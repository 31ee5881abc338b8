/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors: the lowest free number is taken, nothing but the program's own is listed, closed ones are closed. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static void list(const char *when)
{
	DIR *dir = opendir("/proc/self/fd");
	printf("%s:", when);
	if (dir == NULL) {
		printf(" %s\n", strerror(errno));
		return;
	}
	bool there[4096] = { false };
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		if (e->d_name[0] != '.' && atoi(e->d_name) != dirfd(dir) && atoi(e->d_name) < 4096)
			there[atoi(e->d_name)] = true;
		else if (e->d_name[0] != '.' && atoi(e->d_name) >= 4096)
			printf(" %s", e->d_name);
	closedir(dir);
	for (int i = 0; i < 4096; i++)
		if (there[i])
			printf(" %d", i);
	putchar('\n');
}

int main(void)
{
	list("at first");
	close_range(3, ~0u, 0);
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	printf("limit %lu\n", limit.rlim_cur);
	for (int round = 0; round < 150; round++) {
		int fds[30];
		for (int i = 0; i < 30; i++) {
			fds[i] = i % 3 == 0 ? open("/dev/null", O_RDWR) : i % 3 == 1 ? dup(0) : eventfd(0, EFD_CLOEXEC);
			check(fds[i] == i + 3, "round %d: number %d instead of %d", round, fds[i], i + 3);
		}
		check_work(1, 2000000);
		close(7);
		close(20);
		check(fcntl(0, F_DUPFD, 10) == 20 && dup(1) == 7, "round %d: not the lowest one", round);
		int pair[2];
		close(5);
		check(pipe(pair) == 0 && pair[0] == 5 && pair[1] == 33, "round %d: pipe %d %d", round, pair[0], pair[1]);
		check(dup2(5, 100) == 100 && dup3(5, 101, O_CLOEXEC) == 101 && fcntl(101, F_GETFD) == FD_CLOEXEC && fcntl(100, F_GETFD) == 0, "dup2, dup3");
		check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pair[0] == 34 && pair[1] == 35, "socketpair %d %d", pair[0], pair[1]);
		int e = epoll_create1(0);
		check(e == 36, "epoll %d", e);
		if (round == 20)
			list("many");
		check(close_range(3, ~0u, 0) == 0, "close_range: %s", strerror(errno));
	}
	list("all closed");
	int last = (int)limit.rlim_cur - 1;
	check(dup2(0, last) == last && close(last) == 0, "the last number");
	printf("beyond: %s\n", dup2(0, last + 1) < 0 ? strerror(errno) : "done");
	int opened = 0, fd = -1, highest = -1;
	while ((fd = dup(0)) >= 0) {
		opened++;
		highest = fd;
	}
	printf("%d more, highest %d, then: %s\n", opened, highest, strerror(errno));
	check_compute(400);
	printf("still full: %s\n", open("/dev/null", O_RDONLY) < 0 ? strerror(errno) : "room");
	close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	check(fcntl(highest, F_GETFD) == FD_CLOEXEC, "close_range with CLOSE_RANGE_CLOEXEC");
	close_range(3, ~0u, 0);
	printf("closed: %s\n", write(highest, "x", 1) < 0 ? strerror(errno) : "open");
	limit.rlim_cur = 64;
	setrlimit(RLIMIT_NOFILE, &limit);
	check_compute(400);
	while ((fd = dup(0)) >= 0)
		highest = fd;
	printf("with a lower limit: %d\n", highest);
	close_range(3, ~0u, 0);
	for (fd = 3; fd < 8192; fd++)
		check(fcntl(fd, F_GETFD) < 0 && errno == EBADF, "%d is open", fd);
	struct stat at;
	check(fstat(0, &at) == 0 && close(0) == 0 && open("/dev/null", O_RDONLY) == 0, "number 0");
	list("at last");
	return check_result();
}
