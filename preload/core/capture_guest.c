/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The image of a guest on its way home: everything the program changed, but none of what is the core's or the kernel's. */
#include <linux/mman.h>
#include <mosix/reason.h>
#include "arena.h"
#include "capture_parts.h"
#include "core.h"
#include "entry.h"
#include "gate.h"
#include "ranges.h"
#include "thread.h"

static int is_reserved(const struct maps_entry *e)
{
	const struct core_state *s = core_here;

	if (capture_is_arena(e))
		return 1;
	/* Of libmosix only what its wrappers keep about the program travels; the core keeps nothing there. */
	if (e->start < s->config.library_end && e->end > s->config.library_start && !(e->prot & PROT_WRITE))
		return 1;
	for (uint32_t i = 0; i < s->reserved_count; i++)
		if (e->start < s->reserved[i].end && e->end > s->reserved[i].start)
			return 1;
	return 0;
}

static int is_unbacked(const struct maps_entry *e)
{
	return ranges_touch(&core_memory->unbacked, e->start, e->end) ||
	       (core_thread()->process && ranges_touch(&core_memory->late, e->start, e->end));
}

static int take_mapping(struct capture *c, const struct maps_entry *e)
{
	int unbacked = e->inode && is_unbacked(e);
	uint32_t flags = e->inode && !unbacked ? MOSIX_MAP_FILE : MOSIX_MAP_ANON;
	int error;

	if (flags == MOSIX_MAP_ANON && e->end == core_here->stack_end)
		flags |= MOSIX_MAP_STACK;
	else if (flags == MOSIX_MAP_ANON && (unbacked || ranges_touch(&core_memory->gone, e->start, e->end)))
		flags |= MOSIX_MAP_FRESH;
	if (e->shared && !unbacked)
		flags |= MOSIX_MAP_SHARED;
	error = capture_mapping(c, e->start, e->end, e->offset, e->prot, flags, MOSIX_NO_FILE);
	if (error == 0 && unbacked)
		error = pages_all(e->start, e->end, &c->runs);
	else if (error == 0 && !e->shared)
		error = pages_find(core_here->pagemap_fd, 1, e->start, e->end, &c->runs);
	return error ? capture_fail(c, error == -E2BIG ? MOSIX_WHY_TOO_MANY_MAPS : MOSIX_WHY_SPECIAL_MAP, error) : 0;
}

/* The ranges are entries of their own. The new count, or -E2BIG. */
static int cut_at(struct maps_entry *map, int count, const struct core_ranges *r)
{
	for (uint32_t i = 0; i < r->count && count > 0; i++) {
		if (count + 2 > CAPTURE_ENTRIES)
			return -E2BIG;
		count = capture_cut(map, count, r->range[i].start);
		count = capture_cut(map, count, r->range[i].end);
	}
	return count;
}

int capture_guest(struct capture *c)
{
	const struct mosix_manifest *came = arena_at(ARENA_MANIFEST);
	struct maps_entry *map;
	struct mosix_manifest *m;
	int count;

	capture_begin(c, ARENA_RETURN);
	m = c->manifest;
	if (capture_begin_image(c) != 0)
		return capture_fail(c, MOSIX_WHY_CPU_LACKS, 0);
	capture_times(m);
	m->guest_entry = came->guest_entry;
	m->guest_stack = came->guest_stack;
	m->gate_handler = came->gate_handler;
	m->gate_restorer = came->gate_restorer;
	m->gate_stack = came->gate_stack;
	m->gate_stack_size = came->gate_stack_size;
	m->brk_start = came->brk_start;
	m->brk = (uint64_t)SYS1(__NR_brk, 0);
	count = capture_maps(core_here->maps_fd, &map);
	count = cut_at(map, count, &core_memory->unbacked);
	if (core_thread()->process)
		count = cut_at(map, count, &core_memory->late);
	if (count <= 0)
		return capture_fail(c, MOSIX_WHY_TOO_MANY_MAPS, count);
	for (int i = 0; i < count; i++)
		if (!is_reserved(&map[i]) && take_mapping(c, &map[i]) != 0)
			return -1;
	return 0;
}
