/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The last steps in the handler: the program's kernel state, then the signal frame that is left for it. */
#include <linux/mman.h>
#include "arena.h"
#include "capture_parts.h"
#include "core.h"
#include "deputy_signals.h"
#include "entry.h"
#include "frame_build.h"
#include "homecoming.h"
#include "resume.h"
#include "step.h"

/* The kernel writes to these areas by itself, so they are set only now that the memory is back. */
static void restore_kernel_state(const struct core_state *s, uint64_t fs_base)
{
	SYS2(__NR_arch_prctl, CORE_ARCH_SET_FS, fs_base);
	if (s->robust_list)
		SYS2(__NR_set_robust_list, s->robust_list, s->robust_size);
	SYS1(__NR_set_tid_address, s->clear_tid);
	if (s->rseq)
		SYS4(__NR_rseq, s->rseq, s->rseq_size, 0, s->rseq_signature);
}

/* The program's clocks never step back: home waits until it is as late as it was for the guest. */
static void wait_for_clock(uint64_t monotonic_ns)
{
	uint64_t now = core_clock(CORE_CLOCK_MONOTONIC);

	if (now < monotonic_ns && monotonic_ns - now < 1000000000ull) {
		struct { int64_t sec, nsec; } pause = { 0, (int64_t)(monotonic_ns - now) };

		SYS2(__NR_nanosleep, &pause, NULL);
	}
}

/*
 * A small alternate stack that the program set while it was away: the migration handler must not run on it (two frames have
 * to fit). The wrapper of sigaltstack does the same at home.
 */
static void place_handler(const struct core_state *s)
{
	uint64_t least = 2 * (s->xlayout.size + 1024ull) + 4096;
	struct mosix_sigaction action;

	if (SYS4(__NR_rt_sigaction, KSIG_URG, NULL, &action, 8) != 0 || s->altstack.size == 0 || s->altstack.size >= least)
		return;
	action.flags &= ~KSA_ONSTACK;
	SYS4(__NR_rt_sigaction, KSIG_URG, &action, NULL, 8);
}

void home_close(void)
{
	struct core_state *s = core_here;
	int32_t *own[] = { &s->call_fd, &s->control_fd, &s->page_fd, &s->maps_fd };

	for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (*own[i] > 0)
			SYS1(__NR_close, *own[i]);
		*own[i] = 0;
	}
}

void home_resume(const void *manifest)
{
	struct core_state *s = core_here;
	const struct mosix_manifest *m = manifest;
	struct kernel_rt_sigframe *frame;
	uint64_t pending = 0;

	wait_for_clock(m->monotonic_ns);
	home_close();
	restore_kernel_state(s, m->thread.fs_base);
	frame_build(m, &s->altstack, s->mask & ~ksigset_bit(KSIG_URG), &frame);	/* cannot fail: home_take() has tried it */
	SYS3(__NR_madvise, s->base + ARENA_ORDER, MOSIX_ARENA_SIZE - ARENA_ORDER - MOSIX_PAGE, MADV_DONTNEED);
	s->place = PLACE_HOME;
	s->committed = s->dropped = s->come_home = s->order_pending = s->rung = s->handed = 0;
	signals_restore();
	place_handler(s);
	SYS2(__NR_rt_sigpending, &pending, 8);
	resume_interrupt(&frame->uc.mc.regs, s->inside, pending & ~s->mask);
	s->inside = 0;
	core_step(MOSIX_STEP_deputy_home_resuming);
	core_sigreturn(&frame->uc);
}
