/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This node as a whole: what main() sets up once and everything else refers to. */
#ifndef MOSIX_REMOTED_NODE_H
#define MOSIX_REMOTED_NODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "common/key.h"
#include "remoted/cache.h"
#include "remoted/machine.h"
#include "remoted/watch.h"

struct home;
struct look;
struct relays;
struct visitor;

struct node {
	uv_loop_t *loop;
	const char *name;
	struct key key;
	bool trusted_network;
	struct machine machine;
	struct cache *cache;
	struct relays *relays;		/* channels of homes that do not trust the network */
	uint32_t load;			/* as told to others: runnable tasks per core × 1000 */
	struct alarm *sampler;
	LIST_HEAD(, home) homes;
	LIST_HEAD(, visitor) visitors;
	LIST_HEAD(, look) looks;
};

/* Makes cache and sensor. The caller has set loop, name, key, trusted_network. 0 or -ENOMEM. */
int node_start(struct node *node);

/* Closes all sessions and cages, so that every guest is gone, and frees what node_start() made. */
void node_stop(struct node *node);

/* Guests that live or are about to, and the memory that was promised to those about to. */
uint32_t node_guests(const struct node *node);
uint64_t node_promised(const struct node *node);

/* Whether so many channels more find descriptors here, beside those promised for channels that have not come yet. */
bool node_has_descriptors(const struct node *node, uint32_t channels);

/* Whether the user has closed this node to new guests: a file NAME.block in the runtime directory. */
bool node_blocked(const struct node *node);

#endif
