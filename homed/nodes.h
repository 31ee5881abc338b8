/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The nodes of [nodes]: a session to each, kept up with back-off as long as homed runs, pinged every second, and given up
 * when nothing was heard for 5 s.
 */
#ifndef HOMED_NODES_H
#define HOMED_NODES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "common/msg.h"
#include "common/session.h"
#include "homed/homed.h"
#include "homed/outcome.h"

enum node_state {
	NODE_CONNECTING,	/* the first attempt since homed started is not over yet */
	NODE_DOWN,
	NODE_UP,
	NODE_REFUSED,		/* it answers, but takes no guests from here: outcome says why */
};

struct node {
	struct homed *homed;
	char name[CONF_NAME];
	struct conf_address address;
	struct sockaddr_storage peer;	/* resolved */
	enum node_state state;
	struct outcome outcome;		/* of DOWN and REFUSED */
	struct session *session;	/* NULL while there is none */
	uint64_t heard_ms;
	uint64_t asked;			/* id of the latest ping */
	uint32_t back_off_ms;
	uv_timer_t timer;		/* next attempt, or next ping */
	uv_getaddrinfo_t resolve;
	bool resolving;
	/* what it told */
	uint32_t cpus, guests, load, pid_max;
	uint64_t mem_total, mem_free;
	char lacks[OUTCOME_TEXT / 2];
	/* how far home's clocks are ahead of its, at most: the least seen in this session, so never too little (ns) */
	bool ahead_known;
	int64_t mono_ahead, boot_ahead;
};

/* Begins to connect to all of them. 0 or -errno. */
int nodes_start(struct homed *homed, struct nodes **ret_nodes);
/* Ends all sessions. */
void nodes_stop(struct nodes *nodes);

/* NULL when there is none of that name. */
struct node *node_find(struct homed *homed, const char *name);
/* Nodes in the order of the configuration; NULL behind the last. */
struct node *node_at(struct homed *homed, unsigned index);

/* The node that is up and has the fewest guests for its processors, but not `except` (may be NULL); NULL when there is none. */
struct node *nodes_best(struct homed *homed, const char *except);
/* Whether any node is still being connected to for the first time. */
bool nodes_connecting(struct homed *homed);

/* Finishes and sends a message, frees it. 0, -ENOTCONN, -ENOBUFS (later: moves_node_drained() will be called) or -errno. */
int node_send(struct node *node, struct msg *message);

/* "home", "up", "down", "refused". */
const char *node_state_name(enum node_state state);

#endif
