/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sigframe.h function by function, on a gate context that the kernel made; test_sigframe.c has the whole way. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "../../preload/core/sigframe.h"
#include "../../preload/core/xstate.h"
#include "sigprobe.h"

#define STACK_SIZE 0x20000

static struct mosix_xlayout here, foreign;
static struct sigframe_layouts layouts = { &here, &here };
static const struct sigframe_layouts *use_layouts;
static struct mosix_altstack altstack;
static uint8_t *program_stack;

static void setup(void)
{
	xstate_layout(&here);
	xstate_layout_drop(&here, XSTATE_DYNAMIC);
	program_stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void same_area(const uint8_t *a, const uint8_t *b, const struct mosix_xlayout *layout, uint64_t features)
{
	ck_assert_mem_eq(a, b, FPSTATE_MXCSR_MASK);
	ck_assert_mem_eq(a + FPSTATE_ST, b + FPSTATE_ST, 416 - FPSTATE_ST);
	for (int i = 2; i < MOSIX_XFEATURES; i++)
		if (features >> i & 1)
			ck_assert_msg(memcmp(a + layout->part[i].offset, b + layout->part[i].offset, layout->part[i].size) == 0,
				      "component %d", i);
}

/* A gate context caught in the act, its area beside it. */
static struct kernel_ucontext caught;
static uint8_t caught_area[MOSIX_XSAVE_MAX] __attribute__((aligned(64)));

static void catch(int signo, struct kernel_siginfo *info, struct kernel_ucontext *uc)
{
	(void)signo;
	(void)info;
	caught = *uc;
	memcpy(caught_area, (void *)uc->mc.fpstate, fpstate_sw((void *)uc->mc.fpstate)->extended_size);
	caught.mc.fpstate = (uint64_t)caught_area;
	uc->mc.regs.rip = (uint64_t)sigprobe_after;
}

static void catch_one(void)
{
	sigprobe_fill(&here);
	sigprobe.observe = catch;
	sigprobe.stack = 0;
	sigprobe_action(SIGILL, sigprobe_handler, SA_SIGINFO, 0, sigprobe_restorer);
	sigprobe_run();
	caught.mc.regs.rsp = (uint64_t)program_stack + STACK_SIZE - 64;
}

static const struct kernel_siginfo some_info = { .signo = KSIG_USR1, .code = KSI_QUEUE, .rt = { 1, 2, 3 } };
static struct mosix_sigaction some_action = { 0x401000, SA_SIGINFO | KSA_RESTORER, 0x402000, 0 };

static void push_and_pop(void)
{
	static uint8_t area[MOSIX_XSAVE_MAX] __attribute__((aligned(64)));
	struct mosix_registers before = caught.mc.regs;
	struct mosix_altstack none = { .flags = KSS_DISABLE }, after = none;
	uint64_t got = 0;

	memcpy(area, caught_area, sizeof(area));
	ck_assert_int_eq(sigframe_push(&caught, &some_action, KSIG_USR1, &some_info, 0x1234, &after, use_layouts), 0);
	ck_assert_uint_eq(caught.mc.regs.rip, 0x401000);
	for (int i = FPSTATE_XMM; i < 416; i++)
		ck_assert_uint_eq(caught_area[i], 0);
	caught.mc.regs.rsp += 8;
	ck_assert_int_eq(sigframe_pop(&caught, &got, &after, use_layouts), 0);
	ck_assert_uint_eq(got, 0x1234 & ~KSIGSET_UNBLOCKABLE);
	ck_assert_mem_eq(&after, &none, sizeof(none));
	ck_assert_mem_eq(&caught.mc.regs, &before, sizeof(before));
	same_area(caught_area, area, &here, sigprobe.features);
	ck_assert_mem_eq(caught_area + FPSTATE_SW, area + FPSTATE_SW, 48 + 64);
	ck_assert_mem_eq(caught_area + here.size, area + here.size, 4);
}

START_TEST(push_then_pop_is_identity)
{
	catch_one();
	push_and_pop();
	use_layouts = &layouts;
	push_and_pop();
}
END_TEST

static void make_foreign(void)
{
	uint32_t at = FPSTATE_HEADER_END;

	foreign = here;
	for (int i = MOSIX_XFEATURES - 1; i >= 2; i--)
		if (foreign.xfeatures >> i & 1) {
			foreign.part[i].offset = at;
			at += (foreign.part[i].size + 63) & ~63u;
		}
	foreign.size = at + 64;
}

/* Home's CPU lays its frames out in another way: so does the program's frame here, and both ways lead back. */
START_TEST(frames_are_homes)
{
	const struct sigframe_layouts far = { &foreign, &here };
	struct mosix_altstack none = { .flags = KSS_DISABLE };
	uint64_t got;
	const struct kernel_ucontext *uc;
	const uint8_t *area;
	uint32_t magic2;

	catch_one();
	make_foreign();
	use_layouts = &far;
	push_and_pop();
	ck_assert_int_eq(sigframe_push(&caught, &some_action, KSIG_USR1, &some_info, 0, &none, &far), 0);
	uc = (const void *)(caught.mc.regs.rsp + 8);
	area = (const void *)uc->mc.fpstate;
	ck_assert_uint_eq((uint64_t)area % 64, 0);
	ck_assert_uint_eq(fpstate_sw((void *)area)->xstate_size, foreign.size);
	ck_assert_uint_eq(fpstate_sw((void *)area)->xfeatures, foreign.xfeatures);
	memcpy(&magic2, area + foreign.size, 4);
	ck_assert_uint_eq(magic2, KFP_MAGIC2);
	for (int i = 2; i < MOSIX_XFEATURES; i++)
		if (sigprobe.features >> i & 1)
			ck_assert_mem_eq(area + foreign.part[i].offset, sigprobe.xin + here.part[i].offset, here.part[i].size);

	/* A frame of home that uses what is not here. */
	foreign.xfeatures |= 1ull << 20;
	foreign.part[20].offset = FPSTATE_HEADER_END;
	foreign.part[20].size = 64;
	fpstate_sw((void *)area)->xfeatures = foreign.xfeatures;
	((uint8_t *)area)[FPSTATE_XSTATE_BV + 2] |= 1 << 4;
	caught.mc.regs.rsp += 8;
	ck_assert_int_eq(sigframe_pop(&caught, &got, &none, &far), -EOPNOTSUPP);
	ck_assert_uint_eq(caught.mc.regs.rip, 0x401000);
}
END_TEST

START_TEST(flags_of_the_frame_are_sifted)
{
	struct mosix_altstack none = { .flags = KSS_DISABLE };
	uint64_t before, got;

	catch_one();
	before = caught.mc.regs.rflags & ~(KFLAGS_DF | KFLAGS_RF | KFLAGS_TF);
	ck_assert_int_eq(sigframe_push(&caught, &some_action, KSIG_USR1, &some_info, 0, &none, NULL), 0);
	ck_assert_uint_eq(caught.mc.regs.rflags, before);
	caught.mc.regs.rsp += 8;
	((struct kernel_ucontext *)caught.mc.regs.rsp)->mc.regs.rflags = ~0ull;
	((struct kernel_ucontext *)caught.mc.regs.rsp)->mc.cs = 0x10;
	((struct kernel_ucontext *)caught.mc.regs.rsp)->mc.ss = 0x18;
	ck_assert_int_eq(sigframe_pop(&caught, &got, &none, NULL), -EOPNOTSUPP);
	((struct kernel_ucontext *)caught.mc.regs.rsp)->mc.cs = KUSER_CS;
	ck_assert_int_eq(sigframe_pop(&caught, &got, &none, NULL), 0);
	ck_assert_uint_eq(caught.mc.regs.rflags, before | KFLAGS_USER);
	ck_assert_uint_eq(caught.mc.cs, KUSER_CS);
	ck_assert_uint_eq(caught.mc.ss, KUSER_DS);
}
END_TEST

START_TEST(push_failures_change_nothing)
{
	struct mosix_sigaction sa = some_action;
	struct mosix_altstack small = { (uint64_t)program_stack, 0, 0, 2048 }, alt = small;
	struct kernel_ucontext before;

	catch_one();
	before = caught;
	sa.flags = SA_SIGINFO;
	ck_assert_int_eq(sigframe_push(&caught, &sa, KSIG_USR1, &some_info, 0, &alt, NULL), -EFAULT);
	sa = some_action;
	if (here.size > 2048) {
		sa.flags |= KSA_ONSTACK;
		ck_assert_int_eq(sigframe_push(&caught, &sa, KSIG_USR1, &some_info, 0, &alt, NULL), -EFAULT);
		ck_assert_mem_eq(&alt, &small, sizeof(alt));
	}
	ck_assert_mem_eq(&caught, &before, sizeof(before));

	/* Nested on an altstack with mapped memory below it: overflows as well. */
	alt = (struct mosix_altstack){ (uint64_t)program_stack + 0x8000, 0, 0, 0x8000 };
	caught.mc.regs.rsp = alt.sp + 512;
	ck_assert_int_eq(sigframe_push(&caught, &some_action, KSIG_USR1, &some_info, 0, &alt, NULL), -EFAULT);
	caught.mc.regs.rsp = 64;
	before = caught;
	ck_assert_int_eq(sigframe_push(&caught, &some_action, KSIG_USR1, &some_info, 0, &alt, NULL), -EFAULT);
	caught.mc.regs.rsp = 0x9000000000000000;
	ck_assert_int_eq(sigframe_push(&caught, &some_action, KSIG_USR1, &some_info, 0, &alt, NULL), -EFAULT);
	caught.mc.regs.rsp = before.mc.regs.rsp;
	ck_assert_mem_eq(&caught, &before, sizeof(before));
}
END_TEST

START_TEST(altstack_calls_as_the_kernel)
{
	const struct mosix_altstack sets[] = {
		{ 0, 0, 0, 0 }, { 0, KSS_DISABLE, 0, 0 }, { (uint64_t)program_stack, 0, 0, 2047 }, { (uint64_t)program_stack, 0, 0, 4096 },
		{ (uint64_t)program_stack, 5, 0, 4096 }, { (uint64_t)program_stack, KSS_ONSTACK, 0, 8192 },
		{ (uint64_t)program_stack, (int)KSS_AUTODISARM, 0, 8192 }, { 1, (int)(KSS_AUTODISARM | KSS_DISABLE), 0, 1 },
		{ 5, KSS_DISABLE, 0, 7 }, { 0, 0, 0, 0 },
	};

	syscall(SYS_sigaltstack, &sets[1], NULL);
	altstack = (struct mosix_altstack){ .flags = KSS_DISABLE };
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
		struct mosix_altstack a, b;
		int r = syscall(SYS_sigaltstack, &sets[i], &a) == 0 ? 0 : -errno;

		ck_assert_int_eq(sigframe_altstack(&altstack, &sets[i], (uint64_t)&a, &b), r);
		syscall(SYS_sigaltstack, NULL, &a);
		sigframe_altstack(&altstack, NULL, (uint64_t)&a, &b);
		a.zero = 0;
		ck_assert_msg(memcmp(&a, &b, sizeof(a)) == 0, "set %zu: %x %x", i, a.flags, b.flags);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sigframe_direct");
	TCase *tc = tcase_create("sigframe_direct");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, push_then_pop_is_identity);
	tcase_add_test(tc, frames_are_homes);
	tcase_add_test(tc, flags_of_the_frame_are_sifted);
	tcase_add_test(tc, push_failures_change_nothing);
	tcase_add_test(tc, altstack_calls_as_the_kernel);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
