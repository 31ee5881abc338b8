/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The core's conversation with homed (order.h): connect, say a word, hear an order. At home and in the deputy. */
#ifndef MOSIX_CORE_ORDERS_H
#define MOSIX_CORE_ORDERS_H

#include <stdint.h>
#include <mosix/order.h>

/* Connects to homed with deadlines of ORDERS_SECONDS on every step. Descriptor, or -errno. */
int orders_connect(void);

/* Sends a word, and `more` bytes that lie right behind it. Returns 0 or -errno. word's magic, version, pid and epoch are filled
   in. */
int orders_say(int fd, struct mosix_word *word);
int orders_say_more(int fd, struct mosix_word *word, uint64_t more);

/*
 * Receives an order and its files into order (capacity bytes) and, for LEAVE, the channels (ret_fds[MOSIX_CHANNELS_MAX], CLOEXEC,
 * owned by the caller). Returns 0, -EBADMSG for anything malformed, or -errno.
 */
int orders_hear(int fd, struct mosix_order *order, uint64_t capacity, int *ret_fds);

/*
 * The same while all other threads stand: the descriptors may be more than the program's limit allows, which is raised for that
 * moment.
 */
int orders_hear_many(int fd, struct mosix_order *order, uint64_t capacity, int *ret_fds);

/*
 * Moves a descriptor out of the program's sight and makes it blocking: new number, or -errno; fd is closed in any case.
 */
int orders_hide(int fd);

/*
 * The guest's calls must not touch this hidden descriptor, if there is one (0, -errno: none): widens core_here->fd_low …
 * fd_high.
 */
void orders_guard(int fd);

/*
 * Says one word on the connection fd, or on a new one if there is none (-1) or if homed was started again since. Returns the
 * connection, or -errno: homed is not there, and will ask when it is.
 */
int orders_report(int fd, struct mosix_word *word);

/* The same with a word of these on core_here->orders_fd. HOME and LOST are the last ones, and close it. */
void orders_tell(uint32_t kind, uint32_t reason, int64_t detail);

#endif
