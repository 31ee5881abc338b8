/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int grow(void **items, size_t count, size_t size)
{
	void *more;

	if (count & (count - 1))	/* room for the next power of two */
		return 0;
	more = realloc(*items, (count ? 2 * count : 1) * size);
	if (!more)
		return -ENOMEM;
	*items = more;
	return 0;
}

static int take_thread(struct snapshot *s, const uint8_t *bytes, size_t size)
{
	struct mosix_stack_thread thread;

	if (size != sizeof thread || s->threads == 2 * MOSIX_THREADS_MAX)
		return -EPROTO;
	memcpy(&thread, bytes, sizeof thread);
	if (thread.tid == 0 || thread.tid > INT32_MAX)
		return -EPROTO;
	if (grow((void **)&s->thread, s->threads, sizeof thread))
		return -ENOMEM;
	s->thread[s->threads++] = thread;
	return 0;
}

static int take_memory(struct snapshot *s, uint64_t address, const uint8_t *bytes, size_t size)
{
	if (size == 0 || address > MOSIX_TASK_SIZE || size > MOSIX_TASK_SIZE - address)
		return -EPROTO;
	if (grow((void **)&s->memory, s->memories, sizeof *s->memory))
		return -ENOMEM;
	s->memory[s->memories++] = (struct snapshot_memory){ address, address + size, bytes };
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct mosix_stack_thread *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

static int by_address(const void *a, const void *b)
{
	const struct snapshot_memory *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* Two threads may share a stack (or hand it on): what overlaps is cut, what is covered is dropped. */
static void part(struct snapshot *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->memories; i++) {
		struct snapshot_memory m = s->memory[i];
		uint64_t floor = kept ? s->memory[kept - 1].end : 0;

		if (m.end <= floor)
			continue;
		if (m.start < floor) {
			m.bytes += floor - m.start;
			m.start = floor;
		}
		s->memory[kept++] = m;
	}
	s->memories = kept;
}

static int take_pieces(struct snapshot *s, const uint8_t *bytes, size_t size)
{
	struct mosix_stack_piece piece;
	int r = 0;

	for (size_t at = 0; at < size && r == 0;) {
		size_t padded;

		if (size - at < sizeof piece)
			return -EPROTO;
		memcpy(&piece, bytes + at, sizeof piece);
		at += sizeof piece;
		padded = ((size_t)piece.size + 7) & ~(size_t)7;
		if (padded > size - at)
			return -EPROTO;
		if (piece.kind == MOSIX_STACK_THREAD)
			r = take_thread(s, bytes + at, piece.size);
		else if (piece.kind == MOSIX_STACK_MEMORY)
			r = take_memory(s, piece.address, bytes + at, piece.size);
		else
			r = -EPROTO;
		at += padded;
	}
	return r;
}

int snapshot_parse(const void *bytes, size_t size, struct snapshot *ret)
{
	int r;

	*ret = (struct snapshot){ 0 };
	if (size > MOSIX_STACK_MAX)
		return -EPROTO;
	r = take_pieces(ret, bytes, size);
	if (r)
		return r;
	if (!ret->threads)
		return -EPROTO;
	qsort(ret->thread, ret->threads, sizeof *ret->thread, by_number);
	for (size_t i = 1; i < ret->threads; i++)
		if (ret->thread[i].tid == ret->thread[i - 1].tid)
			return -EPROTO;
	if (ret->memories)
		qsort(ret->memory, ret->memories, sizeof *ret->memory, by_address);
	part(ret);
	return 0;
}

void snapshot_free(struct snapshot *s)
{
	free(s->thread);
	free(s->memory);
	*s = (struct snapshot){ 0 };
}

const struct snapshot_memory *snapshot_find(const struct snapshot *s, uint64_t address)
{
	size_t low = 0, high = s->memories;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct snapshot_memory *m = &s->memory[middle];

		if (address < m->start)
			high = middle;
		else if (address >= m->end)
			low = middle + 1;
		else
			return m;
	}
	return NULL;
}

int snapshot_read(const struct snapshot *s, uint64_t address, void *ret, size_t size)
{
	for (size_t done = 0; done < size;) {
		const struct snapshot_memory *m = snapshot_find(s, address + done);
		size_t n;

		if (!m)
			return -EFAULT;
		n = m->end - (address + done) < size - done ? m->end - (address + done) : size - done;
		memcpy((uint8_t *)ret + done, m->bytes + (address + done - m->start), n);
		done += n;
	}
	return 0;
}
