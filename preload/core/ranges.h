/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sets of address ranges in the arena (struct core_ranges, arena.h). Each has a lock of its own. A set that has no room for
 * another range holds more than it was given, never less. Any thread of the core; no failures.
 */
#ifndef MOSIX_CORE_RANGES_H
#define MOSIX_CORE_RANGES_H

#include <stdint.h>
#include "arena.h"

/* [start, end) is in the set from now on. An empty range changes nothing. */
void ranges_add(struct core_ranges *r, uint64_t start, uint64_t end);

/* [start, end) no longer is; except what a set without room would have to keep beside it. */
void ranges_cut(struct core_ranges *r, uint64_t start, uint64_t end);

/* Whether any of [start, end) is. */
int ranges_touch(struct core_ranges *r, uint64_t start, uint64_t end);

#endif
