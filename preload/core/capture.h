/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making the image of this process: manifest, XSAVE area, mappings, runs (manifest.h). At home and in a guest. */
#ifndef MOSIX_CORE_CAPTURE_H
#define MOSIX_CORE_CAPTURE_H

#include <stdint.h>
#include <mosix/manifest.h>
#include <mosix/order.h>
#include "maps.h"
#include "pages.h"
#include "sigabi.h"

#define CAPTURE_ENTRIES 20000
#define CAPTURE_CUTS    40	/* of them kept free for entries that are cut in two */

struct core_thread;
struct core_own;

struct capture {
	struct mosix_manifest *manifest;	/* with its tail, in the arena */
	struct page_runs runs;
	const struct maps_entry *found;		/* the latest mapping of a file, and which one of the order that was */
	uint32_t file;
	uint32_t reason;			/* enum mosix_why, when it failed */
	int64_t  detail;
};

/*
 * The process as it stands at home in the frame uc. Opens and closes /proc files (lowest free descriptors, so only while no
 * other thread runs). Fills core_here's program state. 0, or -1 with reason and detail.
 */
int capture_home(const struct kernel_ucontext *uc, const struct mosix_order *order, struct capture *ret);

/* The guest, whose threads all stand. Same results. */
int capture_guest(struct capture *ret);

/*
 * Sends manifest and pages. Pages of mappings without PROT_READ are made readable for that time. 0 or -errno; adds to
 * core_here->moved_pages and moved_bytes.
 */
int capture_send(int fd, const struct capture *capture);

/* Whether the process has one thread; whether no other process shares its memory (only where it has one). At home, without a
   descriptor. */
int capture_is_single(void);
int capture_is_unshared(void);

/*
 * The program's state of the calling thread, interrupted as uc says, but for the call it is inside. 0, or why it cannot leave.
 * At home.
 */
uint32_t capture_take_thread(struct core_thread *t, const struct kernel_ucontext *uc);

/* What wrappers and core share in the thread with this FS base; NULL if it has none. At home, with its memory in place. */
struct core_own *capture_own(uint64_t fs_base);

/* Whether a mapping is the arena's or the slots'. */
int capture_is_arena(const struct maps_entry *e);

/* The mappings as they are now, in the arena: count, or -errno. fd: of maps. */
int capture_maps(int fd, struct maps_entry **ret);

#endif
