/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel knows about a process besides its memory: put back as it was at home, then closed to the guest. */
#include "loader.h"

#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include "sigabi.h"
#include "xstate.h"

#ifndef ARCH_REQ_XCOMP_PERM
#define ARCH_REQ_XCOMP_PERM 0x1023
#endif
enum { TILE_DATA = 18 };

/* Faults, the filter's trap and the doorbell: all that the kernel delivers in a guest; the rest is the gate's. */
static const int gate_signals[] = { KSIG_SYS, KSIG_SEGV, KSIG_BUS, KSIG_FPE, KSIG_ILL, KSIG_TRAP, KSIG_URG };

static void restore_brk(const struct loader *l)
{
	const struct mosix_manifest *m = l->manifest;
	/* Fields of no consequence must still be addresses. */
	const uint64_t stack = m->stack_start ? m->stack_start : l->arena;
	const uint64_t code = m->code_start && m->code_end > m->code_start ? m->code_start : l->arena;
	const uint64_t data = m->data_start && m->data_end >= m->data_start ? m->data_start : l->arena;
	const struct prctl_mm_map map = {
		.start_code = code, .end_code = code == m->code_start ? m->code_end : code + 1,
		.start_data = data, .end_data = data == m->data_start ? m->data_end : data + 1,
		.start_brk = m->brk_start, .brk = m->brk, .start_stack = stack,
		/* ps reads these at home. */
		.arg_start = stack, .arg_end = stack, .env_start = stack, .env_end = stack,
		.auxv = NULL, .auxv_size = 0, .exe_fd = (uint32_t)-1,
	};
	long r;

	if (m->brk == 0)
		return;
	r = SYS5(prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0);
	/* Without CONFIG_CHECKPOINT_RESTORE it can only be had where our own break happens to allow it. */
	if (r < 0 && SYS1(brk, m->brk) != (long)m->brk)
		loader_fail(MOSIX_WHY_LOADER, r, m->brk);
}

/* Not above what this node allows: raising needs a privilege that nobody here has. */
static void restore_limit(int which, const struct mosix_rlimit *home)
{
	struct mosix_rlimit now;

	loader_must(SYS4(prlimit64, 0, which, 0, &now), 0);
	if (home->hard < now.hard)
		now.hard = home->hard;
	now.soft = home->soft < now.hard ? home->soft : now.hard;
	loader_must(SYS4(prlimit64, 0, which, &now, 0), 0);
}

/* The layout of this machine's frames, for all threads: tiles only if the process may use them, and then from the first. */
static void layout_here(const struct mosix_manifest *m, struct mosix_xlayout *ret)
{
	xstate_layout(ret);
	if (ret->xfeatures & m->xlayout.xfeatures & XSTATE_TILES && SYS2(arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0)
		xstate_touch_tiles();
	else
		xstate_layout_drop(ret, XSTATE_DYNAMIC);
}

/*
 * The areas of all threads, as home's kernel wrote them, made into ones that this CPU and this kernel take. They have another
 * size here, so all that follows the manifest is read again from the image, each part to its new place.
 */
static void rebuild_areas(struct loader *l)
{
	static uint8_t area[MOSIX_XSAVE_MAX] __attribute__((aligned(64))), source[MOSIX_XSAVE_MAX];
	static struct mosix_xlayout local;
	struct mosix_manifest *m = l->manifest;
	uint64_t from = l->image_offset + sizeof(*m), place = (uint64_t)(m + 1);
	const uint64_t mappings = (uint64_t)m->mappings * sizeof(struct mosix_mapping);
	const uint64_t end = (uint64_t)m + MOSIX_ARENA_MANIFEST_MAX;
	uint32_t size;

	layout_here(m, &local);
	for (uint32_t i = 0; i < m->threads; i++) {
		long r;

		if (end - place < MOSIX_THREAD_SIZE + MOSIX_XSAVE_MAX + mappings)
			loader_fail(MOSIX_WHY_BAD_IMAGE, E2BIG, 0);
		if (i > 0) {
			plan_read_image(l, (void *)place, MOSIX_THREAD_SIZE, from);
			place += MOSIX_THREAD_SIZE;
			from += MOSIX_THREAD_SIZE;
		}
		plan_read_image(l, source, m->xsave_size, from);
		from += m->xsave_size;
		r = xstate_rebuild(area, sizeof(area), &local, source, m->xsave_size, &m->xlayout, &size);
		if (r < 0)
			loader_fail(r == -EOPNOTSUPP ? MOSIX_WHY_CPU_LACKS : MOSIX_WHY_BAD_IMAGE, r, 0);
		/* The same for all: it depends on the local layout alone. */
		size = (size + 63) & ~63u;
		memcpy((void *)place, area, size);
		place += size;
	}
	plan_read_image(l, (void *)place, mappings, from);
	m->xsave_size = size;
	m->xlayout = local;
	l->mapping = manifest_mappings(m);
}

static void restore_thread(const struct loader *l)
{
	const struct mosix_thread *t = &l->manifest->thread;
	const uint64_t head_size = 24;	/* struct robust_list_head: the only length the kernel takes */

	loader_must(SYS2(arch_prctl, ARCH_SET_FS, t->fs_base), t->fs_base);
	SYS1(set_tid_address, t->clear_tid);
	loader_must(SYS2(set_robust_list, t->robust_list, t->robust_size ? t->robust_size : head_size), t->robust_list);
	if (t->rseq != 0)
		loader_must(SYS4(rseq, t->rseq, t->rseq_size, 0, t->rseq_signature), t->rseq);
}

static void install_gate(const struct loader *l)
{
	const struct mosix_manifest *m = l->manifest;
	const struct mosix_altstack stack = { .sp = m->gate_stack, .flags = 0, .size = m->gate_stack_size };
	const struct mosix_sigaction action = {
		.handler = m->gate_handler, .restorer = m->gate_restorer, .flags = KSA_SIGINFO | KSA_ONSTACK | KSA_RESTORER,
		/* These two stay open, for a bad pointer in the gate is EFAULT, not death. */
		.mask = ~(ksigset_bit(KSIG_SEGV) | ksigset_bit(KSIG_BUS)),
	};
	uint64_t blocked = ~0ull;

	loader_must(SYS2(sigaltstack, &stack, 0), m->gate_stack);
	for (unsigned i = 0; i < sizeof(gate_signals) / sizeof(*gate_signals); i++) {
		loader_must(SYS4(rt_sigaction, gate_signals[i], &action, 0, 8), 0);
		blocked &= ~ksigset_bit(gate_signals[i]);
	}
	loader_must(SYS4(rt_sigprocmask, KSIG_SETMASK, &blocked, 0, 8), 0);
}

static void set_flags(int fd, int add)
{
	long flags = SYS3(fcntl, fd, F_GETFL, 0);

	loader_must(flags, 0);
	loader_must(SYS3(fcntl, fd, F_SETFL, (flags & ~(O_NONBLOCK | O_ASYNC)) | add), 0);
}

/* What comes on the control channel is a ring: SIGURG, to whichever thread takes it. */
static void hang_doorbell(const struct loader *l)
{
	const struct f_owner_ex owner = { .type = F_OWNER_PID, .pid = (int)SYS1(getpid, 0) };

	for (uint32_t i = 0; i < l->plan.channels; i++)
		set_flags(MOSIX_GUEST_CHANNELS + (int)i, 0);
	loader_must(SYS3(fcntl, MOSIX_GUEST_CONTROL, F_SETOWN_EX, &owner), 0);
	loader_must(SYS3(fcntl, MOSIX_GUEST_CONTROL, F_SETSIG, KSIG_URG), 0);
	set_flags(MOSIX_GUEST_CONTROL, O_ASYNC);
}

void process_restore(struct loader *l)
{
	const struct mosix_manifest *m = l->manifest;

	restore_brk(l);
	rebuild_areas(l);
	loader_must(SYS5(prctl, PR_SET_NAME, m->name, 0, 0, 0), 0);
	restore_thread(l);
	restore_limit(RLIMIT_STACK, &m->rlimit_stack);
	restore_limit(RLIMIT_DATA, &m->rlimit_data);
	restore_limit(RLIMIT_AS, &m->rlimit_as);
	/* Last, for READ_IMPLIES_EXEC changes what mprotect means. */
	if (SYS1(personality, 0xffffffff) != (long)m->personality)
		loader_must(SYS1(personality, m->personality), 0);
}

void process_confine(struct loader *l)
{
	const struct sock_fprog program = { .len = (unsigned short)l->plan.filter_length, .filter = l->filter };

	install_gate(l);
	hang_doorbell(l);
	loader_must(SYS5(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	loader_must(SYS3(seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), 0);
}
