/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A thread for a moment, with a copy of the table of descriptors: what it opens takes no number that the program could miss.
 * At home. (A copy holds every open file a moment longer; locks belong to the table they were taken through, so none is lost.)
 */
#ifndef MOSIX_CORE_APART_H
#define MOSIX_CORE_APART_H

#include <stdint.h>

/* Runs f(argument) in such a thread, on the caller's slot, and waits for its end. *ret_tid: its number. 0 or -errno. */
int apart_run(void (*f)(void *), void *argument, uint32_t *ret_tid);

#endif
