/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The oracle is the kernel: every situation is run twice, once with the kernel delivering SIGILL to the program's handler, and
 * once with a gate on a stack of its own, which sigframe_push() and sigframe_pop() serve. Frames and registers must be equal.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../preload/core/sigframe.h"
#include "../../preload/core/xstate.h"
#include "sigprobe.h"

#define STACK_SIZE 0x20000
#define MASK       (1ull << (KSIG_USR2 - 1) | 1ull << 63)
#define SA_MASK    (1ull << (KSIG_TERM - 1))

/* Traps into the gate, which takes it for the program's rt_sigreturn. */
void gate_return(void);
__asm__(".text\n.globl gate_return\ngate_return:\n	ud2\n");

static struct mosix_xlayout here;
static struct sigframe_layouts layouts = { &here, &here };
static const struct sigframe_layouts *use_layouts;
static uint8_t *gate_stack, *program_stack;

/* The program's virtual state, as a gate keeps it. */
static struct mosix_sigaction action[65];
static uint64_t mask;
static struct mosix_altstack altstack;
static int push_result, pop_result, faults;

static void gate_deliver(struct kernel_ucontext *uc, int signo, const void *info)
{
	struct mosix_sigaction *sa = &action[signo];
	uint64_t saved = mask;

	if (sa->handler <= KSIG_IGN)
		_exit(128 + signo);
	push_result = sigframe_push(uc, sa, signo, info, saved, &altstack, use_layouts);
	if (push_result != 0)
		_exit(100);
	mask |= sa->mask | (sa->flags & KSA_NODEFER ? 0 : ksigset_bit(signo));
}

static void gate(int signo, struct kernel_siginfo *info, struct kernel_ucontext *uc)
{
	struct kernel_siginfo fault = { .signo = KSIG_SEGV, .code = KSI_KERNEL };

	if (uc->mc.regs.rip != (uint64_t)gate_return) {
		faults += signo == KSIG_SEGV;
		gate_deliver(uc, signo, info);
		return;
	}
	pop_result = sigframe_pop(uc, &mask, &altstack, use_layouts);
	if (pop_result != 0)
		gate_deliver(uc, KSIG_SEGV, &fault);
}

struct situation {
	const char *name;
	uint64_t flags;			/* of the handler */
	struct mosix_altstack altstack;	/* sp 0: none */
	int on_altstack;		/* the program is interrupted on it */
	void (*in_handler)(struct kernel_ucontext *uc);
};

/* What can be compared of one run. */
struct outcome {
	struct kernel_rt_sigframe frame;
	uint8_t area[MOSIX_XSAVE_MAX] __attribute__((aligned(64)));
	uint8_t xentry[MOSIX_XSAVE_MAX], xout[MOSIX_XSAVE_MAX];
	struct mosix_registers entry, out;
	struct mosix_altstack altstack_in, altstack_after;
	uint64_t mask_after;
};

static struct outcome native, ours;
static struct outcome *outcome;
static const struct situation *situation;
static int is_native;

static void query_altstack(struct mosix_altstack *ret, uint64_t sp)
{
	if (is_native)
		ck_assert_int_eq(syscall(SYS_sigaltstack, NULL, ret), 0);
	else
		ck_assert_int_eq(sigframe_altstack(&altstack, NULL, sp, ret), 0);
}

static void observe(int signo, struct kernel_siginfo *info, struct kernel_ucontext *uc)
{
	const struct kernel_rt_sigframe *frame = (const void *)sigprobe.entry.rsp;

	ck_assert_int_eq(signo, KSIG_ILL);
	ck_assert_ptr_eq(uc, &frame->uc);
	ck_assert_ptr_eq(info, &frame->info);
	outcome->frame = *frame;
	outcome->entry = sigprobe.entry;
	memcpy(outcome->xentry, sigprobe.xentry, sizeof(outcome->xentry));
	memcpy(outcome->area, (void *)uc->mc.fpstate, fpstate_sw((void *)uc->mc.fpstate)->extended_size);
	query_altstack(&outcome->altstack_in, sigprobe.entry.rsp);
	uc->mc.regs.rip = (uint64_t)sigprobe_after;
	if (situation->in_handler)
		situation->in_handler(uc);
}

static void install(const struct situation *s, int as_native)
{
	struct mosix_altstack wanted = s->altstack, gates = { (uint64_t)gate_stack, 0, 0, STACK_SIZE };
	uint64_t m = MASK;

	is_native = as_native;
	situation = s;
	if (!wanted.sp)
		wanted.flags = KSS_DISABLE;
	if (as_native) {
		ck_assert_int_eq(syscall(SYS_sigaltstack, &wanted, NULL), 0);
		ck_assert_int_eq(sigprobe_action(SIGILL, sigprobe_handler, s->flags, SA_MASK, sigprobe_restorer), 0);
	} else {
		m = 0;
		mask = MASK;
		memset(&altstack, 0, sizeof(altstack));
		ck_assert_int_eq(sigframe_altstack(&altstack, &wanted, (uint64_t)&gates, NULL), 0);
		action[KSIG_ILL] = (struct mosix_sigaction){ (uint64_t)sigprobe_handler, s->flags | KSA_RESTORER,
							     (uint64_t)gate_return, SA_MASK };
		ck_assert_int_eq(syscall(SYS_sigaltstack, &gates, NULL), 0);
		sigprobe_action(SIGILL, gate, SA_SIGINFO | SA_ONSTACK, ~0ull, sigprobe_restorer);
		sigprobe_action(SIGSEGV, gate, SA_SIGINFO | SA_ONSTACK, ~0ull, sigprobe_restorer);
	}
	ck_assert_int_eq(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &m, NULL, 8), 0);
}

static __attribute__((noinline)) void run(const struct situation *s, int as_native, struct outcome *ret)
{
	struct mosix_altstack off = { .flags = KSS_DISABLE };
	uint64_t old = 0, none = 0;

	memset(ret, 0, sizeof(*ret));
	outcome = ret;
	install(s, as_native);
	sigprobe_fill(&here);
	sigprobe.observe = observe;
	sigprobe.stack = s->on_altstack ? s->altstack.sp + s->altstack.size - 256 : 0;
	sigprobe_run();
	ret->out = sigprobe.out;
	memcpy(ret->xout, sigprobe.xout, sizeof(ret->xout));
	query_altstack(&ret->altstack_after, (uint64_t)&old);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, &old, 8);
	ret->mask_after = as_native ? old : mask;
	signal(SIGILL, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	syscall(SYS_sigaltstack, &off, NULL);
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

/* Not compared: padding that the kernel does not write, and where the two worlds return to. */
static void same_outcome(const struct situation *s)
{
	struct kernel_rt_sigframe *a = &native.frame, *b = &ours.frame;
	uint64_t in_use;

	ck_assert_uint_eq(b->pretcode, (uint64_t)gate_return);
	a->pretcode = b->pretcode = 0;
	a->uc.stack.zero = b->uc.stack.zero = 0;
	memset(a->uc.mc.reserved, 0, sizeof(a->uc.mc.reserved));
	memset(b->uc.mc.reserved, 0, sizeof(b->uc.mc.reserved));
	ck_assert_msg(memcmp(&a->uc.mc, &b->uc.mc, sizeof(a->uc.mc)) == 0, "%s: sigcontext", s->name);
	ck_assert_msg(memcmp(&a->uc, &b->uc, sizeof(a->uc)) == 0, "%s: ucontext", s->name);
	if (s->flags & SA_SIGINFO)
		ck_assert_msg(memcmp(&a->info, &b->info, sizeof(a->info)) == 0, "%s: siginfo", s->name);
	ck_assert_mem_eq(native.area + FPSTATE_SW, ours.area + FPSTATE_SW, 48 + 64);
	memcpy(&in_use, native.area + FPSTATE_XSTATE_BV, 8);
	ck_assert_uint_eq(in_use & sigprobe.features, sigprobe.features);
	same_area(native.area, ours.area, &here, in_use);
	same_area(ours.area, sigprobe.xin, &here, 0);
	ck_assert_mem_eq(native.area + fpstate_sw(native.area)->xstate_size, ours.area + fpstate_sw(native.area)->xstate_size, 4);
	ck_assert_msg(memcmp(&native.entry, &ours.entry, sizeof(native.entry)) == 0, "%s: registers of the handler", s->name);
	ck_assert_uint_eq(ours.entry.rsp % 16, 8);
	same_area(native.xentry, ours.xentry, &here, sigprobe.features);
	ck_assert_msg(memcmp(&native.out, &ours.out, sizeof(native.out)) == 0, "%s: registers afterwards", s->name);
	same_area(native.xout, ours.xout, &here, sigprobe.features);
	ck_assert_msg(native.mask_after == ours.mask_after, "%s: mask %lx, %lx", s->name, native.mask_after, ours.mask_after);
	native.altstack_in.zero = native.altstack_after.zero = 0;
	ck_assert_msg(memcmp(&native.altstack_in, &ours.altstack_in, sizeof(native.altstack_in)) == 0, "%s: altstack", s->name);
	ck_assert_msg(memcmp(&native.altstack_after, &ours.altstack_after, sizeof(native.altstack_in)) == 0,
		      "%s: altstack afterwards", s->name);
}

static void *map_stack(void)
{
	return mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void setup(void)
{
	xstate_layout(&here);
	xstate_layout_drop(&here, XSTATE_DYNAMIC);
	gate_stack = map_stack();
	program_stack = map_stack();
	use_layouts = NULL;
}

/* What handlers do to the frame they will return through. */
static void change_registers(struct kernel_ucontext *uc)
{
	uint64_t sp = uc->mc.regs.rsp, rip = uc->mc.regs.rip;

	memset(&uc->mc.regs, 0x5a, 16 * 8);
	uc->mc.regs.rsp = sp;
	uc->mc.regs.rip = rip;
	uc->mc.regs.rflags = ~0ull & ~(KFLAGS_TF | KFLAGS_AC);	/* IOPL, NT, IF, VM, RF…: the kernel takes none but RF */
	uc->mc.fs = uc->mc.gs = 0xffff;
	uc->sigmask = ~0ull;
}

static void change_area(struct kernel_ucontext *uc)
{
	memset((uint8_t *)uc->mc.fpstate + FPSTATE_XMM, 0xa5, 256);
	((uint8_t *)uc->mc.fpstate)[FPSTATE_XSTATE_BV] &= (uint8_t)~4;
}

static void no_area(struct kernel_ucontext *uc) { uc->mc.fpstate = 0; }
static void break_magic1(struct kernel_ucontext *uc) { fpstate_sw((void *)uc->mc.fpstate)->magic1 = 0; }

static void break_magic2(struct kernel_ucontext *uc)
{
	((uint8_t *)uc->mc.fpstate)[fpstate_sw((void *)uc->mc.fpstate)->xstate_size] ^= 1;
}

static void narrow_features(struct kernel_ucontext *uc) { fpstate_sw((void *)uc->mc.fpstate)->xfeatures = 3; }

static void change_altstack(struct kernel_ucontext *uc)
{
	uc->stack = (struct mosix_altstack){ (uint64_t)program_stack, 0, 0, 0x8000 };
}

static void bad_altstack(struct kernel_ucontext *uc) { uc->stack.flags = 77; }

#define SI SA_SIGINFO
START_TEST(as_the_kernel)
{
	const struct mosix_altstack none = { 0 }, plain = { (uint64_t)program_stack, 0, 0, STACK_SIZE },
		odd = { (uint64_t)program_stack + 3, KSS_ONSTACK, 0, STACK_SIZE - 8 },
		disarm = { (uint64_t)program_stack, (int)KSS_AUTODISARM, 0, STACK_SIZE };
	const struct situation list[] = {
		{ "plain",                    SI,              none,   0, NULL },
		{ "without SA_SIGINFO",       0,               none,   0, NULL },
		{ "altstack, not asked for",  SI,              plain,  0, NULL },
		{ "SA_ONSTACK without one",   SI | SA_ONSTACK, none,   0, NULL },
		{ "SA_ONSTACK",               SI | SA_ONSTACK, plain,  0, NULL },
		{ "odd altstack",             SI | SA_ONSTACK, odd,    0, NULL },
		{ "already there",            SI | SA_ONSTACK, plain,  1, NULL },
		{ "there without the flag",   SI,              plain,  1, NULL },
		{ "SS_AUTODISARM",            SI | SA_ONSTACK, disarm, 0, NULL },
		{ "SS_AUTODISARM, elsewhere", SI,              disarm, 0, NULL },
		{ "SA_NODEFER",               SI | SA_NODEFER, none,   0, NULL },
		{ "registers changed",        SI,              none,   0, change_registers },
		{ "registers changed, there", SI | SA_ONSTACK, plain,  0, change_registers },
		{ "area changed",             SI,              none,   0, change_area },
		{ "no area",                  SI,              none,   0, no_area },
		{ "no first magic",           SI,              none,   0, break_magic1 },
		{ "no second magic",          SI,              none,   0, break_magic2 },
		{ "fewer features",           SI,              none,   0, narrow_features },
		{ "altstack set",             SI,              none,   0, change_altstack },
		{ "altstack set while there", SI | SA_ONSTACK, plain,  0, change_altstack },
		{ "altstack after disarming", SI | SA_ONSTACK, disarm, 0, change_altstack },
		{ "bad altstack",             SI,              plain,  0, bad_altstack },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
		run(&list[i], 1, &native);
		run(&list[i], 0, &ours);
		same_outcome(&list[i]);
		use_layouts = &layouts;		/* the same through the component-wise path */
		run(&list[i], 0, &ours);
		same_outcome(&list[i]);
		use_layouts = NULL;
	}
}
END_TEST

/* Frames that make the kernel send SIGSEGV on the way back: a second handler must see the same in both worlds. */
static struct kernel_ucontext fault_seen;
static struct kernel_siginfo fault_info;
static uint8_t fault_area[MOSIX_XSAVE_MAX];

static void on_fault(int signo, struct kernel_siginfo *info, struct kernel_ucontext *uc)
{
	ck_assert_int_eq(signo, KSIG_SEGV);
	fault_seen = *uc;
	fault_info = *info;
	memcpy(fault_area, (void *)uc->mc.fpstate, fpstate_sw((void *)uc->mc.fpstate)->extended_size);
	uc->mc.regs.rip = (uint64_t)sigprobe_after;
	uc->mc.regs.rsp = (uint64_t)program_stack + STACK_SIZE - 4096;
}

static void bad_mxcsr(struct kernel_ucontext *uc) { ((uint8_t *)uc->mc.fpstate)[FPSTATE_MXCSR + 3] = 0x80; }
static void bad_header(struct kernel_ucontext *uc) { ((uint8_t *)uc->mc.fpstate)[FPSTATE_XCOMP_BV] = 1; }
static void bad_features(struct kernel_ucontext *uc) { ((uint8_t *)uc->mc.fpstate)[FPSTATE_XSTATE_BV + 6] = 1; }
static void bad_address(struct kernel_ucontext *uc) { uc->mc.fpstate = 0x1000; }
static void kernel_address(struct kernel_ucontext *uc) { uc->mc.fpstate = 0xffffffff80000000; }
static void bad_alignment(struct kernel_ucontext *uc)
{
	uint8_t *area = (uint8_t *)uc->mc.fpstate;

	memmove(area - 8, area, fpstate_sw(area)->extended_size);
	uc->mc.fpstate -= 8;
}
static void bad_rip(struct kernel_ucontext *uc) { uc->mc.regs.rip = 0x8000000000000000 + 4711; }
static void bad_rip_and_stack(struct kernel_ucontext *uc) { bad_rip(uc); }

static __attribute__((noinline)) void run_fault(const struct situation *s, int as_native, struct outcome *ret,
						struct kernel_ucontext *ret_uc, uint8_t *ret_area)
{
	action[KSIG_SEGV] = (struct mosix_sigaction){ (uint64_t)on_fault, SI | SA_ONSTACK | KSA_RESTORER, (uint64_t)gate_return, 0 };
	if (as_native)
		sigprobe_action(SIGSEGV, on_fault, SI | SA_ONSTACK, 0, sigprobe_restorer);
	memset(&fault_seen, 0, sizeof(fault_seen));
	memset(&fault_info, 0, sizeof(fault_info));
	run(s, as_native, ret);
	*ret_uc = fault_seen;
	memcpy(ret_area, fault_area, sizeof(fault_area));
}

START_TEST(faults_as_the_kernel)
{
	static uint8_t area_a[MOSIX_XSAVE_MAX], area_b[MOSIX_XSAVE_MAX];
	const struct mosix_altstack plain = { (uint64_t)program_stack, 0, 0, STACK_SIZE / 2 };
	const struct situation list[] = {
		{ "reserved bits of MXCSR", SI, plain, 0, bad_mxcsr },
		{ "compacted header",       SI, plain, 0, bad_header },
		{ "unknown component",      SI, plain, 0, bad_features },
		{ "unmapped area",          SI, plain, 0, bad_address },
		{ "area in the kernel",     SI, plain, 0, kernel_address },
		{ "unaligned area",         SI, plain, 0, bad_alignment },
		{ "non-canonical rip",      SI, plain, 0, bad_rip },
		{ "and on the altstack",    SI | SA_ONSTACK, plain, 0, bad_rip_and_stack },
	};
	struct kernel_ucontext a, b;

	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
		const struct situation *s = &list[i];
		struct kernel_siginfo info;

		run_fault(s, 1, &native, &a, area_a);
		info = fault_info;
		run_fault(s, 0, &ours, &b, area_b);
		ck_assert_msg(a.mc.regs.rsp != 0 && b.mc.regs.rsp != 0, "%s: no fault (%lx, %lx)", s->name, a.mc.regs.rip, b.mc.regs.rip);
		ck_assert_msg(memcmp(&a.mc.regs, &b.mc.regs, sizeof(a.mc.regs)) == 0, "%s: registers", s->name);
		ck_assert_msg(a.sigmask == b.sigmask, "%s: mask %lx, %lx", s->name, a.sigmask, b.sigmask);
		ck_assert_mem_eq(&info, &fault_info, sizeof(info));
		same_area(area_a, area_b, &here, 0);
		ck_assert_msg(native.mask_after == ours.mask_after, "%s: mask afterwards", s->name);
	}
}
END_TEST

/* Nested handlers by the gate, one of them left by siglongjmp. */
static sigjmp_buf jump;
static int depth, deepest, leave_by_jump;
static const char *handler_sp[4];

static void nesting(int signo, struct kernel_siginfo *info, struct kernel_ucontext *uc)
{
	volatile double x = signo * 1.5;

	ck_assert_int_eq(info->code, 2);	/* ILL_ILLOPN: the kernel's own siginfo came through */
	handler_sp[depth] = __builtin_frame_address(0);
	if (++depth > deepest)
		deepest = depth;
	if (depth < 3)
		__asm__ volatile("ud2" : : : "memory");
	else if (leave_by_jump)
		siglongjmp(jump, 1);
	depth--;
	ck_assert(x == signo * 1.5);
	uc->mc.regs.rip += 2;
}

START_TEST(nested_and_jumped_out_of)
{
	const struct situation s = { "nested", SI | SA_NODEFER | SA_ONSTACK, { (uint64_t)program_stack, 0, 0, STACK_SIZE }, 0, NULL };

	for (volatile int i = 0; i < 20; i++) {
		install(&s, 0);
		action[KSIG_ILL].handler = (uint64_t)nesting;
		depth = deepest = 0;
		leave_by_jump = i & 1;
		if (sigsetjmp(jump, 0) == 0)
			__asm__ volatile("ud2" : : : "memory");
		ck_assert_int_eq(deepest, 3);
		ck_assert_int_eq(depth, leave_by_jump ? 3 : 0);
		ck_assert(handler_sp[0] > (char *)program_stack && handler_sp[0] < (char *)program_stack + STACK_SIZE);
		ck_assert(handler_sp[2] < handler_sp[1] && handler_sp[1] < handler_sp[0]);
		ck_assert_uint_eq(mask, leave_by_jump ? MASK | SA_MASK : MASK);
	}
}
END_TEST

/* A component that the frame at home may not even have: then the frame is as this machine has it. */
static void step_over(int signo, struct kernel_siginfo *info, struct kernel_ucontext *uc)
{
	(void)signo;
	(void)info;
	__asm__ volatile("tilerelease");
	uc->mc.regs.rip += 2;
}

START_TEST(tiles_across_a_handler)
{
	static const uint8_t config[64] __attribute__((aligned(64))) = { [0] = 1, [16] = 64, [48] = 16 };
	const struct situation s = { "tiles", SI, { 0 }, 0, NULL };
	const struct sigframe_layouts *each[3] = { NULL };
	struct sigframe_layouts same, shorter;
	uint8_t in[1024], out[1024];
	struct mosix_xlayout full;

	xstate_layout(&full);
	if (!(full.xfeatures & XSTATE_TILES) || syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18) != 0)
		return;
	same = (struct sigframe_layouts){ &full, &full };
	shorter = (struct sigframe_layouts){ &here, &full };
	each[1] = &same;
	each[2] = &shorter;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 11 + 5);
	for (int i = 0; i < 3; i++) {
		use_layouts = each[i];
		install(&s, 0);
		action[KSIG_ILL].handler = (uint64_t)step_over;
		memset(out, 0, sizeof(out));
		__asm__ volatile("ldtilecfg %0" : : "m"(config));
		__asm__ volatile("tileloadd (%0,%1,1), %%tmm0" : : "r"(in), "r"(64ul) : "memory");
		__asm__ volatile("ud2" : : : "memory");
		__asm__ volatile("tilestored %%tmm0, (%0,%1,1)" : : "r"(out), "r"(64ul) : "memory");
		__asm__ volatile("tilerelease");
		ck_assert_mem_eq(in, out, sizeof(in));
	}
}
END_TEST

/* The real way in: a filter that traps the program's calls; glibc's own restorer returns; the gate's calls carry a secret. */
#define SECRET 0x5ec4e7ull

void secret_restorer(void);
__asm__(".text\n.globl secret_restorer\nsecret_restorer:\n	movl $0x5ec4e7, %r9d\n	movl $15, %eax\n	syscall\n	hlt\n");

static const struct kernel_siginfo some_info = { .signo = KSIG_USR1, .code = KSI_QUEUE, .rt = { 1, 2, 3 } };
static int usr1_ran;

static void on_usr1(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	usr1_ran++;
	ck_assert_int_eq(signo, SIGUSR1);
	ck_assert_int_eq(info->si_value.sival_int, 3);
	ck_assert_int_eq(uc->uc_mcontext.gregs[REG_RAX], 42);
	uc->uc_mcontext.gregs[REG_RAX] = 43;
}

static void sys_gate(int signo, struct kernel_siginfo *info, struct kernel_ucontext *uc)
{
	ck_assert_int_eq(signo, SIGSYS);
	if (info->sys.nr == SYS_rt_sigreturn) {
		if (sigframe_pop(uc, &mask, &altstack, NULL) != 0)
			_exit(101);
		return;
	}
	uc->mc.regs.rax = 42;
	gate_deliver(uc, KSIG_USR1, &some_info);
}

START_TEST(by_seccomp)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SECRET, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };
	struct mosix_altstack gates = { (uint64_t)gate_stack, 0, 0, STACK_SIZE };
	struct sigaction libc = { .sa_sigaction = on_usr1, .sa_flags = SA_SIGINFO };
	long r;

	/* glibc fills in its restorer; what the kernel then holds is what the gate keeps. */
	ck_assert_int_eq(sigaction(SIGUSR1, &libc, NULL), 0);
	ck_assert_int_eq(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &action[KSIG_USR1], 8), 0);
	altstack = (struct mosix_altstack){ .flags = KSS_DISABLE };
	mask = 0;
	ck_assert_int_eq(syscall(SYS_sigaltstack, &gates, NULL), 0);
	ck_assert_int_eq(sigprobe_action(SIGSYS, sys_gate, SA_SIGINFO | SA_ONSTACK, 0, secret_restorer), 0);
	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
	for (int i = 1; i <= 100; i++) {
		r = syscall(SYS_getppid);
		if (r != 43 || usr1_ran != i || mask != 0)
			_exit(1);
	}
	_exit(0);	/* Check itself would meet the filter */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sigframe");
	TCase *tc = tcase_create("sigframe");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, as_the_kernel);
	tcase_add_test(tc, faults_as_the_kernel);
	tcase_add_test(tc, nested_and_jumped_out_of);
	tcase_add_test(tc, tiles_across_a_handler);
	tcase_add_exit_test(tc, by_seccomp, 0);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
