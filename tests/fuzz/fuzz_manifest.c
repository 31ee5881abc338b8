/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* manifest_check(): reads nothing behind an image, and what it lets pass keeps what loader and core build upon. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/image.h"
#include "tests/fuzz/mutate.h"

const struct fuzz_driver fuzz_driver = { .name = "manifest", .rounds = 100000 };

void fuzz_begin(void)
{
	struct image im;

	image_make(&im, 4711, 1);
	fuzz_seed(&im, sizeof(im));
	im.m.guest_entry = 0x500000000000;
	im.m.brk += 0x10000;
	im.m.thread.rseq = 0;
	fuzz_seed(&im, sizeof(im));
	im.m.mappings = 1;
	fuzz_seed(&im, sizeof(im));
}

static void promises(const struct mosix_manifest *m, uint64_t size)
{
	const struct mosix_mapping *map = manifest_mappings(m);
	uint64_t last = MOSIX_LOADER_END, pages = 0;

	FUZZ_MUST(manifest_tail(m) <= size);
	FUZZ_MUST(m->arena >= MOSIX_LOADER_END && m->arena <= MOSIX_TASK_SIZE - MOSIX_ARENA_SIZE);
	FUZZ_MUST(m->threads >= 1 && m->threads <= MOSIX_THREADS_MAX && m->slot_count <= MOSIX_THREADS_MAX);
	FUZZ_MUST(m->arena % MOSIX_ARENA_SIZE == 0 && m->slots % MOSIX_SLOT_SIZE == 0);
	FUZZ_MUST(m->slots <= MOSIX_TASK_SIZE && m->slot_count * MOSIX_SLOT_SIZE <= MOSIX_TASK_SIZE - m->slots);
	for (uint32_t i = 1; i < m->threads; i++)
		FUZZ_MUST(manifest_thread(m, i)->slot >= 1 && manifest_thread(m, i)->slot <= m->slot_count);
	FUZZ_MUST(m->guest_stack > m->arena && m->guest_stack <= m->arena + MOSIX_ARENA_SIZE);
	FUZZ_MUST(m->gate_stack >= m->arena && m->gate_stack_size <= MOSIX_ARENA_SIZE &&
		  m->gate_stack + m->gate_stack_size <= m->arena + MOSIX_ARENA_SIZE);
	FUZZ_MUST(memchr(m->name, 0, sizeof(m->name)));
	for (unsigned i = 2; i < MOSIX_XFEATURES; i++)
		if (m->xlayout.xfeatures >> i & 1)
			FUZZ_MUST((uint64_t)m->xlayout.part[i].offset + m->xlayout.part[i].size <= MOSIX_XSAVE_MAX);
	for (uint32_t i = 0; i < m->mappings; i++) {
		FUZZ_MUST(map[i].start >= last && map[i].end > map[i].start && map[i].end <= MOSIX_TASK_SIZE);
		FUZZ_MUST(map[i].start % MOSIX_PAGE == 0 && map[i].end % MOSIX_PAGE == 0);
		FUZZ_MUST(map[i].end <= m->arena || map[i].start >= m->arena + MOSIX_ARENA_SIZE);
		FUZZ_MUST(map[i].end <= m->slots || map[i].start >= m->slots + m->slot_count * MOSIX_SLOT_SIZE);
		FUZZ_MUST(!(map[i].flags & MOSIX_MAP_SHARED) || !(map[i].prot & PROT_WRITE));
		pages += (map[i].end - map[i].start) / MOSIX_PAGE;
		last = map[i].end;
	}
	FUZZ_MUST(m->pages <= pages);
}

/* As remoted reads it: the head whole, then a tail of the length that the head announces, if that is allowed. */
void fuzz_one(const uint8_t *data, size_t size)
{
	struct mosix_manifest *m;
	const char *why = NULL;

	if (size < sizeof(*m))
		return;
	m = malloc(size);
	memcpy(m, data, size);
	if (manifest_check(m, size - sizeof(*m), &why) == 0)
		promises(m, size - sizeof(*m));
	else
		FUZZ_MUST(why && *why);
	free(m);
}
