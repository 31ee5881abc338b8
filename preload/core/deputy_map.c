/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/mman.h>
#include <linux/stat.h>
#include "arena.h"
#include "capture.h"
#include "core.h"
#include "deputy_map.h"
#include "deputy_signals.h"
#include "frames.h"
#include "maps.h"
#include "thread.h"

#define ALLOWED_PROT  (PROT_READ | PROT_WRITE | PROT_EXEC)
#define ALLOWED_FLAGS (MAP_PRIVATE | MAP_NORESERVE | MAP_STACK | MAP_DENYWRITE | MAP_EXECUTABLE)

/*
 * A file that was changed longer ago than this is known again by its times: they are as coarse as 2 s (FAT). In the same tick of
 * a clock another content could stand under the same ones.
 */
#define SETTLED_NS 3000000000ll

struct wish { uint64_t start, length, prot, flags, offset; int fd; };

static int64_t nanoseconds(unsigned long sec, unsigned long nsec)
{
	return (int64_t)(sec * 1000000000ull + nsec);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * What can be copied: of a device or a pipe there is no content, hugetlbfs maps by other units, and what the program may write to
 * as well it expects to see in the mapping.
 */
static int is_plain(const struct wish *w, const struct stat *st)
{
	uint64_t statfs[15], all = PAGE_UP((uint64_t)st->st_size), from = least(w->offset, all);
	long flags = SYS3(__NR_fcntl, w->fd, F_GETFL, 0);

	return S_ISREG(st->st_mode) && flags >= 0 && (flags & O_ACCMODE) != O_RDWR &&
	       SYS2(__NR_fstatfs, w->fd, statfs) == 0 && statfs[0] != HUGETLBFS_MAGIC &&
	       least(w->length, all - from) <= MOSIX_CONTENT_MOST;
}

static int touches(uint64_t start, uint64_t end, uint64_t other, uint64_t other_end)
{
	return start < other_end && end > other;
}

static int is_ours(uint64_t start, uint64_t end)
{
	const struct core_state *s = core_here;
	const struct maps_entry e = { .start = start, .end = end };

	return capture_is_arena(&e) || touches(start, end, s->config.library_start, s->config.library_end) ||
	       touches(start, end, s->old_slots, s->old_slots + s->old_count * MOSIX_SLOT_SIZE);
}

/* Whether all that this process has there is the program's, and may be another mapping. */
static int may_replace(uint64_t start, uint64_t end)
{
	char *text = slot_at(ARENA_SCRATCH);
	struct maps_entry *map = slot_at(ARENA_SCRATCH + ARENA_TEXT_SIZE);
	int count = is_ours(start, end) ? -1 : maps_read(core_here->maps_fd, text, ARENA_TEXT_SIZE, map, CAPTURE_ENTRIES);

	for (int i = 0; i < count; i++)
		if (touches(start, end, map[i].start, map[i].end) && map[i].kind != MAPS_ANON && map[i].kind != MAPS_FILE)
			return 0;
	return count > 0;
}

static int64_t map_at(const struct wish *w, uint64_t how)
{
	return core_syscall6(__NR_mmap, w->start, w->length, w->prot, w->flags | how, (uint64_t)w->fd, w->offset);
}

/* The address; 0: not here; or what home's kernel says. *st: the file. */
static int64_t make(const struct wish *w, struct stat *st)
{
	struct stat again;
	int64_t result = SYS2(__NR_fstat, w->fd, st);

	if (result != 0)
		return result;
	if (!is_plain(w, st) || w->start > MOSIX_TASK_SIZE || w->length > MOSIX_TASK_SIZE - w->start)
		return 0;
	if (w->length == 0 || w->start % MOSIX_PAGE)
		return map_at(w, MAP_FIXED_NOREPLACE);	/* the kernel says what is wrong with it */
	result = map_at(w, MAP_FIXED_NOREPLACE);
	if (result == -EEXIST)
		result = may_replace(w->start, w->start + PAGE_UP(w->length)) ? map_at(w, MAP_FIXED) : 0;
	if (result <= 0)
		return result;
	if (!(w->prot & PROT_EXEC))	/* as all that has been dropped */
		SYS3(__NR_mprotect, w->start, w->length, PROT_NONE);
	if (SYS2(__NR_fstat, w->fd, &again) != 0 || again.st_dev != st->st_dev || again.st_ino != st->st_ino)
		return 0;	/* another thread has made another file of the descriptor */
	return result;
}

/* By what the guest will know it again; no times: it will not. */
static void describe(struct mosix_frame *reply, const struct stat *st)
{
	int64_t now = (int64_t)core_clock(0);
	int64_t mtime = nanoseconds(st->st_mtime, st->st_mtime_nsec), ctime = nanoseconds(st->st_ctime, st->st_ctime_nsec);

	reply->arg[1] = st->st_dev;
	reply->arg[2] = st->st_ino;
	reply->arg[3] = (uint64_t)st->st_size;
	if (mtime < now - SETTLED_NS && ctime < now - SETTLED_NS) {
		reply->arg[4] = (uint64_t)mtime;
		reply->arg[5] = (uint64_t)ctime;
	}
}

static int send(struct mosix_frame *reply, uint64_t area)
{
	if (core_here->come_home)
		reply->flags |= MOSIX_F_COMEHOME;
	return frames_send(core_thread()->call_fd, reply, area);
}

int deputy_map(const struct mosix_frame *request)
{
	struct core_state *s = core_here;
	struct core_thread *t = core_thread();
	struct mosix_frame reply = { .type = MOSIX_REPLY, .sequence = request->sequence };
	const uint64_t *arg = request->arg;
	const struct wish w = { arg[0], arg[1], arg[2], arg[3], arg[5], (int)arg[4] };
	struct stat st;
	int64_t result = -EBADF;

	if (w.prot & ~(uint64_t)ALLOWED_PROT || w.flags & ~(uint64_t)ALLOWED_FLAGS || !(w.flags & MAP_PRIVATE) ||
	    w.offset % MOSIX_PAGE)
		return -EBADMSG;
	signals_close();
	t->mapped = (struct core_range){ 0, 0 };
	if (w.fd < s->fd_low || w.fd > s->fd_high)
		result = make(&w, &st);
	reply.arg[0] = (uint64_t)result;
	if (result > 0) {
		t->mapped = (struct core_range){ w.start, w.start + PAGE_UP(w.length) };
		describe(&reply, &st);
	}
	return send(&reply, ARENA_REPLY);
}

int deputy_fetch(const struct mosix_frame *request)
{
	const struct core_range *mapped = &core_thread()->mapped;
	struct mosix_frame reply = { .type = MOSIX_REPLY, .sequence = request->sequence };
	uint64_t start = request->arg[0], length = request->arg[1];
	int error;

	if (length == 0 || length > MOSIX_FETCH_MOST || start < mapped->start || start > mapped->end ||
	    length > mapped->end - start)
		return -EBADMSG;
	signals_close();
	error = core_copy_in(slot_at(ARENA_REPLY), start, length);
	if (error != 0) {
		SYS3(__NR_mprotect, start, PAGE_UP(length), PROT_READ);
		error = core_copy_in(slot_at(ARENA_REPLY), start, length);
		SYS3(__NR_mprotect, start, PAGE_UP(length), PROT_NONE);
	}
	reply.arg[0] = (uint64_t)error;
	reply.length = error ? 0 : (uint32_t)length;
	return send(&reply, ARENA_REPLY);
}
