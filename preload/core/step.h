/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The debug points of the core (mosix/step.h). Not on the way of a call: one compare is little, but calls are many. */
#ifndef MOSIX_CORE_STEP_H
#define MOSIX_CORE_STEP_H

#include <mosix/step.h>
#include "arena.h"

void core_step_wait(void);

static inline void core_step(enum mosix_step step)
{
	if (core_here->config.step == step)
		core_step_wait();
}

/* One that has a name on each side. */
static inline void core_step_either(enum mosix_step at_home, enum mosix_step in_guest)
{
	core_step(core_here->place == PLACE_GUEST ? in_guest : at_home);
}

#endif
