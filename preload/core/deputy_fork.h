/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fork(2) and vfork(2) of a program that is away, at home: a child of this process, which is the deputy of the guest's child.
 * Here there is no memory to share, so a vfork child has a copy of the deputy's, and its parent waits all the same (CLONE_VFORK).
 */
#ifndef MOSIX_CORE_DEPUTY_FORK_H
#define MOSIX_CORE_DEPUTY_FORK_H

#include <mosix/wire.h>

/*
 * MOSIX_FORK: gets channels for the child from homed, makes it, and answers with its number. In any thread. 0 or -errno (of the
 * channel).
 */
int deputy_fork(const struct mosix_frame *request);

/* MOSIX_UNBORN: the child vanishes, as if it had not been made. 0 or -errno. */
int deputy_unborn(const struct mosix_frame *request);

/* MOSIX_WHO: answers with the number of this process. 0 or -errno. */
int deputy_who(const struct mosix_frame *request);

#endif
