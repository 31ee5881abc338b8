/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Channels over networks that are not trusted: the deputy's and the guest's end are plain sockets of this machine, and the
 * daemon behind each carries what they say through a TLS connection that was opened for this channel alone. Bytes come out as
 * they went in; the end of one socket becomes the end of the other, after everything before it has been delivered. What is
 * buffered is bounded, so the slower side is felt by the faster one.
 *
 * A relay, once it stands, belongs to nobody and ends by itself. All in the loop's thread.
 */
#ifndef MOSIX_RELAY_H
#define MOSIX_RELAY_H

#include <stdbool.h>
#include <sys/socket.h>
#include <uv.h>

#include <mosix/wire.h>

#include "key.h"
#include "tls.h"

#define RELAY_PATIENCE_MS 10000

struct relay;
struct relays;

/* All relays of a daemon. relays_free() cuts them. NULL: no memory. */
struct relays *relays_new(uv_loop_t *loop);
void relays_free(struct relays *relays);

/*
 * Home: connects, and sends the channel's hello. done() comes once, from the loop: with the near end, a connected socket in
 * blocking mode that is the caller's from then on, or with -errno (-EACCES: another key) and -1; not after relay_cancel().
 * 0 or -errno (then done() is not called).
 */
int relay_connect(struct relays *relays, const struct sockaddr *address, const struct key *key,
		  const struct mosix_channel_hello *hello, void (*done)(void *data, int error, int fd), void *data,
		  struct relay **ret_relay);

/* Only before done(). */
void relay_cancel(struct relay *relay);

/*
 * Remote: takes over a connection after its handshake (session.h, `channel`). When the channel's hello has come, welcome() gets
 * it with the near end: it takes that over and returns true, or returns false, and the caller hears nothing but the end.
 */
void relay_accept(struct relays *relays, struct tls *tls, int fd,
		  bool (*welcome)(void *data, int fd, const struct mosix_channel_hello *hello), void *data);

#endif
