/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From the first byte of the manifest to the jump: reads the manifest and its tail from the page channel, and not one byte
 * more, because the page runs behind it are the loader's; checks it; hands the plan to the loader; hears what became of it.
 */
#ifndef MOSIX_REMOTED_LANDING_H
#define MOSIX_REMOTED_LANDING_H

#include <stdbool.h>

struct guest;

/* The guest has just become linked. */
void landing_start(struct guest *guest);

/* The process has ended while it was being built: what the loader said about it, if anything, becomes the guest's reason.
   True if it had left the loader, so that its end is its own. */
bool landing_result(struct guest *guest);

/* The alarm of a linked guest. True if it was only waiting for the clocks, else the guest's time is up. */
bool landing_continue(struct guest *guest);

#endif
