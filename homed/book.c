/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "homed/book.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOK_MAGIC   0x6b6f6f6278736f6dull
#define BOOK_VERSION 1u
#define SLOT_BYTES   256
#define SLOTS_MAX    65536

struct head {
	uint64_t magic;
	uint32_t version, size;
	char     boot[64];
	uint8_t  rest[SLOT_BYTES - 80];
};

struct slot {
	uint64_t magic;
	struct book_record record;
	uint8_t  rest[SLOT_BYTES - 16 - sizeof(struct book_record)];
	uint64_t sum;
};

_Static_assert(sizeof(struct head) == SLOT_BYTES && sizeof(struct slot) == SLOT_BYTES, "slots have one size");

struct book {
	int fd;
	unsigned slots, used;
	unsigned low;		/* no free slot below */
	bool taken[SLOTS_MAX];
};

static uint64_t sum_of(const struct slot *s)
{
	const uint8_t *p = (const uint8_t *)s;
	uint64_t sum = 0xcbf29ce484222325ull;	/* FNV-1a */

	for (size_t i = 0; i < offsetof(struct slot, sum); i++)
		sum = (sum ^ p[i]) * 0x100000001b3ull;
	return sum;
}

static off_t place_of(int slot)
{
	return (off_t)(slot + 1) * SLOT_BYTES;
}

static void make_head(struct head *h)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	memset(h, 0, sizeof(*h));
	h->magic = BOOK_MAGIC;
	h->version = BOOK_VERSION;
	h->size = sizeof(struct book_record);
	if (fd >= 0) {
		if (read(fd, h->boot, sizeof(h->boot) - 1) < 0)
			h->boot[0] = 0;
		close(fd);
	}
}

static bool text_ends(const char *text, size_t size)
{
	return memchr(text, 0, size) != NULL;
}

static int read_slots(struct book *b, int (*known)(const struct book_record *, int, void *), void *data)
{
	struct slot s;
	ssize_t n;

	for (int i = 0; i < SLOTS_MAX; i++) {
		n = pread(b->fd, &s, sizeof(s), place_of(i));
		if (n < 0)
			return -errno;
		if (n < (ssize_t)sizeof(s))
			break;
		b->slots = i + 1;
		if (s.magic != BOOK_MAGIC)
			continue;
		b->taken[i] = true;
		b->used++;
		if (s.sum != sum_of(&s) || !text_ends(s.record.where, CONF_NAME) || !text_ends(s.record.intended, CONF_NAME) ||
		    known(&s.record, i, data))
			book_erase(b, i);
	}
	return 0;
}

int book_open(const char *path, int (*known)(const struct book_record *record, int slot, void *data), void *data,
	      struct book **ret_book)
{
	struct book *b = calloc(1, sizeof(*b));
	struct head want, have;
	struct stat st;
	int r;

	if (!b)
		return -ENOMEM;
	b->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (b->fd < 0 || fstat(b->fd, &st) < 0)
		goto fail;
	make_head(&want);
	if (st.st_uid != getuid() || (st.st_mode & 077)) {
		errno = EPERM;	/* whoever could write it could have put any secret and place there */
		goto fail;
	}
	if (pread(b->fd, &have, sizeof(have), 0) != sizeof(have) || memcmp(&have, &want, sizeof(want))) {
		if (ftruncate(b->fd, 0) < 0 || pwrite(b->fd, &want, sizeof(want), 0) != sizeof(want))
			goto fail;
	} else {
		r = read_slots(b, known, data);
		if (r < 0) {
			errno = -r;
			goto fail;
		}
	}
	*ret_book = b;
	return 0;
fail:
	r = errno ? -errno : -EIO;
	if (b->fd >= 0)
		close(b->fd);
	free(b);
	return r;
}

void book_close(struct book *book)
{
	if (!book)
		return;
	close(book->fd);
	free(book);
}

int book_write(struct book *book, int *slot, const struct book_record *record)
{
	struct slot s = { .magic = BOOK_MAGIC, .record = *record };
	int place = *slot;

	if (place < 0) {
		while (book->low < SLOTS_MAX && book->taken[book->low])
			book->low++;
		if (book->low == SLOTS_MAX)
			return -ENOSPC;
		place = (int)book->low;
	}
	s.sum = sum_of(&s);
	errno = 0;
	if (pwrite(book->fd, &s, sizeof(s), place_of(place)) != sizeof(s))
		return errno ? -errno : -ENOSPC;
	if (!book->taken[place]) {
		book->taken[place] = true;
		book->used++;
	}
	if ((unsigned)place >= book->slots)
		book->slots = place + 1;
	*slot = place;
	return 0;
}

/* A failure to write leaves a record whose process is gone: the next homed sees that and drops it. */
void book_erase(struct book *book, int slot)
{
	static const struct slot empty;

	if (slot < 0 || !book->taken[slot])
		return;
	book->taken[slot] = false;
	book->used--;
	if ((unsigned)slot < book->low)
		book->low = slot;
	if (pwrite(book->fd, &empty, sizeof(empty), place_of(slot)) < 0)
		return;
}

unsigned book_count(const struct book *book)
{
	return book->used;
}
