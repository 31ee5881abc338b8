/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libuv handles that may be ended from anywhere, also from their own callback: libuv frees a handle only in a later turn of
 * the loop, so they are objects of their own here and not parts of what they serve.
 */
#ifndef MOSIX_REMOTED_WATCH_H
#define MOSIX_REMOTED_WATCH_H

#include <stdint.h>
#include <uv.h>

struct watch;
struct alarm;

/* Calls ready(data) while fd is readable or has failed. libuv makes fd non-blocking. fd stays the caller's and must be closed
   after the watch, not before. NULL: no memory. */
struct watch *watch_new(uv_loop_t *loop, int fd, void (*ready)(void *data), void *data);

/* Ends it and sets the caller's pointer to NULL; nothing is called afterwards. *watch may be NULL. */
void watch_end(struct watch **watch);

/* Calls ring(data) once for each alarm_set(), after `ms` milliseconds (0: from the loop, at once). alarm_set() again replaces. */
struct alarm *alarm_new(uv_loop_t *loop, void (*ring)(void *data), void *data);
void alarm_set(struct alarm *alarm, uint64_t ms);
void alarm_off(struct alarm *alarm);
void alarm_end(struct alarm **alarm);

#endif
