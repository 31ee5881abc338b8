/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A snapshot of a guest's stacks (mosix/stack.h), taken from outside, by a process of its own that traces the guest for a moment.
 * remoted may trace its guests as whoever has made their user namespace has every capability there (user_namespaces(7)), also
 * under Yama's restricted ptrace. The guest does not notice: it is stopped between two instructions, and the kernel begins again
 * what its threads were waiting for in a system call. If the tracing process is killed, the guest goes on.
 */
#ifndef MOSIX_REMOTED_SNAPSHOT_H
#define MOSIX_REMOTED_SNAPSHOT_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Starts it for the guest that has this number in the cage of that warden. 0, or -errno. *ret_fd gives the snapshot, at most
 * MOSIX_STACK_MAX bytes of it, and then its end. The caller closes it and reaps its child *ret_pid, whose exit status says why
 * there was nothing to see, if nothing came.
 */
enum snapshot_status { SNAPSHOT_TAKEN, SNAPSHOT_ENDED, SNAPSHOT_FORBIDDEN, SNAPSHOT_NO_MEMORY };

int snapshot_start(pid_t warden, uint32_t number, int *ret_fd, pid_t *ret_pid);

#endif
