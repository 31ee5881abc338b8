/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layout by CPUID leaf 0xD (Intel SDM vol. 1, chapter 13), area by arch/x86/kernel/fpu/signal.c. */
#include <asm/errno.h>
#include "sigabi.h"
#include "xstate.h"

#define FCW_DEFAULT       0x037fu
#define MXCSR_MASK_OLD    0xffbfu	/* of CPUs that store 0 as their mask (SDM vol. 1, 11.6.6) */
#define XMM_END           416		/* bytes 416 … 463 of FXSAVE are reserved */
#define XSTATE_LEGACY     (XSTATE_FP | XSTATE_SSE)
#define CPUID_OSXSAVE     (1u << 27)	/* leaf 1, ecx */
#define CPUID_OSPKE       (1u << 4)	/* leaf 7, ecx */

struct cpuid { uint32_t a, b, c, d; };

static struct cpuid cpuid(uint32_t leaf, uint32_t sub)
{
	struct cpuid r;

	__asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "0"(leaf), "2"(sub));
	return r;
}

static uint64_t xgetbv0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

/* Own ones: the loader, which links this file, has no <string.h> either, and alignment of hostile offsets is unknown. */
static void copy_bytes(void *dst, const void *src, uint64_t n)
{
	__asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
}

static void zero_bytes(void *dst, uint64_t n)
{
	__asm__ volatile("rep stosb" : "+D"(dst), "+c"(n) : "a"(0) : "memory");
}

static uint32_t get32(const void *at) { uint32_t v; copy_bytes(&v, at, sizeof(v)); return v; }
static uint64_t get64(const void *at) { uint64_t v; copy_bytes(&v, at, sizeof(v)); return v; }
static void put16(void *at, uint16_t v) { copy_bytes(at, &v, sizeof(v)); }
static void put32(void *at, uint32_t v) { copy_bytes(at, &v, sizeof(v)); }
static void put64(void *at, uint64_t v) { copy_bytes(at, &v, sizeof(v)); }

/* Highest end of all components present; not that of the highest bit: APX (19) lies where MPX was. */
static uint32_t layout_size(const struct mosix_xlayout *layout)
{
	uint32_t size = FPSTATE_HEADER_END;

	for (int i = 2; i < MOSIX_XFEATURES; i++)
		if (layout->xfeatures >> i & 1 && layout->part[i].offset + layout->part[i].size > size)
			size = layout->part[i].offset + layout->part[i].size;
	return size;
}

void xstate_layout(struct mosix_xlayout *ret)
{
	zero_bytes(ret, sizeof(*ret));
	ret->xfeatures = XSTATE_LEGACY;
	ret->size = FPSTATE_LEGACY_SIZE;
	ret->part[0].offset = 0;
	ret->part[0].size = FPSTATE_XMM;
	ret->part[1].offset = FPSTATE_XMM;
	ret->part[1].size = XMM_END - FPSTATE_XMM;
	if (!(cpuid(1, 0).c & CPUID_OSXSAVE))
		return;

	ret->xfeatures = xgetbv0();
	for (uint32_t i = 2; i < MOSIX_XFEATURES; i++) {
		struct cpuid r;

		if (!(ret->xfeatures >> i & 1))
			continue;
		r = cpuid(0xd, i);
		ret->part[i].offset = r.b;
		ret->part[i].size = r.a;
	}
	ret->size = layout_size(ret);
}

void xstate_layout_drop(struct mosix_xlayout *layout, uint64_t features)
{
	if (layout->size <= FPSTATE_LEGACY_SIZE)
		return;
	layout->xfeatures &= ~(features & ~XSTATE_LEGACY);
	layout->size = layout_size(layout);
}

void xstate_layout_frame(const void *fpstate, struct mosix_xlayout *ret)
{
	struct kernel_fpx_sw sw;

	copy_bytes(&sw, (const char *)fpstate + FPSTATE_SW, sizeof(sw));
	xstate_layout(ret);
	if (sw.magic1 != KFP_MAGIC1 || sw.xstate_size < FPSTATE_HEADER_END) {
		ret->xfeatures = XSTATE_LEGACY;
		ret->size = FPSTATE_LEGACY_SIZE;
		return;
	}
	ret->xfeatures &= sw.xfeatures;
	ret->size = sw.xstate_size;
}

int xstate_layout_same(const struct mosix_xlayout *a, const struct mosix_xlayout *b)
{
	if (a->xfeatures != b->xfeatures || a->size != b->size)
		return 0;
	for (int i = 2; i < MOSIX_XFEATURES; i++)
		if (a->xfeatures >> i & 1 && (a->part[i].offset != b->part[i].offset || a->part[i].size != b->part[i].size))
			return 0;
	return 1;
}

void xstate_touch_tiles(void)
{
	/* Palette 1, one row of four bytes in tile 0. */
	static const uint8_t config[64] __attribute__((aligned(64))) = { [0] = 1, [16] = 4, [48] = 1 };

	__asm__ volatile("ldtilecfg %0\n\ttilezero %%tmm0\n\ttilerelease" : : "m"(config));
}

static uint32_t own_mxcsr_mask(void)
{
	uint8_t area[FPSTATE_LEGACY_SIZE] __attribute__((aligned(16)));
	uint32_t mask;

	__asm__ volatile("fxsave64 %0" : "=m"(area));
	mask = get32(area + FPSTATE_MXCSR_MASK);
	return mask ? mask : MXCSR_MASK_OLD;
}

static uint32_t own_pkru(void)
{
	uint32_t pkru, high;

	if (cpuid(0, 0).a < 7 || !(cpuid(7, 0).c & CPUID_OSPKE))
		return PKRU_DEFAULT;
	__asm__ volatile(".byte 0x0f, 0x01, 0xee" : "=a"(pkru), "=d"(high) : "c"(0));	/* rdpkru */
	return pkru;
}

/* An area that has been found consistent. */
struct source {
	const uint8_t *area;
	const struct mosix_xlayout *layout;
	uint64_t xfeatures;		/* what the area has room for */
	uint64_t in_use;		/* XSTATE_BV */
	uint32_t size;			/* without the second magic */
};

static int part_is_inside(const struct mosix_xlayout *layout, int i, uint32_t size)
{
	uint32_t offset = layout->part[i].offset, length = layout->part[i].size;

	return offset >= FPSTATE_HEADER_END && length > 0 && offset <= size && length <= size - offset;
}

static int is_zero(const uint8_t *at, uint32_t n)
{
	while (n > 0)
		if (at[--n])
			return 0;
	return 1;
}

static int source_open(struct source *ret, const void *src, uint32_t src_size, const struct mosix_xlayout *from)
{
	struct source s = { src, from, XSTATE_LEGACY, XSTATE_LEGACY, FPSTATE_LEGACY_SIZE };
	struct kernel_fpx_sw sw;

	if (src_size < FPSTATE_LEGACY_SIZE)
		return -EINVAL;
	copy_bytes(&sw, s.area + FPSTATE_SW, sizeof(sw));
	if (sw.magic1 != KFP_MAGIC1 || src_size == FPSTATE_LEGACY_SIZE) {
		*ret = s;
		return 0;
	}
	if (sw.xstate_size < FPSTATE_HEADER_END || sw.xstate_size > MOSIX_XSAVE_MAX || sw.xstate_size > sw.extended_size ||
	    src_size - XSTATE_MAGIC2_SIZE < sw.xstate_size || get32(s.area + sw.xstate_size) != KFP_MAGIC2)
		return -EINVAL;
	/* What XRSTOR checks in a header of the standard form (SDM vol. 1, 13.8.1). */
	s.in_use = get64(s.area + FPSTATE_XSTATE_BV);
	if (!is_zero(s.area + FPSTATE_XCOMP_BV, 16) || s.in_use & ~from->xfeatures)
		return -EINVAL;

	s.xfeatures = sw.xfeatures & from->xfeatures;
	s.in_use &= s.xfeatures;
	s.size = sw.xstate_size;
	for (int i = 2; i < MOSIX_XFEATURES; i++) {
		if (!(s.in_use >> i & 1))
			continue;
		if (!part_is_inside(from, i, s.size))
			return -EINVAL;
		/* The initial state of every component but the first two is all zero: "in use" then says nothing. */
		if (is_zero(s.area + from->part[i].offset, from->part[i].size))
			s.in_use &= ~(1ull << i);
	}
	*ret = s;
	return 0;
}

uint64_t xstate_in_use(const void *src, uint32_t src_size, const struct mosix_xlayout *from)
{
	struct source s;

	return source_open(&s, src, src_size, from) == 0 ? s.in_use : 0;
}

static void legacy_init(uint8_t *area, int x87, int sse)
{
	if (x87) {
		zero_bytes(area, FPSTATE_MXCSR);
		zero_bytes(area + FPSTATE_ST, FPSTATE_XMM - FPSTATE_ST);
		put16(area + FPSTATE_FCW, FCW_DEFAULT);
	}
	if (sse)
		zero_bytes(area + FPSTATE_XMM, XMM_END - FPSTATE_XMM);
}

/* The FXSAVE part. Both bits end up set in XSTATE_BV, as in the kernel's frames, so initial state has to be spelled out. */
static void legacy_rebuild(uint8_t *dst, const struct source *s)
{
	uint32_t mask = own_mxcsr_mask();
	/* XRSTOR loads MXCSR with SSE or AVX, whatever XSTATE_BV says. */
	int has_mxcsr = (s->xfeatures & (XSTATE_SSE | XSTATE_AVX)) != 0;

	copy_bytes(dst, s->area, XMM_END);
	legacy_init(dst, !(s->in_use & XSTATE_FP), !(s->in_use & XSTATE_SSE));
	put32(dst + FPSTATE_MXCSR, (has_mxcsr ? get32(dst + FPSTATE_MXCSR) : MXCSR_DEFAULT) & mask);
	put32(dst + FPSTATE_MXCSR_MASK, mask);
}

/* Keys other than 0 are on no mapping of a process that moves; only a closed key 0 would be a loss. */
static int pkru_may_go(const struct source *s)
{
	return s->layout->part[9].size >= sizeof(uint32_t) && !(get32(s->area + s->layout->part[9].offset) & 3);
}

int xstate_rebuild(void *dst, uint32_t dst_size, const struct mosix_xlayout *local, const void *src, uint32_t src_size,
		   const struct mosix_xlayout *from, uint32_t *ret_size)
{
	uint8_t *area = dst;
	struct kernel_fpx_sw sw = { .magic1 = KFP_MAGIC1 };
	struct source s;
	int r = source_open(&s, src, src_size, from);

	if (r != 0)
		return r;
	if (local->size < FPSTATE_LEGACY_SIZE || dst_size < XSTATE_MAGIC2_SIZE || dst_size - XSTATE_MAGIC2_SIZE < local->size)
		return -ENOSPC;
	if (s.in_use & ~local->xfeatures & XSTATE_PKRU && pkru_may_go(&s))
		s.in_use &= ~XSTATE_PKRU;
	if (s.in_use & ~local->xfeatures)
		return -EOPNOTSUPP;

	zero_bytes(area, local->size + XSTATE_MAGIC2_SIZE);
	legacy_rebuild(area, &s);
	if (local->size < FPSTATE_HEADER_END) {
		*ret_size = FPSTATE_LEGACY_SIZE;
		return 0;
	}
	for (int i = 2; i < MOSIX_XFEATURES; i++) {
		if (!(s.in_use >> i & 1))
			continue;
		if (local->part[i].size != from->part[i].size || !part_is_inside(local, i, local->size))
			return -EOPNOTSUPP;
		copy_bytes(area + local->part[i].offset, s.area + from->part[i].offset, from->part[i].size);
	}
	if (local->xfeatures & ~s.xfeatures & XSTATE_PKRU && part_is_inside(local, 9, local->size)) {
		put32(area + local->part[9].offset, own_pkru());
		s.in_use |= XSTATE_PKRU;
	}
	put64(area + FPSTATE_XSTATE_BV, s.in_use | XSTATE_LEGACY);
	sw.extended_size = local->size + XSTATE_MAGIC2_SIZE;
	sw.xfeatures = local->xfeatures;
	sw.xstate_size = local->size;
	copy_bytes(area + FPSTATE_SW, &sw, sizeof(sw));
	put32(area + local->size, KFP_MAGIC2);
	*ret_size = local->size + XSTATE_MAGIC2_SIZE;
	return 0;
}

void xstate_init(void *fpstate)
{
	uint8_t *area = fpstate;

	legacy_init(area, 1, 1);
	put32(area + FPSTATE_MXCSR, MXCSR_DEFAULT);
	if (fpstate_is_extended(area))
		put64(area + FPSTATE_XSTATE_BV, (get64(area + FPSTATE_XSTATE_BV) & XSTATE_PKRU) | XSTATE_LEGACY);
}
