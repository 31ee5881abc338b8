/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arena.h"
#include "core.h"
#include "frame_build.h"
#include "thread.h"
#include "xstate.h"

#define FPSTATE_PLACE 4096	/* behind the frame: aligned to 64 */

struct kernel_rt_sigframe *frame_place(uint32_t n)
{
	return (void *)(slot_address(n) + ARENA_FRAME + 8);	/* &frame->uc is where the kernel has a frame's: 16n */
}

static uint8_t *fpstate_place(uint32_t n)
{
	return (void *)(slot_address(n) + ARENA_FRAME + FPSTATE_PLACE);
}

int frame_build(const struct mosix_manifest *m, uint32_t thread, const struct mosix_altstack *altstack, uint64_t mask)
{
	const struct mosix_thread *t = manifest_thread(m, thread);
	struct kernel_rt_sigframe *frame = frame_place(t->slot);
	uint8_t *fpstate = fpstate_place(t->slot);
	uint32_t size = 0;

	memset(frame, 0, sizeof(*frame));
	frame->uc.flags = KUC_FP_XSTATE | KUC_SIGCONTEXT_SS | KUC_STRICT_RESTORE_SS;
	frame->uc.stack = *altstack;
	frame->uc.mc.regs = t->regs;
	frame->uc.mc.cs = KUSER_CS;
	frame->uc.mc.ss = KUSER_DS;
	frame->uc.sigmask = mask;
	frame->uc.mc.fpstate = (uint64_t)fpstate;
	return xstate_rebuild(fpstate, ARENA_FRAME_SIZE - FPSTATE_PLACE, &core_here->xlayout, manifest_xsave(m, thread),
			      m->xsave_size, &m->xlayout, &size);
}

struct kernel_rt_sigframe *frame_copy(uint32_t n, const struct kernel_ucontext *uc)
{
	struct kernel_rt_sigframe *frame = frame_place(n);
	uint8_t *from = (uint8_t *)uc->mc.fpstate, *to = fpstate_place(n);
	uint32_t size = FPSTATE_LEGACY_SIZE;

	memset(frame, 0, sizeof(*frame));
	frame->uc = *uc;
	frame->uc.stack = (struct mosix_altstack){ .sp = slot_address(n) + ARENA_STACK, .size = ARENA_STACK_SIZE };
	frame->uc.mc.fpstate = 0;
	if (from == NULL)
		return frame;
	if (fpstate_is_extended(from))
		size = fpstate_sw(from)->extended_size;
	memcpy(to, from, size < ARENA_FRAME_SIZE - FPSTATE_PLACE ? size : ARENA_FRAME_SIZE - FPSTATE_PLACE);
	frame->uc.mc.fpstate = (uint64_t)to;
	return frame;
}
