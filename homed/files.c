/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "homed/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "common/frame.h"
#include "common/proc.h"

#define MAPS_MAX  (64u << 20)
/* A larger file costs more to read whole than its mapped pages cost to send. */
#define FILE_MAX  (512ull << 20)
/* All paths of an offer together: it must fit one frame. */
#define PATHS_MAX (FRAME_MAX / 4 * 3)

void files_free(struct files *files)
{
	for (uint32_t i = 0; i < files->count; i++)
		free(files->file[i].path);
	free(files->file);
	free(files->other);
	memset(files, 0, sizeof(*files));
}

/* Opens for reading what path names, if it is a regular file; a device or a pipe must not notice. */
static int open_regular(const char *path, struct stat *ret_stat)
{
	char link[64];
	int probe = open(path, O_PATH | O_CLOEXEC), fd;

	if (probe < 0)
		return -errno;
	if (fstat(probe, ret_stat) < 0 || !S_ISREG(ret_stat->st_mode)) {
		close(probe);
		return -EINVAL;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", probe);
	fd = open(link, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	close(probe);
	return fd;
}

static int64_t nanoseconds(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

int file_open(const struct file *file, int *ret_fd)
{
	struct stat st;
	int fd = open_regular(file->path, &st);

	if (fd < 0)
		return fd;
	if (st.st_dev != file->device || st.st_ino != file->inode || (uint64_t)st.st_size != file->size ||
	    nanoseconds(&st.st_mtim) != file->mtime_ns) {
		close(fd);
		return -ESTALE;
	}
	*ret_fd = fd;
	return 0;
}

static bool have(const struct files *files, uint64_t device, uint64_t inode)
{
	/* mappings of one file follow each other, so look from the end */
	for (uint32_t i = files->count; i-- > 0;)
		if (files->file[i].device == device && files->file[i].inode == inode)
			return true;
	for (uint32_t i = files->others; i-- > 0;)
		if (files->other[i].device == device && files->other[i].inode == inode)
			return true;
	return false;
}

/* lasting: homed cannot offer it, whatever the program does meanwhile. */
static int add_other(struct files *files, uint64_t device, uint64_t inode, bool lasting)
{
	struct mosix_order_file *grown;

	if (files->others == MOSIX_ORDER_OTHERS)
		return 0;
	grown = realloc(files->other, (files->others + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	files->other = grown;
	grown[files->others++] = (struct mosix_order_file){ .device = device, .inode = inode, .size = lasting };
	return 0;
}

static int add(struct files *files, bool full, const char *path, uint64_t device, uint64_t inode, struct digest_cache *cache)
{
	struct file f = { .device = device, .inode = inode }, *grown;
	struct stat st;
	int fd = full ? -EMFILE : open_regular(path, &st), r;

	if (fd < 0)
		return add_other(files, device, inode, fd != -ENOENT && fd != -ENOTDIR);
	if (st.st_dev != device || st.st_ino != inode) {
		close(fd);
		return add_other(files, device, inode, false);
	}
	if ((uint64_t)st.st_size > FILE_MAX || digest_file(cache, fd, &st, f.digest) < 0) {
		close(fd);
		return add_other(files, device, inode, true);
	}
	close(fd);
	f.size = st.st_size;
	f.mtime_ns = nanoseconds(&st.st_mtim);
	f.path = strdup(path);
	grown = realloc(files->file, (files->count + 1) * sizeof(*grown));
	r = f.path && grown ? 0 : -ENOMEM;
	if (grown)
		files->file = grown;
	if (r < 0)
		free(f.path);
	else
		grown[files->count++] = f;
	return r;
}

int files_collect(pid_t pid, bool none, struct digest_cache *cache, struct files *ret_files)
{
	struct files files = { 0 };
	char path[64], *text, *line, *rest;
	size_t size, paths = 0;
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	if (proc_read_text(path, MAPS_MAX, &text, &size) < 0) {
		*ret_files = files;
		return 0;
	}
	for (line = strtok_r(text, "\n", &rest); line && r == 0; line = strtok_r(NULL, "\n", &rest)) {
		unsigned major_number, minor_number;
		unsigned long inode;
		uint64_t device;
		int at = 0;

		/* start-end modes offset major:minor inode path */
		if (sscanf(line, "%*s %*s %*s %x:%x %lu %n", &major_number, &minor_number, &inode, &at) < 3 || !at || !inode ||
		    line[at] != '/')
			continue;
		device = makedev(major_number, minor_number);
		if (have(&files, device, inode))
			continue;
		paths += strlen(line + at) + 2 * DIGEST_SIZE;
		r = add(&files, files.count == MOSIX_ORDER_FILES || paths > PATHS_MAX || none, line + at, device, inode, cache);
	}
	free(text);
	if (r < 0)
		files_free(&files);
	else
		*ret_files = files;
	return r;
}
