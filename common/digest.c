/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/digest.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#define PIECE (256u << 10)

struct entry {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec mtime, ctime;
	uint64_t used;		/* the cache's clock when last asked for; 0: empty */
	uint8_t digest[DIGEST_SIZE];
};

struct digest_cache {
	pthread_mutex_t lock;
	uint64_t clock;
	size_t entries;
	struct entry entry[];
};

struct digest_cache *digest_cache_new(size_t entries)
{
	struct digest_cache *cache = calloc(1, sizeof(*cache) + entries * sizeof(cache->entry[0]));

	if (!cache)
		return NULL;
	pthread_mutex_init(&cache->lock, NULL);
	cache->entries = entries;
	return cache;
}

void digest_cache_free(struct digest_cache *cache)
{
	if (!cache)
		return;
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static bool time_equal(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool entry_is(const struct entry *e, const struct stat *st)
{
	return e->used && e->inode == st->st_ino && e->device == st->st_dev && e->size == st->st_size &&
	       time_equal(&e->mtime, &st->st_mtim) && time_equal(&e->ctime, &st->st_ctim);
}

static bool cache_find(struct digest_cache *cache, const struct stat *st, uint8_t *ret)
{
	bool found = false;

	pthread_mutex_lock(&cache->lock);
	for (size_t i = 0; i < cache->entries && !found; i++)
		if (entry_is(&cache->entry[i], st)) {
			cache->entry[i].used = ++cache->clock;
			memcpy(ret, cache->entry[i].digest, DIGEST_SIZE);
			found = true;
		}
	pthread_mutex_unlock(&cache->lock);
	return found;
}

/*
 * Two writes within one tick of the file system's clock leave the same times behind, so a file that has just been changed is
 * not remembered.
 */
static bool settled(const struct stat *st)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now.tv_sec - st->st_ctim.tv_sec > 1;
}

static void cache_put(struct digest_cache *cache, const struct stat *st, const uint8_t *digest)
{
	struct entry *victim;

	if (!cache->entries || !settled(st))
		return;
	pthread_mutex_lock(&cache->lock);
	victim = &cache->entry[0];
	for (size_t i = 0; i < cache->entries; i++) {
		struct entry *e = &cache->entry[i];

		if (e->used && e->device == st->st_dev && e->inode == st->st_ino) {
			victim = e;
			break;
		}
		if (e->used < victim->used)
			victim = e;
	}
	victim->device = st->st_dev;
	victim->inode = st->st_ino;
	victim->size = st->st_size;
	victim->mtime = st->st_mtim;
	victim->ctime = st->st_ctim;
	victim->used = ++cache->clock;
	memcpy(victim->digest, digest, DIGEST_SIZE);
	pthread_mutex_unlock(&cache->lock);
}

static int hash_descriptor(int fd, uint8_t *ret)
{
	gnutls_hash_hd_t hash;
	char *piece = malloc(PIECE);
	off_t at = 0;
	ssize_t n;
	int r = 0;

	if (!piece)
		return -ENOMEM;
	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0) {
		free(piece);
		return -ENOMEM;
	}
	while (r == 0 && (n = pread(fd, piece, PIECE, at)) != 0) {
		if (n < 0) {
			if (errno == EINTR)
				continue;
			r = -errno;
		} else if (gnutls_hash(hash, piece, n) < 0) {
			r = -EIO;
		} else {
			at += n;
		}
	}
	gnutls_hash_deinit(hash, ret);
	free(piece);
	return r;
}

int digest_file(struct digest_cache *cache, int fd, struct stat *ret_stat, uint8_t ret_digest[static DIGEST_SIZE])
{
	uint8_t digest[DIGEST_SIZE];
	struct stat before, after;
	int r;

	if (fstat(fd, &before) < 0)
		return -errno;
	if (!S_ISREG(before.st_mode))
		return -EINVAL;
	if (!cache || !cache_find(cache, &before, digest)) {
		r = hash_descriptor(fd, digest);
		if (r < 0)
			return r;
		if (fstat(fd, &after) < 0)
			return -errno;
		if (after.st_size != before.st_size || !time_equal(&after.st_mtim, &before.st_mtim) ||
		    !time_equal(&after.st_ctim, &before.st_ctim))
			return -EAGAIN;
		if (cache)
			cache_put(cache, &before, digest);
	}
	if (ret_stat)
		*ret_stat = before;
	memcpy(ret_digest, digest, DIGEST_SIZE);
	return 0;
}

int digest_bytes(const void *data, size_t size, uint8_t ret_digest[static DIGEST_SIZE])
{
	return gnutls_hash_fast(GNUTLS_DIG_SHA256, data, size, ret_digest) < 0 ? -EIO : 0;
}

void digest_text(const uint8_t digest[static DIGEST_SIZE], char ret_text[static 2 * DIGEST_SIZE + 1])
{
	for (size_t i = 0; i < DIGEST_SIZE; i++)
		snprintf(ret_text + 2 * i, 3, "%02x", digest[i]);
}
