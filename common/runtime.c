/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <mosix/paths.h>
#include "common/proc.h"

static int print_path(char *ret, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int print_path(char *ret, size_t size, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(ret, size, format, ap);
	va_end(ap);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int runtime_directory(char *ret_path, size_t size)
{
	const char *own = getenv("MOSIX_RUNTIME_DIR"), *xdg = getenv("XDG_RUNTIME_DIR");
	char path[PATH_MAX];
	struct stat st;
	int r;

	if (own && *own)
		r = print_path(path, sizeof(path), "%s", own);
	else if (xdg && *xdg)
		r = print_path(path, sizeof(path), "%s/mosix", xdg);
	else
		r = print_path(path, sizeof(path), "/tmp/mosix-%u", (unsigned)getuid());
	if (r < 0)
		return r;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	/* lstat: in /tmp anybody may have put a link there */
	if (lstat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (st.st_uid != getuid() || (st.st_mode & 022))
		return -EPERM;
	if (strlen(path) >= size)
		return -ENAMETOOLONG;
	strcpy(ret_path, path);
	return 0;
}

int runtime_path(const char *name, char *ret_path, size_t size)
{
	char directory[PATH_MAX], path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int r = runtime_directory(directory, sizeof(directory));

	if (r < 0)
		return r;
	r = print_path(path, sizeof(path), "%s/%s", directory, name);
	if (r < 0)
		return r;
	return print_path(ret_path, size, "%s", path);
}

static int pid_path(const char *name, char *ret, size_t size)
{
	char file[NAME_MAX];
	int r = print_path(file, sizeof(file), "%s.pid", name);

	return r < 0 ? r : runtime_path(file, ret, size);
}

static bool same_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int runtime_pid_hold(const char *name, int *ret_fd)
{
	char path[PATH_MAX], text[64];
	struct proc_stat st;
	int fd, n, r;

	r = pid_path(name, path, sizeof(path));
	if (r == 0)
		r = proc_read_stat(getpid(), &st);
	if (r < 0)
		return r;
	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			r = errno == EWOULDBLOCK ? -EBUSY : -errno;
			close(fd);
			return r;
		}
		if (same_file(fd, path))
			break;
		close(fd);	/* its holder removed it between our open and our lock */
	}
	n = snprintf(text, sizeof(text), "%d %" PRIu64 "\n", getpid(), st.start);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, n, 0) != n) {
		r = errno ? -errno : -EIO;
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

void runtime_pid_drop(const char *name, int fd)
{
	char path[PATH_MAX];

	if (pid_path(name, path, sizeof(path)) == 0 && same_file(fd, path))
		unlink(path);
	close(fd);
}

int runtime_pid_find(const char *name, pid_t *ret_pid, int *ret_pidfd)
{
	char path[PATH_MAX], text[64] = "";
	uint64_t start;
	pid_t pid;
	ssize_t n;
	int fd, r;

	r = pid_path(name, path, sizeof(path));
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 0 || sscanf(text, "%d %" SCNu64, &pid, &start) != 2 || pid <= 0)
		return -EINVAL;
	r = proc_pidfd(pid, start, ret_pidfd);
	if (r < 0)
		return r;
	*ret_pid = pid;
	return 0;
}

static int address_of(const char *name, struct sockaddr_un *ret_address)
{
	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->sun_family = AF_UNIX;
	return runtime_path(name, ret_address->sun_path, sizeof(ret_address->sun_path));
}

int runtime_listen(const char *name, int type, int *ret_fd)
{
	struct sockaddr_un address;
	int fd, r = address_of(name, &address);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (unlink(address.sun_path) < 0 && errno != ENOENT)
		goto fail;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(address.sun_path, 0600) < 0)
		goto fail;
	if ((type & 0xf) != SOCK_DGRAM && listen(fd, SOMAXCONN) < 0)
		goto fail;
	*ret_fd = fd;
	return 0;
fail:
	r = -errno;
	close(fd);
	return r;
}

int runtime_connect(const char *name, int type, int *ret_fd)
{
	struct sockaddr_un address;
	int fd, r = address_of(name, &address);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}
