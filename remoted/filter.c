/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "filter.h"

#include <mosix/plan.h>

#include "common/step.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

/* No effect on anybody else: allowed by number alone. restart_syscall goes on with what was allowed to begin: the kernel makes
   it, registers kept, when SIGSTOP has hit a futex wait. */
static const int open_calls[] = {
	SCMP_SYS(futex),		/* what threads do most; words of the guest's own memory */
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(sched_yield), SCMP_SYS(restart_syscall),
};

/* The wall: see filter.h before adding to it. The most frequent first, for they are compared in this order. */
static const int gate_calls[] = {
	SCMP_SYS(rt_sigreturn),		/* ends every trap */
	SCMP_SYS(write),		/* to the deputy */
	SCMP_SYS(read),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(ppoll),
	SCMP_SYS(mmap),
	SCMP_SYS(munmap),
	SCMP_SYS(brk),
	SCMP_SYS(mprotect),
	SCMP_SYS(mremap),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(getrandom),
	SCMP_SYS(getcpu),
	SCMP_SYS(getrusage),
	SCMP_SYS(times),
	SCMP_SYS(clock_getres),
	SCMP_SYS(pread64),		/* its own maps and pagemap */
	SCMP_SYS(arch_prctl),
	SCMP_SYS(membarrier),
	SCMP_SYS(mincore),
	SCMP_SYS(set_tid_address),
	SCMP_SYS(clone3),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(exit),
	SCMP_SYS(close),
	SCMP_SYS(recvmsg),		/* descriptors for a child, from remoted */
	SCMP_SYS(ftruncate), SCMP_SYS(pwrite64),	/* memfds: what files hold that the program maps */
	SCMP_SYS(exit_group),
};

/* ioctl of linux/fs.h (6.7): which pages of one's own memory are present. The only one, and only pagemap knows it. */
#define PAGEMAP_SCAN_CALL 0xc0606610u

static int allow(scmp_filter_ctx ctx, uint64_t gate_secret)
{
	const struct scmp_arg_cmp gate = SCMP_A5(SCMP_CMP_EQ, gate_secret);
	uint8_t priority = 255;
	int r = 0;

	for (size_t i = 0; i < sizeof(open_calls) / sizeof(*open_calls) && r == 0; i++, priority--) {
		r = seccomp_syscall_priority(ctx, open_calls[i], priority);
		if (r == 0)
			r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, open_calls[i], 0);
	}
	for (size_t i = 0; i < sizeof(gate_calls) / sizeof(*gate_calls) && r == 0; i++, priority--) {
		r = seccomp_syscall_priority(ctx, gate_calls[i], priority);
		if (r == 0)
			r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, gate_calls[i], 1, gate);
	}
	/*
	 * The doorbell's signal, which every guest answers by looking around, and none: is the thread there? By any number, for
	 * a child has this filter and another pid.
	 */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 2, gate, SCMP_A2(SCMP_CMP_EQ, SIGURG));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 2, gate, SCMP_A2(SCMP_CMP_EQ, 0));
	/* No other flag: those of hugetlbfs take from a pool of the host's. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(memfd_create), 2, gate, SCMP_A1(SCMP_CMP_EQ, MFD_CLOEXEC));
	/* With an offset of its own in the secret's place. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				     SCMP_A4(SCMP_CMP_MASKED_EQ, 0xffffffff00000000ull, mosix_map_tag(gate_secret)));
	/* Not MADV_MERGEABLE: merged pages let a guest time what its neighbours' memory holds. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(madvise), 2, gate, SCMP_A2(SCMP_CMP_NE, MADV_MERGEABLE));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 2, gate, SCMP_A1(SCMP_CMP_EQ, PAGEMAP_SCAN_CALL));
	/* Where a guest is to be watched in a step of its move: the wait there (mosix/step.h), for a signal of its own. */
	if (r == 0 && step_of("guest.") != MOSIX_STEP_NONE)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(rt_sigtimedwait), 1, gate);
	return r;
}

static int export(scmp_filter_ctx ctx, struct sock_filter **ret_program, uint32_t *ret_length)
{
	struct sock_filter *program = NULL;
	struct stat st;
	int r, fd;

	fd = memfd_create("mosix-filter", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(ctx, fd);
	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r == 0 && (st.st_size == 0 || st.st_size > BPF_MAXINSNS * (off_t)sizeof(*program)))
		r = -E2BIG;
	if (r == 0) {
		program = malloc((size_t)st.st_size);
		if (program == NULL)
			r = -ENOMEM;
		else if (pread(fd, program, (size_t)st.st_size, 0) != st.st_size)
			r = -EIO;
	}
	close(fd);
	if (r != 0) {
		free(program);
		return r;
	}
	*ret_program = program;
	*ret_length = (uint32_t)((size_t)st.st_size / sizeof(*program));
	return 0;
}

int filter_build(uint64_t gate_secret, struct sock_filter **ret_program, uint32_t *ret_length)
{
	scmp_filter_ctx ctx;
	int r;

	if (gate_secret == 0 || gate_secret % 4096 != 0 || gate_secret >> 47 != 0)
		return -EINVAL;
	/* x32 numbers count as a foreign architecture in a program for x86-64 alone. */
	ctx = seccomp_init(SCMP_ACT_TRAP);
	if (ctx == NULL)
		return -ENOMEM;
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_TRAP);
	if (r == 0)
		r = allow(ctx, gate_secret);
	if (r == 0)
		r = export(ctx, ret_program, ret_length);
	seccomp_release(ctx);
	return r;
}
