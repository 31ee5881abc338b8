/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Name and sentence of the reasons of include/mosix/reason.def. Static strings; any context. */
#ifndef MOSIX_COMMON_REASON_H
#define MOSIX_COMMON_REASON_H

#include <stdint.h>
#include <mosix/reason.h>

/* "THREADS"; "NONE" for 0; "UNKNOWN" for a number that this build does not know. */
const char *reason_name(uint32_t number);

/* "it has too many threads"; "" for 0. */
const char *reason_sentence(uint32_t number);

#endif
