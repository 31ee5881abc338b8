/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Contents of files that guests map, found by size and SHA-256: either the node's own file, if what it holds is identical, or
 * a sealed memfd that home filled. Nothing is ever handed out whose digest was not computed here.
 * One thread.
 */
#ifndef MOSIX_REMOTED_CACHE_H
#define MOSIX_REMOTED_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"

struct cache;
struct cache_file;	/* counted: an entry lives at least as long as somebody holds it */
struct cache_fill;	/* a content on its way */

/* At most max_bytes of memory for contents that came from homes, and max_files descriptors kept. NULL: no memory. */
struct cache *cache_new(uint64_t max_bytes, unsigned max_files);
void cache_free(struct cache *cache);

/*
 * The content that home calls `path`: what is kept already, or the node's own file of that name if it is a regular file, of
 * that size, on a file system that allows execution, and with that digest (which is computed, unless it is remembered and
 * device, inode, size, mtime and ctime are unchanged). The caller drops *ret_file. 0; -ENOENT: home must send it.
 */
int cache_find(struct cache *cache, const char *path, uint64_t size, const uint8_t digest[static DIGEST_SIZE],
	       struct cache_file **ret_file);

/* A descriptor, O_RDONLY, that belongs to the entry. */
int cache_fd(const struct cache_file *file);
void cache_drop(struct cache *cache, struct cache_file *file);

/*
 * Filling: begin, then pieces in order from offset 0, then end, which compares the digest. begin: -ENOSPC when it does not fit
 * into max_bytes beside what is in use. add: -EPROTO for a piece out of order or beyond the size. end: -EBADMSG for a content
 * that is too short or has another digest; fill is gone in any case. abort ends it without a result; NULL is fine.
 */
int cache_fill_begin(struct cache *cache, uint64_t size, const uint8_t digest[static DIGEST_SIZE], struct cache_fill **ret_fill);
int cache_fill_add(struct cache_fill *fill, uint64_t offset, const void *data, size_t size);
int cache_fill_end(struct cache_fill *fill, struct cache_file **ret_file);
void cache_fill_abort(struct cache_fill *fill);

/* For tests and the log. */
uint64_t cache_bytes(const struct cache *cache);
unsigned cache_files(const struct cache *cache);

#endif
