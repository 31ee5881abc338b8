/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The debug points of the daemons: what $MOSIX_DEBUG_STEP names (mosix/step.h). For the thread that runs the loop. */
#ifndef MOSIX_COMMON_STEP_H
#define MOSIX_COMMON_STEP_H

#include <stdbool.h>
#include <mosix/step.h>

/* Waits if the step `prefix` `name`, for example "homed." "offering", is the one. Async-signal-safe after its first call. */
void step_pass(const char *prefix, const char *name);

/* The step if one of these parts ("guest.") is to wait at it, else MOSIX_STEP_NONE. */
enum mosix_step step_of(const char *prefix);

#endif
