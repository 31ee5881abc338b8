/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The core's beginning in a process: arena, state, migration handler. */
#include <linux/mman.h>
#include "arena.h"
#include "core.h"
#include "entry.h"
#include "leave.h"

/* Read by every core_syscall(), also by those before the arena stands. */
static const uint64_t nothing[sizeof(struct core_state) / 8];
struct core_state *core_here = (struct core_state *)nothing;

int core_start(const struct core_config *config)
{
	struct mosix_sigaction action = {
		.handler = (uint64_t)leave_handler, .restorer = (uint64_t)core_restorer, .mask = ~0ull,
		.flags = KSA_SIGINFO | KSA_ONSTACK | KSA_RESTART | KSA_RESTORER,
	}, old;
	struct core_state *s;
	long at = core_syscall6(__NR_mmap, 0, MOSIX_ARENA_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				(uint64_t)-1, 0);
	long error;

	if (at < 0 && at >= -4095)
		return (int)at;
	error = SYS3(__NR_mprotect, at + (long)ARENA_STATE, ARENA_STATE_SIZE, PROT_READ | PROT_WRITE);
	if (error != 0)
		return (int)error;
	s = (struct core_state *)(at + (long)ARENA_STATE);
	s->base = (uint64_t)at;
	s->config = *config;
	s->place = PLACE_HOME;
	core_here = s;
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
}

int core_is_guest(void) { return core_here->place == PLACE_GUEST; }
uint64_t core_whereabouts(void) { return (uint64_t)core_here->epoch << 1 | (core_here->place == PLACE_GUEST); }
uint64_t core_arena(void) { return core_here->base; }
struct core_urgent *core_urgent(void) { return &core_here->urgent; }

/* In a guest the gate's answers have it in them already. */
uint64_t core_away_user(void) { return core_here->place == PLACE_GUEST ? 0 : core_here->away_user; }
uint64_t core_away_system(void) { return core_here->place == PLACE_GUEST ? 0 : core_here->away_system; }
