/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What files at home hold, in a guest: a memfd for each file, filled from home as far as mappings need it. The program maps it
 * privately, as it would the file: the kernel knows which pages are its own, brings the others back after MADV_DONTNEED, and
 * raises SIGBUS behind the end. With core_here->map_lock.
 */
#ifndef MOSIX_CORE_CONTENT_H
#define MOSIX_CORE_CONTENT_H

#include <stdint.h>
#include <mosix/wire.h>

/*
 * A descriptor, not the caller's, that has at [offset, offset + length) what the file has there that home has just mapped at
 * start; mapped is home's answer to MOSIX_MAP. -EINTR: the process is wanted at home meanwhile; or another -errno.
 */
int content_get(const struct mosix_frame *mapped, uint64_t start, uint64_t offset, uint64_t length);

/* It is mapped: what could be another file by the next time is not kept. */
void content_settle(void);

#endif
