/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's filter, tried on a child: what passes, and what traps. */
#include <check.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <mosix/plan.h>

#include "remoted/filter.h"

#define SECRET 0x123456789000ull

static uint32_t own_pid;	/* of the child that the filter is built for */

static volatile int traps;

static void on_trap(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)sig;
	(void)info;
	traps++;
	u->uc_mcontext.gregs[REG_RAX] = -EADV;
}

/* glibc's restorer has no secret; this one has. */
__attribute__((naked, used)) static void restorer(void)
{
	__asm__ volatile("movabsq $0x123456789000, %r9\n\tmovl $15, %eax\n\tsyscall\n\thlt");
}

struct kernel_action { void (*handler)(int, siginfo_t *, void *); unsigned long flags; void (*restorer)(void); uint64_t mask; };

static long call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

/* A 32-bit call from 64-bit code: a foreign architecture to the filter. */
static void call_32(long nr)
{
	__asm__ volatile("int $0x80" : "+a"(nr) : "b"(0l), "c"(0l), "d"(0l) : "r8", "r9", "r10", "r11", "memory");
}

static bool trapped(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t f)
{
	int before = traps;

	call(nr, a, b, c, 0, 0, f);
	return traps != before;
}

static const long listed[] = {
	SYS_read, SYS_write, SYS_pread64, SYS_ppoll, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap, SYS_madvise, SYS_brk,
	SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_arch_prctl, SYS_futex, SYS_clock_gettime, SYS_clock_getres, SYS_gettimeofday,
	SYS_time, SYS_getrandom, SYS_getcpu, SYS_exit_group, SYS_close, SYS_mincore, SYS_getrusage, SYS_times, SYS_membarrier,
	SYS_set_tid_address, SYS_restart_syscall, SYS_getpid, SYS_gettid, SYS_sched_yield, SYS_clone3, SYS_sigaltstack,
	SYS_set_robust_list, SYS_rseq, SYS_exit, SYS_recvmsg, SYS_ftruncate, SYS_pwrite64,
};

/* Those of them that need no secret. */
static const long open_calls[] = { SYS_getpid, SYS_gettid, SYS_sched_yield, SYS_restart_syscall, SYS_futex };

static bool is_among(long nr, const long *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == nr)
			return true;
	return false;
}

static bool is_listed(long nr)
{
	return is_among(nr, listed, sizeof(listed) / sizeof(*listed));
}

static int enter(void)
{
	const struct kernel_action action = {
		.handler = on_trap, .flags = SA_SIGINFO | 0x04000000 /* SA_RESTORER */, .restorer = restorer,
	};
	struct sock_filter *program;
	struct sock_fprog fprog;
	uint32_t length;

	own_pid = (uint32_t)getpid();
	if (filter_build(SECRET, &program, &length) != 0)
		return 1;
	fprog = (struct sock_fprog){ .len = (unsigned short)length, .filter = program };
	if (syscall(SYS_rt_sigaction, SIGSYS, &action, NULL, 8) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return 2;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) == 0 ? 0 : 3;
}

/* Ends a child that has the filter on. */
static _Noreturn void finish(int code)
{
	for (;;)
		call(SYS_exit_group, (uint64_t)code, 0, 0, 0, 0, SECRET);
}

static int run(int (*body)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int r = enter();

		if (r != 0)
			_exit(r);
		finish(body());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "ended by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

/* uretprobe and uprobe pass every filter (Linux 6.15): outside of a probe's trampoline they raise SIGILL and do nothing. */
static bool is_exempt(long nr)
{
	return nr == 335 || nr == 336;
}

static int all_unlisted_trap(void)
{
	for (long nr = 0; nr < 600; nr++)
		if (!is_listed(nr) && !is_exempt(nr) &&
		    (!trapped(nr, ~0ull, ~0ull, ~0ull, 0) || !trapped(nr, ~0ull, ~0ull, 12, SECRET)))
			return 10;
	return 0;
}

static int listed_trap_without_secret(void)
{
	for (size_t i = 0; i < sizeof(listed) / sizeof(*listed); i++) {
		if (is_among(listed[i], open_calls, sizeof(open_calls) / sizeof(*open_calls)))
			continue;
		if (!trapped(listed[i], ~0ull, ~0ull, ~0ull, 0) || !trapped(listed[i], ~0ull, ~0ull, ~0ull, SECRET + 1) ||
		    !trapped(listed[i], ~0ull, ~0ull, ~0ull, SECRET ^ 1ull << 40) ||
		    !trapped(listed[i], ~0ull, ~0ull, ~0ull, SECRET & 0xffffffff))
			return 11;
	}
	return 0;
}

static int listed_pass_with_secret(void)
{
	char byte;

	if (trapped(SYS_getpid, 0, 0, 0, 0) || trapped(SYS_gettid, 0, 0, 0, 7) || trapped(SYS_sched_yield, 0, 0, 0, 0))
		return 12;
	if (call(SYS_read, ~0ull, (uint64_t)&byte, 1, 0, 0, SECRET) != -EBADF || traps != 0)
		return 13;
	/* The secret is a page-aligned offset as well, which an anonymous mapping ignores. */
	if (call(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, ~0ull, SECRET) < 0 || traps != 0)
		return 14;
	return 0;
}

static int x32_traps(void)
{
	return trapped(0x40000000 | SYS_getpid, 0, 0, 0, 0) && trapped(0x40000000 | SYS_write, 1, 0, 0, SECRET) ? 0 : 15;
}

/* A kernel without 32-bit calls faults instead, which is as good. */
static int foreign_traps(void)
{
	call_32(20);	/* getpid there */
	return traps == 1 ? 0 : 16;
}

static int no_merging(void)
{
	if (!trapped(SYS_madvise, 0, 4096, MADV_MERGEABLE, SECRET) || trapped(SYS_madvise, 0, 4096, MADV_DONTNEED, SECRET))
		return 17;
	return 0;
}

/* A memfd of ordinary pages, and a mapping of it at an offset of its own. */
static int files_in_memory(void)
{
	const uint64_t tag = mosix_map_tag(SECRET), name = (uint64_t)"file";
	const char byte = 'b';
	long fd, at;

	if (!trapped(SYS_memfd_create, name, MFD_CLOEXEC, 0, 0) || !trapped(SYS_memfd_create, name, 0, 0, SECRET) ||
	    !trapped(SYS_memfd_create, name, MFD_CLOEXEC | MFD_HUGETLB, 0, SECRET) ||
	    !trapped(SYS_memfd_create, name, 1ull << 32 | MFD_CLOEXEC, 0, SECRET))
		return 27;
	traps = 0;
	fd = call(SYS_memfd_create, name, MFD_CLOEXEC, 0, 0, 0, SECRET);
	if (fd < 0 || call(SYS_ftruncate, (uint64_t)fd, 8192, 0, 0, 0, SECRET) != 0 ||
	    call(SYS_pwrite64, (uint64_t)fd, (uint64_t)&byte, 1, 5000, 0, SECRET) != 1 || traps != 0)
		return 28;
	at = call(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, (uint64_t)fd | tag, 4096);
	if (at < 0 || ((const char *)at)[904] != byte || traps != 0)
		return 29;
	call(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, (uint64_t)fd, 4096);
	call(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, (uint64_t)fd | 0xffffffffull << 32, 4096);
	call(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, (uint64_t)fd | (tag ^ 1ull << 32), 4096);
	return traps == 3 ? 0 : 30;
}

static int one_ioctl(void)
{
	const uint64_t scan = 0xc0606610;

	if (trapped(SYS_ioctl, ~0ull, scan, 0, SECRET))
		return 19;
	return trapped(SYS_ioctl, ~0ull, scan, 0, 0) && trapped(SYS_ioctl, ~0ull, scan + 1, 0, SECRET) &&
	       trapped(SYS_ioctl, ~0ull, scan | 1ull << 32, 0, SECRET) ? 0 : 20;
}

/* Also to others of its home: the doorbell rings, nothing else. */
static int only_the_doorbell(void)
{
	if (trapped(SYS_tgkill, own_pid, own_pid, 0, SECRET) || !trapped(SYS_tgkill, own_pid, own_pid, 0, 0))
		return 24;
	if (trapped(SYS_tgkill, own_pid, own_pid + 1, SIGURG, SECRET))
		return 24;
	for (int signo = 1; signo <= 64; signo++)
		if (signo != SIGURG && !trapped(SYS_tgkill, own_pid, own_pid, (uint64_t)signo, SECRET))
			return 25;
	return trapped(SYS_tgkill, own_pid, own_pid, 1ull << 32 | SIGURG, SECRET) && trapped(SYS_tkill, own_pid, 0, 0, SECRET) &&
	       trapped(SYS_kill, own_pid, 0, 0, SECRET) ? 0 : 25;
}

/* What the kernel makes of a futex wait with a time-out that SIGSTOP has hit: not the program's doing, so it must not trap. */
static int restart_passes(void)
{
	return trapped(SYS_restart_syscall, 0, 0, 0, 0) || call(SYS_restart_syscall, 0, 0, 0, 0, 0, 0) != -EINTR ? 26 : 0;
}

START_TEST(signals_reach_own_threads) { ck_assert_int_eq(run(only_the_doorbell), 0); } END_TEST
START_TEST(restart_needs_no_secret) { ck_assert_int_eq(run(restart_passes), 0); } END_TEST
START_TEST(unlisted_calls_trap) { ck_assert_int_eq(run(all_unlisted_trap), 0); } END_TEST
START_TEST(listed_calls_want_the_secret) { ck_assert_int_eq(run(listed_trap_without_secret), 0); } END_TEST
START_TEST(listed_calls_pass_with_it) { ck_assert_int_eq(run(listed_pass_with_secret), 0); } END_TEST
START_TEST(x32_calls_trap) { ck_assert_int_eq(run(x32_traps), 0); } END_TEST
START_TEST(memory_is_not_merged) { ck_assert_int_eq(run(no_merging), 0); } END_TEST

START_TEST(memfds_are_mapped) { ck_assert_int_eq(run(files_in_memory), 0); } END_TEST

START_TEST(one_ioctl_passes) { ck_assert_int_eq(run(one_ioctl), 0); } END_TEST

START_TEST(foreign_calls_trap)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		finish(enter() == 0 ? foreign_traps() : 18);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert((WIFEXITED(status) && WEXITSTATUS(status) == 0) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV));
}
END_TEST

START_TEST(bad_secrets_are_refused)
{
	struct sock_filter *program;
	uint32_t length;

	ck_assert_int_eq(filter_build(0, &program, &length), -EINVAL);
	ck_assert_int_eq(filter_build(0x1001, &program, &length), -EINVAL);
	ck_assert_int_eq(filter_build(1ull << 47, &program, &length), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("filter");
	TCase *tcase = tcase_create("filter");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, unlisted_calls_trap);
	tcase_add_test(tcase, listed_calls_want_the_secret);
	tcase_add_test(tcase, listed_calls_pass_with_it);
	tcase_add_test(tcase, x32_calls_trap);
	tcase_add_test(tcase, foreign_calls_trap);
	tcase_add_test(tcase, memory_is_not_merged);
	tcase_add_test(tcase, memfds_are_mapped);
	tcase_add_test(tcase, one_ioctl_passes);
	tcase_add_test(tcase, bad_secrets_are_refused);
	tcase_add_test(tcase, signals_reach_own_threads);
	tcase_add_test(tcase, restart_needs_no_secret);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
