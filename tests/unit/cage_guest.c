/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules: all in one section, no static data, no strings, no calls out of the section. The arena is found by its fixed address
 * (test_cage.h).
 */
#include "cage_guest.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>

#include "test_cage.h"
#include <mosix/manifest.h>
#include <mosix/plan.h>

/* For the whole file, whatever the build's flags: nothing here may call a helper or keep a table elsewhere. */
#pragma GCC target("general-regs-only")
#pragma GCC optimize("O1", "no-stack-protector", "no-jump-tables")
#define GUEST __attribute__((section("cage_guest"), noinline, no_sanitize("address", "undefined")))

__asm__(".section cage_guest,\"ax\",@progbits\n"
	".globl cage_guest_entry\ncage_guest_entry:\n\tandq $-16, %rsp\n\tcall cage_guest_main\n\thlt\n"
	".globl cage_guest_handler\ncage_guest_handler:\n\tjmp cage_guest_on_signal\n"
	".globl cage_guest_restorer\ncage_guest_restorer:\n"
	"\tmovabsq $" CAGE_ARENA_TEXT "+8, %rax\n\tmovq (%rax), %r9\n\tmovl $15, %eax\n\tsyscall\n\thlt\n"
	".text\n");

_Noreturn void cage_guest_main(const struct mosix_landing *landing);
void cage_guest_on_signal(int sig, siginfo_t *info, void *context);

struct state { volatile uint32_t traps, rings; };

static inline __attribute__((always_inline)) long call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r9)
			 : "rcx", "r11", "r8", "memory");
	return ret;
}

GUEST void cage_guest_on_signal(int sig, siginfo_t *info, void *context)
{
	struct state *s = (struct state *)(CAGE_ARENA + CAGE_GUEST_STATE);
	ucontext_t *u = context;

	(void)info;
	if (sig == SIGURG) {
		s->rings++;
	} else if (sig == SIGSYS) {
		s->traps++;
		u->uc_mcontext.gregs[REG_RAX] = -1000;
	} else {
		/* A fault: end with its number, which the test prints. */
		uint64_t secret = ((const struct mosix_landing *)CAGE_ARENA)->gate_secret;

		for (;;)
			call(SYS_exit_group, (uint64_t)sig, 0, 0, 0, secret);
	}
}

/* Each of these would reach the host, or somebody; the sixth argument does not help. */
GUEST static uint32_t try_unlisted(uint64_t secret, uint32_t *count)
{
	const struct state *s = (const struct state *)(CAGE_ARENA + CAGE_GUEST_STATE);
	uint32_t before = s->traps, n = 0;

	for (long nr = 0; nr < 470; nr++) {
		/* The few that pass by number or with the secret, and what no filter sees (test_filter.c). */
		switch (nr) {
		case SYS_read: case SYS_write: case SYS_pread64: case SYS_ppoll: case SYS_mmap: case SYS_munmap:
		case SYS_mprotect: case SYS_mremap: case SYS_madvise: case SYS_brk: case SYS_rt_sigreturn:
		case SYS_rt_sigprocmask: case SYS_arch_prctl: case SYS_futex: case SYS_clock_gettime: case SYS_clock_getres:
		case SYS_gettimeofday: case SYS_time: case SYS_getrandom: case SYS_getcpu: case SYS_exit_group:
		case SYS_close: case SYS_mincore: case SYS_getrusage: case SYS_times:
		case SYS_membarrier: case SYS_set_tid_address: case SYS_restart_syscall: case SYS_getpid: case SYS_gettid:
		case SYS_sched_yield: case 335: case 336:
			continue;
		}
		n++;
		call(nr, 0, 0, 0, 0, secret);
	}
	*count = n;
	return s->traps - before;
}

GUEST static uint8_t count_descriptors(uint64_t secret)
{
	uint8_t n = 0;

	/* A read of no bytes tells EBADF from everything else. */
	for (int fd = 0; fd < 64; fd++)
		if (call(SYS_read, (uint64_t)fd, 0, 0, 0, secret) != -9)
			n++;
	return n;
}

GUEST static void say(const struct cage_report *r, uint64_t secret)
{
	call(SYS_write, MOSIX_GUEST_CALL, (uint64_t)r, sizeof(*r), 0, secret);
}

GUEST _Noreturn void cage_guest_main(const struct mosix_landing *landing)
{
	const struct cage_targets *t = (const struct cage_targets *)CAGE_DATA;
	const struct mosix_manifest *m = (const struct mosix_manifest *)(CAGE_ARENA + landing->manifest_offset);
	struct state *s = (struct state *)(CAGE_ARENA + CAGE_GUEST_STATE);
	uint64_t secret = landing->gate_secret;
	int (*clock)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))t->vdso_clock;
	volatile struct cage_report *r = (struct cage_report *)(CAGE_ARENA + CAGE_GUEST_STATE + 64);
	struct timespec now;
	uint32_t tried;
	char byte;

	/* The loader is the core's to unmap. */
	call(SYS_munmap, MOSIX_LOADER_START, MOSIX_LOADER_END - MOSIX_LOADER_START, 0, 0, secret);
	*(uint64_t *)r->word = 0x5944414552;	/* READY */
	r->pid = (uint32_t)call(SYS_getpid, 0, 0, 0, 0, 0);
	r->tid = (uint32_t)call(SYS_gettid, 0, 0, 0, 0, 0);
	r->unlisted_traps = try_unlisted(secret, &tried);
	r->unlisted = tried;
	tried = s->traps;
	call(SYS_write, MOSIX_GUEST_CALL, 0, 0, 0, 0);
	call(SYS_mmap, 0, 4096, 1, 0x22, 0);
	call(SYS_close, 0, 0, 0, 0, secret ^ 4096);
	r->listed = 3;
	r->listed_traps = s->traps - tried;
	r->brk_moved = call(SYS_brk, 0, 0, 0, 0, secret) == (long)t->brk && call(SYS_brk, t->brk + 4096, 0, 0, 0, secret) ==
		       (long)t->brk + 4096;
	clock(CLOCK_MONOTONIC, &now);
	r->mono_s = now.tv_sec;
	r->mono_ns = now.tv_nsec;
	/* Not served by any vdso: falls back to the system call, which traps. */
	r->call_result = clock(CLOCK_PROCESS_CPUTIME_ID, &now);
	r->file = *(const uint8_t *)t->file;
	r->sparse = *(const uint8_t *)t->sparse;
	r->fresh = *(const uint8_t *)t->fresh;
	for (uint64_t i = 0; i < (6 << 20) + 8192; i++)
		r->big += ((const uint8_t *)t->big - (3 << 20) - 4096)[i];
	r->descriptors = count_descriptors(secret);
	__asm__ volatile("movq %%fs:0, %0" : "=r"(r->fs_base));
	r->xsave_size = m->xsave_size;
	r->manifest_pid = m->pid;
	do {
		r->rings = s->rings;
		say((const struct cage_report *)r, secret);
		while ((tried = (uint32_t)call(SYS_read, MOSIX_GUEST_CALL, (uint64_t)&byte, 1, 0, secret)) == (uint32_t)-4)
			;
	} while (tried == 1);
	for (;;)
		call(SYS_exit_group, 7, 0, 0, 0, secret);
}
