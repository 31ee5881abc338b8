/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Follows get_sigframe(), x64_setup_rt_frame() and rt_sigreturn() of Linux 6.12 and later (arch/x86/kernel/signal*.c). */
#include "core.h"
#include "sigframe.h"
#include "xstate.h"

#define RED_ZONE 128ull		/* below the stack pointer, the program's (System V ABI) */

static int altstack_holds(const struct mosix_altstack *altstack, uint64_t sp)
{
	return sp > altstack->sp && sp - altstack->sp <= altstack->size;
}

/* One with SS_AUTODISARM is never "in use": entering its handler took it away. */
static int altstack_used(const struct mosix_altstack *altstack, uint64_t sp)
{
	return !((uint32_t)altstack->flags & KSS_AUTODISARM) && altstack_holds(altstack, sp);
}

static void altstack_reset(struct mosix_altstack *altstack)
{
	*altstack = (struct mosix_altstack){ .flags = KSS_DISABLE };
}

int sigframe_altstack(struct mosix_altstack *altstack, const struct mosix_altstack *set, uint64_t sp,
		      struct mosix_altstack *ret_old)
{
	struct mosix_altstack old = *altstack;
	uint32_t mode;

	old.flags &= (int32_t)KSS_AUTODISARM;
	old.flags |= !altstack->size ? KSS_DISABLE : altstack_used(altstack, sp) ? KSS_ONSTACK : 0;
	old.zero = 0;
	if (set && (set->sp != altstack->sp || set->size != altstack->size || set->flags != altstack->flags ||
		    altstack_used(altstack, sp))) {
		if (altstack_used(altstack, sp))
			return -EPERM;
		mode = (uint32_t)set->flags & ~KSS_AUTODISARM;
		if (mode != KSS_DISABLE && mode != KSS_ONSTACK && mode != 0)
			return -EINVAL;
		if (mode != KSS_DISABLE && set->size < KSS_MINSIZE)
			return -ENOMEM;
		*altstack = (struct mosix_altstack){ .flags = set->flags };
		if (mode != KSS_DISABLE) {
			altstack->sp = set->sp;
			altstack->size = set->size;
		}
	}
	if (ret_old)
		*ret_old = old;
	return 0;
}

/* The area in the gate's frame; the kernel wrote it, and its software bytes say how large it is. */
static uint8_t *gate_area(const struct kernel_ucontext *gate) { return (uint8_t *)gate->mc.fpstate; }

static uint64_t *area_in_use(uint8_t *area) { return (uint64_t *)(area + FPSTATE_XSTATE_BV); }

static int part_fits(const struct mosix_xlayout *layout, int i, uint32_t size)
{
	return layout->part[i].offset >= FPSTATE_HEADER_END && layout->part[i].size > 0 && layout->part[i].offset <= size &&
	       layout->part[i].size <= size - layout->part[i].offset;
}

/* PKRU goes only where both sides have it; a process that uses protection keys does not move (see xstate.h). */
static uint64_t carried(uint64_t in_use, const struct mosix_xlayout *home, const struct mosix_xlayout *here)
{
	in_use &= ~(XSTATE_FP | XSTATE_SSE);
	return home->xfeatures & here->xfeatures & XSTATE_PKRU ? in_use : in_use & ~XSTATE_PKRU;
}

/* Whether all that is in use can be carried between home's layout and an area of `size` bytes here. */
static int parts_match(uint64_t in_use, const struct sigframe_layouts *layouts, uint32_t size)
{
	const struct mosix_xlayout *home = layouts->home, *here = layouts->here;
	uint64_t parts = carried(in_use, home, here), both = home->xfeatures & here->xfeatures;

	for (int i = 2; i < MOSIX_XFEATURES; i++)
		if (parts >> i & 1 && (!(both >> i & 1) || home->part[i].size != here->part[i].size ||
				       !part_fits(home, i, home->size) || !part_fits(here, i, size)))
			return 0;
	return 1;
}

/* Home's layout for this frame, or NULL: as the gate has it. A component that home has not makes its frame stay local. */
static const struct mosix_xlayout *frame_layout(const struct kernel_ucontext *gate, const struct sigframe_layouts *layouts)
{
	uint8_t *area = gate_area(gate);

	if (!layouts || !area || !fpstate_is_extended(area) || layouts->home->size < FPSTATE_HEADER_END)
		return NULL;
	if (!parts_match(*area_in_use(area), layouts, fpstate_sw(area)->xstate_size))
		return NULL;
	return layouts->home;
}

static uint32_t frame_area_size(const struct kernel_ucontext *gate, const struct mosix_xlayout *home)
{
	uint8_t *area = gate_area(gate);

	if (!area)
		return 0;
	if (home)
		return home->size + XSTATE_MAGIC2_SIZE;
	return fpstate_is_extended(area) ? fpstate_sw(area)->xstate_size + XSTATE_MAGIC2_SIZE : FPSTATE_LEGACY_SIZE;
}

static int area_out(uint64_t to, const struct kernel_ucontext *gate, const struct mosix_xlayout *home,
		    const struct mosix_xlayout *here)
{
	uint8_t *area = gate_area(gate), head[FPSTATE_HEADER_END];
	const uint32_t magic2 = KFP_MAGIC2, pkru = PKRU_DEFAULT;
	struct kernel_fpx_sw sw = { .magic1 = KFP_MAGIC1 };
	uint64_t parts;

	if (!area)
		return 0;
	if (!home)
		return core_copy_out(to, area, frame_area_size(gate, NULL));

	sw.extended_size = home->size + XSTATE_MAGIC2_SIZE;
	sw.xfeatures = home->xfeatures;
	sw.xstate_size = home->size;
	parts = carried(*area_in_use(area), home, here);
	memcpy(head, area, sizeof(head));
	memcpy(head + FPSTATE_SW, &sw, sizeof(sw));
	*area_in_use(head) = parts | XSTATE_FP | XSTATE_SSE;
	if (home->xfeatures & ~here->xfeatures & XSTATE_PKRU && part_fits(home, 9, home->size)) {
		*area_in_use(head) |= XSTATE_PKRU;
		if (core_copy_out(to + home->part[9].offset, &pkru, sizeof(pkru)) != 0)
			return -EFAULT;
	}
	if (core_copy_out(to, head, sizeof(head)) != 0 || core_copy_out(to + home->size, &magic2, sizeof(magic2)) != 0)
		return -EFAULT;
	for (int i = 2; i < MOSIX_XFEATURES; i++)
		if (parts >> i & 1 &&
		    core_copy_out(to + home->part[i].offset, area + here->part[i].offset, here->part[i].size) != 0)
			return -EFAULT;
	return 0;
}

int sigframe_push(struct kernel_ucontext *gate, const struct mosix_sigaction *sa, int signo, const void *siginfo,
		  uint64_t saved_mask, struct mosix_altstack *altstack, const struct sigframe_layouts *layouts)
{
	const struct mosix_xlayout *home = frame_layout(gate, layouts);
	struct mosix_registers *regs = &gate->mc.regs;
	struct kernel_rt_sigframe frame = { .pretcode = sa->restorer };
	uint64_t at = regs->rsp - RED_ZONE, area_at = 0;
	int on_altstack = altstack_used(altstack, regs->rsp);
	size_t size = offsetof(struct kernel_rt_sigframe, info);

	if (!(sa->flags & KSA_RESTORER))
		return -EFAULT;
	/* The kernel asks with the red zone taken off here, and without for `on_altstack`. */
	if (sa->flags & KSA_ONSTACK && altstack->size && !altstack_used(altstack, at)) {
		at = altstack->sp + altstack->size;
		on_altstack = 1;
	}
	if (gate->mc.fpstate) {
		area_at = (at - frame_area_size(gate, home)) & ~63ull;
		at = area_at;
	}
	at = ((at - sizeof(frame)) & ~15ull) - 8;
	if (on_altstack && !altstack_holds(altstack, at))
		return -EFAULT;

	frame.uc.flags = gate->flags;
	frame.uc.stack = *altstack;
	frame.uc.mc = gate->mc;
	memset(frame.uc.mc.reserved, 0, sizeof(frame.uc.mc.reserved));
	frame.uc.mc.oldmask = saved_mask;
	frame.uc.mc.fpstate = area_at;
	frame.uc.sigmask = saved_mask;
	/* Without SA_SIGINFO the kernel leaves the place as it is; with it, it writes 48 bytes and clears the rest. */
	if (sa->flags & KSA_SIGINFO) {
		memcpy(&frame.info, siginfo, KSIGINFO_USED);
		size = sizeof(frame);
	}
	if (area_out(area_at, gate, home, home ? layouts->here : NULL) != 0 || core_copy_out(at, &frame, size) != 0)
		return -EFAULT;

	if (gate->mc.fpstate)
		xstate_init(gate_area(gate));
	regs->rdi = (uint64_t)signo;
	regs->rsi = at + offsetof(struct kernel_rt_sigframe, info);
	regs->rdx = at + offsetof(struct kernel_rt_sigframe, uc);
	regs->rax = 0;
	regs->rip = sa->handler;
	regs->rsp = at;
	regs->rflags &= ~(KFLAGS_DF | KFLAGS_RF | KFLAGS_TF);
	if ((uint32_t)altstack->flags & KSS_AUTODISARM)
		altstack_reset(altstack);
	return 0;
}

/* What the program's frame says about its area, before anything is taken from it. */
struct frame_area {
	uint64_t at;
	uint64_t xfeatures, in_use;
	uint32_t size;			/* 0: no area, 512: only the FXSAVE part counts */
	const struct mosix_xlayout *home;	/* NULL: laid out as the gate's */
	uint8_t head[FPSTATE_HEADER_END];
};

/* As check_xstate_in_sigframe(): an area without both magics counts as FXSAVE. */
static int area_look(struct frame_area *ret, uint64_t at, const struct kernel_ucontext *gate,
		     const struct sigframe_layouts *layouts)
{
	const struct kernel_fpx_sw *own = fpstate_sw(gate_area(gate));
	struct kernel_fpx_sw sw;
	uint32_t magic2, limit = own->xstate_size;

	ret->at = at;
	ret->home = NULL;
	ret->size = FPSTATE_LEGACY_SIZE;
	ret->xfeatures = ret->in_use = XSTATE_FP | XSTATE_SSE;
	if (core_copy_in(ret->head, at, FPSTATE_LEGACY_SIZE) != 0)
		return -EFAULT;
	memcpy(&sw, ret->head + FPSTATE_SW, sizeof(sw));
	if (sw.magic1 != KFP_MAGIC1 || !fpstate_is_extended(gate_area(gate)))
		return 0;
	if (layouts && sw.xfeatures == layouts->home->xfeatures && sw.xstate_size == layouts->home->size) {
		ret->home = layouts->home;
		limit = sw.xstate_size;
	}
	if (sw.xstate_size < FPSTATE_HEADER_END || sw.xstate_size > limit || sw.xstate_size > sw.extended_size) {
		ret->home = NULL;
		return 0;
	}
	if (core_copy_in(&magic2, at + sw.xstate_size, sizeof(magic2)) != 0)
		return -EFAULT;
	if (magic2 != KFP_MAGIC2) {
		ret->home = NULL;
		return 0;
	}
	if (core_copy_in(ret->head + FPSTATE_LEGACY_SIZE, at + FPSTATE_LEGACY_SIZE,
			 FPSTATE_HEADER_END - FPSTATE_LEGACY_SIZE) != 0)
		return -EFAULT;
	ret->size = sw.xstate_size;
	ret->xfeatures = sw.xfeatures;
	ret->in_use = *area_in_use(ret->head);
	return 0;
}

/* What makes XRSTOR or FXRSTOR fault, which the kernel answers with SIGSEGV. */
static int area_faults(const struct frame_area *from, const uint8_t *area)
{
	uint64_t enabled = from->home ? from->home->xfeatures : fpstate_sw((void *)area)->xfeatures | XSTATE_DYNAMIC;
	uint32_t mxcsr, mask;

	memcpy(&mxcsr, from->head + FPSTATE_MXCSR, sizeof(mxcsr));
	memcpy(&mask, area + FPSTATE_MXCSR_MASK, sizeof(mask));
	if (mask == 0)
		mask = 0xffbf;
	if (mxcsr & ~mask)
		return 1;
	if (from->size == FPSTATE_LEGACY_SIZE)
		return from->at % 16 != 0;
	for (int i = FPSTATE_XCOMP_BV; i < FPSTATE_XCOMP_BV + 16; i++)
		if (from->head[i])
			return 1;
	return from->in_use & ~enabled || from->at % 64 != 0;
}

/* Into the gate's area, whose software bytes and second magic stay: the gate's rt_sigreturn wants those of this kernel. */
static int area_in(uint8_t *area, const struct frame_area *from, const struct mosix_xlayout *here)
{
	uint32_t mxcsr_mask, mxcsr = MXCSR_DEFAULT;
	uint64_t parts;

	if (area_faults(from, area))
		return -EFAULT;
	memcpy(&mxcsr_mask, area + FPSTATE_MXCSR_MASK, sizeof(mxcsr_mask));
	memcpy(area, from->head, FPSTATE_SW);
	memcpy(area + FPSTATE_MXCSR_MASK, &mxcsr_mask, sizeof(mxcsr_mask));
	if (!fpstate_is_extended(area))
		return 0;
	if (!(from->xfeatures & (XSTATE_SSE | XSTATE_AVX)))
		memcpy(area + FPSTATE_MXCSR, &mxcsr, sizeof(mxcsr));

	/* What the frame has no room for becomes initial, but PKRU stays what it is here. */
	parts = from->in_use & from->xfeatures & fpstate_sw(area)->xfeatures;
	*area_in_use(area) = parts | (*area_in_use(area) & ~from->xfeatures & XSTATE_PKRU);
	if (from->size == FPSTATE_LEGACY_SIZE)
		return 0;
	if (!from->home)
		return core_copy_in(area + FPSTATE_HEADER_END, from->at + FPSTATE_HEADER_END, from->size - FPSTATE_HEADER_END);
	for (int i = 2; i < MOSIX_XFEATURES; i++)
		if (parts >> i & 1 &&
		    core_copy_in(area + here->part[i].offset, from->at + from->home->part[i].offset, here->part[i].size) != 0)
			return -EFAULT;
	return 0;
}

int sigframe_pop(struct kernel_ucontext *gate, uint64_t *ret_mask, struct mosix_altstack *altstack,
		 const struct sigframe_layouts *layouts)
{
	struct kernel_ucontext uc;
	struct frame_area from = { .size = 0 };
	uint8_t *area = gate_area(gate);
	uint64_t flags = gate->mc.regs.rflags;
	int readable = 0;

	/* The handler's `ret` took the return address, so the ucontext behind it begins at rsp. */
	if (core_copy_in(&uc, gate->mc.regs.rsp, sizeof(uc)) != 0) {
		gate->mc.regs.rax = 0;
		return -EFAULT;
	}
	/* Into another kind of code, or none: the kernel's fault. */
	if ((uc.mc.cs | 3) != gate->mc.cs)
		return -EOPNOTSUPP;
	if (uc.mc.fpstate && area)
		readable = area_look(&from, uc.mc.fpstate, gate, layouts);
	if (readable == 0 && from.home && !parts_match(from.in_use, layouts, fpstate_sw(area)->xstate_size))
		return -EOPNOTSUPP;

	/* Errors but EFAULT are ignored, as in the kernel; on its own altstack a handler cannot change it (EPERM). */
	sigframe_altstack(altstack, &uc.stack, gate->mc.regs.rsp, NULL);
	*ret_mask = uc.sigmask & ~KSIGSET_UNBLOCKABLE;
	gate->mc.regs = uc.mc.regs;
	gate->mc.regs.rflags = (flags & ~KFLAGS_USER) | (uc.mc.regs.rflags & KFLAGS_USER);
	if (!area)
		return 0;
	if (!uc.mc.fpstate) {
		xstate_init(area);
		return 0;
	}
	if (readable != 0 || area_in(area, &from, from.home ? layouts->here : NULL) != 0) {
		xstate_init(area);
		gate->mc.regs.rax = 0;
		return -EFAULT;
	}
	return 0;
}
