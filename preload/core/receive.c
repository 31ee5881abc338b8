/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <mosix/order.h>
#include "core.h"
#include "receive.h"

/* bits/socket.h, asm-generic/socket.h */
enum { CORE_SOL_SOCKET = 1, CORE_SCM_RIGHTS = 1, CORE_MSG_CMSG_CLOEXEC = 0x40000000, CORE_MSG_CTRUNC = 8 };

struct core_msghdr {
	void *name; uint32_t namelen, pad;
	struct { void *base; uint64_t length; } *iov; uint64_t iovlen;
	void *control; uint64_t controllen;
	uint32_t flags, pad2;
};

void receive_close(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		SYS1(__NR_close, fds[i]);
}

long receive_fds(int fd, void *packet, uint64_t capacity, int *ret_fds, unsigned *got, unsigned most)
{
	union { uint64_t align; uint8_t bytes[16 + MOSIX_ORDER_BATCH * sizeof(int)]; } control;
	struct { uint64_t length; int32_t level, type; } *head = (void *)control.bytes;
	struct { void *base; uint64_t length; } iov = { packet, capacity };
	struct core_msghdr message = { .iov = (void *)&iov, .iovlen = 1, .control = control.bytes,
				       .controllen = sizeof(control) };
	const int *came = (const int *)(control.bytes + 16);
	long n = SYS3(__NR_recvmsg, fd, &message, CORE_MSG_CMSG_CLOEXEC);
	unsigned count = 0;

	if (n < 0)
		return n;
	if (message.controllen >= 16 && head->level == CORE_SOL_SOCKET && head->type == CORE_SCM_RIGHTS)
		count = (unsigned)((head->length - 16) / sizeof(int));
	if (count > most - *got || message.flags & CORE_MSG_CTRUNC) {
		receive_close(came, count);
		return -EBADMSG;
	}
	memcpy(ret_fds + *got, came, count * sizeof(int));
	*got += count;
	return n;
}
