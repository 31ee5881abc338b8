/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What remoted hands the loader over the unix stream socket that the loader finds as descriptor 3: one struct mosix_plan and,
 * with its first byte, descriptors by SCM_RIGHTS: the image (a sealed memfd), the channels in their order, then files in the
 * offer's order, only those that a mapping needs. At most MOSIX_PLAN_BATCH descriptors come at once; further ones come with
 * single bytes after the struct, MOSIX_PLAN_BATCH each. The image holds, one after the other:
 *
 *   filter_length × struct sock_filter, files × uint8_t (1: this file's descriptor came) padded to 8, the manifest with
 *   its tail, as checked by remoted.
 *
 * Descriptor 4 of the loader is the /proc of the world outside the cage (O_PATH): "self" there is the loader itself.
 */
#ifndef MOSIX_PLAN_H
#define MOSIX_PLAN_H

#include <stdint.h>
#include <mosix/order.h>
#include <mosix/wire.h>

#define MOSIX_PLAN_MAGIC 0x6e616c70786f736dull
#define MOSIX_PLAN_FD 3
#define MOSIX_PLAN_PROC_FD 4
#define MOSIX_PLAN_BATCH 250u

struct mosix_plan {
	uint64_t magic;
	uint64_t gate_secret;		/* page aligned, below 2^47, not 0: sixth argument of the gate's own calls */
	uint32_t filter_length;		/* instructions */
	uint32_t files;			/* files in the offer, ≤ MOSIX_ORDER_FILES */
	uint64_t manifest_size;		/* manifest and tail */
	uint32_t channels;		/* MOSIX_CHANNELS … MOSIX_CHANNELS_MAX */
	uint32_t step;			/* of loader or guest: enum mosix_step to wait at */
};

/*
 * What the gate's mmap(2) of a file carries in the upper half of the descriptor's register instead of the secret, for the sixth
 * argument is an offset there. The kernel takes an int, of which a register's upper half is no part. Neither all zeros nor all
 * ones, which is what programs have there.
 */
static inline uint64_t mosix_map_tag(uint64_t gate_secret)
{
	return ((gate_secret >> 12 & 0x3fffffff) | 0x40000000) << 32;
}

/* What the loader answers on descriptor 3: reason 0 right before the jump; anything else, and it exits with status 1. End of file
   without an answer: it was killed. */
struct mosix_plan_failure {
	uint32_t reason;		/* reason.def, 0: none */
	int32_t  error;			/* errno */
	uint64_t detail;		/* address of the mapping concerned, or 0 */
};

/* Numbers of the only descriptors a guest has after the loader is done: channel i is MOSIX_GUEST_CHANNELS + i, up to the plan's
   `channels`, and behind the channels is the link, which was the plan's socket. All block; a byte on the control channel raises
   SIGURG in the process, in whichever thread takes it.

   The link: for a child that the guest is about to fork, remoted sends the number of the birth (8 bytes) with MOSIX_BIRTH_FDS
   descriptors: its channels and its own link. The child says MOSIX_BIRTH_WORD there, and is sent the number again, with its maps
   and pagemap. */
#define MOSIX_BIRTH_FDS  (MOSIX_CHANNELS + 1)
#define MOSIX_BIRTH_WORD 0x6e726f62u

enum {
	MOSIX_GUEST_MAPS = 3,
	MOSIX_GUEST_PAGEMAP,
	MOSIX_GUEST_CHANNELS,
	MOSIX_GUEST_CALL    = MOSIX_GUEST_CHANNELS + MOSIX_CHANNEL_CALL,
	MOSIX_GUEST_CONTROL = MOSIX_GUEST_CHANNELS + MOSIX_CHANNEL_CONTROL,
	MOSIX_GUEST_PAGE    = MOSIX_GUEST_CHANNELS + MOSIX_CHANNEL_PAGE,
};

/* Head of the arena as the loader leaves it for guest_entry(); the rest of the arena is fresh zero memory, PROT_READ|WRITE. */
struct mosix_landing {
	uint64_t magic;			/* MOSIX_PLAN_MAGIC */
	uint64_t gate_secret;
	uint64_t manifest_size;
	uint64_t manifest_offset;	/* in the arena: a copy of manifest and tail, XSAVE areas already rebuilt for this CPU */
	uint64_t vdso, vdso_size;	/* the local vdso's place (inside the arena, unless the kernel has sealed it elsewhere) */
	uint32_t channels, step;	/* the plan's */
};

/* Parts of the arena that loader, remoted and core must agree on (offsets). */
#define MOSIX_ARENA_LANDING   0x0ull
#define MOSIX_ARENA_VDSO      0x00100000ull	/* local vvar and vdso in the guest */
#define MOSIX_ARENA_VDSO_MAX  0x00100000ull
#define MOSIX_ARENA_STACK     0x00200000ull	/* the gate's, of each slot; remoted finds the program's registers there */
#define MOSIX_ARENA_STACK_SIZE 0x00080000ull
#define MOSIX_ARENA_FRAME     0x00300000ull	/* the frame by which a thread lands: its struct ucontext, 16 bytes further */
#define MOSIX_ARENA_MANIFEST  0x00400000ull
#define MOSIX_ARENA_MANIFEST_MAX 0x00800000ull

#endif
