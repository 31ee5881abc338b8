/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mosrun --trace: each call that the program makes while it is away, with where it ran, as a line on a descriptor that the
 * program has had from its start. The deputy writes; of calls that ran on the node its guest tells it, a round trip for each.
 */
#ifndef MOSIX_CORE_TRACE_H
#define MOSIX_CORE_TRACE_H

#include <stdint.h>
#include <mosix/wire.h>

/* Whether to. Home and guest. */
int trace_wanted(void);

/* At home: such a call has been made there, or (result NULL) is about to be, after which nothing may be left. */
void trace_home(uint64_t nr, const uint64_t arg[6], const int64_t *result);

/* At home: why it comes home, or nothing if that is no call. */
void trace_return(uint32_t reason, int64_t detail);

/* At home: where it is now, a node's name or "home". */
void trace_place(const char *name);

/* In the guest: such a call has been made here. Without a result where that is not known. */
void trace_here(uint64_t nr, const uint64_t arg[6], const int64_t *result);

/* At home: MOSIX_TRACE. 0 or -errno (of the channel). */
int trace_told(const struct mosix_frame *request);

#endif
