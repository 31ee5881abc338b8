/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files that a process has mapped, by its list of mappings, which tells the truth at home also while the process is away.
 * They are opened when they are asked for. The vDSO has no file: it comes with the snapshot.
 */
#ifndef MOSIX_IMAGES_H
#define MOSIX_IMAGES_H

#include <stdint.h>
#include "elf.h"
#include "snapshot.h"

struct images;

/* A file, as it is mapped somewhere. */
struct image {
	const char *name;	/* its path, which may be followed by " (deleted)", or "[vdso]" */
	const struct elf *elf;	/* NULL: it is no longer there, or no ELF file */
	uint64_t bias;		/* address in memory minus address in the file; only with elf */
};

/*
 * maps: the text of /proc/PID/maps, which is not needed afterwards; snapshot: must stay. Lines that are not understood are left
 * out. 0 or -ENOMEM.
 */
int images_new(const char *maps, const struct snapshot *snapshot, struct images **ret_images);
void images_free(struct images *images);

/* The file that is mapped at this address. 0, or -ENOENT: none is. What it points to belongs to the images. */
int images_find(struct images *images, uint64_t address, struct image *ret_image);

#endif
