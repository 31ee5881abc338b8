/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mmap(2) of a file, privately, by a program that is away. Home's kernel maps the file at the same address and so judges the
 * call, holds the file and shows it in /proc/PID/maps; here the mapping has the bytes that home's has (content.h).
 */
#ifndef MOSIX_CORE_GATE_MAP_H
#define MOSIX_CORE_GATE_MAP_H

#include <stdint.h>
#include "sigabi.h"

/* As gate_local(). */
int64_t gate_map(struct kernel_ucontext *uc, uint64_t nr, const uint64_t arg[6]);

/*
 * Calls that unmap [start, end) or put other memory there: what the range had of files is forgotten if the call succeeds. Its
 * result. Between the two no mapping is made by others.
 */
int64_t gate_unmap(uint64_t start, uint64_t end, long nr, const uint64_t arg[5]);

#endif
