/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/pass.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int pass_descriptors(int socket, const struct iovec *iov, unsigned iovs, const int *fds, unsigned count)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(PASS_MOST * sizeof(int))];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = iovs };
	size_t size = 0;
	ssize_t n;

	for (unsigned i = 0; i < iovs; i++)
		size += iov[i].iov_len;
	if (count > 0) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds, count * sizeof(int));
	}
	do
		n = sendmsg(socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EAGAIN;
}
