/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The book: the register on disk, so that a homed that is started again knows its processes, their secrets and where they
 * are. A file of fixed slots, each written by one small pwrite(2): a homed that dies leaves each slot old or new, and a
 * slot that is neither fails its sum and is dropped. Valid for one boot of the machine (start times count from there).
 */
#ifndef HOMED_BOOK_H
#define HOMED_BOOK_H

#include <stdint.h>
#include "common/conf.h"

struct book;

enum book_flag { BOOK_STAY = 1 << 0, BOOK_NOAUTO = 1 << 1 };

struct book_record {
	int32_t  pid;
	uint32_t flags;
	uint64_t start, secret, arena;
	uint32_t epoch, returned_epoch;
	uint64_t moves;
	char     where[CONF_NAME], intended[CONF_NAME];
};

/*
 * Opens or makes the book and calls known() for each sound record with its slot; known() returns 0 to keep the slot, else it
 * is given up. A book of another boot or version is begun anew. 0 or -errno.
 */
int book_open(const char *path, int (*known)(const struct book_record *record, int slot, void *data), void *data,
	      struct book **ret_book);
void book_close(struct book *book);

/* Writes a record; *slot is -1 for a new one and then gets its place. 0 or -errno. */
int book_write(struct book *book, int *slot, const struct book_record *record);
void book_erase(struct book *book, int slot);

/* Slots in use. */
unsigned book_count(const struct book *book);

#endif
