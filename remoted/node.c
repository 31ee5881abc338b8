/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remoted/node.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "common/relay.h"
#include "common/runtime.h"
#include "remoted/guest.h"
#include "remoted/home.h"
#include "remoted/visitor.h"

#define SAMPLE_MS   1000
#define CACHE_FILES 512
#define DESCRIPTORS_SPARE 64u	/* kept for sessions, cages and contents */
#define CACHE_MOST  (1ull << 30)	/* of memory, for contents; or an eighth of the machine's, if that is less */

/* What others hear rises at once and falls slowly, so that nobody floods a node that has just become idle. */
static void sample(void *data)
{
	struct node *node = data;
	uint32_t now = (uint32_t)((uint64_t)machine_runnable() * 1000 / node->machine.cpus);

	node->load = now > node->load ? now : (7 * node->load + now) / 8;
	alarm_set(node->sampler, SAMPLE_MS);
}

int node_start(struct node *node)
{
	uint64_t most = node->machine.mem_total / 8;

	LIST_INIT(&node->homes);
	LIST_INIT(&node->visitors);
	LIST_INIT(&node->looks);
	node->cache = cache_new(most < CACHE_MOST ? most : CACHE_MOST, CACHE_FILES);
	node->relays = relays_new(node->loop);
	node->sampler = alarm_new(node->loop, sample, node);
	if (!node->cache || !node->relays || !node->sampler) {
		relays_free(node->relays);
		cache_free(node->cache);
		alarm_end(&node->sampler);
		return -ENOMEM;
	}
	sample(node);
	return 0;
}

void node_stop(struct node *node)
{
	while (!LIST_EMPTY(&node->visitors))
		visitor_end(LIST_FIRST(&node->visitors));
	while (!LIST_EMPTY(&node->homes))
		home_end(LIST_FIRST(&node->homes));
	relays_free(node->relays);
	alarm_end(&node->sampler);
	cache_free(node->cache);
	node->cache = NULL;
}

/* Over all guests, whatever home they are of. */
static uint64_t sum(const struct node *node, uint64_t (*part)(const struct node *node, const struct guest *guest))
{
	const struct home *home;
	const struct guest *guest;
	uint64_t total = 0;

	LIST_FOREACH(home, &node->homes, link)
		LIST_FOREACH(guest, &home->guests, link)
			total += part(node, guest);
	return total;
}

static uint64_t part_alive(const struct node *node, const struct guest *guest)
{
	(void)node;
	return guest->state != GUEST_DYING;
}

uint32_t node_guests(const struct node *node)
{
	return (uint32_t)sum(node, part_alive);
}

static uint64_t part_promised(const struct node *node, const struct guest *guest)
{
	(void)node;
	return guest->state < GUEST_PLANNED ? guest->bytes : 0;
}

uint64_t node_promised(const struct node *node)
{
	return sum(node, part_promised);
}

/* A channel is the connection itself, or a relay's two ends and the guest's. */
static uint64_t descriptors(const struct node *node, uint32_t channels)
{
	return (uint64_t)channels * (node->trusted_network ? 1 : 3);
}

static uint64_t part_unlinked(const struct node *node, const struct guest *guest)
{
	return descriptors(node, guest->channel_count - guest->linked);
}

bool node_has_descriptors(const struct node *node, uint32_t channels)
{
	uint64_t taken = machine_descriptors() + sum(node, part_unlinked) + DESCRIPTORS_SPARE;

	return taken + descriptors(node, channels) <= node->machine.descriptors;
}

bool node_blocked(const struct node *node)
{
	char file[NAME_MAX + 1], path[PATH_MAX];

	snprintf(file, sizeof file, "%s.block", node->name);
	return runtime_path(file, path, sizeof path) == 0 && access(path, F_OK) == 0;
}
