/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arena.h"
#include "lock.h"
#include "ranges.h"

#define MOST (sizeof(((struct core_ranges *)0)->range) / sizeof(struct core_range))

/* How far apart; 0: they touch or overlap. */
static uint64_t gap(const struct core_range *r, uint64_t start, uint64_t end)
{
	return start > r->end ? start - r->end : r->start > end ? r->start - end : 0;
}

static struct core_range *nearest(struct core_ranges *r, uint64_t start, uint64_t end)
{
	struct core_range *best = &r->range[0];

	for (uint32_t i = 1; i < r->count; i++)
		if (gap(&r->range[i], start, end) < gap(best, start, end))
			best = &r->range[i];
	return best;
}

static void add(struct core_ranges *r, uint64_t start, uint64_t end)
{
	struct core_range *near = nearest(r, start, end);

	if (r->count < MOST && (r->count == 0 || gap(near, start, end) > 0)) {
		r->range[r->count++] = (struct core_range){ start, end };
	} else {
		near->start = start < near->start ? start : near->start;
		near->end = end > near->end ? end : near->end;
	}
}

void ranges_add(struct core_ranges *r, uint64_t start, uint64_t end)
{
	if (start >= end)
		return;
	core_lock(&r->lock);
	add(r, start, end);
	core_unlock(&r->lock);
}

/* What is left of one range. Its second part, if there is one, becomes the last. */
static void cut(struct core_ranges *r, struct core_range *one, uint64_t start, uint64_t end)
{
	if (one->end <= start || one->start >= end)
		return;
	if (one->start < start && one->end > end) {
		if (r->count == MOST)
			return;
		r->range[r->count++] = (struct core_range){ end, one->end };
	}
	if (one->start < start)
		one->end = start;
	else
		one->start = end < one->end ? end : one->end;
}

void ranges_cut(struct core_ranges *r, uint64_t start, uint64_t end)
{
	uint32_t i = 0;

	if (start >= end)
		return;
	core_lock(&r->lock);
	while (i < r->count) {
		cut(r, &r->range[i], start, end);
		if (r->range[i].start == r->range[i].end)
			r->range[i] = r->range[--r->count];
		else
			i++;
	}
	core_unlock(&r->lock);
}

int ranges_touch(struct core_ranges *r, uint64_t start, uint64_t end)
{
	int found = 0;

	core_lock(&r->lock);
	for (uint32_t i = 0; i < r->count && !found; i++)
		found = r->range[i].start < end && r->range[i].end > start;
	core_unlock(&r->lock);
	return found;
}
