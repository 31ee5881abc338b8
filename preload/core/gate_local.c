/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls that concern only memory, clocks and the thread itself: the guest's own kernel serves them. */
#include <linux/mman.h>
#include <linux/futex.h>
#include "arena.h"
#include "core.h"
#include "gate.h"
#include "gate_map.h"
#include "gate_thread.h"
#include "ranges.h"
#include "thread.h"

int gate_is_protected(uint64_t start, uint64_t length)
{
	const struct core_state *s = core_here;
	uint64_t end = start + PAGE_UP(length);

	if (end < start)
		return 1;
	if (start < s->base + MOSIX_ARENA_SIZE && end > s->base)
		return 1;
	if (start < s->slots + s->slot_count * MOSIX_SLOT_SIZE && end > s->slots)
		return 1;
	if (start < s->config.library_end && end > s->config.library_start)
		return 1;
	for (uint32_t i = 0; i < s->reserved_count; i++)
		if (start < s->reserved[i].end && end > s->reserved[i].start)
			return 1;
	return 0;
}

static int has_file(uint64_t start, uint64_t length)
{
	return ranges_touch(&core_memory->files, start, start + PAGE_UP(length));
}

static int64_t do_mmap(struct kernel_ucontext *uc, uint64_t nr, const uint64_t arg[6])
{
	const uint64_t plain = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_NORESERVE | MAP_STACK |
			       MAP_32BIT | MAP_POPULATE | 0x0800 /* MAP_DENYWRITE, ignored */;

	if (arg[5] % MOSIX_PAGE)	/* before all else, even where there is no file; the sixth register is the gate's */
		return -EINVAL;
	if (!(arg[3] & MAP_ANONYMOUS))
		return gate_map(uc, nr, arg);
	if (!(arg[3] & MAP_PRIVATE) || arg[3] & ~plain)
		return GATE_RETURN;
	if (arg[2] & ~(uint64_t)(PROT_READ | PROT_WRITE | PROT_EXEC))
		return GATE_RETURN;
	if ((arg[3] & MAP_FIXED && gate_is_protected(arg[0], arg[1])) || (arg[0] && arg[0] < MOSIX_LOADER_END))
		return GATE_RETURN;
	if (!(arg[3] & MAP_FIXED))
		return SYS5(__NR_mmap, arg[0], arg[1], arg[2], arg[3], (uint64_t)-1);
	ranges_add(&core_memory->gone, arg[0], arg[0] + PAGE_UP(arg[1]));
	return gate_unmap(arg[0], arg[0] + PAGE_UP(arg[1]), __NR_mmap,
			  (const uint64_t[]){ arg[0], arg[1], arg[2], arg[3], (uint64_t)-1 });
}

static int64_t do_munmap(const uint64_t arg[6])
{
	if (gate_is_protected(arg[0], arg[1]))
		return GATE_RETURN;
	ranges_add(&core_memory->gone, arg[0], arg[0] + PAGE_UP(arg[1]));
	return gate_unmap(arg[0], arg[0] + PAGE_UP(arg[1]), __NR_munmap, (const uint64_t[5]){ arg[0], arg[1] });
}

/* A mapping of a file is moved at home, where the file is. */
static int64_t do_mremap(const uint64_t arg[6])
{
	struct core_ranges *gone = &core_memory->gone;
	int64_t at;

	if (arg[1] == 0 || arg[3] & ~3ull || gate_is_protected(arg[0], arg[1]) || has_file(arg[0], arg[1]))
		return GATE_RETURN;
	if (arg[3] & 2 /* MREMAP_FIXED */ && (gate_is_protected(arg[4], arg[2]) || arg[4] < MOSIX_LOADER_END))
		return GATE_RETURN;
	if (arg[3] & 2) {
		ranges_add(gone, arg[4], arg[4] + PAGE_UP(arg[2]));
		at = gate_unmap(arg[4], arg[4] + PAGE_UP(arg[2]), __NR_mremap, arg);
	} else {
		at = SYS4(__NR_mremap, arg[0], arg[1], arg[2], arg[3]);
	}
	if (at > 0 && at != (int64_t)arg[0])
		ranges_add(gone, arg[0], arg[0] + PAGE_UP(arg[1]));
	else if (at > 0 && arg[2] < arg[1])
		ranges_add(gone, arg[0] + PAGE_UP(arg[2]), arg[0] + PAGE_UP(arg[1]));
	return at;
}

/* What may become code depends on where the file is. */
static int64_t do_mprotect(const uint64_t arg[6])
{
	if (gate_is_protected(arg[0], arg[1]) || arg[2] & ~7ull || (arg[2] & PROT_EXEC && has_file(arg[0], arg[1])))
		return GATE_RETURN;
	return SYS3(__NR_mprotect, arg[0], arg[1], arg[2]);
}

/* What advice changes in a mapping (fork, dump, merge, guard markings) would be lost at homecoming: that is given at home. */
static int64_t do_madvise(const uint64_t arg[6])
{
	static const uint8_t here[] = { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, MADV_FREE,
					20 /* COLD */, 21 /* PAGEOUT */, 22 /* POPULATE_READ */, 23 /* POPULATE_WRITE */ };

	if (gate_is_protected(arg[0], arg[1]))
		return GATE_RETURN;
	for (unsigned i = 0; i < sizeof(here); i++)
		if (arg[2] == here[i])
			return SYS3(__NR_madvise, arg[0], arg[1], arg[2]);
	return GATE_RETURN;
}

/* Nearly all are let through by the filter and never come here; what does is served the same way. */
static int64_t do_futex(uint64_t nr, const uint64_t arg[6])
{
	return core_syscall6((long)nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

/* glibc registers one for each thread that it makes. */
static int64_t do_rseq(uint64_t nr, const uint64_t arg[6])
{
	struct mosix_thread *own = &core_thread()->own;
	int64_t error = SYS4(nr, arg[0], arg[1], arg[2], arg[3]);

	if (error == 0) {
		own->rseq = arg[2] & 1 /* RSEQ_FLAG_UNREGISTER */ ? 0 : arg[0];
		own->rseq_size = (uint32_t)arg[1];
		own->rseq_signature = (uint32_t)arg[3];
	}
	return error;
}

static int64_t do_set_tid(uint64_t nr, const uint64_t arg[6])
{
	core_thread()->own.clear_tid = arg[0];
	return SYS1(nr, arg[0]);
}

static int64_t do_arch_prctl(const uint64_t arg[6])
{
	if (arg[0] != 0x1002 /* ARCH_SET_FS */ && arg[0] != 0x1003 /* ARCH_GET_FS */)
		return GATE_RETURN;
	return SYS2(__NR_arch_prctl, arg[0], arg[1]);
}

static int64_t do_robust(uint64_t nr, const uint64_t arg[6])
{
	struct mosix_thread *own = &core_thread()->own;

	if (nr == __NR_set_robust_list) {
		int64_t error = SYS2(nr, arg[0], arg[1]);

		if (error == 0) {
			own->robust_list = arg[0];
			own->robust_size = arg[1];
		}
		return error;
	}
	if (arg[0] != 0 && arg[0] != own->tid)
		return GATE_RETURN;
	/* Each is written whole or not at all, in the kernel's order. */
	if (core_probe_write(arg[2], 8) != 0 || core_copy_out(arg[2], &own->robust_size, 8) != 0)
		return -EFAULT;
	return core_probe_write(arg[1], 8) != 0 ? -EFAULT : core_copy_out(arg[1], &own->robust_list, 8);
}

/*
 * Dynamic clocks (linux/posix-timers.h): ~pid or ~tid above bit 2, 0 for oneself; bit 2 for threads; 3 in the lowest: a
 * descriptor's.
 */
static uint32_t slot_of_clock(int32_t clock)
{
	uint32_t id = (uint32_t)~(clock >> 3), n = 0;

	if (clock == 3 || id == 0)
		return core_thread()->own.slot;
	if (id != core_here->pid)
		for (n = 1; n <= core_here->slot_count && core_here->slot_tid[n] != id; n++)
			;
	return n;
}

static int is_own_clock(int32_t clock)
{
	uint32_t id = (uint32_t)~(clock >> 3);

	if ((clock & 7) == 3)
		return 0;
	return clock & 4 ? slot_of_clock(clock) <= core_here->slot_count : id == 0 || id == core_here->pid;
}

static uint64_t away_time(int32_t clock)
{
	const struct core_state *s = core_here;
	uint32_t kind = clock < 0 ? clock & 3 : 2;	/* 1: user time alone */

	if (clock == 3 || (clock < 0 && clock & 4))
		return slot_thread(slot_of_clock(clock))->own.away_ns;
	return s->away_user + (kind == 1 ? 0 : s->away_system);
}

/* CPU time of this process: what it used before it came, and what it has used here. */
static int64_t do_clock(uint64_t nr, const uint64_t arg[6])
{
	int32_t clock = (int32_t)arg[0];
	struct { int64_t sec, nsec; } now;
	uint64_t total;

	if (nr != __NR_clock_gettime)
		return SYS5(nr, arg[0], arg[1], arg[2], arg[3], arg[4]);
	if (clock < 0 && !is_own_clock(clock))
		return GATE_FORWARD;	/* another process's clock, or a device's */
	if (clock >= 0 && clock != 2 && clock != 3)
		return SYS2(nr, arg[0], arg[1]);
	total = core_clock(clock) + away_time(clock);
	now.sec = (int64_t)(total / 1000000000);
	now.nsec = (int64_t)(total % 1000000000);
	return core_copy_out(arg[1], &now, sizeof(now));
}

struct usage { int64_t user[2], system[2], rest[14]; };	/* struct rusage; its times are struct timeval */

static void add_time(int64_t time[2], uint64_t ns)
{
	uint64_t us = (uint64_t)time[1] + ns / 1000;

	time[0] += (int64_t)(us / 1000000);
	time[1] = (int64_t)(us % 1000000);
}

static int64_t do_getrusage(const uint64_t arg[6])
{
	struct usage usage;
	int64_t error = SYS2(__NR_getrusage, arg[0], &usage);

	if (error != 0)
		return error;
	if (arg[0] == 1 /* RUSAGE_THREAD */) {
		add_time(usage.user, core_thread()->own.away_ns);
	} else {
		add_time(usage.user, core_here->away_user);
		add_time(usage.system, core_here->away_system);
	}
	return core_copy_out(arg[1], &usage, sizeof(usage));
}

void gate_add_times(uint64_t tms)
{
	const struct mosix_manifest *came = arena_at(ARENA_MANIFEST);
	struct usage usage;
	int64_t used[2];
	uint64_t user, system;

	if (tms == 0 || SYS2(__NR_getrusage, 0, &usage) != 0 || core_copy_in(used, tms, sizeof(used)) != 0)
		return;
	user = (uint64_t)usage.user[0] * 1000000000ull + (uint64_t)usage.user[1] * 1000 + came->away_user_ns;
	system = (uint64_t)usage.system[0] * 1000000000ull + (uint64_t)usage.system[1] * 1000 + came->away_system_ns;
	used[0] += (int64_t)(user / 10000000);	/* USER_HZ is 100 */
	used[1] += (int64_t)(system / 10000000);
	core_copy_out(tms, used, sizeof(used));
}

int64_t gate_local(struct kernel_ucontext *uc, const struct call *call, uint64_t nr, const uint64_t arg[6])
{
	switch (call->special) {
	case SPECIAL_MMAP:    return do_mmap(uc, nr, arg);
	case SPECIAL_MUNMAP:  return do_munmap(arg);
	case SPECIAL_MREMAP:  return do_mremap(arg);
	case SPECIAL_MPROTECT: return do_mprotect(arg);
	case SPECIAL_MADVISE: return do_madvise(arg);
	case SPECIAL_BRK:     return SYS1(nr, arg[0]);
	case SPECIAL_MINCORE: return SYS3(nr, arg[0], arg[1], arg[2]);
	case SPECIAL_FUTEX:   return do_futex(nr, arg);
	case SPECIAL_CLOCK:   return do_clock(nr, arg);
	case SPECIAL_CPU_TIMES:
		if (nr == __NR_times)
			return GATE_FORWARD;
		return nr == __NR_getrusage ? do_getrusage(arg) : do_clock(nr, arg);
	case SPECIAL_GETRANDOM:
	case SPECIAL_GETCPU:
	case SPECIAL_YIELD:   return SYS3(nr, arg[0], arg[1], arg[2]);
	case SPECIAL_GETPID:  return nr == __NR_gettid ? core_thread()->own.tid : core_here->pid;
	case SPECIAL_ARCH_PRCTL: return do_arch_prctl(arg);
	case SPECIAL_SET_TID: return do_set_tid(nr, arg);
	case SPECIAL_RSEQ:    return do_rseq(nr, arg);
	case SPECIAL_MEMBARRIER: return SYS3(nr, arg[0], arg[1], arg[2]);
	case SPECIAL_CLONE:   return gate_clone(uc, nr, arg);
	case SPECIAL_ROBUST:  return do_robust(nr, arg);
	default:              return GATE_RETURN;
	}
}
