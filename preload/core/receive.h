/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors that come over a unix socket. At home and in guests. */
#ifndef MOSIX_CORE_RECEIVE_H
#define MOSIX_CORE_RECEIVE_H

#include <stdint.h>

/*
 * One packet of at most capacity bytes and the descriptors that come with it (close-on-exec, the caller's), which are added to
 * ret_fds[*got], `most` there at most. Its length; -EBADMSG when there are too many of them, or -errno: then none is added.
 */
long receive_fds(int fd, void *packet, uint64_t capacity, int *ret_fds, unsigned *got, unsigned most);

/* Closes them all. */
void receive_close(const int *fds, unsigned count);

#endif
