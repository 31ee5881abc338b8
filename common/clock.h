/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clocks of this machine, and whether another process runs on the same kernel. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Nanoseconds of a clock. */
uint64_t clock_ns(clockid_t clock);

#define CLOCK_KERNEL_SIZE 64
/* A name for this run of this kernel (its boot id), NUL-terminated; "" if it cannot be read. */
void clock_kernel(char ret_name[CLOCK_KERNEL_SIZE]);

#endif
