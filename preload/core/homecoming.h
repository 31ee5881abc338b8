/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking an image in at home, and leaving the handler into it. In the deputy only. */
#ifndef MOSIX_CORE_HOMECOMING_H
#define MOSIX_CORE_HOMECOMING_H

#include <stdint.h>

/*
 * Drops the program's memory: every private mapping that had pages of its own becomes empty and PROT_NONE, so that nobody
 * reads stale bytes. argv and environ stay for ps(1), libmosix for the deputy. Done once per epoch.
 */
void home_drop(void);

/*
 * Receives the image that the guest sends on the page channel and builds it into this process: mappings by difference,
 * pages in place, the program state in core_here. 0, or -errno: the guest must stay (memory is dropped again).
 */
int home_take(void);

/*
 * Closes the deputy's descriptors. Before homed is told that the process is home: it looks at the descriptors of a process
 * that it wants to send away again.
 */
void home_close(void);

/*
 * Gives the process back to the program: dispositions, rseq, robust list, clear_child_tid, then rt_sigreturn from a frame in
 * the arena that is built from this manifest (in the arena). Closes the channels first.
 */
__attribute__((noreturn)) void home_resume(const void *manifest);

#endif
