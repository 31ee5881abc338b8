/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arena.h"
#include "core.h"
#include "frames.h"

int frames_send(int fd, struct mosix_frame *frame, uint64_t area)
{
	uint8_t *start = (uint8_t *)arena_at(area) - sizeof(*frame);

	frame->epoch = core_here->epoch;
	memcpy(start, frame, sizeof(*frame));
	return core_write_all(fd, start, sizeof(*frame) + frame->length);
}

int frames_receive(int fd, struct mosix_frame *ret, uint64_t area)
{
	uint8_t *start = (uint8_t *)arena_at(area) - sizeof(*ret);
	uint64_t have = 0, all = sizeof(*ret);

	while (have < all) {
		long n = SYS3(__NR_read, fd, start + have, sizeof(*ret) + ARENA_PAYLOAD_SIZE - have);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? -EPIPE : (int)n;
		have += (uint64_t)n;
		if (all == sizeof(*ret) && have >= all) {
			memcpy(ret, start, sizeof(*ret));
			if (ret->epoch != core_here->epoch || ret->length > ARENA_PAYLOAD_SIZE)
				return -EBADMSG;
			all += ret->length;
		}
	}
	return have == all ? 0 : -EBADMSG;
}
