/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/mman.h>
#include <mosix/stack.h>
#include "arena.h"
#include "capture.h"
#include "core.h"
#include "maps.h"
#include "orders.h"
#include "snapshot.h"
#include "thread.h"

#define STACKS_MAX 3		/* of one thread: its own, and those of handlers that interrupted each other */

struct snapshot {
	int orders;
	int error;
	uint64_t left;		/* bytes of memory that may still go */
	const struct maps_entry *map;
	int count;
};

/* One packet on the orders socket: a word, and in it a piece. */
struct packet {
	struct mosix_word word;
	struct mosix_stack_piece piece;
	uint8_t bytes[MOSIX_STACK_PACKET];
};

_Static_assert(sizeof(struct packet) <= ARENA_PAYLOAD_SIZE, "a packet of a snapshot outgrew its place");

static void say_piece(struct snapshot *s, uint32_t kind, uint64_t address, const void *bytes, uint32_t size)
{
	struct packet *packet = arena_at(ARENA_PAYLOAD);
	uint32_t padded = (size + 7) & ~7u;

	if (s->error != 0)
		return;
	packet->word = (struct mosix_word){ .kind = MOSIX_WORD_STACK };
	packet->piece = (struct mosix_stack_piece){ .kind = kind, .size = size, .address = address };
	memset(packet->bytes + size, 0, padded - size);
	memcpy(packet->bytes, bytes, size);
	s->error = orders_say_more(s->orders, &packet->word, sizeof(packet->piece) + padded);
}

/* Copies memory to the scratch area and says it. Bytes that were copied, 0 if it cannot be read or there is no room. */
static uint64_t say_memory(struct snapshot *s, uint64_t start, uint64_t end)
{
	const uint8_t *copy = arena_at(ARENA_SCRATCH);
	uint64_t size = end - start < s->left ? end - start : s->left;

	if (size == 0 || core_copy_in((void *)copy, start, size) != 0)
		return 0;
	for (uint64_t at = 0; at < size; at += MOSIX_STACK_PACKET) {
		uint64_t n = size - at < MOSIX_STACK_PACKET ? size - at : MOSIX_STACK_PACKET;

		say_piece(s, MOSIX_STACK_MEMORY, start + at, copy + at, (uint32_t)n);
	}
	s->left -= size;
	return size;
}

static const struct maps_entry *mapping_of(const struct snapshot *s, uint64_t address)
{
	for (int i = 0; i < s->count; i++)
		if (address >= s->map[i].start && address < s->map[i].end)
			return s->map[i].prot & PROT_READ ? &s->map[i] : NULL;
	return NULL;
}

/* From the stack pointer up, and on where the handlers on alternate stacks came from. */
static void say_stacks(struct snapshot *s, uint64_t rsp, uint64_t most)
{
	for (int n = 0; n < STACKS_MAX; n++) {
		const struct maps_entry *on = mapping_of(s, rsp);
		struct mosix_stack_frame frame;
		uint64_t start, end, size;

		if (on == NULL)
			return;
		start = (rsp - MOSIX_STACK_RED) & ~15ull;
		start = start > on->start ? start : on->start;
		end = on->end - start > most ? start + most : on->end;
		size = say_memory(s, start, end);
		if (!stack_find_frame(arena_at(ARENA_SCRATCH), start, size, &frame))
			return;
		rsp = frame.regs.rsp;
	}
}

static void say_thread(struct snapshot *s, const struct core_thread *t, uint64_t most)
{
	struct mosix_stack_thread thread = { .tid = t->own.tid, .call = t->own.inside, .regs = t->uc->mc.regs };

	say_piece(s, MOSIX_STACK_THREAD, 0, &thread, sizeof(thread));
	say_stacks(s, thread.regs.rsp, most);
}

static void say_vdso(struct snapshot *s)
{
	for (int i = 0; i < s->count; i++)
		if (s->map[i].kind == MAPS_VDSO && s->map[i].end - s->map[i].start <= MOSIX_STACK_EACH)
			say_memory(s, s->map[i].start, s->map[i].end);
}

void snapshot_say(int orders)
{
	struct snapshot s = { .orders = orders, .left = MOSIX_STACK_TOTAL };
	struct mosix_word end = { .kind = MOSIX_WORD_STACK };
	int fd = maps_open("/proc/thread-self/maps");
	struct maps_entry *map = NULL;

	s.count = fd < 0 ? fd : capture_maps(fd, &map);
	s.map = map;
	SYS1(__NR_close, fd);
	say_vdso(&s);
	for (uint32_t n = 0; n <= core_here->slot_count; n++)
		if (n == 0 || slot_is_used(n))
			say_thread(&s, slot_thread(n), stack_share(core_here->threads));
	if (s.error == 0)
		orders_say(orders, &end);
}
