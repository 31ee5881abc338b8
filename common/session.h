/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A session: two daemons of one user, one TCP connection, TLS 1.3 by the user's key (key.h), messages both ways. A message
 * is a msgpack map with a string "t", its type, in a frame of u32 little-endian length. The hello exchange, the check of
 * the protocol's version and all deadlines until then happen in here; `up` is the first thing an owner hears.
 *
 * Everything runs in the loop's thread. No callback is ever made from within session_connect(), session_accept(),
 * session_send() or session_close(), so an owner need not be re-entrant; all of them may be called from callbacks.
 *
 * Life: a session belongs to its owner until `down` was called or session_close() was called, whichever comes first; after
 * either the pointer must not be used. `down` comes at most once, also for sessions that never came up.
 */
#ifndef MOSIX_SESSION_H
#define MOSIX_SESSION_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <msgpack.h>
#include <uv.h>

#include <mosix/reason.h>
#include "key.h"

#define SESSION_MESSAGE_MAX  (1u << 20)	/* bytes of msgpack in one frame */
#define SESSION_QUEUE_MAX    (4u << 20)	/* bytes that may wait to be sent */
#define SESSION_NODE_MAX     64		/* a node's name with its NUL */
#define SESSION_DEADLINE_MS  5000	/* from connect or accept until `up` */

struct session;
struct tls;

struct session_events {
	/* Both hellos are exchanged. `node` is the other side's name for itself, `hello` its whole hello; both are valid only
	   during the call, as is `message` below. */
	void (*up)(struct session *session, void *data, const char *node, const msgpack_object *hello);

	/* A message other than hello. `map` is a map, all its keys are strings, and `type` is its "t". */
	void (*message)(struct session *session, void *data, const char *type, const msgpack_object *map);

	/* The session is over and will be freed. reason: NODE_DEAD (never reached), WRONG_KEY, VERSION, MALFORMED, CUT,
	   TIMED_OUT, NO_MEMORY; `why` is a sentence without a full stop. */
	void (*down)(struct session *session, void *data, enum mosix_why reason, const char *why);

	/* May be NULL: after session_send() had left less room than SESSION_MESSAGE_MAX, everything has been sent. */
	void (*drained)(struct session *session, void *data);

	/* May be NULL, then such callers are refused. On the accepting side, instead of `up`: the other side opened this
	   connection for a channel (relay.h), not for a session. tls and fd are the owner's now; the session is over, as after
	   `down`. */
	void (*channel)(struct session *session, void *data, struct tls *tls, int fd);
};

/* What a session says in its own hello besides "t" and "v". */
struct session_hello {
	const char *node;	/* own name, shorter than SESSION_NODE_MAX */
	const char *more;	/* further keys and values, packed one after the other (not as a map); NULL if pairs is 0 */
	size_t more_size;
	unsigned pairs;
};

/*
 * Opens a session to `address`. Returns NULL only when memory or descriptors run out; every other failure comes as `down`.
 * key and hello are copied, events must stay.
 */
struct session *session_connect(uv_loop_t *loop, const struct sockaddr *address, const struct key *key,
				const struct session_hello *hello, const struct session_events *events, void *data);

/* The other side: takes over the connected socket fd (closes it also when it returns NULL). */
struct session *session_accept(uv_loop_t *loop, int fd, const struct key *key, const struct session_hello *hello,
			       const struct session_events *events, void *data);

/*
 * Queues one message: `size` bytes, one msgpack map. Returns 0; -ENOTCONN before `up` or after the connection has failed
 * (then `down` is on its way); -EMSGSIZE; -ENOBUFS when the queue is full and nothing was taken: wait for `drained`.
 */
int session_send(struct session *session, const void *message, size_t size);

/* Bytes that session_send() would take now for one message. */
size_t session_room(const struct session *session);

/* Ends the session without calling `down`; what is queued is still sent if the socket takes it at once. NULL is allowed. */
void session_close(struct session *session);

/* For the owner's notes. The other side's address as text ("127.0.0.1:7000"), owned by the session. */
void *session_data(const struct session *session);
void session_set_data(struct session *session, void *data);
const char *session_peer(const struct session *session);

#endif
