/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The session of a home that is connected, and the table of messages it may send. */
#ifndef MOSIX_REMOTED_VISITOR_H
#define MOSIX_REMOTED_VISITOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/msg.h"
#include "common/session.h"

struct node;

struct visitor {
	LIST_ENTRY(visitor) link;
	struct node *node;
	struct session *session;
	struct alarm *leave;		/* rings when it must go and may be in use further up the stack */
	char name[SESSION_NODE_MAX];	/* "" before the hello */
};

/* Takes over a connection that begins like TLS. */
void visitor_accept(struct node *node, int fd);

/* Ends the message and sends it, if visitor is not NULL. One that does not read its answers is shown out. */
void visitor_send(struct visitor *visitor, struct msg *message);

/* Answers an offer with no. */
void visitor_refuse(struct visitor *visitor, uint64_t id, enum mosix_why reason, int64_t detail, const char *text);

/* Ends the session; home_left() is called for it. */
void visitor_end(struct visitor *visitor);

#endif
