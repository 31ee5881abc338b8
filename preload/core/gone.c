/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arena.h"
#include "gone.h"
#include "lock.h"

/* How far apart; 0: they touch or overlap. */
static uint64_t gap(const struct core_range *r, uint64_t start, uint64_t end)
{
	return start > r->end ? start - r->end : r->start > end ? r->start - end : 0;
}

static struct core_range *nearest(struct core_state *s, uint64_t start, uint64_t end)
{
	struct core_range *best = &s->gone[0];

	for (uint32_t i = 1; i < s->gone_count; i++)
		if (gap(&s->gone[i], start, end) < gap(best, start, end))
			best = &s->gone[i];
	return best;
}

void gone_note(uint64_t start, uint64_t end)
{
	struct core_state *s = core_memory;
	struct core_range *near;

	if (start >= end)
		return;
	core_lock(&s->gone_lock);
	near = nearest(s, start, end);
	if (s->gone_count < sizeof(s->gone) / sizeof(s->gone[0]) && (s->gone_count == 0 || gap(near, start, end) > 0)) {
		s->gone[s->gone_count++] = (struct core_range){ start, end };
	} else {
		near->start = start < near->start ? start : near->start;
		near->end = end > near->end ? end : near->end;
	}
	core_unlock(&s->gone_lock);
}

int gone_touches(uint64_t start, uint64_t end)
{
	const struct core_state *s = core_memory;

	for (uint32_t i = 0; i < s->gone_count; i++)
		if (s->gone[i].start < end && s->gone[i].end > start)
			return 1;
	return 0;
}
