/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * TLS 1.3 by a pre-shared key over a connected, non-blocking TCP socket: the smallest piece that sessions and relayed
 * channels share. No certificates, no tickets, no renegotiation; both sides prove that they have the key.
 * One thread at a time per object; no callbacks.
 */
#ifndef MOSIX_TLS_H
#define MOSIX_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "key.h"

struct tls;

/* The largest piece tls_receive() returns: give it a buffer of this size, and nothing stays behind inside. */
#define TLS_RECORD_MAX 16384

/* A client says in its handshake what the connection is for; the key vouches for that as well. */
enum tls_role { TLS_SERVER, TLS_SESSION, TLS_CHANNEL };

/* fd stays the caller's and must outlive the object. Returns 0 or -ENOMEM. */
int tls_open(int fd, enum tls_role role, const struct key *key, struct tls **ret_tls);
void tls_close(struct tls *tls);

/*
 * One step of the handshake. Returns 0 when it is complete; -EAGAIN: wait (tls_wants_write() says for what); -EACCES: the
 * other side has another key; -ECONNRESET and the like: the connection broke; -EPROTO: what came is not our TLS.
 */
int tls_handshake(struct tls *tls);

/* For a server, after the handshake: the client's role. */
enum tls_role tls_client_role(const struct tls *tls);

/* Bytes taken or delivered, -EAGAIN, or an error as above. After -EAGAIN from tls_send() the same bytes (or more of them,
   from the same first one) must be offered next. tls_receive() returns 0 when the other side ended in good order. */
ssize_t tls_send(struct tls *tls, const void *data, size_t size);
ssize_t tls_receive(struct tls *tls, void *data, size_t size);

/* Bytes that were received and decrypted but not delivered: poll(2) will not report them. */
size_t tls_pending(const struct tls *tls);
bool tls_wants_write(const struct tls *tls);

/* Tells the other side that nothing follows, if the socket takes it at once. */
void tls_bye(struct tls *tls);

/* The library's words for the last failure, never NULL; static. */
const char *tls_reason(const struct tls *tls);

#endif
