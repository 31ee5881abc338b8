/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The core's beginning in a process: arena, state, migration handler. */
#include <linux/mman.h>
#include "arena.h"
#include "capture.h"
#include "capture_parts.h"
#include "core.h"
#include "entry.h"
#include "leave.h"
#include "thread.h"

/* Read by every core_syscall(), also by those before the arena stands. */
static const uint64_t nothing[sizeof(struct core_state) / 8];
struct core_state *core_memory = (struct core_state *)nothing;

/* The arena is aligned to its own size, so that a stack pointer tells where it begins. */
static long reserve(void)
{
	const uint64_t size = MOSIX_ARENA_SIZE;
	long at = core_syscall6(__NR_mmap, 0, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, (uint64_t)-1, 0);
	uint64_t start = ((uint64_t)at + size - 1) & ~(size - 1);

	if (at < 0 && at >= -4095)
		return at;
	if (start > (uint64_t)at)
		SYS2(__NR_munmap, at, start - (uint64_t)at);
	SYS2(__NR_munmap, start + size, (uint64_t)at + size - start);
	return (long)start;
}

int core_start(const struct core_config *config)
{
	struct mosix_sigaction action = {
		.handler = (uint64_t)leave_handler, .restorer = (uint64_t)core_restorer, .mask = ~0ull,
		.flags = KSA_SIGINFO | KSA_ONSTACK | KSA_RESTART | KSA_RESTORER,
	}, old;
	struct core_state *s;
	long at = reserve();
	long error;

	if (at < 0 && at >= -4095)
		return (int)at;
	error = SYS3(__NR_mprotect, at + (long)ARENA_STATE, ARENA_STATE_SIZE + ARENA_THREAD_SIZE, PROT_READ | PROT_WRITE);
	if (error != 0)
		return (int)error;
	s = (struct core_state *)(at + (long)ARENA_STATE);
	s->base = s->first = (uint64_t)at;
	s->config = *config;
	s->place = PLACE_HOME;
	core_memory = s;
	s->pid = (uint32_t)SYS0(__NR_getpid);
	error = SYS4(__NR_rt_sigaction, KSIG_URG, &action, &old, 8);
	s->urgent.action = old;
	return (int)error;
}

void core_forked(uint64_t secret)
{
	struct core_state *s = core_here;

	s->config.secret = secret;
	s->pid = (uint32_t)SYS0(__NR_getpid);
	s->place = PLACE_HOME;
	s->away_user = s->away_system = 0;
	if (s->slot_count > 0)	/* of threads that the child has not */
		SYS2(__NR_munmap, s->slots, s->slot_count * MOSIX_SLOT_SIZE);
	s->slot_count = 0;
	if (s->old_slots != 0)
		SYS2(__NR_munmap, s->old_slots, s->old_count * MOSIX_SLOT_SIZE);
	s->old_slots = 0;
	s->phase = s->lock = s->standing = 0;
}

int core_is_guest(void) { return core_here->place == PLACE_GUEST; }
uint64_t core_whereabouts(void) { return (uint64_t)core_here->epoch << 1 | (core_here->place == PLACE_GUEST); }
uint64_t core_arena(void) { return core_here->base; }
struct core_urgent *core_urgent(void) { return &core_here->urgent; }

/* In a guest the gate's answers have it in them already. */
uint64_t core_away_user(void) { return core_here->place == PLACE_GUEST ? 0 : core_here->away_user; }
uint64_t core_away_system(void) { return core_here->place == PLACE_GUEST ? 0 : core_here->away_system; }

uint64_t core_away_thread(int tid)
{
	const struct core_state *s = core_here;
	uint64_t fs = 0, away = 0;

	if (s->place == PLACE_GUEST)
		return 0;
	if (tid == 0 || tid == (int)SYS0(__NR_gettid))
		SYS2(__NR_arch_prctl, CORE_ARCH_GET_FS, &fs);
	else if (tid == (int)s->pid)
		fs = slot_thread(0)->own.fs_base;
	for (uint32_t n = 1; n <= s->slot_count && fs == 0; n++)
		if (s->slot_tid[n] == (uint32_t)tid)
			fs = slot_thread(n)->own.fs_base;
	if (fs != 0)	/* it may just be ending */
		core_copy_in(&away, (uint64_t)&capture_own(fs)->away_ns, sizeof(away));
	return away;
}
