/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process's own mappings, from /proc/thread-self/maps, as the core sees them. */
#ifndef MOSIX_CORE_MAPS_H
#define MOSIX_CORE_MAPS_H

#include <stdint.h>

enum maps_kind {
	MAPS_ANON, MAPS_HEAP, MAPS_STACK, MAPS_FILE,
	MAPS_VDSO, MAPS_SPECIAL,	/* vvar and the like: the kernel's, known to be skipped */
	MAPS_AIO, MAPS_RING, MAPS_HUGE, MAPS_DEVICE, MAPS_UNKNOWN,	/* reasons not to move */
};

struct maps_entry {
	uint64_t start, end, offset;
	uint64_t device, inode;		/* stat(2)'s encoding of the device */
	uint8_t  prot;			/* PROT_* */
	uint8_t  shared;
	uint8_t  kind;			/* enum maps_kind */
	uint8_t  system;		/* a file below /usr or /lib: changed by the package manager only */
	uint32_t name;			/* where its path begins in the text; up to the end of the line */
};

/*
 * Reads the whole of maps from fd (at offset 0) into text, then parses it: the kernel's answer must be complete before any
 * mapping is changed. Entries come ascending; [vsyscall] is left out. Returns the number of entries, -E2BIG if text or
 * entries do not hold them, or what read said. Core, any place.
 */
int maps_read(int fd, char *text, uint64_t capacity, struct maps_entry *entries, int most);

/* Opens /proc/thread-self/maps or pagemap at home: descriptor or -errno. */
int maps_open(const char *name);

#endif
