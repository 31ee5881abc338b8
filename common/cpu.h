/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the processor can do and a program may have bound itself to at start-up (glibc's choice of memcpy, ld.so's
 * trampoline, a program's own dispatch). x86-64 only.
 */
#ifndef MOSIX_CPU_H
#define MOSIX_CPU_H

#include <stdint.h>

#define CPU_FEATURES_VERSION 1u

/* Travels as it is (little-endian) in the offer. */
struct cpu_features {
	uint32_t version, size;		/* CPU_FEATURES_VERSION, sizeof */
	uint32_t l1_ecx, l1_edx;	/* leaf 1 */
	uint32_t l7_ebx, l7_ecx, l7_edx;	/* leaf 7, 0 */
	uint32_t l7_1_eax, l7_1_ebx, l7_1_ecx, l7_1_edx;	/* leaf 7, 1 */
	uint32_t ld_1_eax;		/* leaf 0xD, 1 */
	uint32_t e1_ecx, e1_edx;	/* leaf 0x80000001 */
	uint64_t xcr0;
};

/* Of the processor it runs on. */
void cpu_read(struct cpu_features *ret_cpu);

/*
 * 0 if local has everything home has that a program can use, else 1 and the first missing feature's name (static) in
 * *ret_feature. -EINVAL if home is of another version.
 */
int cpu_lacks(const struct cpu_features *home, const struct cpu_features *local, const char **ret_feature);

#endif
