/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "images.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "descriptor.h"

#define MAPPINGS_MAX 100000

struct file {
	char *path;
	uint64_t inode;
	bool tried;
	void *bytes;		/* NULL: cannot be had */
	size_t size;
	bool is_elf;
	struct elf elf;
};

struct mapping {
	uint64_t start, end, offset;
	struct file *file;
};

struct images {
	const struct snapshot *snapshot;
	struct mapping *mapping;	/* of files only, ascending */
	size_t mappings;
	struct file *file;		/* room for one a mapping: they do not move */
	size_t files;
	struct elf vdso;
};

/* The mappings of one file mostly follow each other. */
static struct file *file_of(struct images *im, const char *path, size_t length, uint64_t inode)
{
	for (size_t i = im->files; i-- > 0;)
		if (im->file[i].inode == inode && !strncmp(im->file[i].path, path, length) && !im->file[i].path[length])
			return &im->file[i];
	im->file[im->files] = (struct file){ .path = strndup(path, length), .inode = inode };
	return im->file[im->files].path ? &im->file[im->files++] : NULL;
}

static int take_line(struct images *im, const char *line, size_t length)
{
	uint64_t start, end, offset, inode;
	const char *path = memchr(line, '/', length);
	struct file *file;

	if (!path || sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %" SCNu64, &start, &end, &offset, &inode) != 4)
		return 0;
	if (!inode || start >= end || (im->mappings && start < im->mapping[im->mappings - 1].end))
		return 0;
	file = file_of(im, path, length - (size_t)(path - line), inode);
	if (!file)
		return -ENOMEM;
	im->mapping[im->mappings++] = (struct mapping){ start, end, offset, file };
	return 0;
}

static size_t count_lines(const char *text)
{
	size_t lines = 1;

	for (; (text = strchr(text, '\n')); text++)
		lines++;
	return lines < MAPPINGS_MAX ? lines : MAPPINGS_MAX;
}

int images_new(const char *maps, const struct snapshot *snapshot, struct images **ret)
{
	size_t room = count_lines(maps);
	struct images *im = calloc(1, sizeof *im);
	int r = 0;

	if (!im)
		return -ENOMEM;
	im->snapshot = snapshot;
	im->mapping = calloc(room, sizeof *im->mapping);
	im->file = calloc(room, sizeof *im->file);
	if (!im->mapping || !im->file)
		r = -ENOMEM;
	while (!r && *maps && im->mappings < room) {
		size_t length = strcspn(maps, "\n");

		r = take_line(im, maps, length);
		maps += length + (maps[length] == '\n');
	}
	if (r)
		images_free(im);
	else
		*ret = im;
	return r;
}

void images_free(struct images *im)
{
	for (size_t i = 0; i < im->files; i++) {
		if (im->file[i].bytes)
			munmap(im->file[i].bytes, im->file[i].size);
		free(im->file[i].path);
	}
	free(im->file);
	free(im->mapping);
	free(im);
}

/* Of another file that has taken the name since, the symbols would be wrong. */
static void open_file(struct file *f)
{
	CLOSE_AUTO int fd = open(f->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	void *bytes;

	f->tried = true;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_ino != f->inode || st.st_size == 0)
		return;
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return;
	f->bytes = bytes;
	f->size = (size_t)st.st_size;
	f->is_elf = elf_open(bytes, f->size, &f->elf) == 0;
}

static const struct mapping *find_mapping(const struct images *im, uint64_t address)
{
	size_t low = 0, high = im->mappings;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct mapping *m = &im->mapping[middle];

		if (address < m->start)
			high = middle;
		else if (address >= m->end)
			low = middle + 1;
		else
			return m;
	}
	return NULL;
}

/* A piece of the snapshot that begins like a shared library is one of the kernel's. */
static int find_vdso(struct images *im, uint64_t address, struct image *ret)
{
	const struct snapshot_memory *m = snapshot_find(im->snapshot, address);

	if (!m || elf_open(m->bytes, m->end - m->start, &im->vdso))
		return -ENOENT;
	*ret = (struct image){ .name = "[vdso]", .elf = &im->vdso, .bias = m->start - im->vdso.first };
	return 0;
}

int images_find(struct images *im, uint64_t address, struct image *ret)
{
	const struct mapping *m = find_mapping(im, address);
	uint64_t in_file;

	if (!m)
		return find_vdso(im, address, ret);
	if (!m->file->tried)
		open_file(m->file);
	*ret = (struct image){ .name = m->file->path };
	if (m->file->is_elf && elf_address(&m->file->elf, m->offset, &in_file) == 0) {
		ret->elf = &m->file->elf;
		ret->bias = m->start - in_file;
	}
	return 0;
}
