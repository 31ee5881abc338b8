/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SHA-256 of whole regular files, remembered by device, inode, size, mtime and ctime. Any thread; a cache may be shared.
 */
#ifndef MOSIX_DIGEST_H
#define MOSIX_DIGEST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define DIGEST_SIZE 32

struct digest_cache;

/* A cache of at most `entries` files (the one not asked for longest goes first). NULL: no memory. */
struct digest_cache *digest_cache_new(size_t entries);
void digest_cache_free(struct digest_cache *cache);

/*
 * The digest of an open regular file, from offset 0, its file position untouched. cache may be NULL. *ret_stat (may be NULL)
 * is what the digest belongs to. 0; -EAGAIN: the file changed meanwhile; -EINVAL: no regular file; or another -errno.
 */
int digest_file(struct digest_cache *cache, int fd, struct stat *ret_stat, uint8_t ret_digest[static DIGEST_SIZE]);

/* Of bytes in memory. 0 or -errno. */
int digest_bytes(const void *data, size_t size, uint8_t ret_digest[static DIGEST_SIZE]);

/* "0123…", 64 digits and a NUL. */
void digest_text(const uint8_t digest[static DIGEST_SIZE], char ret_text[static 2 * DIGEST_SIZE + 1]);

#endif
