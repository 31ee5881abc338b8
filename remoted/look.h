/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looks at the stacks of guests, for their homes: the request, the process that looks (snapshot.h), the answer. */
#ifndef MOSIX_REMOTED_LOOK_H
#define MOSIX_REMOTED_LOOK_H

#include <msgpack.h>

struct node;
struct visitor;

/* The message `stack`. 0, or -EPROTO. */
int look_take(struct visitor *visitor, const msgpack_object *map);

/* The session takes more again. */
void look_drained(struct visitor *visitor);

/* That session is gone, and with it whoever wanted to know. */
void look_left(struct node *node, const struct visitor *visitor);

#endif
