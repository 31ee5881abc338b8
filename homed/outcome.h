/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How something ended, for people and scripts: a number of reason.def, a detail and a sentence. */
#ifndef HOMED_OUTCOME_H
#define HOMED_OUTCOME_H

#include <stdint.h>
#include "common/reason.h"

#define OUTCOME_TEXT 256

struct outcome {
	uint32_t reason;		/* 0: all is well */
	int64_t  detail;
	char     text[OUTCOME_TEXT];	/* "" when reason is 0 */
};

/* The reason's own sentence, with ": " and more behind it unless format is NULL. */
void outcome_set(struct outcome *o, uint32_t reason, int64_t detail, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

void outcome_clear(struct outcome *o);

#endif
