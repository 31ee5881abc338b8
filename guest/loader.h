/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The loader: a static program without libc that a cage executes and that turns itself into the guest. It lies wholly between
 * MOSIX_LOADER_START and MOSIX_LOADER_END, runs on a stack of its own, and is unmapped by the core in the end.
 *
 * remoted has checked the manifest (manifest_check), so ranges are trusted here; every system call's result is checked, and
 * what comes over the page channel is not trusted. Whatever fails ends in loader_fail().
 */
#ifndef MOSIX_GUEST_LOADER_H
#define MOSIX_GUEST_LOADER_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>
#include <mosix/manifest.h>
#include <mosix/plan.h>
#include <mosix/reason.h>
#include "sys.h"

enum { LOADER_MAPS_SIZE = 64 << 10, LOADER_SPECIALS = 16 };

/* A range of the kernel's own special mappings ([vvar], [vvar_vclock], [vdso]). */
struct special { uint64_t start, end; int is_vdso; };

struct loader {
	struct mosix_plan plan;
	struct sock_filter filter[BPF_MAXINSNS];
	uint8_t present[MOSIX_ORDER_FILES];
	int image, maps, pagemap;
	int channel[MOSIX_CHANNELS_MAX];	/* by number */
	int file[MOSIX_ORDER_FILES];	/* by index in the offer, -1: did not come */

	uint64_t arena;
	struct mosix_manifest *manifest;	/* the copy in the arena */
	const struct mosix_mapping *mapping;	/* its mappings */
	uint64_t image_offset;			/* of the manifest in the image */

	struct special special[LOADER_SPECIALS];
	unsigned specials;
};

/* Tells remoted through the plan socket and exits with status 1. detail: an address, or 0. */
_Noreturn void loader_fail(enum mosix_why reason, long error, uint64_t detail);

/* The result of a system call if it succeeded; else fails with MOSIX_WHY_LOADER, or NO_MEMORY where the kernel says so. */
uint64_t loader_must(long result, uint64_t detail);

/* plan.c: receives the plan, opens maps and pagemap; then the manifest into the arena, which must exist. */
void plan_receive(struct loader *l);
void plan_read_head(struct loader *l, struct mosix_manifest *ret);
void plan_read_manifest(struct loader *l);
/* Reads size bytes of the image at an offset, all of them. */
void plan_read_image(const struct loader *l, void *dst, uint64_t size, uint64_t offset);
/* Puts the guest's descriptors where plan.h says and closes all others but the plan socket, of which *plan_fd keeps track. */
void plan_settle(struct loader *l, int *plan_fd);

/* space.c: drops everything that exec mapped except the loader itself, brings vvar and vdso into the arena, makes the arena. */
void space_clear(struct loader *l);
/* space.c: the threads' slots and the image's mappings, all writable that will get pages; then their final protection. */
void space_build(struct loader *l);
void space_protect(struct loader *l);
/* Whether pages may come for it. */
int space_fillable(const struct loader *l, const struct mosix_mapping *m);

/* pages.c: the page runs of the page channel, into their places. */
void pages_receive(struct loader *l);

/* vdso.c: turns home's vdso entries into jumps to the local ones. */
void vdso_patch(struct loader *l);
/* Where the local vdso lies now. */
const struct special *vdso_local(const struct loader *l);

/* process.c: what the kernel knows about a process besides its memory. */
void process_restore(struct loader *l);
void process_confine(struct loader *l);

/* start.S: says on the plan socket, the guest's link from now on, that all is done, by a call that passes the filter; jumps. */
_Noreturn void loader_leave(uint64_t entry, uint64_t stack, uint64_t arena, uint64_t gate_secret, int plan_fd);

/* preload/core/string.c */
void *memcpy(void *dst, const void *src, size_t size);
void *memmove(void *dst, const void *src, size_t size);
void *memset(void *dst, int byte, size_t size);
int   memcmp(const void *a, const void *b, size_t size);

#endif
