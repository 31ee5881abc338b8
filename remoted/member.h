/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The members of a cage, as /proc of this machine has them: processes with one number here and one there. */
#ifndef MOSIX_REMOTED_MEMBER_H
#define MOSIX_REMOTED_MEMBER_H

#include <stdint.h>
#include <sys/types.h>

/*
 * The number in the cage of the process or thread `pid`, whose directory in /proc is open as `directory`, if it is a child of
 * this warden; else 0.
 */
uint32_t member_number(int directory, pid_t pid, pid_t warden);

/* The process that has this number in that warden's cage: its pid here, or -ESRCH. Reads all of /proc. */
pid_t member_find(pid_t warden, uint32_t number);

#endif
