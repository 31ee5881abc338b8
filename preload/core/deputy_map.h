/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that a guest maps: mapped here, too, and read for it. */
#ifndef MOSIX_CORE_DEPUTY_MAP_H
#define MOSIX_CORE_DEPUTY_MAP_H

#include <mosix/wire.h>

/*
 * Maps a file where the guest has a place for it, in place of what this process, whose memory is dropped, has there. Answers
 * with the result, or that it has to be done at home. 0 or -errno (of the channel).
 */
int deputy_map(const struct mosix_frame *request);

/* Sends a piece of what this thread has mapped last. The same. */
int deputy_fetch(const struct mosix_frame *request);

#endif
