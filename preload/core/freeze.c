/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core.h"
#include "freeze.h"
#include "lock.h"
#include "thread.h"

#define CLOCK_MONOTONIC_NOW core_clock(1)
#define PATIENCE_NS 3000000000ull
#define AGAIN_NS      50000000ull	/* the doorbell does not queue, and a thread may just have left a call of its own */

static void tell_running(void)
{
	struct core_state *s = core_here;

	for (uint32_t n = 1; n <= s->slot_count; n++)
		if (slot_is_used(n) && !core_get(&slot_thread(n)->stands))
			SYS3(__NR_tgkill, s->pid, s->slot_tid[n], KSIG_URG);
}

/* With core_here->lock. */
static void reap(void)
{
	struct core_state *s = core_here;

	for (uint32_t n = 1; n <= s->slot_count; n++)
		if (slot_is_used(n) && core_get(&slot_thread(n)->ends) &&
		    SYS3(__NR_tgkill, s->pid, s->slot_tid[n], 0) == -ESRCH) {
			core_set(&s->slot_tid[n], 0);
			s->threads--;
		}
}

void freeze_reap(void)
{
	core_lock(&core_here->lock);
	reap();
	core_unlock(&core_here->lock);
}

int freeze_all(void)
{
	struct core_state *s = core_here;
	uint64_t until = CLOCK_MONOTONIC_NOW + PATIENCE_NS;
	uint32_t standing;

	core_set(&s->freeze, 1);
	for (;;) {
		freeze_reap();
		standing = core_get(&s->standing);
		if (standing + 1 >= core_get(&s->threads))
			return 0;
		if (CLOCK_MONOTONIC_NOW > until) {
			freeze_end();
			return -ETIMEDOUT;
		}
		tell_running();
		core_wait(&s->standing, standing, CLOCK_MONOTONIC_NOW + AGAIN_NS);
	}
}

void freeze_end(void)
{
	struct core_state *s = core_here;
	uint32_t standing;

	core_set(&s->freeze, 0);
	while ((standing = core_get(&s->standing)) != 0)	/* who is on his way out must not be counted the next time */
		core_wait(&s->standing, standing, 0);
}

int freeze_wanted(void)
{
	return core_get(&core_here->freeze) != 0;
}

void freeze_here(struct kernel_ucontext *uc)
{
	struct core_state *s = core_here;
	struct core_thread *t = core_thread();

	/* Home's wish may reach this thread before the first one: not to ask again and again, it is waited for a little. */
	if (!freeze_wanted())
		core_wait(&s->freeze, 0, CLOCK_MONOTONIC_NOW + AGAIN_NS);
	if (!freeze_wanted())
		return;
	t->uc = uc;
	SYS2(__NR_arch_prctl, 0x1003 /* ARCH_GET_FS */, &t->own.fs_base);	/* the program may have set it without a call */
	__atomic_store_n(&t->stands, 1, __ATOMIC_SEQ_CST);
	core_add(&s->standing, 1);
	while (freeze_wanted())
		core_wait(&s->freeze, 1, 0);
	t->stands = 0;
	core_add(&s->standing, (uint32_t)-1);
}

