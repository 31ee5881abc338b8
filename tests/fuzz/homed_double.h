/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MOSIX_FUZZ_HOMED_DOUBLE_H
#define MOSIX_FUZZ_HOMED_DOUBLE_H

/* A non-blocking socket that takes all connections which this program believes to open by TCP. -errno. */
int homed_double_listen(void);

#endif
