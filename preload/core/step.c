/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core.h"
#include "step.h"

void core_step_wait(void)
{
	MOSIX_STEP_WAIT(SYS4);
}
