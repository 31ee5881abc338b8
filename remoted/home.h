/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A home: another node's name and the user there. It has one cage, its guests, the session through which it is talked to
 * (there may be none: guests do not depend on it), and the news it has not been told for sure.
 */
#ifndef MOSIX_REMOTED_HOME_H
#define MOSIX_REMOTED_HOME_H

#include <stdint.h>
#include <sys/queue.h>

#include "common/session.h"
#include "remoted/cage.h"

struct guest;
struct node;
struct visitor;
struct ended;
struct alarm;
struct watch;

#define HOME_ENDED_MAX 64	/* news kept to be told again after a reconnect */
#define HOME_TEXT_MAX  256

struct home {
	LIST_ENTRY(home) link;
	struct node *node;
	char name[SESSION_NODE_MAX];
	uint32_t uid;
	struct cage *cage;		/* NULL until the first guest, and again when the last has gone and nobody visits */
	struct watch *watch;
	struct alarm *alarm;		/* home_changed() */
	struct visitor *visitor;	/* the latest session; NULL: none */
	LIST_HEAD(, guest) guests;
	TAILQ_HEAD(, ended) ended;
	unsigned ended_count;
};

/* Finds or makes it, and lets this session speak for it. 0 or -ENOMEM. */
int home_get(struct node *node, const char *name, uint32_t uid, struct visitor *visitor, struct home **ret_home);

/* Makes the cage if there is none. 0, or -errno of cage_open(). */
int home_enclose(struct home *home);

/* A session of the node `name` has come: it speaks for all its homes, and hears how guests ended (perhaps again). */
void home_visited(struct node *node, const char *name, struct visitor *visitor);

/* That session is gone. Guests that cannot do without it are given up. */
void home_left(struct node *node, struct visitor *visitor);

/* Tells, or keeps until somebody is there, that a guest process is gone. status: as wait(2). */
void home_tell_ended(struct home *home, uint32_t pid, uint32_t epoch, int status, enum mosix_why reason, int64_t detail,
		     const char *text);

/* A guest record has gone: a waiting one may start now, and the last one leaves an empty cage. */
void home_changed(struct home *home);

/* Kills all its guests by closing the cage, and frees everything. */
void home_end(struct home *home);

#endif
