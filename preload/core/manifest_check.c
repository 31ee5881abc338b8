/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one validator of images (manifest.h), for remoted, for the core at homecoming and for fuzzers. Freestanding. */
#include <asm/errno.h>
#include <stddef.h>
#include <mosix/manifest.h>
#include <mosix/wire.h>

#define PROT_ALL   7u
#define PROT_EXECUTE 4u
#define PROT_WRITABLE 2u
#define FLAGS_ALL  (MOSIX_MAP_FRESH * 2u - 1)
#define LEGACY     512u		/* the part of an XSAVE area that is always there */
#define STACK_ALIGNMENT 16u

static int is_in_arena(const struct mosix_manifest *m, uint64_t start, uint64_t size)
{
	return start >= m->arena && size <= MOSIX_ARENA_SIZE && start - m->arena <= MOSIX_ARENA_SIZE - size;
}

static int is_user(uint64_t start, uint64_t size)
{
	return start <= MOSIX_TASK_SIZE && size <= MOSIX_TASK_SIZE - start;
}

static int overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

static uint64_t slots_size(const struct mosix_manifest *m)
{
	return m->slot_count * MOSIX_SLOT_SIZE;
}

static const char *check_head(const struct mosix_manifest *m, uint64_t size)
{
	if (m->magic != MOSIX_MANIFEST_MAGIC)
		return "it is no image";
	if (m->version != MOSIX_PROTOCOL)
		return "it is of another version";
	if (m->mappings == 0 || m->mappings > MOSIX_MAPPINGS_MAX)
		return "it has no mapping or too many";
	if (m->xsave_size < LEGACY || m->xsave_size > MOSIX_XSAVE_MAX || m->xsave_size % 64 != 0)
		return "the size of the XSAVE area is impossible";
	if (m->threads == 0 || m->threads > MOSIX_THREADS_MAX)
		return "it has no thread or too many";
	if (manifest_tail(m) > size)
		return "it is cut off";
	if (m->pid == 0 || m->pid > 0x7fffffff || m->name[sizeof(m->name) - 1] != '\0')
		return "pid or name is impossible";
	return NULL;
}

static const char *check_arena(const struct mosix_manifest *m)
{
	if (m->arena % MOSIX_ARENA_SIZE != 0 || m->arena < MOSIX_LOADER_END || !is_user(m->arena, MOSIX_ARENA_SIZE))
		return "the arena is at an impossible place";
	if (m->slot_count > MOSIX_THREADS_MAX || m->slots % MOSIX_SLOT_SIZE != 0 ||
	    (m->slot_count > 0 && m->slots < MOSIX_LOADER_END) || !is_user(m->slots, slots_size(m)) ||
	    overlap(m->slots, slots_size(m), m->arena, MOSIX_ARENA_SIZE))
		return "the slots are at an impossible place";
	if (!is_in_arena(m, m->guest_stack, 0) || m->guest_stack == m->arena || m->guest_stack % STACK_ALIGNMENT != 0)
		return "the guest's first stack is outside the arena";
	if (m->gate_stack_size == 0 || !is_in_arena(m, m->gate_stack, m->gate_stack_size))
		return "the gate's stack is outside the arena";
	return NULL;
}

/* Of the CPU: the area of a frame may be shorter, as long as the process has no use for a part (AMX). */
static const char *check_layout(const struct mosix_xlayout *x)
{
	if (x->size > MOSIX_XSAVE_MAX)
		return "an XSAVE layout is larger than any area";
	for (unsigned i = 2; i < MOSIX_XFEATURES; i++)
		if (x->xfeatures >> i & 1 && (x->part[i].size > x->size || x->part[i].offset > x->size - x->part[i].size))
			return "an XSAVE component lies outside its layout";
	return NULL;
}

static const char *check_thread(const struct mosix_manifest *m, uint32_t n)
{
	const struct mosix_thread *t = manifest_thread(m, n);

	if (t->tid == 0 || t->tid > 0x7fffffff || (t->tid == m->pid) != (n == 0))
		return "a thread's number is impossible";
	if ((t->slot == 0) != (n == 0) || t->slot > m->slot_count)
		return "a thread has no slot";
	for (uint32_t i = 0; i < n; i++)
		if (manifest_thread(m, i)->tid == t->tid || manifest_thread(m, i)->slot == t->slot)
			return "two threads are the same";
	if (!is_user(t->fs_base, 0) || !is_user(t->regs.rip, 0))
		return "a register of the thread is impossible";
	if (!is_user(t->rseq, t->rseq_size) || !is_user(t->robust_list, 0) || !is_user(t->clear_tid, 4))
		return "an area of the thread is at an impossible place";
	return NULL;
}

static const char *check_process(const struct mosix_manifest *m)
{
	const char *why = NULL;

	if (!is_user(m->brk_start, 0) || !is_user(m->brk, 0) || m->brk < m->brk_start)
		return "the break is impossible";
	for (uint32_t i = 0; i < m->threads && !why; i++)
		why = check_thread(m, i);
	return why;
}

static const char *check_flags(const struct mosix_mapping *map)
{
	uint32_t kind = map->flags & (MOSIX_MAP_ANON | MOSIX_MAP_FILE | MOSIX_MAP_RESERVED);

	if (map->prot & ~PROT_ALL || map->flags & ~FLAGS_ALL || map->zero != 0)
		return "a mapping has unknown flags";
	if (kind != MOSIX_MAP_ANON && kind != MOSIX_MAP_FILE && kind != MOSIX_MAP_RESERVED)
		return "a mapping is not of one kind";
	if (map->flags & (MOSIX_MAP_STACK | MOSIX_MAP_HEAP) && kind != MOSIX_MAP_ANON)
		return "stack or heap is not anonymous";
	if (map->flags & MOSIX_MAP_FRESH && kind != MOSIX_MAP_ANON)
		return "a mapping is new, but not anonymous";
	if (map->flags & MOSIX_MAP_VDSO && kind != MOSIX_MAP_RESERVED)
		return "the vdso is not reserved";
	if (map->flags & MOSIX_MAP_SHARED && (kind != MOSIX_MAP_FILE || map->prot & PROT_WRITABLE))
		return "a shared mapping is writable or not of a file";
	return NULL;
}

static const char *check_mappings(const struct mosix_manifest *m)
{
	const struct mosix_mapping *map = manifest_mappings(m);
	uint64_t last = MOSIX_LOADER_END, pages = 0;
	unsigned stacks = 0, vdsos = 0;

	for (uint32_t i = 0; i < m->mappings; i++, map++) {
		const char *why = check_flags(map);

		if (why)
			return why;
		if (map->start % MOSIX_PAGE != 0 || map->end % MOSIX_PAGE != 0 || map->start >= map->end)
			return "a mapping is empty or not aligned";
		if (map->start < last)
			return last == MOSIX_LOADER_END ? "a mapping lies in the loader's place" :
							  "mappings overlap or are not in order";
		if (map->end > MOSIX_TASK_SIZE)
			return "a mapping lies outside the address space";
		if (overlap(map->start, map->end - map->start, m->arena, MOSIX_ARENA_SIZE) ||
		    overlap(map->start, map->end - map->start, m->slots, slots_size(m)))
			return "a mapping lies in the arena";
		if (map->flags & MOSIX_MAP_FILE &&
		    (map->offset % MOSIX_PAGE != 0 || map->offset > INT64_MAX - (map->end - map->start)))
			return "a mapping has an impossible offset";
		stacks += (map->flags & MOSIX_MAP_STACK) != 0;
		vdsos += (map->flags & MOSIX_MAP_VDSO) != 0;
		pages += (map->end - map->start) / MOSIX_PAGE;
		last = map->end;
	}
	if (stacks > 1 || vdsos > 1)
		return "it has two stacks or two vdsos";
	return m->pages > pages ? "it announces more pages than it maps" : NULL;
}

/* libmosix's text itself stays out of an image that comes home, so an entry may lie in none of the mappings. */
static const char *check_entry(const struct mosix_manifest *m, uint64_t entry)
{
	const struct mosix_mapping *map = manifest_mappings(m);

	if (entry < MOSIX_LOADER_END || entry >= MOSIX_TASK_SIZE)
		return "an entry point is outside the address space";
	for (uint32_t i = 0; i < m->mappings; i++)
		if (entry >= map[i].start && entry < map[i].end)
			return map[i].prot & PROT_EXECUTE && !(map[i].flags & MOSIX_MAP_RESERVED) ? NULL :
			       "an entry point is no code";
	return NULL;
}

int manifest_check(const struct mosix_manifest *m, uint64_t size, const char **ret_why)
{
	const char *why = check_head(m, size);

	if (!why)
		why = check_arena(m);
	if (!why)
		why = check_layout(&m->xlayout);
	if (!why)
		why = check_layout(&m->home_xlayout);
	if (!why)
		why = check_process(m);
	if (!why)
		why = check_mappings(m);
	if (!why)
		why = check_entry(m, m->guest_entry);
	if (!why)
		why = check_entry(m, m->gate_handler);
	if (!why)
		why = check_entry(m, m->gate_restorer);
	if (!why)
		return 0;
	*ret_why = why;
	return -EINVAL;
}
