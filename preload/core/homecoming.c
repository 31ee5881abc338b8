/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/mman.h>
#include "arena.h"
#include "capture.h"
#include "core.h"
#include "frame_build.h"
#include "homecoming.h"
#include "lock.h"
#include "step.h"
#include "thread.h"

#define DONTNEED_LOCKED 24	/* MADV_DONTNEED_LOCKED, Linux 5.18: of memory under mlock(2) */

static int is_arena(uint64_t start, uint64_t end)
{
	const struct maps_entry e = { .start = start, .end = end };

	return capture_is_arena(&e);
}

static int is_library(uint64_t start, uint64_t end)
{
	return start < core_here->config.library_end && end > core_here->config.library_start;
}

/* Whether [start, end) touches what must stay mapped as it is, for the deputy stands on it. */
static int is_ours(uint64_t start, uint64_t end)
{
	return is_arena(start, end) || is_library(start, end);
}

static int is_kernels(const struct maps_entry *e)
{
	return e->kind == MAPS_VDSO || e->kind == MAPS_SPECIAL || e->kind == MAPS_UNKNOWN;
}

/* 1: committed, now or before. */
static int commit(void)
{
	uint32_t open = COMMIT_OPEN;

	return __atomic_compare_exchange_n(&core_here->committed, &open, COMMIT_DONE, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) ||
	       open == COMMIT_DONE;
}

int home_revoke(void)
{
	uint32_t open = COMMIT_OPEN;

	return __atomic_compare_exchange_n(&core_here->committed, &open, COMMIT_REVOKED, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

int home_is_committed(void)
{
	return core_get(&core_here->committed) == COMMIT_DONE;
}

/* With core_here->lock. */
static void drop(void)
{
	struct core_state *s = core_here;
	struct maps_entry *map;
	int count;

	if (s->dropped)
		return;
	count = capture_maps(core_here->maps_fd, &map);
	s->dropped = count > 0;
	for (int i = 0; i < count; i++) {
		uint64_t end = map[i].end;

		if (map[i].shared || is_kernels(&map[i]) || is_ours(map[i].start, end))
			continue;
		if (s->args_start > map[i].start && s->args_start < end)
			end = s->args_start;
		if (SYS3(__NR_madvise, map[i].start, end - map[i].start, MADV_DONTNEED) != 0)
			SYS3(__NR_madvise, map[i].start, end - map[i].start, DONTNEED_LOCKED);
		if (!(map[i].prot & PROT_EXEC))
			SYS3(__NR_mprotect, map[i].start, end - map[i].start, PROT_NONE);
	}
	core_step(MOSIX_STEP_deputy_dropped);
}

void home_drop(void)
{
	struct core_state *s = core_here;

	if (s->dropped)
		return;
	if (!commit())
		home_follow();
	core_lock(&s->lock);
	drop();
	core_unlock(&s->lock);
}

/* Each thread of the image must be the one that stands on its slot here. */
static int same_threads(const struct mosix_manifest *m)
{
	const struct core_state *s = core_here;

	if (m->threads != s->threads)
		return 0;
	for (uint32_t i = 1; i < m->threads; i++) {
		const struct mosix_thread *t = manifest_thread(m, i);

		if (t->slot > s->slot_count || s->slot_tid[t->slot] != t->tid)
			return 0;
	}
	return 1;
}

static int receive_manifest(void)
{
	struct core_state *s = core_here;
	struct mosix_manifest *m = arena_at(ARENA_RETURN);
	const char *why;
	int error = core_read_all(s->channel_fd[MOSIX_CHANNEL_PAGE], m, sizeof(*m));

	if (error != 0)
		return error;
	if (m->magic != MOSIX_MANIFEST_MAGIC || m->xsave_size > MOSIX_XSAVE_MAX || m->mappings > MOSIX_MAPPINGS_MAX ||
	    m->threads == 0 || m->threads > MOSIX_THREADS_MAX || sizeof(*m) + manifest_tail(m) > ARENA_MANIFEST_SIZE)
		return -EBADMSG;
	error = core_read_all(s->channel_fd[MOSIX_CHANNEL_PAGE], m + 1, manifest_tail(m));
	if (error != 0)
		return error;
	if (m->epoch != s->epoch || m->pid != s->pid || m->arena != s->base || m->slots != s->slots ||
	    m->slot_count != s->slot_count || manifest_check(m, manifest_tail(m), &why) != 0 || !same_threads(m))
		return -EBADMSG;
	return 0;
}

/* What is mapped here now at address, or NULL. */
static const struct maps_entry *entry_at(const struct maps_entry *map, int count, uint64_t address)
{
	int low = 0, high = count;

	while (low < high) {
		int middle = (low + high) / 2;

		if (map[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && map[low].start <= address ? &map[low] : NULL;
}

/* Removes what the program unmapped while it was away. */
static int remove_gone(const struct maps_entry *map, int count, const struct mosix_manifest *m)
{
	const struct mosix_mapping *guest = manifest_mappings(m);
	uint32_t j = 0;

	for (int i = 0; i < count; i++) {
		uint64_t at = map[i].start;

		if (is_kernels(&map[i]) || is_ours(map[i].start, map[i].end) || map[i].kind == MAPS_STACK)
			continue;
		while (at < map[i].end) {
			uint64_t end = map[i].end;

			while (j > 0 && guest[j - 1].end > at)
				j--;
			while (j < m->mappings && guest[j].end <= at)
				j++;
			if (j < m->mappings && guest[j].start <= at) {
				at = guest[j].end;
				continue;
			}
			if (j < m->mappings && guest[j].start < end)
				end = guest[j].start;
			if (SYS2(__NR_munmap, at, end - at) != 0)
				return -ENOMEM;
			at = end;
		}
	}
	return 0;
}

static int map_with(uint64_t start, uint64_t end, uint64_t more)
{
	return core_syscall6(__NR_mmap, start, end - start, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | more, (uint64_t)-1, 0) == (long)start;
}

/* As programs mostly ask for it, so that neighbours become one mapping as theirs do; what is too much for that is a reservation. */
static int map_anonymous(uint64_t start, uint64_t end)
{
	return map_with(start, end, 0) || map_with(start, end, MAP_NORESERVE) ? 0 : -ENOMEM;
}

/* What has grown stays one mapping, which mremap(2) and others insist on. */
static int grow(uint64_t start, uint64_t end, uint64_t to)
{
	return end > start && SYS4(__NR_mremap, start, end - start, to - start, 0) == (long)start;
}

/* Makes one of the guest's mappings exist here, empty where it is anonymous. */
static int place_mapping(const struct maps_entry *map, int count, const struct mosix_mapping *guest)
{
	uint64_t at = guest->start, growing = at;

	if (is_arena(guest->start, guest->end))
		return -EBADMSG;
	if (is_library(guest->start, guest->end))
		return 0;	/* pages for its data come, its mappings are untouched */
	while (at < guest->end) {
		const struct maps_entry *here = entry_at(map, count, at);
		uint64_t end = here ? here->end : guest->end;
		int file = guest->flags & MOSIX_MAP_FILE;

		for (int i = 0; !here && i < count; i++)
			if (map[i].start > at && map[i].start < end)
				end = map[i].start;
		if (end > guest->end)
			end = guest->end;
		if (here && is_kernels(here))
			return -EBADMSG;
		if (file && (!here || here->inode == 0 || here->offset - here->start != guest->offset - guest->start))
			return -EBADMSG;	/* home has made every file mapping that a guest has */
		if (!here && guest->flags & MOSIX_MAP_STACK) {
			at = end;		/* the kernel grows the stack when its pages arrive */
			continue;
		}
		if (!file && (!here || guest->flags & MOSIX_MAP_FRESH || here->inode != 0 || here->shared)) {
			if ((here || !grow(growing, at, end)) && map_anonymous(at, end) != 0)
				return -ENOMEM;
		} else {
			growing = at;
		}
		at = end;
	}
	return 0;
}

/*
 * A mapping is opened as a whole before its first page comes: opened page by page it would become several, each with a
 * history of its own (anon_vma), that the kernel never makes one again. Not what is but reserved: all of it would be
 * charged against overcommit.
 */
static void open_mapping(const struct mosix_mapping *guest)
{
	const uint32_t others = MOSIX_MAP_FILE | MOSIX_MAP_SHARED | MOSIX_MAP_STACK | MOSIX_MAP_RESERVED;

	if (guest->prot != 0 && !(guest->flags & others) && !is_library(guest->start, guest->end))
		SYS3(__NR_mprotect, guest->start, guest->end - guest->start, PROT_READ | PROT_WRITE);
}

/* Reads what nobody can place any more, so that the channel stands before the next image. */
static int skip(uint64_t size)
{
	while (size > 0) {
		uint64_t piece = size < ARENA_SCRATCH_SIZE ? size : ARENA_SCRATCH_SIZE;
		int error = core_read_all(core_here->channel_fd[MOSIX_CHANNEL_PAGE], arena_at(ARENA_SCRATCH), piece);

		if (error != 0)
			return error;
		size -= piece;
	}
	return 0;
}

/* Of a file, all that is one mapping on both sides, as in open_mapping(). 0 or -ENOMEM. */
static int open_around(const struct maps_entry *here, const struct mosix_mapping *guest, uint64_t start, uint64_t size)
{
	uint64_t end = start + size;

	if (here) {
		start = here->start > guest->start ? here->start : guest->start;
		end = here->end < guest->end ? here->end : guest->end;
	}
	return SYS3(__NR_mprotect, start, end - start, PROT_READ | PROT_WRITE) == 0 ? 0 : -ENOMEM;
}

/*
 * Pages of one mapping of the guest. Of a shared file that was not offered it had a private copy: here the mapping is the file
 * itself, which nobody could write to, and its pages are of no use. *failed: as below.
 */
static int receive_pages(const struct maps_entry *map, int count, const struct mosix_mapping *guest, uint64_t at, uint64_t size,
			 int *failed)
{
	while (size > 0) {
		const struct maps_entry *here = guest->flags & MOSIX_MAP_FILE ? entry_at(map, count, at) : NULL;
		uint64_t piece = here && here->end - at < size ? here->end - at : size;
		int useless = here && here->shared, error;

		if (!*failed && !useless && !(guest->flags & MOSIX_MAP_STACK) && !is_library(guest->start, guest->end))
			*failed = open_around(here, guest, at, piece);
		error = *failed || useless ? skip(piece) :
					     core_read_all(core_here->channel_fd[MOSIX_CHANNEL_PAGE], (void *)at, piece);
		if (error != 0)
			return error;
		at += piece;
		size -= piece;
	}
	return 0;
}

/*
 * Takes all runs of the image. failed: an earlier error; then they are read and thrown away. Memory is opened only where pages
 * come: opening whole reservations would be charged against overcommit.
 */
static int receive_runs(const struct maps_entry *map, int count, const struct mosix_manifest *m, int failed)
{
	const struct mosix_mapping *guest = manifest_mappings(m);
	uint32_t j = 0;
	uint64_t past = 0, taken = 0;

	for (;;) {
		struct mosix_run run;
		uint64_t size;
		int error = core_read_all(core_here->channel_fd[MOSIX_CHANNEL_PAGE], &run, sizeof(run));

		if (error != 0)
			return error;
		if (run.pages == 0)
			return failed;
		size = run.pages * MOSIX_PAGE;
		if (run.start < past || run.start % MOSIX_PAGE || run.pages > MOSIX_TASK_SIZE / MOSIX_PAGE)
			return -EBADMSG;
		while (j < m->mappings && guest[j].end <= run.start)
			j++;
		if (j == m->mappings || run.start < guest[j].start || run.start + size > guest[j].end ||
		    guest[j].flags & MOSIX_MAP_SHARED)
			return -EBADMSG;
		if (taken <= m->pages / 2 && taken + run.pages > m->pages / 2)
			core_step(MOSIX_STEP_deputy_home_half);
		taken += run.pages;
		error = receive_pages(map, count, &guest[j], run.start, size, &failed);
		if (error != 0)
			return error;
		past = run.start + size;
	}
}

static void protect(const struct mosix_manifest *m)
{
	const struct mosix_mapping *guest = manifest_mappings(m);

	for (uint32_t i = 0; i < m->mappings; i++)
		if (guest[i].flags & MOSIX_MAP_STACK)	/* from its end down to wherever it reaches by now */
			SYS3(__NR_mprotect, guest[i].end - MOSIX_PAGE, MOSIX_PAGE, guest[i].prot | PROT_GROWSDOWN);
		else if (!(guest[i].flags & MOSIX_MAP_SHARED) && !is_library(guest[i].start, guest[i].end))
			SYS3(__NR_mprotect, guest[i].start, guest[i].end - guest[i].start, guest[i].prot);
}

static int try_frames(const struct mosix_manifest *m)
{
	for (uint32_t i = 0; i < m->threads; i++)
		if (frame_build(m, i, &manifest_thread(m, i)->altstack, 0) != 0)
			return -EOPNOTSUPP;
	return 0;
}

/* The program state that the guest kept while it was away. */
static void take_state(const struct mosix_manifest *m)
{
	struct core_state *s = core_here;

	memcpy(s->action, m->action, sizeof(s->action));
	s->urgent.action = s->action[KSIG_URG];
	s->away_user += m->cpu_user_ns;
	s->away_system += m->cpu_system_ns;
	for (uint32_t i = 0; i < m->threads; i++) {
		const struct mosix_thread *t = manifest_thread(m, i);
		struct core_own *kept = capture_own(t->fs_base);

		slot_thread(t->slot)->own = *t;
		if (kept)
			kept->away_ns += t->away_ns;
	}
}

/* The main stack stands here with the reach it had; its closed part is opened before pages come. */
static void open_stack(const struct maps_entry *map, int count)
{
	for (int i = 0; i < count; i++)
		if (map[i].end <= core_here->stack_end && map[i].start >= core_here->stack_low)
			SYS3(__NR_mprotect, map[i].start, map[i].end - map[i].start, PROT_READ | PROT_WRITE);
}

int home_take(void)
{
	const struct mosix_manifest *m = arena_at(ARENA_RETURN);
	struct maps_entry *map;
	int count, error = receive_manifest();

	if (error != 0)
		return error;
	core_step(MOSIX_STEP_deputy_home_manifest);
	home_drop();
	core_here->dropped = 0;		/* from here on pages arrive; a failure drops them again */
	error = try_frames(m);
	if (error == 0 && (uint64_t)SYS1(__NR_brk, m->brk) != m->brk)
		error = -ENOMEM;
	count = capture_maps(core_here->maps_fd, &map);
	if (count <= 0)
		error = -ENOMEM;
	if (error == 0)
		error = remove_gone(map, count, m);
	for (uint32_t i = 0; i < m->mappings && error == 0; i++) {
		error = place_mapping(map, count, manifest_mappings(m) + i);
		if (error == 0)
			open_mapping(manifest_mappings(m) + i);
	}
	if (error == -EBADMSG)
		return error;
	if (error == 0)
		open_stack(map, count);
	error = receive_runs(map, count, m, error);
	if (error != 0)
		return error;
	core_here->moved_pages = m->pages;
	core_here->moved_bytes = sizeof(*m) + manifest_tail(m) + m->pages * MOSIX_PAGE;
	protect(m);
	take_state(m);
	return 0;
}
