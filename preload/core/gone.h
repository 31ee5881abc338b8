/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the program has unmapped since it came to this node. Home's mappings there have gone with it, even if there is memory again:
 * else what is one mapping here would be made of several there, which mremap(2) refuses. In guests.
 */
#ifndef MOSIX_CORE_GONE_H
#define MOSIX_CORE_GONE_H

#include <stdint.h>

/* [start, end) is about to be unmapped or replaced. Where too many ranges would be to be kept, they are taken for larger ones. */
void gone_note(uint64_t start, uint64_t end);

/* Whether any of [start, end) has been. */
int gone_touches(uint64_t start, uint64_t end);

#endif
