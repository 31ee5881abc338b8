/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Children that guests fork: the home offers channels for one, they go to the guest through its link (plan.h), and what comes
 * back over the child's own link is the child. Until then its record has pid 0 and an epoch made of the message's id.
 */
#ifndef MOSIX_REMOTED_CHILD_H
#define MOSIX_REMOTED_CHILD_H

#include <msgpack.h>

struct guest;
struct visitor;

/* The message child. 0, or -EPROTO when it is malformed, which ends the session. */
int child_take(struct visitor *visitor, const msgpack_object *map);

/* All its channels have come. The record may be gone afterwards. */
void child_linked(struct guest *child);

#endif
