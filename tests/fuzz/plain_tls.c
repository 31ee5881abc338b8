/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stands in for common/tls.c: no handshake and no cipher, so that the messages behind them can be reached thousands of times a
   second. What TLS itself makes of garbage is GnuTLS' business, and tests/system/garbage asks it. */
#include "tests/fuzz/plain_tls.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/tls.h"

struct tls { int fd; enum tls_role client; };

enum tls_role plain_tls_client = TLS_SESSION;

int tls_open(int fd, enum tls_role role, const struct key *key, struct tls **ret_tls)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	(void)role;
	(void)key;
	if (!tls)
		return -ENOMEM;
	tls->fd = fd;
	tls->client = plain_tls_client;
	*ret_tls = tls;
	return 0;
}

void tls_close(struct tls *tls)
{
	free(tls);
}

int tls_handshake(struct tls *tls)
{
	(void)tls;
	return 0;
}

enum tls_role tls_client_role(const struct tls *tls)
{
	return tls->client;
}

ssize_t tls_send(struct tls *tls, const void *data, size_t size)
{
	ssize_t n = send(tls->fd, data, size < TLS_RECORD_MAX ? size : TLS_RECORD_MAX, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n >= 0 ? n : errno == EAGAIN ? -EAGAIN : -ECONNRESET;
}

ssize_t tls_receive(struct tls *tls, void *data, size_t size)
{
	ssize_t n = recv(tls->fd, data, size < TLS_RECORD_MAX ? size : TLS_RECORD_MAX, MSG_DONTWAIT);

	return n >= 0 ? n : errno == EAGAIN ? -EAGAIN : -ECONNRESET;
}

size_t tls_pending(const struct tls *tls)
{
	(void)tls;
	return 0;
}

bool tls_wants_write(const struct tls *tls)
{
	(void)tls;
	return false;
}

void tls_bye(struct tls *tls)
{
	(void)tls;
}

const char *tls_reason(const struct tls *tls)
{
	(void)tls;
	return "no reason";
}
