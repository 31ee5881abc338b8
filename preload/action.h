/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SIGURG in the sa_mask of other signals' actions: taken out before the kernel sees it, shown again afterwards. */
#ifndef MOSIX_ACTION_H
#define MOSIX_ACTION_H

#include <stdint.h>

struct action_view { int known, had, set, named; };

/* Before an action is set (mask: of the caller's copy, changed) or asked for (NULL). */
void action_enter(struct action_view *view, int sig, uint64_t *mask);

/* After it has succeeded; old_mask: of the old action, or NULL. */
void action_done(const struct action_view *view, int sig, uint64_t *old_mask);

#endif
