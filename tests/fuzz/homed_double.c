/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stands in for those parts of homed that look at or touch real processes: check.c, files.c, ring.c, and ending.c. Every
   process can move, has two small files and hears the signal. And TCP is replaced by unix sockets, on which what was sent
   has come: a turn of the loop later everything is done, and no ports are used up. */
#include "tests/fuzz/homed_double.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "homed/check.h"
#include "homed/ending.h"
#include "homed/files.h"
#include "homed/move.h"

void check_process(pid_t pid, uint64_t start, unsigned flags, struct outcome *ret_outcome)
{
	(void)pid;
	(void)start;
	(void)flags;
	outcome_clear(ret_outcome);
}

void check_descriptors(pid_t pid, struct outcome *ret_outcome)
{
	(void)pid;
	outcome_clear(ret_outcome);
}

int files_collect(pid_t pid, bool none, struct digest_cache *cache, struct files *ret_files)
{
	(void)pid;
	(void)none;
	(void)cache;
	ret_files->count = 2;
	ret_files->file = calloc(2, sizeof(*ret_files->file));
	if (!ret_files->file)
		return -ENOMEM;
	for (unsigned i = 0; i < 2; i++) {
		ret_files->file[i].path = strdup(i ? "/one" : "/another");
		ret_files->file[i].size = i ? 5000 : 400000;
	}
	return 0;
}

void files_free(struct files *files)
{
	for (uint32_t i = 0; i < files->count; i++)
		free(files->file[i].path);
	free(files->file);
	files->file = NULL;
	files->count = 0;
}

int file_open(const struct file *file, int *ret_fd)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return ftruncate(fd, (off_t)file->size) < 0 ? -errno : 0;
}

int ring_process(const struct process *p)
{
	(void)p;
	return 0;
}

struct ending { char none; };

struct ending *ending_new(struct homed *homed)
{
	(void)homed;
	return calloc(1, sizeof(struct ending));
}

void ending_begin(struct homed *homed, bool everybody, void (*done)(void *data), void *data)
{
	(void)homed;
	(void)everybody;
	if (done)
		done(data);
}

void ending_forget(struct homed *homed, const void *data)
{
	(void)homed;
	(void)data;
}

/* ---- the C library's, for this program ---- */

static struct sockaddr_un abstract_address(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	pid_t pid = getpid();

	memcpy(address.sun_path, "\0mosix-fuzz", 12);
	memcpy(address.sun_path + 12, &pid, sizeof(pid));
	return address;
}

int homed_double_listen(void)
{
	struct sockaddr_un address = abstract_address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 128) < 0 ? -errno : fd;
}

int socket(int family, int type, int protocol)
{
	return (int)syscall(SYS_socket, family == AF_INET ? AF_UNIX : family, type, protocol);
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
	struct sockaddr_un other = abstract_address();

	if (address->sa_family == AF_INET)
		return (int)syscall(SYS_connect, fd, &other, sizeof(other));
	return (int)syscall(SYS_connect, fd, address, size);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	return level == SOL_SOCKET ? (int)syscall(SYS_setsockopt, fd, level, name, value, size) : 0;
}
