/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * XSAVE areas as they stand in signal frames: not compacted, the FXSAVE image first, software bytes at 464, a header at 512,
 * components where CPUID leaf 0xD puts them, a second magic behind. The kernel takes only the FXSAVE part, and says nothing,
 * when sizes or magics are not the ones it writes itself; so an area that goes to another CPU is rebuilt, never copied.
 *
 * Freestanding, no system calls, no core.h: the loader links this too. Any context.
 */
#ifndef MOSIX_CORE_XSTATE_H
#define MOSIX_CORE_XSTATE_H

#include <stdint.h>
#include <mosix/manifest.h>

#define XSTATE_FP    (1ull << 0)
#define XSTATE_SSE   (1ull << 1)
#define XSTATE_AVX   (1ull << 2)
#define XSTATE_PKRU  (1ull << 9)
#define XSTATE_TILES (1ull << 18)

/*
 * Components that a process has to ask for (arch_prctl ARCH_REQ_XCOMP_PERM) and that a thread's frames contain only after
 * its first use of them: until then the kernel's area for the thread is shorter than XCR0 says.
 */
#define XSTATE_DYNAMIC XSTATE_TILES

#define XSTATE_MAGIC2_SIZE 4u

#define MXCSR_DEFAULT 0x1f80u
#define PKRU_DEFAULT  0x55555554u	/* init_pkru of the kernel: every key but 0 closed */

/* Everything that XCR0 enables on this CPU, XSTATE_DYNAMIC included. */
void xstate_layout(struct mosix_xlayout *ret);

/*
 * The layout of this thread's own frames: xstate_layout() narrowed to what the kernel says in the area of a frame it has just
 * made for the calling thread. The right `from` at capture and the right `local` at homecoming.
 */
void xstate_layout_frame(const void *fpstate, struct mosix_xlayout *ret);

/*
 * Takes components out of a layout and shortens its size. A new thread (the loader's) must drop XSTATE_DYNAMIC, unless it has
 * asked for the permission and called xstate_touch_tiles(): otherwise its kernel would look for the second magic elsewhere.
 */
void xstate_layout_drop(struct mosix_xlayout *layout, uint64_t features);

/* Whether frames made under one may be used under the other byte by byte. */
int xstate_layout_same(const struct mosix_xlayout *a, const struct mosix_xlayout *b);

/* What the area says is in use and not all zero; 0 for an area that xstate_rebuild() would refuse as malformed. */
uint64_t xstate_in_use(const void *src, uint32_t src_size, const struct mosix_xlayout *from);

/*
 * Uses a tile register once, so that the kernel enlarges this thread's area; leaves the tiles in their initial state. Only on
 * a CPU whose XCR0 has XSTATE_TILES, after ARCH_REQ_XCOMP_PERM has succeeded, outside of any use of tiles.
 */
void xstate_touch_tiles(void);

/*
 * Makes the area `dst` for frames of the layout `local` (this CPU's) from `src`, an area of a frame of the layout `from`.
 * src and from may be hostile; src_size counts the bytes there. An area without the kernel's first magic is taken as FXSAVE.
 * dst: 64-byte aligned, dst_size bytes ≥ local->size + 4. *ret_size: bytes of the result, second magic included.
 * PKRU is kept where both sides have it, and is this thread's own where only this one has: a process that uses
 * protection keys does not move, so the value restricts nothing that is mapped.
 * -EINVAL: src or from contradict themselves; -ENOSPC: dst_size; -EOPNOTSUPP: src uses what `local` has not.
 * On failure the content of dst is undefined.
 */
int xstate_rebuild(void *dst, uint32_t dst_size, const struct mosix_xlayout *local, const void *src, uint32_t src_size,
		   const struct mosix_xlayout *from, uint32_t *ret_size);

/*
 * Puts the area of a kernel frame in place into the initial state, as the kernel has it for a signal handler; PKRU and the
 * software bytes stay.
 */
void xstate_init(void *fpstate);

#endif
