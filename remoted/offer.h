/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Offers of homes: read, judged, and turned into guests or refused with a reason; and the contents that home sends for one. */
#ifndef MOSIX_REMOTED_OFFER_H
#define MOSIX_REMOTED_OFFER_H

#include <msgpack.h>

struct guest;
struct visitor;

/* Both return 0, or -EPROTO when the message is malformed, which ends the session. */
int offer_take(struct visitor *visitor, const msgpack_object *map);
int offer_content(struct visitor *visitor, const msgpack_object *map);

/* Looks up the next of the guest's files; after the last one asks home for what is missing or goes on. */
void offer_look(struct guest *guest);

#endif
