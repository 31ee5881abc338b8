/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/memfd.h>
#include "arena.h"
#include "content.h"
#include "core.h"
#include "gate.h"
#include "guest.h"
#include "thread.h"

#define KINDS     (sizeof(core_here->content) / sizeof(core_here->content[0]))
#define KEPT_MOST (16ull << 20)	/* bytes, for mappings to come; the latest file is kept whatever its size */

static void forget(uint32_t i)
{
	struct core_state *s = core_here;

	SYS1(__NR_close, s->content[i].fd);
	s->contents--;
	memmove(&s->content[i], &s->content[i + 1], (s->contents - i) * sizeof(s->content[0]));
}

/* The same file as it was then, and what is known of it adjoins what is wanted. */
static int fits(const struct core_content *c, const struct core_content *wanted)
{
	return c->device == wanted->device && c->inode == wanted->inode && c->size == wanted->size &&
	       c->mtime == wanted->mtime && c->ctime == wanted->ctime && wanted->mtime != 0 &&
	       c->from <= wanted->to && c->to >= wanted->from;
}

/* Makes room for so many bytes: the least recently mapped go first. */
static void make_room(uint64_t bytes)
{
	struct core_state *s = core_here;

	for (uint32_t i = 0; i < s->contents; i++)
		bytes += s->content[i].to - s->content[i].from;
	while (s->contents > 0 && (s->contents == KINDS || bytes > KEPT_MOST)) {
		bytes -= s->content[0].to - s->content[0].from;
		forget(0);
	}
}

/* An empty one, the last. 0 or -errno. */
static int make(const struct core_content *wanted)
{
	struct core_state *s = core_here;
	struct core_content *c;
	long fd, error;

	make_room(wanted->to - wanted->from);
	fd = SYS2(__NR_memfd_create, "mosix", MFD_CLOEXEC);
	if (fd < 0)
		return (int)fd;
	c = &s->content[s->contents++];
	*c = *wanted;
	c->fd = (int32_t)fd;
	c->to = c->from;
	error = SYS2(__NR_ftruncate, fd, PAGE_UP(wanted->size));
	if (error != 0)
		forget(s->contents - 1);
	return (int)error;
}

static int put(int fd, const uint8_t *data, uint64_t size, uint64_t at)
{
	while (size > 0) {
		long n = SYS4(__NR_pwrite64, fd, data, size, at);

		if (n <= 0)
			return n == 0 ? -EIO : (int)n;
		data += n;
		at += (uint64_t)n;
		size -= (uint64_t)n;
	}
	return 0;
}

/* Bytes [from, to) of the file, which lie at `address` of home's mapping. */
static int fetch(int fd, uint64_t address, uint64_t from, uint64_t to)
{
	while (from < to) {
		uint64_t piece = to - from < MOSIX_FETCH_MOST ? to - from : MOSIX_FETCH_MOST;
		struct mosix_frame request = { .type = MOSIX_FETCH, .mask = core_thread()->own.mask,
					       .arg = { address, piece } }, answer;
		int error;

		if (gate_exchange(&request, NULL, &answer) != 0 || answer.type != MOSIX_REPLY)
			guest_end();
		if (answer.flags & MOSIX_F_COMEHOME)
			return -EINTR;
		if ((int64_t)answer.arg[0] < 0 || answer.length != piece)
			return -EIO;
		error = put(fd, slot_at(ARENA_PAYLOAD), piece, from);
		if (error != 0)
			return error;
		address += piece;
		from += piece;
	}
	return 0;
}

/* c is to have what is wanted, of which offset 0 would lie at `origin` of home's mapping. */
static int fill(struct core_content *c, const struct core_content *wanted, uint64_t origin)
{
	int error = 0;

	if (wanted->from < c->from)
		error = fetch(c->fd, origin + wanted->from, wanted->from, c->from);
	if (error == 0 && wanted->from < c->from)
		c->from = wanted->from;
	if (error == 0 && wanted->to > c->to)
		error = fetch(c->fd, origin + c->to, c->to, wanted->to);
	if (error == 0 && wanted->to > c->to)
		c->to = wanted->to;
	return error;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int content_get(const struct mosix_frame *mapped, uint64_t start, uint64_t offset, uint64_t length)
{
	struct core_state *s = core_here;
	struct core_content wanted = { .device = mapped->arg[1], .inode = mapped->arg[2], .size = mapped->arg[3],
				       .mtime = mapped->arg[4], .ctime = mapped->arg[5] };
	uint32_t i = 0, last;
	int error = 0;

	wanted.from = least(offset, PAGE_UP(wanted.size));
	wanted.to = least(offset + PAGE_UP(length), PAGE_UP(wanted.size));
	while (i < s->contents && !fits(&s->content[i], &wanted))
		i++;
	if (i == s->contents)
		error = make(&wanted);
	if (error != 0)
		return error;
	last = s->contents - 1;
	if (i < last) {
		struct core_content found = s->content[i];

		memmove(&s->content[i], &s->content[i + 1], (last - i) * sizeof(found));
		s->content[last] = found;
	}
	error = fill(&s->content[last], &wanted, start - offset);
	if (error != 0)
		forget(last);
	return error ? error : s->content[last].fd;
}

void content_settle(void)
{
	struct core_state *s = core_here;

	if (s->contents > 0 && s->content[s->contents - 1].mtime == 0)
		forget(s->contents - 1);
}
