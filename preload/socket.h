/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a record about a socket call depends on. */
#ifndef MOSIX_SOCKET_H
#define MOSIX_SOCKET_H

#include <stdint.h>

/* Some socket has had a time-out set by this process. */
extern int socket_timed __attribute__((visibility("hidden")));

/* Notes setsockopt() of SO_RCVTIMEO or SO_SNDTIMEO. */
void socket_option(int level, int option);

/* Whether the socket has that time-out; then when it ends. A system call only once socket_timed is set. */
int socket_timeout(int fd, int option, uint64_t *ret_deadline);

/* Whether a receiving call waits for all bytes: a byte stream, and no flag that gives MSG_WAITALL another meaning. */
int socket_waits_for_all(int fd, int flags);

#endif
