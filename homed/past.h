/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The latest processes that have ended in a way worth a question: lost with their guest. For `mosctl why PID`. */
#ifndef HOMED_PAST_H
#define HOMED_PAST_H

#include <sys/types.h>
#include "common/conf.h"
#include "homed/outcome.h"

struct past;

struct past_entry {
	pid_t pid;
	uint64_t start;
	char comm[64], where[CONF_NAME];
	struct outcome outcome;
};

struct past *past_new(void);
void past_free(struct past *past);

/* The newest of the same pid replaces an older one; the oldest of all makes room. */
void past_put(struct past *past, const struct past_entry *entry);
const struct past_entry *past_find(const struct past *past, pid_t pid);

#endif
