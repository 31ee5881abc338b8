/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compares the offsets that entry.S was written with against the compiler's. */
#include "arena.h"
#include "entry_offsets.h"

_Static_assert(offsetof(struct core_state, gate_secret) == STATE_GATE_SECRET, "entry_offsets.h: STATE_GATE_SECRET");
