/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Children of programs that are away. The deputy that forks asks for channels; the node gives one end of them to the guest
 * that forks; the other end goes to the deputy, whose child says that it is there. Whatever does not work is answered with
 * nothing to do: then the program comes home and forks there.
 */
#ifndef HOMED_BIRTHS_H
#define HOMED_BIRTHS_H

#include <stdbool.h>
#include <msgpack.h>
#include <mosix/order.h>
#include "homed/homed.h"

struct node;
struct order_link;
struct process;

/* The word FORK; p is NULL if it is not registered. */
void births_ask(struct homed *homed, struct process *p, struct order_link *link, const struct mosix_word *word);

/* The word FORKED of a process that is not registered yet: false if it cannot be. */
bool births_forked(struct homed *homed, pid_t pid, struct order_link *link, const struct mosix_word *word);

/* What a node says, if it is about a birth. */
bool births_message(struct node *node, const char *type, const msgpack_object *map);

/* No session with it any more. */
void births_node_down(struct node *node);

/* The connection on which it was asked for is gone. */
void births_link_cut(struct order_link *link);

/* Children that will most probably come in a moment. */
unsigned births_awaited(void);

/* homed ends. */
void births_stop(struct homed *homed);

#endif
