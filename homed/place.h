/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What mosrun wants for the program that its pid is about to become: kept until that program registers. */
#ifndef HOMED_PLACE_H
#define HOMED_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "common/conf.h"

struct places;

struct place {
	pid_t pid;
	uint64_t start;
	char node[CONF_NAME];	/* "" none, "best", or a node */
	bool stay, noauto;
	uint32_t trace;		/* descriptor of the program's on which its calls are told, 0 none */
};

struct places *places_new(void);
void places_free(struct places *places);

/* Keeps it; the oldest of too many is forgotten (its mosrun has died or its program never registered). */
void places_put(struct places *places, const struct place *place);

/* Whether there was one for this very process; it is gone then. */
bool places_take(struct places *places, pid_t pid, uint64_t start, struct place *ret_place);

#endif
