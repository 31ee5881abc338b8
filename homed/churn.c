/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "homed/churn.h"

#include <string.h>
#include <sys/random.h>
#include "homed/moves.h"
#include "homed/nodes.h"

/* Uniform in 0 … below - 1. */
static uint32_t draw(uint32_t below)
{
	uint64_t word = 0;

	if (getrandom(&word, sizeof(word), 0) != sizeof(word))
		return 0;
	return (uint32_t)(word % below);
}

/* A place other than where it is: home and each node that is up have the same chance. NULL: there is none. */
static const char *draw_place(const struct process *p)
{
	unsigned places = process_away(p) ? 1 : 0, chosen;
	struct node *n;

	for (unsigned i = 0; (n = node_at(p->homed, i)); i++)
		places += n->state == NODE_UP && strcmp(n->name, p->where);
	if (!places)
		return NULL;
	chosen = draw(places);
	if (process_away(p) && chosen-- == 0)
		return "home";
	for (unsigned i = 0; (n = node_at(p->homed, i)); i++)
		if (n->state == NODE_UP && strcmp(n->name, p->where) && chosen-- == 0)
			return n->name;
	return NULL;
}

static void expired(uv_timer_t *timer)
{
	struct process *p = timer->data;
	const char *place;

	if (p->move)
		return;		/* its end draws the next time */
	place = p->stay || p->noauto || p->homed->blocked ? NULL : draw_place(p);
	if (place)
		moves_request(p, place, MOVE_BY_CHURN, NULL);
	else
		churn_next(p);
}

void churn_next(struct process *p)
{
	uint32_t churn = p->homed->conf.churn_ms, least = churn / 5;

	if (churn && !p->dropped)
		uv_timer_start(&p->churn, expired, least + draw(2 * churn - least + 1), 0);
}

void churn_begin(struct process *p)
{
	churn_next(p);
}
