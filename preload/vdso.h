/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MOSIX_VDSO_H
#define MOSIX_VDSO_H

#include <stdint.h>
#include <mosix/manifest.h>

/* Where the vDSO lies (page aligned) and where its functions begin; all 0 if the process has none. Makes no system call. */
void vdso_learn(uint64_t *ret_start, uint64_t *ret_end, uint64_t ret_entry[MOSIX_VDSO_KINDS]);

#endif
