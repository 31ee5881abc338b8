/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arena.h"
#include "core.h"
#include "frames.h"

#define STALL_SECONDS 60
#include "thread.h"

void *frames_start(uint64_t area)
{
	return (uint8_t *)slot_at(area) - sizeof(struct mosix_frame);
}

void frames_warm(uint64_t area)
{
	*(volatile uint8_t *)slot_at(area) = 0;
}

int frames_send(int fd, struct mosix_frame *frame, uint64_t area)
{
	uint8_t *start = frames_start(area);

	frame->epoch = core_here->epoch;
	memcpy(start, frame, sizeof(*frame));
	return core_write_all(fd, start, sizeof(*frame) + frame->length);
}

int frames_finish(int fd, struct mosix_frame *ret, uint64_t area, uint64_t have)
{
	uint8_t *start = frames_start(area);
	uint64_t all = 0;

	for (;;) {
		long n;

		if (all == 0 && have >= sizeof(*ret)) {
			memcpy(ret, start, sizeof(*ret));
			if (ret->epoch != core_here->epoch || ret->length > ARENA_PAYLOAD_SIZE)
				return -EBADMSG;
			all = sizeof(*ret) + ret->length;
		}
		if (all > 0 && have >= all)
			return have == all ? 0 : -EBADMSG;
		n = SYS3(__NR_read, fd, start + have, FRAMES_MOST - have);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? -EPIPE : (int)n;
		have += (uint64_t)n;
	}
}

int frames_receive(int fd, struct mosix_frame *ret, uint64_t area)
{
	return frames_finish(fd, ret, area, 0);
}

void frames_limit_stalls(int fd)
{
	struct { int64_t sec, usec; } limit = { STALL_SECONDS, 0 };

	SYS5(__NR_setsockopt, fd, 1 /* SOL_SOCKET */, 20 /* SO_RCVTIMEO */, &limit, sizeof(limit));
	SYS5(__NR_setsockopt, fd, 1 /* SOL_SOCKET */, 21 /* SO_SNDTIMEO */, &limit, sizeof(limit));
}
