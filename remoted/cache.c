/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remoted/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u	/* Linux 6.3; without it vm.memfd_noexec may forbid to map code */
#endif

struct cache_file {
	TAILQ_ENTRY(cache_file) order;	/* the one asked for longest ago comes first */
	uint8_t digest[DIGEST_SIZE];
	uint64_t size;
	int fd;
	unsigned users;
	bool own;			/* the node's file: stat says which version of it; else a memfd */
	bool stale;			/* not in the list any more; goes with its last user */
	struct stat stat;
};

struct cache_fill {
	struct cache *cache;
	uint8_t digest[DIGEST_SIZE];
	uint64_t size, got;
	int fd;
	gnutls_hash_hd_t hash;
};

struct cache {
	TAILQ_HEAD(, cache_file) files;
	unsigned count, max_files;
	uint64_t bytes, max_bytes;	/* of memfds, complete or being filled */
	struct digest_cache *digests;
};

struct cache *cache_new(uint64_t max_bytes, unsigned max_files)
{
	struct cache *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->digests = digest_cache_new(4096);
	if (!c->digests) {
		free(c);
		return NULL;
	}
	TAILQ_INIT(&c->files);
	c->max_bytes = max_bytes;
	c->max_files = max_files;
	return c;
}

static void destroy(struct cache *c, struct cache_file *f)
{
	if (!f->own)
		c->bytes -= f->size;
	close(f->fd);
	free(f);
}

/* Out of the list; gone at once if nobody uses it. */
static void forget(struct cache *c, struct cache_file *f)
{
	TAILQ_REMOVE(&c->files, f, order);
	c->count--;
	f->stale = true;
	if (f->users == 0)
		destroy(c, f);
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	while (!TAILQ_EMPTY(&c->files))
		forget(c, TAILQ_FIRST(&c->files));
	digest_cache_free(c->digests);
	free(c);
}

/* The oldest unused entry that gives back what is short: a descriptor, or (memory) the bytes of a memfd. */
static bool evict(struct cache *c, bool memory)
{
	struct cache_file *f;

	TAILQ_FOREACH(f, &c->files, order)
		if (f->users == 0 && !(memory && f->own)) {
			forget(c, f);
			return true;
		}
	return false;
}

static struct cache_file *add(struct cache *c, int fd, uint64_t size, const uint8_t *digest, const struct stat *own)
{
	struct cache_file *f = calloc(1, sizeof *f);

	if (!f)
		return NULL;
	while (c->count >= c->max_files && evict(c, false))
		;
	f->fd = fd;
	f->size = size;
	f->users = 1;
	memcpy(f->digest, digest, DIGEST_SIZE);
	if (own) {
		f->own = true;
		f->stat = *own;
	}
	TAILQ_INSERT_TAIL(&c->files, f, order);
	c->count++;
	return f;
}

static bool same_version(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static struct cache_file *kept(struct cache *c, uint64_t size, const uint8_t *digest)
{
	struct cache_file *f, *next;
	struct stat st;

	for (f = TAILQ_FIRST(&c->files); f; f = next) {
		next = TAILQ_NEXT(f, order);
		if (f->size != size || memcmp(f->digest, digest, DIGEST_SIZE) != 0)
			continue;
		/* A link count that changes moves ctime as well: then it is opened and looked up once more, no harm. */
		if (f->own && (fstat(f->fd, &st) < 0 || !same_version(&st, &f->stat))) {
			forget(c, f);
			continue;
		}
		TAILQ_REMOVE(&c->files, f, order);
		TAILQ_INSERT_TAIL(&c->files, f, order);
		f->users++;
		return f;
	}
	return NULL;
}

/* stat first: to open a device can be an action. O_NONBLOCK for the case that it became a FIFO in between. */
static int open_own(const char *path, uint64_t size)
{
	struct statvfs fs;
	struct stat st;

	if (path[0] != '/' || stat(path, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		return -ENOENT;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -ENOENT;
	/* Code cannot be mapped from there, and which of its mappings are code is not known yet. */
	if (fstatvfs(fd, &fs) < 0 || (fs.f_flag & ST_NOEXEC)) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

int cache_find(struct cache *c, const char *path, uint64_t size, const uint8_t digest[static DIGEST_SIZE],
	       struct cache_file **ret_file)
{
	uint8_t found[DIGEST_SIZE];
	struct stat st;
	struct cache_file *f = kept(c, size, digest);

	if (!f) {
		int fd = open_own(path, size);

		if (fd < 0)
			return -ENOENT;
		if (digest_file(c->digests, fd, &st, found) == 0 && (uint64_t)st.st_size == size &&
		    memcmp(found, digest, DIGEST_SIZE) == 0)
			f = add(c, fd, size, digest, &st);
		if (!f) {
			close(fd);
			return -ENOENT;
		}
	}
	*ret_file = f;
	return 0;
}

int cache_fd(const struct cache_file *file)
{
	return file->fd;
}

void cache_drop(struct cache *c, struct cache_file *f)
{
	if (--f->users > 0)
		return;
	if (f->stale)
		destroy(c, f);
	else
		while (c->count > c->max_files && evict(c, false))
			;
}

/* ---- contents that home sends ---- */

static int make_memfd(uint64_t size, int *ret_fd)
{
	int fd = memfd_create("mosix-content", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("mosix-content", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int cache_fill_begin(struct cache *c, uint64_t size, const uint8_t digest[static DIGEST_SIZE], struct cache_fill **ret_fill)
{
	if (size > c->max_bytes)
		return -ENOSPC;
	while (c->bytes > c->max_bytes - size)
		if (!evict(c, true))
			return -ENOSPC;
	struct cache_fill *fill = calloc(1, sizeof *fill);

	if (!fill)
		return -ENOMEM;
	int r = make_memfd(size, &fill->fd);

	if (r == 0 && gnutls_hash_init(&fill->hash, GNUTLS_DIG_SHA256) < 0) {
		close(fill->fd);
		r = -ENOMEM;
	}
	if (r < 0) {
		free(fill);
		return r;
	}
	memcpy(fill->digest, digest, DIGEST_SIZE);
	fill->size = size;
	fill->cache = c;
	c->bytes += size;
	*ret_fill = fill;
	return 0;
}

int cache_fill_add(struct cache_fill *fill, uint64_t offset, const void *data, size_t size)
{
	const char *at = data;

	if (offset != fill->got || size > fill->size - fill->got)
		return -EPROTO;
	if (gnutls_hash(fill->hash, data, size) < 0)
		return -EIO;
	while (size > 0) {
		ssize_t n = pwrite(fill->fd, at, size, (off_t)fill->got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		size -= (size_t)n;
		fill->got += (uint64_t)n;
	}
	return 0;
}

/* Read-only from here on, for the descriptor too: a shared mapping of a sealed memfd is refused if it could become writable. */
static int seal(int fd, int *ret_fd)
{
	char path[32];

	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int again = open(path, O_RDONLY | O_CLOEXEC);

	if (again < 0)
		return -errno;
	*ret_fd = again;
	return 0;
}

int cache_fill_end(struct cache_fill *fill, struct cache_file **ret_file)
{
	uint8_t digest[DIGEST_SIZE];
	struct cache_file *f = NULL;
	int fd = -1, r = -EBADMSG;

	gnutls_hash_output(fill->hash, digest);
	if (fill->got == fill->size && memcmp(digest, fill->digest, DIGEST_SIZE) == 0)
		r = seal(fill->fd, &fd);
	if (r == 0) {
		f = add(fill->cache, fd, fill->size, fill->digest, NULL);
		if (!f) {
			close(fd);
			r = -ENOMEM;
		}
	}
	if (r == 0) {
		fill->cache->bytes += fill->size;	/* the entry's; cache_fill_abort() takes the fill's away */
		*ret_file = f;
	}
	cache_fill_abort(fill);
	return r;
}

void cache_fill_abort(struct cache_fill *fill)
{
	if (!fill)
		return;
	fill->cache->bytes -= fill->size;
	gnutls_hash_deinit(fill->hash, NULL);
	close(fill->fd);
	free(fill);
}

uint64_t cache_bytes(const struct cache *c)
{
	return c->bytes;
}

unsigned cache_files(const struct cache *c)
{
	return c->count;
}
