/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by capture.c, capture_home.c and capture_guest.c only. */
#ifndef MOSIX_CORE_CAPTURE_PARTS_H
#define MOSIX_CORE_CAPTURE_PARTS_H

#include "capture.h"

enum { CORE_ARCH_GET_FS = 0x1003, CORE_ARCH_SET_FS = 0x1002, CORE_ARCH_GET_GS = 0x1004,	/* asm/prctl.h */
       CORE_CLOCK_MONOTONIC = 1, CORE_CLOCK_THREAD = 3, CORE_CLOCK_BOOTTIME = 7 };

/* CPU time of another thread of this process (clock_getcpuclockid(3), and linux/posix-timers.h for its making). */
#define CORE_CLOCK_THREAD_OF(tid) ((int)(~(uint32_t)(tid) << 3 | 6))

/* Notes why the capture failed; always -1. */
int capture_fail(struct capture *c, uint32_t reason, int64_t detail);

/* An empty capture whose manifest lies at this offset of the arena. */
void capture_begin(struct capture *c, uint64_t place);

/* Threads, which all stand, signals and clocks. 0 or -errno. To be called before any mapping. */
int capture_begin_image(struct capture *c);

/* Cuts the entry that address lies inside of in two, for which there must be room. The new count. */
int capture_cut(struct maps_entry *map, int count, uint64_t address);

/* CPU time this process has used on this machine. */
void capture_times(struct mosix_manifest *m);

/* Appends a mapping and begins its runs. 0 or -E2BIG. */
int capture_mapping(struct capture *c, uint64_t start, uint64_t end, uint64_t offset, uint32_t prot, uint32_t flags,
		    uint32_t file);

#endif
