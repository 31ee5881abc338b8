/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Home's threads that begin and end while the program is away: each is the deputy of the guest's thread of the same number. */
#ifndef MOSIX_CORE_DEPUTY_THREAD_H
#define MOSIX_CORE_DEPUTY_THREAD_H

#include <mosix/wire.h>

/*
 * MOSIX_THREAD: makes the thread for slot arg[0] and answers with its number or -errno. 0 or -errno (of the channel, or
 * malformed).
 */
int deputy_thread_begin(const struct mosix_frame *request);

/* The caller's guest thread ends, and others remain: answers, then ends this one. */
int deputy_thread_end(const struct mosix_frame *request);

#endif
