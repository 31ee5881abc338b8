/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The orders socket: the core of a process connects when it was rung, or when it has something to tell. Each connection
 * is served for itself; one that says nothing is closed, and nobody waits for it.
 */
#ifndef HOMED_ORDERS_H
#define HOMED_ORDERS_H

#include <sys/types.h>
#include <mosix/order.h>
#include <mosix/wire.h>
#include "homed/files.h"
#include "homed/homed.h"

struct move;
struct order_link;

/* 0 or -errno. */
int orders_start(struct homed *homed, struct orders **ret_orders);

/* A process has ended: takes what it said before that and what nobody has read yet. */
void orders_drain(struct orders *orders, pid_t pid);

/* Nothing (any more): go on. */
void order_none(struct order_link *link);
/* Come home. 0 or -errno. */
int order_home(struct order_link *link, uint32_t epoch);
/* Leave, with the descriptors of all channels (which stay the caller's), the files of the offer, and the process's descriptor for
   its trace, if there is one. 0 or -errno: the connection is of no use any more then, and will be cut. */
int order_leave(struct order_link *link, uint32_t epoch, uint32_t trace, uint64_t deadline_ns, const char *node,
		const struct files *files, const int *fd, unsigned fds);

/* The channels of a child, and the name of its birth. 0 or -errno. */
int order_child(struct order_link *link, uint32_t epoch, uint64_t birth, const int *fd, unsigned fds);

/* Say your stacks, and go on. 0 or -errno. */
int order_stack(struct order_link *link);

/* Words and the end of this connection concern that move from now on; NULL: none. */
void order_link_bind(struct order_link *link, struct move *move);
/* The move has no connection any more; what still comes over it is about no move. */
void order_link_bind_none(struct move *move);

#endif
