/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stacks of this process at home, for whoever asks homed (mosix/stack.h). */
#ifndef MOSIX_CORE_SNAPSHOT_H
#define MOSIX_CORE_SNAPSHOT_H

/*
 * First thread, from its handler, while all threads stand: says each thread's registers and stack as words on the orders
 * connection, and an empty one behind the last. What cannot be read is left out; when homed does not listen, it says no more.
 */
void snapshot_say(int orders);

#endif
