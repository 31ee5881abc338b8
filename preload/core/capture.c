/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What home and guest captures have in common: registers, tail of the manifest, sending. */
#include <linux/mman.h>
#include <mosix/wire.h>
#include "arena.h"
#include "capture_parts.h"
#include "core.h"
#include "thread.h"
#include "step.h"

int capture_cut(struct maps_entry *map, int count, uint64_t address)
{
	for (int i = 0; i < count; i++) {
		if (map[i].start >= address || map[i].end <= address)
			continue;
		memmove(&map[i + 1], &map[i], (uint64_t)(count - i) * sizeof(*map));
		map[i].end = map[i + 1].start = address;
		if (map[i].inode)
			map[i + 1].offset += address - map[i].start;
		return count + 1;
	}
	return count;
}

/*
 * The kernel merges neighbours of one kind, so a mapping of the program may have grown together with the arena or another
 * range of ours: such entries are cut at the border.
 */
int capture_maps(int fd, struct maps_entry **ret)
{
	const struct core_state *s = core_here;
	char *text = arena_at(ARENA_TEXT);
	uint64_t table = CAPTURE_ENTRIES * sizeof(struct maps_entry);
	int count;

	*ret = arena_at(ARENA_TEXT + ARENA_TEXT_SIZE - table);
	count = maps_read(fd, text, ARENA_TEXT_SIZE - table, *ret, CAPTURE_ENTRIES - CAPTURE_CUTS);
	if (count < 0)
		return count;
	count = capture_cut(*ret, count, s->base);
	count = capture_cut(*ret, count, s->base + MOSIX_ARENA_SIZE);
	if (s->slot_count > 0) {
		count = capture_cut(*ret, count, s->slots);
		count = capture_cut(*ret, count, s->slots + s->slot_count * MOSIX_SLOT_SIZE);
	}
	count = capture_cut(*ret, count, s->config.library_start);
	count = capture_cut(*ret, count, s->config.library_end);
	for (uint32_t i = 0; i < s->reserved_count; i++) {
		count = capture_cut(*ret, count, s->reserved[i].start);
		count = capture_cut(*ret, count, s->reserved[i].end);
	}
	return count;
}

struct core_own *capture_own(uint64_t fs_base)
{
	return fs_base ? (struct core_own *)(fs_base + (uint64_t)core_here->config.own_offset) : NULL;
}

int capture_is_arena(const struct maps_entry *e)
{
	const struct core_state *s = core_here;

	return (e->start < s->base + MOSIX_ARENA_SIZE && e->end > s->base) ||
	       (e->start < s->slots + s->slot_count * MOSIX_SLOT_SIZE && e->end > s->slots);
}

int capture_fail(struct capture *c, uint32_t reason, int64_t detail)
{
	c->reason = reason;
	c->detail = detail;
	return -1;
}

void capture_begin(struct capture *c, uint64_t place)
{
	memset(c, 0, sizeof(*c));
	c->manifest = arena_at(place);
	memset(c->manifest, 0, sizeof(*c->manifest));
	c->runs.run = arena_at(ARENA_RUNS);
	c->runs.most = ARENA_RUNS_SIZE / sizeof(struct mosix_run);
}

static uint32_t xsave_size(const struct kernel_ucontext *uc)
{
	uint8_t *fpstate = (uint8_t *)uc->mc.fpstate;

	if (fpstate == NULL)
		return 0;
	return fpstate_is_extended(fpstate) ? fpstate_sw(fpstate)->extended_size : FPSTATE_LEGACY_SIZE;
}

/* Registers, the program's state and the XSAVE area of thread i, padded with zeros. */
static void put_thread(struct mosix_manifest *m, uint32_t i, const struct core_thread *t)
{
	struct mosix_thread *to = (struct mosix_thread *)manifest_thread(m, i);
	uint8_t *area = (uint8_t *)manifest_xsave(m, i);
	uint32_t size = xsave_size(t->uc);

	if (i > 0)
		memset(to, 0, MOSIX_THREAD_SIZE);
	*to = t->own;
	to->regs = t->uc->mc.regs;
	if (core_here->place == PLACE_GUEST)	/* of this stay: the rest home has already */
		to->away_ns = core_clock(CORE_CLOCK_THREAD_OF(t->own.tid));
	memcpy(area, (const uint8_t *)t->uc->mc.fpstate, size);
	memset(area + size, 0, m->xsave_size - size);
}

/* All of one size: the largest. */
static int put_threads(struct mosix_manifest *m)
{
	struct core_state *s = core_here;
	uint32_t size = xsave_size(slot_thread(0)->uc), i = 0;

	for (uint32_t n = 1; n <= s->slot_count; n++)
		if (slot_is_used(n)) {
			uint32_t other = xsave_size(slot_thread(n)->uc);

			size = other > size ? other : size;
			m->threads++;
		}
	m->threads++;
	m->xsave_size = (size + 63) & ~63u;
	if (size < FPSTATE_LEGACY_SIZE)
		return -EINVAL;
	if (m->xsave_size > MOSIX_XSAVE_MAX || sizeof(*m) + manifest_tail(m) > ARENA_MANIFEST_SIZE)
		return -E2BIG;
	for (uint32_t n = 0; n <= s->slot_count; n++)
		if (n == 0 || slot_is_used(n))
			put_thread(m, i++, slot_thread(n));
	return 0;
}

int capture_begin_image(struct capture *c)
{
	struct core_state *s = core_here;
	struct mosix_manifest *m = c->manifest;

	m->magic = MOSIX_MANIFEST_MAGIC;
	m->version = MOSIX_PROTOCOL;
	m->epoch = s->epoch;
	m->pid = s->pid;
	m->arena = s->base;
	memcpy(m->config, &s->config, sizeof(s->config));
	m->slots = s->slots;
	m->slot_count = s->slot_count;
	memcpy(m->action, s->action, sizeof(m->action));
	m->monotonic_ns = core_clock(CORE_CLOCK_MONOTONIC);
	m->boottime_ns = core_clock(CORE_CLOCK_BOOTTIME);
	m->xlayout = s->xlayout;
	m->home_xlayout = s->home_xlayout;
	return put_threads(m);
}

void capture_times(struct mosix_manifest *m)
{
	struct { int64_t user[2], system[2], rest[14]; } usage;

	if (SYS2(__NR_getrusage, 0, &usage) != 0)
		return;
	m->cpu_user_ns = (uint64_t)usage.user[0] * 1000000000ull + (uint64_t)usage.user[1] * 1000;
	m->cpu_system_ns = (uint64_t)usage.system[0] * 1000000000ull + (uint64_t)usage.system[1] * 1000;
}

int capture_mapping(struct capture *c, uint64_t start, uint64_t end, uint64_t offset, uint32_t prot, uint32_t flags,
		    uint32_t file)
{
	struct mosix_manifest *m = c->manifest;
	struct mosix_mapping *at = (struct mosix_mapping *)manifest_mappings(m) + m->mappings;

	if (m->mappings == MOSIX_MAPPINGS_MAX || (uint8_t *)(at + 1) > (uint8_t *)m + ARENA_MANIFEST_SIZE)
		return -E2BIG;
	*at = (struct mosix_mapping){ .start = start, .end = end, .offset = offset, .prot = prot, .flags = flags, .file = file };
	m->mappings++;
	c->runs.floor = c->runs.count;
	return 0;
}

/*
 * Memory the program cannot read still travels, so it is opened while it is sent. Not that of a vfork child: it is its parent's,
 * whose threads may open and close it themselves meanwhile.
 */
static void open_unreadable(const struct capture *c, int open)
{
	const struct mosix_mapping *map = manifest_mappings(c->manifest);
	uint64_t run = 0;

	if (core_thread()->process)
		return;
	for (uint32_t i = 0; i < c->manifest->mappings; i++) {
		while (run < c->runs.count && c->runs.run[run].start < map[i].start)
			run++;
		if (map[i].prot & PROT_READ || run == c->runs.count || c->runs.run[run].start >= map[i].end)
			continue;
		SYS3(__NR_mprotect, map[i].start, map[i].end - map[i].start, open ? PROT_READ : map[i].prot);
	}
}

int capture_send(int fd, const struct capture *c)
{
	uint64_t head = sizeof(*c->manifest) + manifest_tail(c->manifest);
	int error;

	c->manifest->pages = c->runs.pages;
	error = core_write_all(fd, c->manifest, head);
	if (error != 0)
		return error;
	core_step_either(MOSIX_STEP_deputy_manifest, MOSIX_STEP_guest_home_manifest);
	open_unreadable(c, 1);
	error = pages_send(fd, &c->runs);
	open_unreadable(c, 0);
	core_here->moved_pages = c->runs.pages;
	core_here->moved_bytes = head + c->runs.pages * MOSIX_PAGE + (c->runs.count + 1) * sizeof(struct mosix_run);
	return error;
}
