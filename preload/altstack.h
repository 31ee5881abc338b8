/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Alternate stacks that are too small for the core's handler on top of the program's own. While a thread has one, the core's
 * handler runs on whatever stack the program is on.
 */
#ifndef MOSIX_ALTSTACK_H
#define MOSIX_ALTSTACK_H

#include <signal.h>

/* sigaltstack(2), made by `real`; returns what real returns. */
typedef int (*altstack_real)(const stack_t *set, stack_t *old);
int altstack_change(altstack_real real, const stack_t *set, stack_t *old);

/* In the child of a fork: its other threads' stacks are gone. */
void altstack_forked(void);

#endif
