/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules: all in one section, no static data, no strings, no calls out of the section. The arena is found by its fixed address
 * (test_cage.h).
 */
#include "cage_guest.h"

#include <fcntl.h>
#include <linux/sched.h>
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
	/* long cage_guest_clone(args, size, secret, function): as clone3, and where it returns 0, function() unless that is NULL */
	"cage_guest_clone:\n\tmovq %rdx, %r9\n\tmovq %rcx, %r8\n\tmovl $435, %eax\n\tsyscall\n"
	"\ttestq %rax, %rax\n\tjnz 1f\n\ttestq %r8, %r8\n\tjz 1f\n\txorl %ebp, %ebp\n\tcall *%r8\n\thlt\n1:\tret\n"
	".text\n");

long cage_guest_clone(const struct clone_args *args, uint64_t size, uint64_t secret, void (*function)(void));
_Noreturn void cage_guest_main(const struct mosix_landing *landing);
void cage_guest_on_signal(int sig, siginfo_t *info, void *context);

struct state { volatile uint32_t traps, rings, thread_tid, thread_lives; };

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
		case SYS_sched_yield: case SYS_clone3: case SYS_sigaltstack: case SYS_set_robust_list: case SYS_rseq:
		case SYS_exit: case SYS_recvmsg: case SYS_tgkill: case SYS_ftruncate: case SYS_pwrite64: case 335: case 336:
			continue;
		}
		n++;
		call(nr, 0, 0, 0, 0, secret);
	}
	*count = n;
	return s->traps - before;
}

GUEST static uint16_t count_descriptors(uint64_t secret)
{
	uint16_t n = 0;

	/* A read of no bytes tells EBADF from everything else. */
	for (int fd = 0; fd < CAGE_DESCRIPTORS; fd++)
		if (call(SYS_read, (uint64_t)fd, 0, 0, 0, secret) != -9)
			n++;
	return n;
}

GUEST static void run_thread(void)
{
	struct state *s = (struct state *)(CAGE_ARENA + CAGE_GUEST_STATE);
	uint64_t secret = ((const struct mosix_landing *)CAGE_ARENA)->gate_secret;

	s->thread_tid = (uint32_t)call(SYS_gettid, 0, 0, 0, 0, 0);
	for (;;)
		call(SYS_exit, 0, 0, 0, 0, secret);
}

/* As the core does it: a thread with the number that it has at home. Waits, without the secret, until it is gone. */
GUEST static int64_t make_thread(uint64_t secret)
{
	struct state *s = (struct state *)(CAGE_ARENA + CAGE_GUEST_STATE);
	volatile int32_t tid = CAGE_THREAD;
	volatile struct clone_args args;
	long r;

	for (unsigned i = 0; i < sizeof(args) / 8; i++)
		((volatile uint64_t *)&args)[i] = 0;
	args.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PARENT_SETTID |
		     CLONE_CHILD_CLEARTID;
	args.parent_tid = args.child_tid = (uint64_t)&s->thread_lives;
	args.stack = CAGE_SLOTS + (CAGE_SLOT_COUNT - 1) * MOSIX_SLOT_SIZE;
	args.stack_size = MOSIX_SLOT_SIZE;
	args.set_tid = (uint64_t)&tid;
	args.set_tid_size = 1;
	r = cage_guest_clone((const struct clone_args *)&args, sizeof(args), secret, run_thread);
	while (r > 0 && s->thread_lives != 0)
		call(SYS_futex, (uint64_t)&s->thread_lives, 0 /* FUTEX_WAIT */, CAGE_THREAD, 0, 0);
	return r;
}

/* A process, which cannot be forbidden. It stays until it is killed. */
GUEST static int64_t make_child(uint64_t secret)
{
	volatile int32_t tid = CAGE_CHILD;
	volatile struct clone_args args;
	long r;

	for (unsigned i = 0; i < sizeof(args) / 8; i++)
		((volatile uint64_t *)&args)[i] = 0;
	args.set_tid = (uint64_t)&tid;
	args.set_tid_size = 1;
	r = cage_guest_clone((const struct clone_args *)&args, sizeof(args), secret, 0);
	while (r == 0)
		call(SYS_ppoll, 0, 0, 0, 0, secret);
	return r;
}

/* CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET, each alone; then all together. */
GUEST static uint64_t make_spaces(uint64_t secret, uint64_t *tried)
{
	const uint64_t all = 0x7e020080;
	volatile struct clone_args args;
	uint64_t made = 0;

	for (unsigned bit = 0; bit < 32; bit++) {
		uint64_t flags = bit == 31 ? all : all & 1ull << bit;
		long r;

		if (flags == 0)
			continue;
		for (unsigned i = 0; i < sizeof(args) / 8; i++)
			((volatile uint64_t *)&args)[i] = 0;
		args.flags = flags;
		r = cage_guest_clone((const struct clone_args *)&args, sizeof(args), secret, 0);
		while (r == 0)
			call(SYS_exit_group, 0, 0, 0, 0, secret);
		if (r > 0)
			made |= flags;
	}
	*tried = all;
	return made;
}

GUEST static void try_kills(volatile struct cage_report *r, uint64_t secret)
{
	const struct state *s = (const struct state *)(CAGE_ARENA + CAGE_GUEST_STATE);
	uint32_t before = s->rings, traps;

	call(SYS_tgkill, CAGE_PID, CAGE_PID, SIGURG, 0, secret);
	r->own_rings = s->rings - before;
	traps = s->traps;
	call(SYS_tgkill, CAGE_CHILD, CAGE_CHILD, SIGTERM, 0, secret);
	call(SYS_tgkill, 1, 1, SIGKILL, 0, secret);
	call(SYS_tgkill, (uint64_t)-1, CAGE_CHILD, SIGKILL, 0, secret);
	call(SYS_tgkill, CAGE_PID, CAGE_PID, 1ull << 32 | SIGURG, 0, secret);
	call(SYS_tgkill, CAGE_PID, CAGE_PID, 0, 0, 0);
	r->kills = 5;
	r->kill_traps = s->traps - traps;
}

/* What the loader made of the areas of all threads, and of what follows them. */
GUEST static void look_at_manifest(volatile struct cage_report *r, const struct mosix_manifest *m)
{
	const uint64_t each = MOSIX_THREAD_SIZE + m->xsave_size;
	const char *last = (const char *)(m + 1) + m->xsave_size + (m->threads - 2) * each;

	r->xsave_size = m->xsave_size;
	r->manifest_pid = m->pid;
	r->last_tid = ((const struct mosix_thread *)last)->tid;
	r->last_xmm = ((const uint8_t *)last)[MOSIX_THREAD_SIZE + 160];
	r->first_mapping = ((const struct mosix_mapping *)(last + each))->start;
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
	look_at_manifest(r, m);
	r->thread = make_thread(secret);
	r->thread_tid = s->thread_tid;
	r->spaces_made = make_spaces(secret, (uint64_t *)&r->spaces);
	r->child = make_child(secret);
	try_kills(r, secret);
	s->rings = 0;
	/* The last channel is one like the others. */
	call(SYS_write, MOSIX_GUEST_CHANNELS + landing->channels - 1, (uint64_t)r, 1, 0, secret);
	do {
		r->rings = s->rings;
		say((const struct cage_report *)r, secret);
		while ((tried = (uint32_t)call(SYS_read, MOSIX_GUEST_CALL, (uint64_t)&byte, 1, 0, secret)) == (uint32_t)-4)
			;
	} while (tried == 1);
	for (;;)
		call(SYS_exit_group, 7, 0, 0, 0, secret);
}
