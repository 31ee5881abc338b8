/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "common/step.h"

#include <asm/unistd_64.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *wanted;

static const char *what_is_wanted(void)
{
	const char *value;

	if (!wanted) {
		value = getenv(MOSIX_STEP_VARIABLE);
		wanted = value ? value : "";
	}
	return wanted;
}

void step_pass(const char *prefix, const char *name)
{
	const char *step = what_is_wanted();
	size_t size = strlen(prefix);

	if (*step && !strncmp(step, prefix, size) && !strcmp(step + size, name))
		MOSIX_STEP_WAIT(syscall);
}

enum mosix_step step_of(const char *prefix)
{
	static const char *const names[] = {
#define STEP(who, name, way, copy, what) #who "." #name,
#include <mosix/step.def>
#undef STEP
	};
	const char *step = what_is_wanted();

	if (strncmp(step, prefix, strlen(prefix)))
		return MOSIX_STEP_NONE;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(step, names[i]))
			return (enum mosix_step)(i + 1);
	return MOSIX_STEP_NONE;
}
