/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Call frames between deputy and guest (wire.h). A payload lies at ARENA_PAYLOAD or ARENA_REPLY, and its frame travels from or
 * to the bytes right before it: one write and, mostly, one read a frame.
 */
#ifndef MOSIX_CORE_FRAMES_H
#define MOSIX_CORE_FRAMES_H

#include <stdint.h>
#include <mosix/wire.h>
#include "arena.h"

/* Sends frame and the frame->length bytes at this offset of the arena. epoch is filled in. 0 or -errno. */
int frames_send(int fd, struct mosix_frame *frame, uint64_t area);

/*
 * Receives a frame, its payload to this offset of the arena. There is never more than one under way, so whatever has come
 * belongs to it. 0, -EPIPE at end of file, -EBADMSG, or -errno.
 */
int frames_receive(int fd, struct mosix_frame *ret, uint64_t area);

/* The same, when the first have bytes are there already, at frames_start(). */
int frames_finish(int fd, struct mosix_frame *ret, uint64_t area, uint64_t have);

/*
 * To be called once, with nothing at this offset: makes its page present. The kernel's string moves look ahead, and a frame that
 * ends right before a page that is missing costs a tenth of a microsecond more at each end.
 */
void frames_warm(uint64_t area);

/* Where a frame for this offset begins, and how many bytes may be read there at once. */
void *frames_start(uint64_t area);
#define FRAMES_MOST (sizeof(struct mosix_frame) + ARENA_PAYLOAD_SIZE)

/* A node that lives but neither reads nor writes any more is as good as gone. Idle channels are waited for by ppoll(2). */
void frames_limit_stalls(int fd);

#endif
