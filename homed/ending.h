/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The end of homed. What is away stays away, because its channels are its own; but a process whose channels run through this
 * homed (channels.h) would be lost, so those are called home first.
 */
#ifndef HOMED_ENDING_H
#define HOMED_ENDING_H

#include "homed/homed.h"

struct ending;

/* NULL: no memory. */
struct ending *ending_new(struct homed *homed);

/*
 * Ends homed as soon as those that must be are at home, or after a minute; everybody: all that are away. From now on nothing
 * is sent away. A second call without done() does not wait any longer. done() comes just before the end, and may be NULL.
 */
void ending_begin(struct homed *homed, bool everybody, void (*done)(void *data), void *data);

/* done() is not to be called with that data. */
void ending_forget(struct homed *homed, const void *data);

#endif
