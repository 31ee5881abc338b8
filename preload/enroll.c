/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "enroll.h"
#include "wrap.h"
#include <mosix/paths.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

static struct sockaddr_un address = { .sun_family = AF_UNIX };
static char orders[sizeof(address.sun_path)];

/* dir + tail + "/" + file; 0 or -ENAMETOOLONG. Not snprintf: early in a program, and small. */
static int join(char *to, const char *dir, const char *tail, const char *file)
{
	size_t a = strlen(dir), b = strlen(tail), c = strlen(file);

	if (a + b + 1 + c + 1 > sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(to, dir, a);
	memcpy(to + a, tail, b);
	to[a + b] = '/';
	memcpy(to + a + b + 1, file, c + 1);
	return 0;
}

static void decimal(char *to, uint32_t number)
{
	char digits[10];
	int n = 0;

	do
		digits[n++] = (char)('0' + number % 10);
	while (number /= 10);
	while (n > 0)
		*to++ = digits[--n];
	*to = '\0';
}

int enroll_find(uint32_t uid)
{
	const char *dir = getenv("MOSIX_RUNTIME_DIR"), *tail = "";
	char own[32] = "/tmp/mosix-", path[sizeof(address.sun_path)];
	struct stat status;
	long result;

	if (!dir || !*dir) {
		dir = getenv("XDG_RUNTIME_DIR");
		tail = "/mosix";
	}
	if (!dir || !*dir) {
		decimal(own + strlen(own), uid);
		dir = own;
		tail = "";
	}
	if (dir[0] != '/')
		return -EINVAL;
	if (join(path, dir, tail, "") || join(address.sun_path, dir, tail, MOSIX_PATH_REGISTER) ||
	    join(orders, dir, tail, MOSIX_PATH_ORDERS))
		return -ENAMETOOLONG;
	path[strlen(path) - 1] = '\0';
	/* In /tmp anybody may have made the name first, a symbolic link as well. */
	result = wrap_raw_(SYS_newfstatat, AT_FDCWD, path, &status, dir == own ? AT_SYMLINK_NOFOLLOW : 0);
	if (result < 0)
		return (int)result;
	if (!S_ISDIR(status.st_mode))
		return -ENOTDIR;
	return status.st_uid == uid && !(status.st_mode & (S_IWGRP | S_IWOTH)) ? 0 : -EPERM;
}

const char *enroll_orders(void)
{
	return orders;
}

int enroll_connect(void)
{
	long fd = wrap_raw_(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	long result;

	if (fd < 0)
		return (int)fd;
	result = wrap_raw_(SYS_connect, fd, &address, sizeof(address));
	if (result < 0) {
		wrap_raw_(SYS_close, fd);
		return (int)result;
	}
	return (int)fd;
}

void enroll_send(int fd, uint32_t pid, uint64_t secret, uint64_t arena)
{
	struct mosix_register word = {
		.magic = MOSIX_ORDER_MAGIC, .version = MOSIX_ORDER_VERSION, .pid = pid, .secret = secret, .arena = arena,
	};
	/* homed's socket has SO_PASSCRED: the kernel attaches our credentials without being asked. */
	long result = wrap_raw_(SYS_sendto, fd, &word, sizeof(word), MSG_NOSIGNAL, 0, 0);

	if (result == -EAGAIN) {
		/* A queue holds ten datagrams on many systems, and make -j starts more at once. */
		struct pollfd room = { fd, POLLOUT, 0 };
		if (wrap_raw_(SYS_poll, &room, 1, 20) == 1)
			wrap_raw_(SYS_sendto, fd, &word, sizeof(word), MSG_NOSIGNAL, 0, 0);
	}
	wrap_raw_(SYS_close, fd);
}

uint64_t enroll_secret(void)
{
	uint64_t secret = 0;

	while (!secret)
		if (wrap_raw_(SYS_getrandom, &secret, sizeof(secret), 0) < 0)
			secret = wrap_now() * 0x9e3779b97f4a7c15ull | 1;	/* no getrandom: a sandbox of the program's */
	return secret;
}
