/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest's system call filter (seccomp). Everything traps into the gate (SIGSYS) except
 *   - getpid, gettid, sched_yield, restart_syscall and futex: no effect outside, and the kernel caches the answer by number;
 *   - the gate's own calls, which carry gate_secret as sixth argument, or what mosix_map_tag() makes of it (plan.h).
 *
 * The guest can read the secret out of its own memory, so the secret is no wall: it only tells the gate's calls from the
 * program's. The wall (promise P7) is the set of calls that pass with it. Each member works on the guest's own memory,
 * its own registers and signal state, its clocks, its own threads, or descriptors that it has; and it has exactly those of
 * plan.h: sockets to its own deputy and to its remoted, from which it gets more of the same for a child, and two views of its own
 * memory. No call in the set names a file or an address of the network, changes credentials or limits, or does more to another
 * process than ring the doorbell of one of its own home's. Whoever adds a call here has to keep that sentence true.
 *
 * memfd_create makes memory that mmap could make as well: of ordinary pages, with a name that nobody can open, gone with the last
 * of the guest and its children. ftruncate and pwrite64 change nothing else, for sockets have neither size nor offset, and the
 * files of /proc are open for reading.
 *
 * clone3 makes threads and children, and cannot be kept from making others, for its flags lie in memory. What it makes has
 * this filter, no capability but CAP_CHECKPOINT_RESTORE, and no way into another namespace (warden_enclose.c); it can take only numbers of
 * its own home's processes, holds no descriptors but copies of the guest's and pidfds of its like, for which no call is allowed
 * but close, read and ppoll, and ends with the last guest of its home.
 */
#ifndef MOSIX_REMOTED_FILTER_H
#define MOSIX_REMOTED_FILTER_H

#include <stdint.h>
#include <linux/filter.h>

/*
 * Builds the program for one guest and its children (a few milliseconds: before the freeze). gate_secret: page aligned, because
 * mmap's sixth argument is an offset; not 0; below 2^47; else -EINVAL. *ret_program is the caller's to free(). 0 or -errno.
 */
int filter_build(uint64_t gate_secret, struct sock_filter **ret_program, uint32_t *ret_length);

#endif
