/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies of gather lists, so that the core can advance them without the program's own changing. */
#ifndef MOSIX_GATHER_H
#define MOSIX_GATHER_H

#include "wrap.h"

/* 1 KiB of stack: longer lists go to the kernel as they are, and a move may cut them short, which writev's callers know. */
#define GATHER_MAX 64

struct gather {
	uint64_t bytes;		/* in all; what overflows is the kernel's to refuse */
	struct iovec list[GATHER_MAX];
};

/* 0, or -E2BIG, -EINVAL, -EFAULT: pass on what the program gave. */
int gather_copy(struct gather *gather, const struct iovec *list, long count);

#endif
