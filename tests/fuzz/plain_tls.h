/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MOSIX_FUZZ_PLAIN_TLS_H
#define MOSIX_FUZZ_PLAIN_TLS_H

#include "common/tls.h"

/* What the next connection is for, as its client would have said in the handshake. */
extern enum tls_role plain_tls_client;

#endif
