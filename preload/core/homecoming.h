/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking an image in at home, and leaving the handler into it. In the deputy only. */
#ifndef MOSIX_CORE_HOMECOMING_H
#define MOSIX_CORE_HOMECOMING_H

#include <stdint.h>
#include <mosix/manifest.h>

/*
 * The commit: from here on home's own copy is stale. home_drop() commits and drops the program's memory: every private mapping
 * that had pages of its own becomes empty and PROT_NONE, so that nobody reads stale bytes. argv and environ stay for ps(1),
 * libmosix for the deputies. Done once per epoch; for any thread but the first it does not return if the move was revoked.
 */
void home_drop(void);
int  home_is_committed(void);
/* First thread: the move never happened, unless it is committed (0). */
int  home_revoke(void);

/*
 * First thread: receives the image that the guest sends on the page channel and builds it into this process: mappings by
 * difference, pages in place, the program's state in core_here and in each thread. 0, or -errno: the guest must stay (memory is
 * dropped again).
 */
int home_take(void);

/*
 * First thread: the process goes on here as this manifest (in the arena) says. Returns when every other deputy has left its
 * channel and stands in home_follow(), which makes its thread ready and leaves for the program after home_resume().
 */
void home_gather(const struct mosix_manifest *m);
__attribute__((noreturn)) void home_follow(void);

/*
 * Closes the deputy's descriptors. Before homed is told that the process is home: it looks at the descriptors of a process
 * that it wants to send away again.
 */
void home_close(void);

/*
 * First thread: gives the process back to the program: dispositions, then in each thread rseq, robust list, clear_child_tid and
 * rt_sigreturn from a frame in its slot.
 */
__attribute__((noreturn)) void home_resume(void);

#endif
