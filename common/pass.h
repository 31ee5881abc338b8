/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors over a unix socket, unix(7). */
#ifndef COMMON_PASS_H
#define COMMON_PASS_H

#include <sys/uio.h>

#define PASS_MOST 250u	/* descriptors of one message; the kernel takes 253 */

/*
 * Sends these bytes, at least one, and with them copies of count descriptors (0 … PASS_MOST). Does not block and raises no
 * SIGPIPE. 0, or -errno: -EAGAIN also if the socket has taken a part of the bytes only.
 */
int pass_descriptors(int socket, const struct iovec *iov, unsigned iovs, const int *fds, unsigned count);

#endif
