/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arena.h"
#include "core.h"
#include "frame_build.h"
#include "xstate.h"

int frame_build(const struct mosix_manifest *m, const struct mosix_altstack *altstack, uint64_t mask,
		struct kernel_rt_sigframe **ret)
{
	struct kernel_rt_sigframe *frame = arena_at(ARENA_FRAME + 8);	/* &frame->uc is where the kernel has a frame's: 16n */
	uint8_t *fpstate = arena_at(ARENA_FRAME + 4096);
	uint32_t size = 0;

	memset(frame, 0, sizeof(*frame));
	frame->uc.flags = KUC_FP_XSTATE | KUC_SIGCONTEXT_SS | KUC_STRICT_RESTORE_SS;
	frame->uc.stack = *altstack;
	frame->uc.mc.regs = m->thread.regs;
	frame->uc.mc.cs = KUSER_CS;
	frame->uc.mc.ss = KUSER_DS;
	frame->uc.sigmask = mask;
	frame->uc.mc.fpstate = (uint64_t)fpstate;
	*ret = frame;
	return xstate_rebuild(fpstate, ARENA_FRAME_SIZE - 4096, &core_here->xlayout, manifest_xsave(m), m->xsave_size, &m->xlayout,
			      &size);
}
