/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The last steps in the handler: the program's kernel state, then the signal frame that is left for it, in each thread. */
#include <linux/mman.h>
#include "arena.h"
#include "capture.h"
#include "capture_parts.h"
#include "core.h"
#include "deputy_signals.h"
#include "entry.h"
#include "frame_build.h"
#include "homecoming.h"
#include "lock.h"
#include "resume.h"
#include "sigframe.h"
#include "step.h"
#include "stop.h"
#include "thread.h"

#define AGAIN_NS 20000000ull	/* until a deputy that has not come is nudged again: SIGURG does not queue */

/* The kernel writes to these areas by itself, so they are set only now that the memory is back. */
static void restore_kernel_state(const struct mosix_thread *t)
{
	SYS2(__NR_arch_prctl, CORE_ARCH_SET_FS, t->fs_base);
	if (t->robust_list)
		SYS2(__NR_set_robust_list, t->robust_list, t->robust_size);
	SYS1(__NR_set_tid_address, t->clear_tid);
	if (t->rseq)
		SYS4(__NR_rseq, t->rseq, t->rseq_size, 0, t->rseq_signature);
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
static void place_handler(void)
{
	const struct core_state *s = core_here;
	uint64_t least = 2 * (s->xlayout.size + 1024ull) + 4096;
	struct mosix_sigaction action;
	int small = 0;

	for (uint32_t n = 0; n <= s->slot_count; n++)
		if (n == 0 || slot_is_used(n))
			small |= slot_thread(n)->own.altstack.size > 0 && slot_thread(n)->own.altstack.size < least;
	if (!small || SYS4(__NR_rt_sigaction, KSIG_URG, NULL, &action, 8) != 0)
		return;
	action.flags &= ~KSA_ONSTACK;
	SYS4(__NR_rt_sigaction, KSIG_URG, &action, NULL, 8);
}

void home_close(void)
{
	struct core_state *s = core_here;

	for (uint32_t i = 0; i < s->channels; i++)
		SYS1(__NR_close, s->channel_fd[i]);
	s->channels = 0;
	if (s->maps_fd > 0)
		SYS1(__NR_close, s->maps_fd);
	s->maps_fd = 0;
}

static uint32_t index_of(const struct mosix_manifest *m, uint32_t slot)
{
	for (uint32_t i = 0; i < m->threads; i++)
		if (manifest_thread(m, i)->slot == slot)
			return i;
	return m->threads;
}

/*
 * A signal that home's kernel has given out already and the guest has not taken: the thread goes on in its handler, as it would
 * have, had the kernel begun it. Back in the queue it would be behind what came later. 0: the kernel must do what is to be done.
 */
static int begin_handler(struct kernel_ucontext *uc)
{
	struct core_thread *t = core_thread();
	int signo = t->held.signo;
	struct mosix_sigaction action = core_here->action[signo], standard = { 0 };

	if (action.handler == KSIG_DFL || action.handler == KSIG_IGN || ksigset_has(t->own.mask, signo) || signo == KSIG_URG)
		return 0;
	resume_interrupt(&uc->mc.regs, t->own.inside, ksigset_bit(signo));
	t->own.inside = 0;
	if (sigframe_push(uc, &action, signo, t->held.info, uc->sigmask, &t->own.altstack, NULL) != 0)
		return 0;
	uc->sigmask |= action.mask | (action.flags & KSA_NODEFER ? 0 : ksigset_bit(signo));
	uc->sigmask &= ~(KSIGSET_UNBLOCKABLE | ksigset_bit(KSIG_URG));
	uc->stack = t->own.altstack;
	t->own.mask |= uc->sigmask;
	if (action.flags & KSA_RESETHAND) {
		core_here->action[signo].handler = KSIG_DFL;
		SYS4(__NR_rt_sigaction, signo, &standard, NULL, 8);
	}
	t->held.signo = 0;
	return 1;
}

/*
 * SIGURG in the mask of a thread. The kernel has it only where it was blocked behind the wrappers' back: with everything, for a
 * moment, as the C library does for itself (pthread_kill(3), posix_spawn(3)) and others that make bare system calls. Signal 32
 * is in no mask that went through a function of the C library.
 */
static uint64_t kernel_mask(const struct mosix_thread *own)
{
	struct core_own *kept = capture_own(own->fs_base);

	if (ksigset_has(own->mask, KSIG_RTMIN))
		return own->mask;
	if (kept)
		kept->blocked = (uint32_t)ksigset_has(own->mask, KSIG_URG);
	return own->mask & ~ksigset_bit(KSIG_URG);
}

/* Everything of the calling thread but the last step. */
static void make_ready(void)
{
	const struct mosix_manifest *m = core_here->resumed;
	struct core_thread *t = core_thread();
	uint32_t i = index_of(m, t->own.slot);

	signals_close();
	t->own = *manifest_thread(m, i);
	t->stands = 0;
	signals_refused();
	restore_kernel_state(&t->own);
	/* Cannot fail: home_take() has tried it. */
	frame_build(m, i, &t->own.altstack, kernel_mask(&t->own));
	if (t->urgent_pending)
		SYS4(__NR_rt_tgsigqueueinfo, core_here->pid, t->own.tid, KSIG_URG, t->urgent_waits.info);
	t->urgent_pending = 0;
	if (t->held.signo && !begin_handler(&frame_place(t->own.slot)->uc))
		signals_requeue(ksigset_has(t->own.mask, t->held.signo));
}

static __attribute__((noreturn)) void leave(void)
{
	struct core_thread *t = core_thread();
	/* Wherever new slots may lie by now. */
	struct kernel_ucontext *uc = &((struct kernel_rt_sigframe *)slot_at(ARENA_FRAME + 8))->uc;

	SYS3(__NR_madvise, slot_here() + ARENA_REPLY, MOSIX_SLOT_SIZE - ARENA_REPLY - MOSIX_PAGE, MADV_DONTNEED);
	resume_pending(&uc->mc.regs, t->own.inside, t->own.mask);
	t->own.inside = 0;
	core_sigreturn(uc);
}

void home_gather(const struct mosix_manifest *m)
{
	struct core_state *s = core_here;
	uint32_t standing;

	s->resumed = m;
	core_set(&s->standing, 0);
	core_set(&s->phase, STOP_RESUME);
	for (;;) {
		stop_nudge_all();
		standing = core_get(&s->standing);
		if (standing + 1 >= core_get(&s->threads))
			break;
		core_wait(&s->standing, standing, core_clock(CORE_CLOCK_MONOTONIC) + AGAIN_NS);
	}
	signals_returned();
}

void home_follow(void)
{
	struct core_state *s = core_here;
	uint32_t phase;

	signals_close();
	while ((phase = core_get(&s->phase)) != STOP_RESUME) {
		stop_nudge(s->pid);
		core_wait(&s->phase, phase, core_clock(CORE_CLOCK_MONOTONIC) + AGAIN_NS);
	}
	make_ready();
	core_add(&s->standing, 1);
	while (core_get(&s->phase) == STOP_RESUME)
		core_wait(&s->phase, STOP_RESUME, 0);
	leave();
}

/* A deputy's thread gives its slot back with its very last store there. */
static int slots_are_free(void)
{
	for (uint32_t n = 1; n <= core_here->slot_count; n++)
		if (core_get(&core_here->slot_tid[n]) != 0)
			return 0;
	return 1;
}

void home_resume(void)
{
	struct core_state *s = core_here;

	wait_for_clock(s->resumed->monotonic_ns);
	make_ready();
	SYS3(__NR_madvise, s->base + ARENA_ORDER, MOSIX_ARENA_SIZE - ARENA_ORDER - MOSIX_PAGE, MADV_DONTNEED);
	s->committed = COMMIT_OPEN;
	s->dropped = s->come_home = s->wish_home = s->order_pending = s->guest_gone = s->taking = 0;
	signals_restore();
	place_handler();
	if (s->threads == 1 && s->slot_count > 0 && slots_are_free()) {
		SYS2(__NR_munmap, s->slots, s->slot_count * MOSIX_SLOT_SIZE);
		s->slot_count = 0;
	}
	core_step(MOSIX_STEP_deputy_home_resuming);
	s->place = PLACE_HOME;
	core_set(&s->standing, 0);
	core_set(&s->phase, STOP_RUN);
	leave();
}
