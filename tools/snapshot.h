/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A snapshot (mosix/stack.h) as it came: its bytes are another machine's word, and everything in it is checked here. */
#ifndef MOSIX_SNAPSHOT_H
#define MOSIX_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>
#include <mosix/stack.h>

struct snapshot_memory {
	uint64_t start, end;	/* addresses; start < end */
	const uint8_t *bytes;	/* in what was parsed */
};

struct snapshot {
	struct mosix_stack_thread *thread;	/* ascending by number; each once */
	size_t threads;
	struct snapshot_memory *memory;		/* ascending by address, disjoint */
	size_t memories;
};

/*
 * 0; -EPROTO: it is malformed, or has no thread; -ENOMEM. bytes (of any alignment) must stay until snapshot_free(), which may be
 * called in every case.
 */
int snapshot_parse(const void *bytes, size_t size, struct snapshot *ret_snapshot);
void snapshot_free(struct snapshot *snapshot);

/* What has this address; NULL if nothing does. */
const struct snapshot_memory *snapshot_find(const struct snapshot *snapshot, uint64_t address);

/* Copies memory, also across pieces that adjoin: 0, or -EFAULT if the snapshot has not all of it; then *ret
   is of no use. */
int snapshot_read(const struct snapshot *snapshot, uint64_t address, void *ret, size_t size);

#endif
