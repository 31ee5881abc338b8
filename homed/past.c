/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "homed/past.h"

#include <stdlib.h>

#define ENTRIES 256

struct past { unsigned next; struct past_entry entry[ENTRIES]; };

struct past *past_new(void)
{
	return calloc(1, sizeof(struct past));
}

void past_free(struct past *past)
{
	free(past);
}

void past_put(struct past *past, const struct past_entry *entry)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		if (past->entry[i].pid == entry->pid) {
			past->entry[i] = *entry;
			return;
		}
	past->entry[past->next] = *entry;
	past->next = (past->next + 1) % ENTRIES;
}

const struct past_entry *past_find(const struct past *past, pid_t pid)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		if (past->entry[i].pid == pid)
			return &past->entry[i];
	return NULL;
}
