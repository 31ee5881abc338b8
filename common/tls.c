/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>

/* Only key exchanges that need the key, so that no certificate can take its place; the ephemeral exchange keeps past
   sessions closed if the key leaks. */
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK:+DHE-PSK"

static const char *const identities[] = { [TLS_SESSION] = "mosix-session", [TLS_CHANNEL] = "mosix-channel" };

struct tls {
	gnutls_session_t session;
	gnutls_psk_client_credentials_t client;
	gnutls_psk_server_credentials_t server;
	struct key key;
	bool blocked;		/* a record lies half sent in the library */
	int error;		/* last GNUTLS_E_* */
};

static int give_key(gnutls_session_t session, const char *identity, gnutls_datum_t *ret_key)
{
	const struct tls *tls = gnutls_session_get_ptr(session);

	if (strcmp(identity, identities[TLS_SESSION]) != 0 && strcmp(identity, identities[TLS_CHANNEL]) != 0)
		return -1;
	ret_key->data = gnutls_malloc(KEY_SIZE);
	if (!ret_key->data)
		return -1;
	memcpy(ret_key->data, tls->key.bytes, KEY_SIZE);
	ret_key->size = KEY_SIZE;
	return 0;
}

static int set_credentials(struct tls *tls, enum tls_role role)
{
	const gnutls_datum_t key = { tls->key.bytes, KEY_SIZE };
	int r;

	if (role == TLS_SERVER) {
		r = gnutls_psk_allocate_server_credentials(&tls->server);
		if (r < 0)
			return r;
		gnutls_psk_set_server_credentials_function(tls->server, give_key);
		return gnutls_credentials_set(tls->session, GNUTLS_CRD_PSK, tls->server);
	}
	r = gnutls_psk_allocate_client_credentials(&tls->client);
	if (r == 0)
		r = gnutls_psk_set_client_credentials(tls->client, identities[role], &key, GNUTLS_PSK_KEY_RAW);
	return r < 0 ? r : gnutls_credentials_set(tls->session, GNUTLS_CRD_PSK, tls->client);
}

int tls_open(int fd, enum tls_role role, const struct key *key, struct tls **ret_tls)
{
	const unsigned flags = GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS;
	struct tls *tls = calloc(1, sizeof *tls);

	if (!tls)
		return -ENOMEM;
	tls->key = *key;
	int r = gnutls_init(&tls->session, flags | (role == TLS_SERVER ? GNUTLS_SERVER : GNUTLS_CLIENT));

	if (r == 0)
		r = gnutls_priority_set_direct(tls->session, PRIORITIES, NULL);
	if (r == 0)
		r = set_credentials(tls, role);
	if (r < 0) {
		tls_close(tls);
		return -ENOMEM;
	}
	gnutls_session_set_ptr(tls->session, tls);
	gnutls_transport_set_int(tls->session, fd);
	gnutls_handshake_set_timeout(tls->session, GNUTLS_INDEFINITE_TIMEOUT);	/* the owner has the deadline */
	*ret_tls = tls;
	return 0;
}

void tls_close(struct tls *tls)
{
	if (!tls)
		return;
	if (tls->session)
		gnutls_deinit(tls->session);
	if (tls->client)
		gnutls_psk_free_client_credentials(tls->client);
	if (tls->server)
		gnutls_psk_free_server_credentials(tls->server);
	key_wipe(&tls->key);
	free(tls);
}

static int translate(struct tls *tls, int error)
{
	tls->error = error;
	switch (error) {
	case GNUTLS_E_AGAIN:
	case GNUTLS_E_INTERRUPTED:
		return -EAGAIN;
	case GNUTLS_E_PREMATURE_TERMINATION:
	case GNUTLS_E_PULL_ERROR:
	case GNUTLS_E_PUSH_ERROR:
	case GNUTLS_E_SESSION_EOF:
		return -ECONNRESET;
	case GNUTLS_E_MEMORY_ERROR:
		return -ENOMEM;
	}
	return -EPROTO;
}

/* The server notices a wrong key as a binder that does not verify, and the client hears of it by an alert. */
static bool means_wrong_key(const struct tls *tls, int error)
{
	if (error == GNUTLS_E_FATAL_ALERT_RECEIVED)
		switch (gnutls_alert_get(tls->session)) {
		case GNUTLS_A_ILLEGAL_PARAMETER:
		case GNUTLS_A_DECRYPT_ERROR:
		case GNUTLS_A_BAD_RECORD_MAC:
		case GNUTLS_A_HANDSHAKE_FAILURE:
		case GNUTLS_A_INSUFFICIENT_SECURITY:
		case GNUTLS_A_UNKNOWN_PSK_IDENTITY:
		case GNUTLS_A_ACCESS_DENIED:
			return true;
		default:
			return false;
		}
	return error == GNUTLS_E_DECRYPTION_FAILED || error == GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER ||
	       error == GNUTLS_E_INSUFFICIENT_CREDENTIALS;
}

int tls_handshake(struct tls *tls)
{
	int r = gnutls_handshake(tls->session);

	/* Belt and braces: with these priorities nothing else can have authenticated the other side. */
	if (r == 0)
		return gnutls_auth_get_type(tls->session) == GNUTLS_CRD_PSK ? 0 : -EACCES;
	if (!gnutls_error_is_fatal(r))
		return translate(tls, GNUTLS_E_AGAIN);
	bool wrong_key = means_wrong_key(tls, r);

	/* A client may say what it thinks of us. A server answers only another daemon, which is to learn that its key is another
	   one: whoever sends garbage is a stranger and gets nothing. */
	if (tls->client || wrong_key)
		gnutls_alert_send_appropriate(tls->session, r);
	int translated = translate(tls, r);

	return wrong_key ? -EACCES : translated;
}

enum tls_role tls_client_role(const struct tls *tls)
{
	const char *identity = gnutls_psk_server_get_username(tls->session);

	return identity && strcmp(identity, identities[TLS_CHANNEL]) == 0 ? TLS_CHANNEL : TLS_SESSION;
}

ssize_t tls_send(struct tls *tls, const void *data, size_t size)
{
	if (size > TLS_RECORD_MAX)
		size = TLS_RECORD_MAX;
	/* NULL continues the record that is half sent, and returns the number of bytes it was given then. */
	ssize_t n = tls->blocked ? gnutls_record_send(tls->session, NULL, 0) : gnutls_record_send(tls->session, data, size);

	tls->blocked = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED;
	return n >= 0 ? n : translate(tls, (int)n);
}

ssize_t tls_receive(struct tls *tls, void *data, size_t size)
{
	ssize_t n = gnutls_record_recv(tls->session, data, size);

	if (n >= 0)
		return n;
	/* A warning alert is no failure, and no data either. */
	return translate(tls, gnutls_error_is_fatal((int)n) ? (int)n : GNUTLS_E_AGAIN);
}

size_t tls_pending(const struct tls *tls)
{
	return gnutls_record_check_pending(tls->session);
}

bool tls_wants_write(const struct tls *tls)
{
	return gnutls_record_get_direction(tls->session) == 1;
}

void tls_bye(struct tls *tls)
{
	if (!tls->blocked)
		gnutls_bye(tls->session, GNUTLS_SHUT_WR);
}

const char *tls_reason(const struct tls *tls)
{
	if (tls->error == GNUTLS_E_FATAL_ALERT_RECEIVED) {
		const char *name = gnutls_alert_get_name(gnutls_alert_get(tls->session));

		if (name)
			return name;
	}
	return gnutls_strerror(tls->error);
}
