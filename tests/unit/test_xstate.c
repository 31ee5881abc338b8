/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "../../preload/core/xstate.h"
#include "sigprobe.h"

#define ARCH_REQ_XCOMP_PERM 0x1023
#define TILES               18

static struct mosix_xlayout all, here, foreign;
static uint8_t kernel_area[MOSIX_XSAVE_MAX] __attribute__((aligned(64)));
static uint8_t there[MOSIX_XSAVE_MAX] __attribute__((aligned(64)));
static uint8_t back[MOSIX_XSAVE_MAX] __attribute__((aligned(64)));
static uint32_t kernel_size;
static int result_there, result_back;

/* Every component of `of` somewhere else: as on another maker's CPU. */
static void make_foreign(const struct mosix_xlayout *of)
{
	uint32_t at = FPSTATE_HEADER_END;

	foreign = *of;
	for (int i = MOSIX_XFEATURES - 1; i >= 2; i--)
		if (foreign.xfeatures >> i & 1) {
			foreign.part[i].offset = at;
			at += (foreign.part[i].size + 63) & ~63u;
		}
	foreign.size = at;
}

static void take_area(const struct kernel_ucontext *uc)
{
	uint8_t *area = (uint8_t *)uc->mc.fpstate;

	xstate_layout_frame(area, &here);
	kernel_size = here.size + XSTATE_MAGIC2_SIZE;
	memcpy(kernel_area, area, kernel_size);
}

static void observe_take(int signo, struct kernel_siginfo *info, struct kernel_ucontext *uc)
{
	(void)signo;
	(void)info;
	take_area(uc);
	uc->mc.regs.rip = (uint64_t)sigprobe_after;
}

/* Sends the area away and back, and lets the kernel's rt_sigreturn read the result. */
static void observe_travel(int signo, struct kernel_siginfo *info, struct kernel_ucontext *uc)
{
	uint32_t size;

	observe_take(signo, info, uc);
	make_foreign(&here);
	result_there = xstate_rebuild(there, sizeof(there), &foreign, kernel_area, kernel_size, &here, &size);
	if (result_there == 0)
		result_back = xstate_rebuild(back, sizeof(back), &here, there, size, &foreign, &size);
	uc->mc.fpstate = (uint64_t)back;
}

static void probe(void (*observe)(int, struct kernel_siginfo *, struct kernel_ucontext *))
{
	sigprobe.observe = observe;
	ck_assert_int_eq(sigprobe_action(SIGILL, sigprobe_handler, SA_SIGINFO, 0, sigprobe_restorer), 0);
	sigprobe_run();
}

static void setup(void)
{
	xstate_layout(&all);
	sigprobe_fill(&all);
	probe(observe_take);
}

static void same_parts(const uint8_t *a, const uint8_t *b, const struct mosix_xlayout *layout, uint64_t features)
{
	ck_assert_mem_eq(a, b, FPSTATE_MXCSR_MASK);
	ck_assert_mem_eq(a + FPSTATE_ST, b + FPSTATE_ST, 416 - FPSTATE_ST);
	for (int i = 2; i < MOSIX_XFEATURES; i++)
		if (features >> i & 1)
			ck_assert_msg(memcmp(a + layout->part[i].offset, b + layout->part[i].offset, layout->part[i].size) == 0,
				      "component %d", i);
}

START_TEST(layout_is_the_kernels)
{
	struct kernel_fpx_sw *sw = fpstate_sw(kernel_area);
	struct mosix_xlayout fresh = all;
	uint32_t magic2;

	ck_assert_uint_eq(sw->magic1, KFP_MAGIC1);
	xstate_layout_drop(&fresh, XSTATE_DYNAMIC);
	ck_assert_uint_eq(fresh.xfeatures, sw->xfeatures);
	ck_assert_uint_eq(fresh.size, sw->xstate_size);
	ck_assert(xstate_layout_same(&fresh, &here));
	ck_assert(!xstate_layout_same(&foreign, &here));
	memcpy(&magic2, kernel_area + here.size, 4);
	ck_assert_uint_eq(magic2, KFP_MAGIC2);
}
END_TEST

START_TEST(same_layout_is_identity)
{
	uint32_t size = 0;

	memset(there, 0xee, sizeof(there));
	ck_assert_int_eq(xstate_rebuild(there, sizeof(there), &here, kernel_area, kernel_size, &here, &size), 0);
	ck_assert_uint_eq(size, kernel_size);
	same_parts(there, kernel_area, &here, xstate_in_use(kernel_area, kernel_size, &here));
	ck_assert_mem_eq(there + FPSTATE_MXCSR_MASK, kernel_area + FPSTATE_MXCSR_MASK, 4);
	ck_assert_mem_eq(there + FPSTATE_SW, kernel_area + FPSTATE_SW, 48);
	ck_assert_mem_eq(there + 512, kernel_area + 512, 64);
	ck_assert_mem_eq(there + here.size, kernel_area + here.size, 4);
	ck_assert_uint_eq(there[size], 0xee);
}
END_TEST

START_TEST(kernel_takes_what_travelled)
{
	memset(sigprobe.xout, 0, sizeof(sigprobe.xout));
	probe(observe_travel);
	ck_assert_int_eq(result_there, 0);
	ck_assert_int_eq(result_back, 0);
	same_parts(sigprobe.xout, sigprobe.xin, &all, sigprobe.features);
}
END_TEST

START_TEST(unused_components_are_dropped)
{
	uint64_t in_use = XSTATE_FP | XSTATE_SSE | XSTATE_AVX;
	struct mosix_xlayout small = here;
	uint32_t size;

	if (!(here.xfeatures & XSTATE_AVX) || here.xfeatures == in_use)
		return;
	xstate_layout_drop(&small, ~in_use);
	ck_assert_int_eq(xstate_rebuild(there, sizeof(there), &small, kernel_area, kernel_size, &here, &size), -EOPNOTSUPP);
	memcpy(kernel_area + FPSTATE_XSTATE_BV, &in_use, 8);
	ck_assert_int_eq(xstate_rebuild(there, sizeof(there), &small, kernel_area, kernel_size, &here, &size), 0);
	ck_assert_uint_eq(size, small.size + 4);
	ck_assert_mem_eq(there + small.part[2].offset, kernel_area + here.part[2].offset, here.part[2].size);

	/* In use, but all zero: the initial state. */
	memcpy(kernel_area + FPSTATE_XSTATE_BV, &here.xfeatures, 8);
	for (int i = 3; i < MOSIX_XFEATURES; i++)
		if (here.xfeatures >> i & 1)
			memset(kernel_area + here.part[i].offset, 0, here.part[i].size);
	ck_assert_uint_eq(xstate_in_use(kernel_area, kernel_size, &here), in_use);
	ck_assert_int_eq(xstate_rebuild(there, sizeof(there), &small, kernel_area, kernel_size, &here, &size), 0);
}
END_TEST

START_TEST(legacy_and_initial_states)
{
	uint64_t none = 0, in_use;
	uint32_t size, mxcsr;
	uint16_t fcw;

	ck_assert_int_eq(xstate_rebuild(there, sizeof(there), &here, kernel_area, 512, &here, &size), 0);
	ck_assert_uint_eq(size, kernel_size);
	same_parts(there, kernel_area, &here, 0);
	memcpy(&in_use, there + FPSTATE_XSTATE_BV, 8);
	ck_assert_uint_eq(in_use & ~XSTATE_PKRU, 3);

	memcpy(kernel_area + FPSTATE_XSTATE_BV, &none, 8);
	ck_assert_int_eq(xstate_rebuild(there, sizeof(there), &here, kernel_area, kernel_size, &here, &size), 0);
	memcpy(&fcw, there, 2);
	memcpy(&mxcsr, there + FPSTATE_MXCSR, 4);
	ck_assert_uint_eq(fcw, 0x37f);
	ck_assert_uint_eq(mxcsr, 0xffc0);	/* of no component: XRSTOR loads it all the same */
	for (int i = FPSTATE_ST; i < 416; i++)
		ck_assert_uint_eq(there[i], 0);
}
END_TEST

START_TEST(mxcsr_is_masked)
{
	uint32_t size, mxcsr = 0xffffffc0, mask;

	memcpy(kernel_area + FPSTATE_MXCSR, &mxcsr, 4);
	memcpy(&mask, kernel_area + FPSTATE_MXCSR_MASK, 4);
	ck_assert_int_eq(xstate_rebuild(there, sizeof(there), &here, kernel_area, kernel_size, &here, &size), 0);
	memcpy(&mxcsr, there + FPSTATE_MXCSR, 4);
	ck_assert_uint_eq(mxcsr, 0xffffffc0 & mask);
}
END_TEST

/* A CPU with protection keys and one without; the value of the process comes from nowhere else. */
START_TEST(pkru_does_not_hold_back)
{
	struct mosix_xlayout with = here, without = here;
	uint64_t in_use = XSTATE_FP | XSTATE_SSE | XSTATE_PKRU;
	uint32_t size, pkru = PKRU_DEFAULT;
	struct kernel_fpx_sw *sw = fpstate_sw(there);

	xstate_layout_drop(&without, XSTATE_PKRU);
	with.xfeatures |= XSTATE_PKRU;
	with.part[9].offset = (here.size + 63) & ~63u;
	with.part[9].size = 8;
	with.size = with.part[9].offset + 8;
	ck_assert_int_eq(xstate_rebuild(there, sizeof(there), &with, kernel_area, 512, &without, &size), 0);
	ck_assert_uint_eq(sw->xstate_size, with.size);
	ck_assert_mem_eq(there + with.part[9].offset, &pkru, 4);
	memcpy(there + FPSTATE_XSTATE_BV, &in_use, 8);
	ck_assert_int_eq(xstate_rebuild(back, sizeof(back), &without, there, size, &with, &size), 0);
	there[with.part[9].offset] |= 1;	/* key 0 closed: not ours to drop */
	ck_assert_int_eq(xstate_rebuild(back, sizeof(back), &without, there, with.size + 4, &with, &size), -EOPNOTSUPP);
}
END_TEST

/* On a CPU without XSAVE the kernel writes the first magic too, but there is no header to read or to write. */
START_TEST(first_magic_without_xsave)
{
	struct kernel_fpx_sw *sw = fpstate_sw(there);
	struct mosix_xlayout layout;
	uint8_t behind[64];
	uint32_t size;

	memset(behind, 0x5a, sizeof(behind));
	memcpy(there, kernel_area, FPSTATE_LEGACY_SIZE);
	memcpy(there + FPSTATE_LEGACY_SIZE, behind, sizeof(behind));
	*sw = (struct kernel_fpx_sw){ .magic1 = KFP_MAGIC1, .extended_size = 516, .xstate_size = 512 };
	ck_assert(!fpstate_is_extended(there));
	xstate_layout_frame(there, &layout);
	ck_assert_uint_eq(layout.size, FPSTATE_LEGACY_SIZE);
	ck_assert_uint_eq(layout.xfeatures, XSTATE_FP | XSTATE_SSE);
	ck_assert_int_eq(xstate_rebuild(back, sizeof(back), &here, there, FPSTATE_LEGACY_SIZE, &layout, &size), 0);
	ck_assert_int_eq(xstate_rebuild(back, sizeof(back), &layout, there, FPSTATE_LEGACY_SIZE, &layout, &size), 0);
	ck_assert_uint_eq(size, FPSTATE_LEGACY_SIZE);
	xstate_init(there);
	ck_assert_mem_eq(there + FPSTATE_LEGACY_SIZE, behind, sizeof(behind));
}
END_TEST

START_TEST(hostile_areas)
{
	struct kernel_fpx_sw *sw = fpstate_sw(there);
	struct mosix_xlayout lie;
	uint32_t size;

#define REBUILD(bytes, layout) xstate_rebuild(back, sizeof(back), &here, there, bytes, layout, &size)
#define FRESH memcpy(there, kernel_area, kernel_size), lie = here
	FRESH;
	ck_assert_int_eq(REBUILD(0, &here), -EINVAL);
	ck_assert_int_eq(REBUILD(511, &here), -EINVAL);
	ck_assert_int_eq(REBUILD(513, &here), -EINVAL);
	ck_assert_int_eq(REBUILD(kernel_size - 1, &here), -EINVAL);
	ck_assert_int_eq(xstate_rebuild(back, here.size + 3, &here, there, kernel_size, &here, &size), -ENOSPC);
	ck_assert_int_eq(xstate_rebuild(back, 0, &here, there, kernel_size, &here, &size), -ENOSPC);
	sw->xstate_size = 0xfffffff0;
	sw->extended_size = 0xffffffff;
	ck_assert_int_eq(REBUILD(kernel_size, &here), -EINVAL);
	FRESH;
	sw->xstate_size = 512;
	ck_assert_int_eq(REBUILD(kernel_size, &here), -EINVAL);
	FRESH;
	there[here.size] ^= 1;
	ck_assert_int_eq(REBUILD(kernel_size, &here), -EINVAL);
	FRESH;
	there[FPSTATE_XCOMP_BV + 7] = 0x80;
	ck_assert_int_eq(REBUILD(kernel_size, &here), -EINVAL);
	FRESH;
	there[FPSTATE_XSTATE_BV + 7] = 0x80;
	ck_assert_int_eq(REBUILD(kernel_size, &here), -EINVAL);
	if (!(here.xfeatures & XSTATE_AVX))
		return;
	FRESH;
	lie.part[2].offset = 0xffffff00;
	ck_assert_int_eq(REBUILD(kernel_size, &lie), -EINVAL);
	lie.part[2].offset = here.size - 128;
	ck_assert_int_eq(REBUILD(kernel_size, &lie), -EINVAL);
	lie.part[2].offset = 0;
	ck_assert_int_eq(REBUILD(kernel_size, &lie), -EINVAL);
	lie = here;
	lie.part[2].size = 128;
	ck_assert_int_eq(REBUILD(kernel_size, &lie), -EOPNOTSUPP);
}
END_TEST

static const uint8_t tile_config[64] __attribute__((aligned(64))) = { [0] = 1, [16] = 64, [48] = 16 };
static uint8_t tile_in[1024], tile_out[1024];

/* Tile data live across a frame that went away and came back. */
START_TEST(tiles_travel)
{
	struct mosix_xlayout small;
	uint32_t size;

	if (!(all.xfeatures & XSTATE_TILES) || syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILES) != 0)
		return;
	probe(observe_take);
	ck_assert_msg(!(here.xfeatures & XSTATE_TILES), "a thread that never used tiles has a short frame");
	xstate_touch_tiles();
	probe(observe_take);
	ck_assert(xstate_layout_same(&all, &here));
	ck_assert(!(xstate_in_use(kernel_area, kernel_size, &here) & XSTATE_TILES));

	for (size_t i = 0; i < sizeof(tile_in); i++)
		tile_in[i] = (uint8_t)(i * 11 + 5);
	__asm__ volatile("ldtilecfg %0" : : "m"(tile_config));
	__asm__ volatile("tileloadd (%0,%1,1), %%tmm0" : : "r"(tile_in), "r"(64ul) : "memory");
	probe(observe_travel);
	__asm__ volatile("tilestored %%tmm0, (%0,%1,1)" : : "r"(tile_out), "r"(64ul) : "memory");
	__asm__ volatile("tilerelease");
	ck_assert_int_eq(result_there, 0);
	ck_assert_int_eq(result_back, 0);
	ck_assert_mem_eq(tile_in, tile_out, sizeof(tile_in));
	ck_assert(xstate_in_use(kernel_area, kernel_size, &here) & XSTATE_TILES);
	small = here;
	xstate_layout_drop(&small, XSTATE_DYNAMIC);
	ck_assert_int_eq(xstate_rebuild(there, sizeof(there), &small, kernel_area, kernel_size, &here, &size), -EOPNOTSUPP);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("xstate");
	TCase *tc = tcase_create("xstate");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, layout_is_the_kernels);
	tcase_add_test(tc, same_layout_is_identity);
	tcase_add_test(tc, kernel_takes_what_travelled);
	tcase_add_test(tc, unused_components_are_dropped);
	tcase_add_test(tc, legacy_and_initial_states);
	tcase_add_test(tc, mxcsr_is_masked);
	tcase_add_test(tc, pkru_does_not_hold_back);
	tcase_add_test(tc, first_magic_without_xsave);
	tcase_add_test(tc, hostile_areas);
	tcase_add_test(tc, tiles_travel);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
