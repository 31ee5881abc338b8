/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a process can move, as far as /proc shows it from outside. The core knows more and may still refuse. */
#ifndef HOMED_CHECK_H
#define HOMED_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "homed/outcome.h"

/*
 * Looks at /proc/PID. away: the process is a deputy, of which less is asked. The outcome's reason is 0, a number below 100,
 * or ENDED. Any thread.
 */
void check_process(pid_t pid, uint64_t start, bool away, struct outcome *ret_outcome);

#endif
