/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What home and guest captures have in common: registers, tail of the manifest, sending. */
#include <linux/mman.h>
#include <mosix/wire.h>
#include "arena.h"
#include "capture_parts.h"
#include "core.h"
#include "step.h"

/* Cuts the entry that address lies inside of in two. Returns the new count. */
static int cut(struct maps_entry *map, int count, uint64_t address)
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
	count = cut(*ret, count, s->base);
	count = cut(*ret, count, s->base + MOSIX_ARENA_SIZE);
	count = cut(*ret, count, s->config.library_start);
	count = cut(*ret, count, s->config.library_end);
	for (uint32_t i = 0; i < s->reserved_count; i++) {
		count = cut(*ret, count, s->reserved[i].start);
		count = cut(*ret, count, s->reserved[i].end);
	}
	return count;
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

/* The XSAVE area behind the manifest, padded with zeros to 64 bytes. */
static int put_xsave(struct mosix_manifest *m, const struct kernel_ucontext *uc)
{
	uint8_t *fpstate = (uint8_t *)uc->mc.fpstate;
	uint32_t size = FPSTATE_LEGACY_SIZE;
	uint8_t *tail = (uint8_t *)(m + 1);

	if (fpstate == NULL)
		return -EINVAL;
	if (fpstate_is_extended(fpstate))
		size = fpstate_sw(fpstate)->extended_size;
	m->xsave_size = (size + 63) & ~63u;
	if (m->xsave_size > MOSIX_XSAVE_MAX)
		return -E2BIG;
	memset(tail, 0, m->xsave_size);
	memcpy(tail, fpstate, size);
	return 0;
}

int capture_thread(struct capture *c, const struct kernel_ucontext *uc)
{
	struct core_state *s = core_here;
	struct mosix_manifest *m = c->manifest;
	struct mosix_thread *t = &m->thread;

	m->magic = MOSIX_MANIFEST_MAGIC;
	m->version = MOSIX_PROTOCOL;
	m->epoch = s->epoch;
	m->pid = s->pid;
	m->arena = s->base;
	memcpy(m->config, &s->config, sizeof(s->config));
	t->regs = uc->mc.regs;
	SYS2(__NR_arch_prctl, CORE_ARCH_GET_FS, &t->fs_base);
	t->mask = s->mask;
	t->altstack = s->altstack;
	t->robust_list = s->robust_list;
	t->robust_size = s->robust_size;
	t->clear_tid = s->clear_tid;
	t->rseq = s->rseq;
	t->rseq_size = s->rseq_size;
	t->rseq_signature = s->rseq_signature;
	t->inside = s->inside;
	t->tid = s->pid;
	memcpy(m->action, s->action, sizeof(m->action));
	m->monotonic_ns = core_clock(CORE_CLOCK_MONOTONIC);
	m->boottime_ns = core_clock(CORE_CLOCK_BOOTTIME);
	m->xlayout = s->xlayout;
	m->home_xlayout = s->home_xlayout;
	return put_xsave(m, uc);
}

void capture_times(struct mosix_manifest *m)
{
	struct { int64_t user[2], system[2], rest[14]; } usage;

	if (SYS2(__NR_getrusage, 0, &usage) != 0)
		return;
	m->cpu_user_ns = (uint64_t)usage.user[0] * 1000000000ull + (uint64_t)usage.user[1] * 1000;
	m->cpu_system_ns = (uint64_t)usage.system[0] * 1000000000ull + (uint64_t)usage.system[1] * 1000;
}

int capture_mapping(struct capture *c, uint64_t start, uint64_t end, uint64_t offset, uint32_t prot, uint32_t flags, uint32_t file)
{
	struct mosix_manifest *m = c->manifest;
	struct mosix_mapping *at = (struct mosix_mapping *)((uint8_t *)(m + 1) + m->xsave_size) + m->mappings;

	if (m->mappings == MOSIX_MAPPINGS_MAX || (uint8_t *)(at + 1) > (uint8_t *)m + ARENA_MANIFEST_SIZE)
		return -E2BIG;
	*at = (struct mosix_mapping){ .start = start, .end = end, .offset = offset, .prot = prot, .flags = flags, .file = file };
	m->mappings++;
	c->runs.floor = c->runs.count;
	return 0;
}

/* Memory the program cannot read still travels, so it is opened while it is sent. */
static void open_unreadable(const struct capture *c, int open)
{
	const struct mosix_mapping *map = manifest_mappings(c->manifest);
	uint64_t run = 0;

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
