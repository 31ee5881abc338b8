/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MOSIX_CORE_FRAME_BUILD_H
#define MOSIX_CORE_FRAME_BUILD_H

#include "sigabi.h"

/*
 * Builds, at ARENA_FRAME, a signal frame from the thread in a manifest, its XSAVE area rebuilt for this CPU; rt_sigreturn
 * with %rsp at &(*ret)->uc continues the thread with this kernel alternate stack and this kernel mask. Valid until the next call.
 * 0, or what xstate_rebuild() said: the thread uses what this CPU has not.
 */
int frame_build(const struct mosix_manifest *m, const struct mosix_altstack *altstack, uint64_t mask,
		struct kernel_rt_sigframe **ret);

#endif
