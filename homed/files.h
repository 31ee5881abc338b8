/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The regular files that a process has mapped, with their digests, as a move offers them to a node. */
#ifndef HOMED_FILES_H
#define HOMED_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <mosix/order.h>
#include "common/digest.h"

struct file {
	char *path;
	uint64_t device, inode, size;
	int64_t mtime_ns;
	uint8_t digest[DIGEST_SIZE];
};

struct files {
	uint32_t count, others;
	struct file *file;		/* what can be offered */
	struct mosix_order_file *other;	/* what cannot: too large, not readable, removed, one too many */
};

/*
 * Offered are only files that still are what is mapped (device and inode), up to MOSIX_ORDER_FILES; the others travel by pages.
 * none: none are offered, because the process finds them to be others time and again. *ret_files is the caller's. 0;
 * -ENOMEM; a process that is gone or cannot be looked at has no files. Any thread.
 */
int files_collect(pid_t pid, bool none, struct digest_cache *cache, struct files *ret_files);
void files_free(struct files *files);

/* Opens the file if it is still the one that was collected; -ESTALE if not. */
int file_open(const struct file *file, int *ret_fd);

#endif
