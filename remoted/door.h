/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one listening port. What begins like a TLS record is a session; anything else must be one struct mosix_channel_hello
 * with the token of a guest that is awaited. Nobody else gets a single byte.
 */
#ifndef MOSIX_REMOTED_DOOR_H
#define MOSIX_REMOTED_DOOR_H

#include <stdint.h>
#include <sys/socket.h>

struct door;
struct node;

#define DOOR_STRANGERS   128	/* the one who has waited longest makes room for the next */
#define DOOR_PATIENCE_MS 10000

/* 0 or -errno of bind(2) and the like. *ret_port is the port in the host's byte order. */
int door_open(struct node *node, const struct sockaddr *address, struct door **ret_door, uint16_t *ret_port);
void door_close(struct door *door);

#endif
