/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "homed/place.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES 4096

struct places { unsigned next; struct place entry[ENTRIES]; };

struct places *places_new(void)
{
	return calloc(1, sizeof(struct places));
}

void places_free(struct places *places)
{
	free(places);
}

static struct place *find(struct places *places, pid_t pid, uint64_t start)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		if (places->entry[i].pid == pid && places->entry[i].start == start)
			return &places->entry[i];
	return NULL;
}

void places_put(struct places *places, const struct place *place)
{
	struct place *to = find(places, place->pid, place->start);

	if (!to) {
		to = &places->entry[places->next];
		places->next = (places->next + 1) % ENTRIES;
	}
	*to = *place;
}

bool places_take(struct places *places, pid_t pid, uint64_t start, struct place *ret_place)
{
	struct place *from = find(places, pid, start);

	if (!from)
		return false;
	*ret_place = *from;
	memset(from, 0, sizeof(*from));
	return true;
}
