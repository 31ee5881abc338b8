/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core.h"
#include "step.h"

/* Of several threads only the first one waits, for that is the one that a look at the process shows. */
void core_step_wait(void)
{
	if ((uint32_t)SYS0(__NR_gettid) != core_here->pid)
		return;
	MOSIX_STEP_WAIT(SYS4);
}
