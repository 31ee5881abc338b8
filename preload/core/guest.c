/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <mosix/wire.h>
#include "arena.h"
#include "capture.h"
#include "core.h"
#include "entry.h"
#include "frame_build.h"
#include "gate.h"
#include "guest.h"
#include "step.h"

/* What the kernel may deliver in a guest: faults, the filter's traps, the doorbell. */
#define GUEST_MASK (~(KSIGSET_SYNCHRONOUS | ksigset_bit(KSIG_URG)))

void guest_end(void)
{
	for (;;)
		SYS1(__NR_exit_group, 0);
}

static void take_state(const struct mosix_manifest *m)
{
	struct core_state *s = core_here;
	const struct mosix_thread *t = &m->thread;

	memcpy(&s->config, m->config, sizeof(s->config));
	s->pid = m->pid;
	s->epoch = m->epoch;
	s->place = PLACE_GUEST;
	s->call_fd = MOSIX_GUEST_CALL;
	s->control_fd = MOSIX_GUEST_CONTROL;
	s->page_fd = MOSIX_GUEST_PAGE;
	s->maps_fd = MOSIX_GUEST_MAPS;
	s->pagemap_fd = MOSIX_GUEST_PAGEMAP;
	memcpy(s->action, m->action, sizeof(s->action));
	s->mask = t->mask;
	s->altstack = t->altstack;
	s->robust_list = t->robust_list;
	s->robust_size = t->robust_size;
	s->clear_tid = t->clear_tid;
	s->rseq = t->rseq;
	s->rseq_size = t->rseq_size;
	s->rseq_signature = t->rseq_signature;
	s->inside = t->inside;
	s->heap_start = m->brk_start;
	s->away_user = m->cpu_user_ns;
	s->away_system = m->cpu_system_ns;
	s->xlayout = m->xlayout;
	s->home_xlayout = m->home_xlayout;
}

static void take_reserved(const struct mosix_manifest *m)
{
	struct core_state *s = core_here;
	const struct mosix_mapping *map = manifest_mappings(m);
	uint32_t most = sizeof(s->reserved) / sizeof(s->reserved[0]);

	for (uint32_t i = 0; i < m->mappings; i++) {
		if (map[i].flags & MOSIX_MAP_STACK)
			s->stack_end = map[i].end;
		if (map[i].flags & MOSIX_MAP_RESERVED && s->reserved_count < most) {
			s->reserved[s->reserved_count].start = map[i].start;
			s->reserved[s->reserved_count++].end = map[i].end;
		}
	}
}

void guest_main(void *arena)
{
	struct core_state *s = core_here;
	const struct mosix_landing *landing = arena;
	const struct mosix_manifest *m = (const void *)((uint8_t *)arena + landing->manifest_offset);
	struct mosix_altstack gate = { .sp = m->gate_stack, .size = m->gate_stack_size };
	struct mosix_frame ready = { .type = MOSIX_READY };
	struct kernel_rt_sigframe *frame;

	uint64_t closed = ~(ksigset_bit(KSIG_SEGV) | ksigset_bit(KSIG_BUS));

	s->base = (uint64_t)arena;
	s->gate_secret = landing->gate_secret;
	SYS4(__NR_rt_sigprocmask, KSIG_SETMASK, &closed, NULL, 8);	/* a ring waits until the program runs */
	take_state(m);
	s->config.step = landing->step;
	take_reserved(m);
	SYS2(__NR_munmap, MOSIX_LOADER_START, MOSIX_LOADER_END - MOSIX_LOADER_START);
	if (frame_build(m, &gate, GUEST_MASK, &frame) != 0)
		guest_end();
	core_step(MOSIX_STEP_guest_landed);
	ready.epoch = s->epoch;
	if (core_write_all(s->call_fd, &ready, sizeof(ready)) != 0)
		guest_end();
	core_step(MOSIX_STEP_guest_ready);
	/* What came at home during the move is older than the program's next instruction. */
	gate_poll(&frame->uc, 0, 0);
	core_sigreturn(&frame->uc);
}

void guest_go_home(struct kernel_ucontext *uc, uint32_t reason, uint64_t detail, int signo, const void *info)
{
	struct core_state *s = core_here;
	struct mosix_frame coming = { .type = MOSIX_COMING, .arg = { reason, detail }, .signo = signo, .mask = s->mask,
				      .length = signo ? 128 : 0 }, answer;
	struct capture capture;

	core_step(MOSIX_STEP_guest_home_called);
	if (capture_guest(uc, &capture) != 0)
		return;
	core_step(MOSIX_STEP_guest_home_captured);
	if (gate_exchange(&coming, info, &answer) != 0)
		guest_end();
	if (answer.type != MOSIX_WELCOME)
		return;
	if (capture_send(s->page_fd, &capture) != 0)
		guest_end();
	core_step(MOSIX_STEP_guest_home_sent);
	if (gate_hear(&answer) != 0)
		guest_end();
	if (answer.type == MOSIX_GOT) {
		core_step(MOSIX_STEP_guest_home_got);
		guest_end();
	}
}

void guest_pause(struct kernel_ucontext *uc)
{
	struct { int64_t sec, nsec; } pause = { 0, 100000000 };

	SYS5(__NR_ppoll, NULL, 0, &pause, NULL, 0);
	gate_poll(uc, 0, 0);
}
