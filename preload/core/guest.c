/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <mosix/reason.h>
#include <mosix/wire.h>
#include "arena.h"
#include "capture.h"
#include "core.h"
#include "entry.h"
#include "frame_build.h"
#include "freeze.h"
#include "gate.h"
#include "gate_thread.h"
#include "guest.h"
#include "lock.h"
#include "ranges.h"
#include "step.h"
#include "thread.h"

/* What the kernel may deliver in a guest: faults, the filter's traps, the doorbell. */
#define GUEST_MASK (~(KSIGSET_SYNCHRONOUS | ksigset_bit(KSIG_URG)))

void guest_end(void)
{
	for (;;)
		SYS1(__NR_exit_group, 0);
}

/* The first thread runs on the arena's stack; each of the others has its slot, and takes its own state there (gate_thread.c). */
static void take_state(const struct mosix_manifest *m, uint32_t channels)
{
	struct core_state *s = core_here;
	struct core_thread *t = core_thread();

	memcpy(&s->config, m->config, sizeof(s->config));
	s->pid = m->pid;
	s->epoch = m->epoch;
	s->place = PLACE_GUEST;
	s->slots = m->slots;
	s->slot_count = m->slot_count;
	s->threads = m->threads;
	s->channels = channels;
	for (uint32_t i = 0; i < channels; i++)
		s->channel_fd[i] = MOSIX_GUEST_CHANNELS + (int32_t)i;
	s->maps_fd = MOSIX_GUEST_MAPS;
	s->pagemap_fd = MOSIX_GUEST_PAGEMAP;
	s->link_fd = MOSIX_GUEST_CHANNELS + (int32_t)channels;
	memcpy(s->action, m->action, sizeof(s->action));
	s->heap_start = m->brk_start;
	s->away_user = m->cpu_user_ns;
	s->away_system = m->cpu_system_ns;
	s->xlayout = m->xlayout;
	s->home_xlayout = m->home_xlayout;
	t->own = m->thread;
	t->call_fd = s->channel_fd[MOSIX_CHANNEL_CALL];
}

static void take_mappings(const struct mosix_manifest *m)
{
	struct core_state *s = core_here;
	const struct mosix_mapping *map = manifest_mappings(m);
	uint32_t most = sizeof(s->reserved) / sizeof(s->reserved[0]);

	for (uint32_t i = 0; i < m->mappings; i++) {
		if (map[i].flags & MOSIX_MAP_STACK)
			s->stack_end = map[i].end;
		if (map[i].flags & MOSIX_MAP_FILE)
			ranges_add(&s->files, map[i].start, map[i].end);
		if (map[i].flags & MOSIX_MAP_RESERVED && s->reserved_count < most) {
			s->reserved[s->reserved_count].start = map[i].start;
			s->reserved[s->reserved_count++].end = map[i].end;
		}
	}
}

static void make_frame(const struct mosix_manifest *m, uint32_t thread)
{
	uint64_t slot = slot_address(manifest_thread(m, thread)->slot);
	struct mosix_altstack gate = { .sp = slot + ARENA_STACK, .size = ARENA_STACK_SIZE };

	if (frame_build(m, thread, &gate, GUEST_MASK) != 0)
		guest_end();
}

void guest_main(void *arena)
{
	struct core_state *s = core_here;
	const struct mosix_landing *landing = arena;
	const struct mosix_manifest *m = (const void *)((uint8_t *)arena + landing->manifest_offset);
	struct mosix_frame ready = { .type = MOSIX_READY };
	uint64_t closed = ~(ksigset_bit(KSIG_SEGV) | ksigset_bit(KSIG_BUS));

	s->base = s->first = (uint64_t)arena;
	s->gate_secret = landing->gate_secret;
	SYS4(__NR_rt_sigprocmask, KSIG_SETMASK, &closed, NULL, 8);	/* a ring waits until the program runs */
	take_state(m, landing->channels);
	s->config.step = landing->step;
	take_mappings(m);
	SYS2(__NR_munmap, MOSIX_LOADER_START, MOSIX_LOADER_END - MOSIX_LOADER_START);
	make_frame(m, 0);
	for (uint32_t i = 1; i < m->threads; i++) {
		make_frame(m, i);
		if (gate_thread_start(manifest_thread(m, i)) != 0)
			guest_end();
	}
	core_step(MOSIX_STEP_guest_landed);
	ready.epoch = s->epoch;
	if (core_write_all(core_thread()->call_fd, &ready, sizeof(ready)) != 0)
		guest_end();
	core_step(MOSIX_STEP_guest_ready);
	core_set(&s->go, 1);
	/* What came at home during the move is older than the program's next instruction. */
	gate_poll(&frame_place(0)->uc);
	core_sigreturn(&frame_place(0)->uc);
}

/* The first thread stays: the others go on, and home forgets that it wanted the process. */
static void stay(void)
{
	struct mosix_frame staying = { .type = MOSIX_STAYING, .mask = core_thread()->own.mask }, answer;

	if (gate_exchange(&staying, NULL, &answer) != 0 || answer.type != MOSIX_REPLY)
		guest_end();
}

/* Tells home that the process must come there; home then brings back the threads that wait for its answers. */
static void wish(uint32_t reason, uint64_t detail, int signo, const void *info)
{
	struct mosix_frame want = { .type = MOSIX_WISH, .arg = { reason, detail }, .signo = signo,
				    .mask = core_thread()->own.mask, .length = signo ? 128 : 0 }, answer;

	if (gate_exchange(&want, info, &answer) != 0 || answer.type != MOSIX_REPLY)
		guest_end();
}

/* All threads stand. */
static void go(uint32_t reason, uint64_t detail, int signo, const void *info)
{
	struct core_state *s = core_here;
	struct mosix_frame coming = { .type = MOSIX_COMING, .arg = { reason, detail }, .signo = signo,
				      .mask = core_thread()->own.mask, .length = signo ? 128 : 0 }, answer;
	struct capture capture;

	core_step(MOSIX_STEP_guest_home_called);
	if (capture_guest(&capture) != 0) {
		stay();
		return;
	}
	core_step(MOSIX_STEP_guest_home_captured);
	if (gate_exchange(&coming, info, &answer) != 0)
		guest_end();
	if (answer.type != MOSIX_WELCOME)
		return;
	if (capture_send(s->channel_fd[MOSIX_CHANNEL_PAGE], &capture) != 0)
		guest_end();
	core_step(MOSIX_STEP_guest_home_sent);
	if (gate_hear(&answer) != 0)
		guest_end();
	if (answer.type == MOSIX_GOT) {
		core_step(MOSIX_STEP_guest_home_got);
		guest_end();
	}
}

void guest_go_home(struct kernel_ucontext *uc, uint32_t reason, uint64_t detail, int signo, const void *info)
{
	struct core_thread *t = core_thread();

	if (t->own.slot != 0) {
		if (reason != MOSIX_WHY_ORDERED)
			wish(reason, detail, signo, info);
		freeze_here(uc);
		return;
	}
	if (core_get(&core_here->threads) > 1 && reason != MOSIX_WHY_ORDERED)
		wish(reason, detail, 0, NULL);
	t->uc = uc;
	SYS2(__NR_arch_prctl, 0x1003 /* ARCH_GET_FS */, &t->own.fs_base);
	if (freeze_all() != 0) {
		stay();
		return;
	}
	go(reason, detail, signo, info);
	freeze_end();
}

void guest_pause(struct kernel_ucontext *uc)
{
	struct { int64_t sec, nsec; } pause = { 0, 100000000 };

	SYS5(__NR_ppoll, NULL, 0, &pause, NULL, 0);
	gate_poll(uc);
}
