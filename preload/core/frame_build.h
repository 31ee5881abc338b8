/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Signal frames that the core makes itself: each slot has room for one, at ARENA_FRAME. rt_sigreturn with %rsp at &frame->uc
 * leaves by it.
 */
#ifndef MOSIX_CORE_FRAME_BUILD_H
#define MOSIX_CORE_FRAME_BUILD_H

#include "sigabi.h"

/* Where the frame of slot n is. */
struct kernel_rt_sigframe *frame_place(uint32_t n);

/*
 * Builds the frame of a manifest's thread (from 0) in that thread's slot, its XSAVE area rebuilt for this CPU; it continues
 * the thread with this kernel alternate stack and this kernel mask. 0, or what xstate_rebuild() said: the thread uses what
 * this CPU has not.
 */
int frame_build(const struct mosix_manifest *m, uint32_t thread, const struct mosix_altstack *altstack, uint64_t mask);

/* The frame of slot n becomes a copy of the context uc, which the kernel made on this CPU. */
struct kernel_rt_sigframe *frame_copy(uint32_t n, const struct kernel_ucontext *uc);

#endif
