/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a process can move, as far as /proc shows it from outside. The core knows more and may still refuse. */
#ifndef HOMED_CHECK_H
#define HOMED_CHECK_H

#include <stdint.h>
#include <sys/types.h>
#include "homed/outcome.h"

enum check_flag {
	CHECK_AWAY    = 1 << 0,	/* the process is a deputy, of which less is asked */
	CHECK_PATIENT = 1 << 1,	/* the signal may be blocked at this moment: whether it stays so, ringing will show */
};

/*
 * Looks at /proc/PID. flags: enum check_flag. The outcome's reason is 0, a number below 100,
 * or ENDED. Any thread.
 */
void check_process(pid_t pid, uint64_t start, unsigned flags, struct outcome *ret_outcome);

/* The part of it that one call of the program can change, once more when the process stands and waits for its orders. */
void check_descriptors(pid_t pid, struct outcome *ret_outcome);

#endif
