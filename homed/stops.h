/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SIGSTOP cannot be caught, so nobody but the kernel knows that a deputy was stopped: its guest would go on computing. Nor that
 * one is traced: the program has to come home for its tracer. Every quarter of a second the away processes are looked at.
 */
#ifndef HOMED_STOPS_H
#define HOMED_STOPS_H

#include "homed/homed.h"

struct process;

struct stops *stops_new(struct homed *homed);
/* So many more (or fewer) processes are away: none, and nothing is looked at. */
void stops_count(struct stops *stops, int change);
/* The process has ended: a guest that stands still would not see it. */
void stops_ended(const struct process *p);
/* The session with that node is new: what was told may not have arrived. */
void stops_node_up(struct stops *stops, const char *node);

#endif
