/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The address space: out with what exec made, in with what home had. */
#include "loader.h"

#include <asm/prctl.h>
#include <errno.h>
#include <linux/memfd.h>
#include <sys/mman.h>

#ifndef ARCH_MAP_VDSO_64
#define ARCH_MAP_VDSO_64 0x2003
#endif

#define USER_END (1ull << 47)

struct range { uint64_t start, end; };

static char text[LOADER_MAPS_SIZE];

static int overlaps(struct range a, struct range b)
{
	return a.start < b.end && b.start < a.end;
}

/* The whole of our maps, NUL-terminated: complete before any mapping is changed. */
static void read_maps(const struct loader *l)
{
	size_t have = 0;
	long n;

	do {
		n = SYS4(pread64, l->maps, text + have, sizeof(text) - 1 - have, have);
		loader_must(n, 0);
		have += (size_t)n;
	} while (n > 0);
	if (have == sizeof(text) - 1)
		loader_fail(MOSIX_WHY_LOADER, E2BIG, 0);
	text[have] = '\0';
}

static uint64_t hexadecimal(const char **at)
{
	uint64_t v = 0;

	for (;; (*at)++) {
		char c = **at;

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else
			return v;
	}
}

static int name_starts(const char *name, const char *prefix)
{
	while (*prefix)
		if (*name++ != *prefix++)
			return 0;
	return 1;
}

/* Takes one line; returns the start of the next, NULL at the end. The name is what follows the last blank: ours have none. */
static const char *next_line(const char *line, struct range *r, const char **name)
{
	if (*line == '\0')
		return NULL;
	r->start = hexadecimal(&line);
	line++;
	r->end = hexadecimal(&line);
	*name = line;
	for (; *line != '\n' && *line != '\0'; line++)
		if (*line == ' ')
			*name = line + 1;
	return *line == '\n' ? line + 1 : line;
}

static void note_specials(struct loader *l)
{
	const char *line, *name;
	struct range r;

	l->specials = 0;
	for (line = text; (line = next_line(line, &r, &name)) != NULL;) {
		int vdso = name_starts(name, "[vdso]");

		if (!vdso && !name_starts(name, "[vvar"))
			continue;
		if (l->specials == LOADER_SPECIALS)
			loader_fail(MOSIX_WHY_LOADER, E2BIG, r.start);
		l->special[l->specials++] = (struct special){ r.start, r.end, vdso };
	}
}

static void unmap_rest(void)
{
	const struct range own = { MOSIX_LOADER_START, MOSIX_LOADER_END };
	const char *line, *name;
	struct range r;

	for (line = text; (line = next_line(line, &r, &name)) != NULL;) {
		if (overlaps(r, own) || r.start >= USER_END || name_starts(name, "[vdso]") || name_starts(name, "[vvar"))
			continue;
		/* Special mappings of later kernels may refuse; if home needs the place, mapping it will say so. */
		SYS2(munmap, r.start, r.end - r.start);
	}
}

static struct range extent(const struct loader *l)
{
	struct range r = { ~0ull, 0 };

	for (unsigned i = 0; i < l->specials; i++) {
		if (l->special[i].start < r.start)
			r.start = l->special[i].start;
		if (l->special[i].end > r.end)
			r.end = l->special[i].end;
	}
	return r;
}

/* Moves vvar and vdso together, for the vdso's code finds its data by distance. Replaces what lies at `to`. 0 or -errno. */
static long move_specials(struct loader *l, uint64_t to)
{
	uint64_t from = extent(l).start;

	for (unsigned i = 0; i < l->specials; i++) {
		struct special *s = &l->special[i];
		uint64_t place = s->start - from + to, size = s->end - s->start;
		long r = SYS5(mremap, s->start, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, place);

		if (r < 0)
			return r;
		s->start = place;
		s->end = place + size;
	}
	return 0;
}

static uint64_t map(uint64_t start, uint64_t size, int prot, int flags, int fd, uint64_t offset)
{
	long r = SYS(mmap, start, size, prot, flags | MAP_FIXED_NOREPLACE | MAP_NORESERVE, fd, offset);

	return loader_must(r, start);
}

/* Where special mappings cannot be moved: let the kernel make new ones. It wants the old ones gone, and an empty place. */
static void remake_specials(struct loader *l, uint64_t to)
{
	uint64_t end = to + MOSIX_ARENA_VDSO_MAX;
	struct range r;

	for (unsigned i = 0; i < l->specials; i++) {
		long e = SYS2(munmap, l->special[i].start, l->special[i].end - l->special[i].start);

		/* Sealed (CONFIG_MSEAL_SYSTEM_MAPPINGS): it stays, and a collision shows when home's mappings are made. */
		if (e == -EPERM && i == 0)
			return;
		loader_must(e, l->special[i].start);
	}
	loader_must(SYS2(munmap, to, MOSIX_ARENA_VDSO_MAX), to);
	loader_must(SYS2(arch_prctl, ARCH_MAP_VDSO_64, to), to);
	read_maps(l);
	note_specials(l);
	r = extent(l);
	if (l->specials == 0 || r.start != to || r.end > end)
		loader_fail(MOSIX_WHY_LOADER, EADDRNOTAVAIL, to);
	if (r.end < end)
		map(r.end, end - r.end, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

void space_clear(struct loader *l)
{
	static struct mosix_manifest head;
	const uint64_t parking[] = { 1ull << 32, 1ull << 33 };
	struct range arena, special;
	uint64_t place;

	plan_read_head(l, &head);
	l->arena = head.arena;
	arena = (struct range){ l->arena, l->arena + MOSIX_ARENA_SIZE };
	place = l->arena + MOSIX_ARENA_VDSO;

	read_maps(l);
	note_specials(l);
	unmap_rest();
	special = extent(l);
	if (l->specials == 0 || special.end - special.start > MOSIX_ARENA_VDSO_MAX)
		loader_fail(MOSIX_WHY_LOADER, EADDRNOTAVAIL, special.start);
	/* Nothing but the loader is mapped now, so one of two places is free and not the arena's. */
	if (overlaps(special, arena)) {
		uint64_t size = special.end - special.start;
		int other = overlaps((struct range){ parking[0], parking[0] + size }, arena);

		loader_must(move_specials(l, parking[other]), special.start);
	}
	map(l->arena, MOSIX_ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (move_specials(l, place) < 0)
		remake_specials(l, place);
}

int space_fillable(const struct loader *l, const struct mosix_mapping *m)
{
	(void)l;
	if (m->flags & MOSIX_MAP_RESERVED)
		return (m->flags & MOSIX_MAP_VDSO) != 0;
	if (m->flags & MOSIX_MAP_FILE && m->flags & MOSIX_MAP_SHARED)
		return m->file == MOSIX_NO_FILE;
	return 1;
}

/*
 * One empty file behind every mapping whose content homed did not offer: such a mapping keeps an inode in /proc/self/maps, by
 * which the core knows that it is a file's, and its pages come as runs. -1 if there is none.
 */
static int make_sparse(const struct loader *l)
{
	uint64_t size = 0;
	int fd;

	for (uint32_t i = 0; i < l->manifest->mappings; i++) {
		const struct mosix_mapping *m = &l->mapping[i];

		if (m->flags & MOSIX_MAP_FILE && m->file == MOSIX_NO_FILE && m->offset + (m->end - m->start) > size)
			size = m->offset + (m->end - m->start);
	}
	if (size == 0)
		return -1;
	fd = (int)loader_must(SYS2(memfd_create, "mosix", MFD_CLOEXEC), 0);
	loader_must(SYS2(ftruncate, fd, size), 0);
	return fd;
}

static int file_of(const struct loader *l, const struct mosix_mapping *m, int sparse)
{
	if (m->file == MOSIX_NO_FILE)
		return sparse;
	if (m->file >= l->plan.files || l->file[m->file] < 0)
		loader_fail(MOSIX_WHY_BAD_IMAGE, EBADF, m->start);
	return l->file[m->file];
}

static void build_one(const struct loader *l, const struct mosix_mapping *m, int sparse)
{
	int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS, fd = -1;
	uint64_t offset = 0;

	if (m->flags & MOSIX_MAP_RESERVED) {
		if (!(m->flags & MOSIX_MAP_VDSO))
			prot = PROT_NONE;
	} else if (m->flags & MOSIX_MAP_FILE) {
		fd = file_of(l, m, sparse);
		offset = m->offset;
		flags = MAP_PRIVATE;
		/* A shared one is never writable (manifest_check), nor would a read-only descriptor let it be. */
		if (!space_fillable(l, m)) {
			flags = MAP_SHARED;
			prot = (int)m->prot;
		}
	} else if (m->flags & MOSIX_MAP_STACK) {
		flags |= MAP_GROWSDOWN;
	}
	map(m->start, m->end - m->start, prot, flags, fd, offset);
}

void space_build(struct loader *l)
{
	const struct mosix_manifest *m = l->manifest;
	int sparse = make_sparse(l);

	if (m->slot_count > 0)
		map(m->slots, m->slot_count * MOSIX_SLOT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (uint32_t i = 0; i < m->mappings; i++)
		build_one(l, &l->mapping[i], sparse);
	if (sparse >= 0)
		SYS1(close, sparse);
}

void space_protect(struct loader *l)
{
	for (uint32_t i = 0; i < l->manifest->mappings; i++) {
		const struct mosix_mapping *m = &l->mapping[i];
		uint32_t prot = m->flags & MOSIX_MAP_VDSO ? PROT_READ | PROT_EXEC : m->prot;

		if (space_fillable(l, m) && prot != (PROT_READ | PROT_WRITE))
			loader_must(SYS3(mprotect, m->start, m->end - m->start, prot), m->start);
	}
}
