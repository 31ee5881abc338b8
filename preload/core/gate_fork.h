/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fork(2) and vfork(2) of a program that is away: home's child first, which gives the number, then the guest's, beside its
 * parent. A vfork child shares its parent's memory at the node and has none at home; its parent waits there, in home's kernel, until it
 * has executed another program or ended.
 */
#ifndef MOSIX_CORE_GATE_FORK_H
#define MOSIX_CORE_GATE_FORK_H

#include <linux/sched.h>
#include <stdint.h>
#include "sigabi.h"

/* What a clone(2) that makes an ordinary child may ask for besides its SIGCHLD. */
#define GATE_FORK_FLAGS (CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)

/* As gate_local(). flags: some of these. The child leaves by a frame of its own. */
int64_t gate_fork(struct kernel_ucontext *uc, uint64_t nr, uint64_t flags, uint64_t parent_tid, uint64_t child_tid);

/* The same. slot: a free one, taken for the child; stack: where that is to run, 0: on its parent's. */
int64_t gate_vfork(struct kernel_ucontext *uc, uint64_t nr, uint32_t slot, uint64_t stack);

#endif
