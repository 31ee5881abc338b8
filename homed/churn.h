/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The policy of forced random moves: every process that may move does so after churn_ms/5 … 2·churn_ms. For tests. */
#ifndef HOMED_CHURN_H
#define HOMED_CHURN_H

#include "homed/process.h"

/* Begins for a process; nothing happens unless the configuration asks for churn. */
void churn_begin(struct process *p);
/* A move of it has ended: draws the time of the next one. */
void churn_next(struct process *p);

#endif
