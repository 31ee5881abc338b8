/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "key.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS (2 * KEY_SIZE)

static int fail(int error, char *why, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(int error, char *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, KEY_WHY_MAX, format, args);
	va_end(args);
	return error;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

void key_wipe(struct key *key)
{
	explicit_bzero(key, sizeof *key);
}

static int default_path(char *path, size_t size)
{
	const char *home = getenv("HOME");

	if (!home || home[0] != '/') {
		const struct passwd *user = getpwuid(geteuid());

		home = user ? user->pw_dir : NULL;
	}
	if (!home || home[0] != '/')
		return -ENOENT;
	int n = snprintf(path, size, "%s/.config/mosix/key", home);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* The directories above the last slash, each 0700 if it is new. */
static int make_directories(const char *path)
{
	char part[PATH_MAX];

	if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
		return -ENAMETOOLONG;
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		size -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int random_line(char line[DIGITS + 2])
{
	uint8_t bytes[KEY_SIZE];

	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		return -EIO;
	for (size_t i = 0; i < sizeof bytes; i++)
		sprintf(line + 2 * i, "%02x", bytes[i]);
	line[DIGITS] = '\n';
	line[DIGITS + 1] = '\0';
	explicit_bzero(bytes, sizeof bytes);
	return 0;
}

/* link(2) gives the name to a file that is complete already, and to one of several daemons only; -EEXIST is success for
   the others, who read what the first one made. */
static int make_key(const char *path)
{
	char temporary[PATH_MAX], line[DIGITS + 2];
	__attribute__((cleanup(close_fd))) int fd = -1;
	int r = make_directories(path);

	if (r < 0)
		return r;
	if (snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= (int)sizeof temporary)
		return -ENAMETOOLONG;
	fd = mkostemp(temporary, O_CLOEXEC);	/* 0600 by itself */
	if (fd < 0)
		return -errno;
	r = random_line(line);
	if (r == 0)
		r = write_all(fd, line, DIGITS + 1);
	if (r == 0 && link(temporary, path) < 0 && errno != EEXIST)
		r = -errno;
	explicit_bzero(line, sizeof line);
	unlink(temporary);
	return r;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int parse(const char *text, size_t length, struct key *key)
{
	if (length != DIGITS && (length != DIGITS + 1 || text[DIGITS] != '\n'))
		return -EINVAL;
	for (size_t i = 0; i < KEY_SIZE; i++) {
		int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		key->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static int read_key(int fd, const char *path, struct key *ret_key, char *why)
{
	char text[DIGITS + 2];
	struct key key;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(-errno, why, "the key %s cannot be examined: %m", path);
	if (!S_ISREG(st.st_mode))
		return fail(-EINVAL, why, "the key %s is not a regular file", path);
	if (st.st_uid != geteuid())
		return fail(-EPERM, why, "the key %s belongs to another user", path);
	if (st.st_mode & 077)
		return fail(-EPERM, why, "the key %s is open to other users (mode %04o): chmod 600 it, or make a new one if they "
			    "may have read it", path, st.st_mode & 07777);
	ssize_t n = read(fd, text, sizeof text);

	if (n < 0)
		return fail(-errno, why, "the key %s cannot be read: %m", path);
	int r = parse(text, (size_t)n, &key);

	explicit_bzero(text, sizeof text);
	if (r == 0)
		*ret_key = key;
	key_wipe(&key);
	return r == 0 ? 0 : fail(r, why, "the key %s is malformed: it must be one line of %d hexadecimal digits", path, DIGITS);
}

int key_load(const char *path, struct key *ret_key, char why[KEY_WHY_MAX])
{
	/* O_NONBLOCK: a FIFO in the key's place must be refused, not waited for. */
	const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	__attribute__((cleanup(close_fd))) int fd = -1;
	char fallback[PATH_MAX];
	int r;

	why[0] = '\0';
	if (!path || !path[0]) {
		r = default_path(fallback, sizeof fallback);
		if (r < 0)
			return fail(r, why, "there is no home directory to keep the key in");
		path = fallback;
	}
	fd = open(path, flags);
	if (fd < 0 && errno == ENOENT) {
		r = make_key(path);
		if (r < 0)
			return fail(r, why, "the key %s cannot be made: %s", path, strerror(-r));
		fd = open(path, flags);
	}
	if (fd < 0)
		return fail(-errno, why, "the key %s cannot be opened: %m", path);
	return read_key(fd, path, ret_key, why);
}
