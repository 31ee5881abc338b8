/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rows_memory: what a guest's own kernel serves: memory, the thread's own areas, futexes; and threads and stacks. See rows.h. */
#include "rows.h"

#include <asm/prctl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/wait.h>

#define KERNEL (long)0xffffffff81000000
#define PAGES  16

static const struct timespec moment = { 0, 3000000 }, negative = { -1, 0 };
static long base; /* a mapping of PAGES pages, made anew before each call; its first byte is 'x', the second page's 'y' */

static void base_make(void)
{
	if (base == 0)
		base = (long)mmap((void *)(1L << 44), 2 * PAGES * PAGE, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	mmap((void *)base, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	munmap((void *)(base + PAGES * PAGE), PAGES * PAGE);
	*(char *)base = 'x';
	*(char *)(base + PAGE) = 'y';
}

static void say_place(long result)
{
	if (result < 0 && result > -4096)
		say_result(result, false);
	else if (result >= base && result < base + 2 * PAGES * PAGE)
		say("base+%#lx", result - base);
	else
		say("%s", result == 0 ? "0" : result % PAGE == 0 ? "a page" : "a place");
}

/* What is readable of the first four pages and where the call put something, and what stands there: asked of the kernel, not touched. */
static void say_memory(long result)
{
	int fd[2];
	char byte;

	if (pipe(fd) != 0)
		exit(3);
	for (int i = 0; i < 5; i++) {
		long at = i < 4 ? base + i * PAGE : result;

		if (i == 4 && (result < PAGE || result % PAGE != 0))
			break;
		if (write(fd[1], (void *)at, 1) == 1 && read(fd[0], &byte, 1) == 1)
			say(" %02x", byte);
		else
			say(" --");
	}
	say("\n");
	close(fd[0]);
	close(fd[1]);
}

static void one(const char *name, long nr, const long arg[6], const char *what)
{
	long result;

	base_make();
	row_ready();
	result = raw6(nr, arg);
	say("%s: %s = ", name, what);
	say_place(result);
	say_memory(result);
	if (nr == NR_mmap && result > 0 && (result < base || result >= base + 2 * PAGES * PAGE))
		munmap((void *)result, (size_t)arg[1]);
}

struct way {
	const char *what;
	long arg[6];
};

static void ways(const char *name, long nr, const struct way *way, size_t count)
{
	for (size_t i = 0; i < count; i++)
		one(name, nr, way[i].arg, way[i].what);
}

#define WAYS(call, ...)                                                       \
	do {                                                                  \
		const struct way list[] = { __VA_ARGS__ };                    \
		ways(#call, NR_##call, list, sizeof(list) / sizeof(list[0])); \
	} while (0)

static void mapping(void)
{
	enum { PLAIN = MAP_PRIVATE | MAP_ANONYMOUS, RW = PROT_READ | PROT_WRITE };

	base_make();
	WAYS(mmap, { "somewhere", { 0, PAGE, RW, PLAIN, -1, 0 } }, { "many pages", { 0, 100 * PAGE, RW, PLAIN, -1, 0 } },
	     { "one byte", { 0, 1, RW, PLAIN, -1, 0 } }, { "length 0", { 0, 0, RW, PLAIN, -1, 0 } },
	     { "length -1", { 0, -1, RW, PLAIN, -1, 0 } }, { "half of all", { 0, LONG_MAX, RW, PLAIN, -1, 0 } },
	     { "too much", { 0, 1L << 46, RW, PLAIN, -1, 0 } }, { "fixed", { base + PAGE, PAGE, RW, PLAIN | MAP_FIXED, -1, 0 } },
	     { "fixed and odd", { base + 1, PAGE, RW, PLAIN | MAP_FIXED, -1, 0 } },
	     { "a hint", { base + PAGES * PAGE, PAGE, RW, PLAIN, -1, 0 } },
	     { "fixed beyond", { 1L << 47, PAGE, RW, PLAIN | MAP_FIXED, -1, 0 } },
	     { "fixed in the kernel", { KERNEL, PAGE, RW, PLAIN | MAP_FIXED, -1, 0 } },
	     { "fixed at 0", { 0, PAGE, RW, PLAIN | MAP_FIXED, -1, 0 } },
	     { "where something is", { base, PAGE, RW, PLAIN | MAP_FIXED_NOREPLACE, -1, 0 } },
	     { "where nothing is", { base + PAGES * PAGE, PAGE, RW, PLAIN | MAP_FIXED_NOREPLACE, -1, 0 } },
	     { "not accessible", { 0, PAGE, PROT_NONE, PLAIN, -1, 0 } },
	     { "executable", { 0, PAGE, PROT_READ | PROT_EXEC, PLAIN, -1, 0 } },
	     { "protection -1", { 0, PAGE, -1, PLAIN, -1, 0 } },
	     { "neither shared nor private", { 0, PAGE, RW, MAP_ANONYMOUS, -1, 0 } },
	     { "offset", { 0, PAGE, RW, PLAIN, -1, PAGE } }, { "odd offset", { 0, PAGE, RW, PLAIN, -1, 1 } },
	     { "a file", { 0, PAGE, PROT_READ, MAP_PRIVATE, D_DATA, 0 } },
	     { "a file, odd offset", { 0, PAGE, PROT_READ, MAP_PRIVATE, D_DATA, 5 } },
	     { "a closed file", { 0, PAGE, PROT_READ, MAP_PRIVATE, D_CLOSED, 0 } },
	     { "a pipe", { 0, PAGE, PROT_READ, MAP_PRIVATE, D_PIPE_R, 0 } },
	     { "beyond a file", { 0, PAGE, PROT_READ, MAP_PRIVATE, D_DATA, 1 << 20 } },
	     { "a file to read", { 0, PAGE, PROT_READ, MAP_PRIVATE, D_READ, 0 } },
	     { "a file to write to", { 0, PAGE, PROT_READ, MAP_PRIVATE, D_WRITE, 0 } },
	     { "a directory", { 0, PAGE, PROT_READ, MAP_PRIVATE, D_DIR, 0 } },
	     { "a path", { 0, PAGE, PROT_READ, MAP_PRIVATE, D_PATH, 0 } },
	     { "a device", { 0, PAGE, PROT_READ, MAP_PRIVATE, D_ZERO, 0 } },
	     { "a descriptor out of range", { 0, PAGE, PROT_READ, MAP_PRIVATE, -5, 0 } },
	     { "a file, length 0", { 0, 0, PROT_READ, MAP_PRIVATE, D_READ, 0 } },
	     { "a closed file, length 0", { 0, 0, PROT_READ, MAP_PRIVATE, D_CLOSED, 0 } },
	     { "a file, length -1", { 0, -1, PROT_READ, MAP_PRIVATE, D_READ, 0 } },
	     { "a file, fixed", { base + PAGE, PAGE, RW, MAP_PRIVATE | MAP_FIXED, D_READ, 0 } },
	     { "a file, fixed over all", { base, PAGES * PAGE, RW, MAP_PRIVATE | MAP_FIXED, D_READ, 0 } },
	     { "a file, fixed and odd", { base + 1, PAGE, RW, MAP_PRIVATE | MAP_FIXED, D_READ, 0 } },
	     { "a file, fixed beyond", { 1L << 47, PAGE, RW, MAP_PRIVATE | MAP_FIXED, D_READ, 0 } },
	     { "a file, fixed in the kernel", { KERNEL, PAGE, RW, MAP_PRIVATE | MAP_FIXED, D_READ, 0 } },
	     { "a file, fixed at 0", { 0, PAGE, RW, MAP_PRIVATE | MAP_FIXED, D_READ, 0 } },
	     { "a file, fixed, length -1", { base, -1, RW, MAP_PRIVATE | MAP_FIXED, D_READ, 0 } },
	     { "a file, a hint", { base + PAGES * PAGE, PAGE, RW, MAP_PRIVATE, D_READ, 0 } },
	     { "a file where something is", { base, PAGE, RW, MAP_PRIVATE | MAP_FIXED_NOREPLACE, D_READ, 0 } },
	     { "a closed file where something is", { base, PAGE, RW, MAP_PRIVATE | MAP_FIXED_NOREPLACE, D_CLOSED, 0 } },
	     { "a file where nothing is", { base + PAGES * PAGE, PAGE, RW, MAP_PRIVATE | MAP_FIXED_NOREPLACE, D_READ, 0 } },
	     { "a file below 2 GB", { 0, PAGE, PROT_READ, MAP_PRIVATE | MAP_32BIT, D_READ, 0 } },
	     { "a file as code", { 0, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_DENYWRITE, D_READ, 0 } },
	     { "a file, offset at the end", { 0, PAGE, PROT_READ, MAP_PRIVATE, D_READ, 1L << 40 } },
	     { "a file, offset too large", { 0, PAGE, PROT_READ, MAP_PRIVATE, D_READ, -PAGE } },
	     { "a file, protection -1", { 0, PAGE, -1, MAP_PRIVATE, D_READ, 0 } },
	     { "a file, odd flags", { 0, PAGE, PROT_READ, MAP_PRIVATE | 0x40000000, D_READ, 0 } },
	     { "a file, grows down", { 0, PAGE, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, D_READ, 0 } },
	     { "a file, locked", { 0, PAGE, PROT_READ, MAP_PRIVATE | MAP_LOCKED, D_READ, 0 } },
	     { "a file, populated", { 0, PAGE, PROT_READ, MAP_PRIVATE | MAP_POPULATE, D_READ, 0 } },
	     { "a shared file", { 0, PAGE, PROT_READ, MAP_SHARED, D_READ, 0 } },
	     { "populated", { 0, PAGE, RW, PLAIN | MAP_POPULATE, -1, 0 } },
	     { "stack", { 0, PAGE, RW, PLAIN | MAP_STACK | MAP_NORESERVE, -1, 0 } },
	     { "below 2 GB", { 0, PAGE, RW, PLAIN | MAP_32BIT, -1, 0 } },
	     { "shared", { 0, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0 } },
	     { "huge pages", { 0, PAGE, RW, PLAIN | MAP_HUGETLB | 63 << 26, -1, 0 } });
	WAYS(mprotect, { "read-only", { base, PAGE, PROT_READ } }, { "none", { base + PAGE, PAGE, PROT_NONE } },
	     { "odd", { base + 1, PAGE, PROT_READ } }, { "length 0", { base, 0, PROT_READ } },
	     { "one byte", { base, 1, PROT_NONE } }, { "into nothing", { base, 2 * PAGES * PAGE, PROT_READ } },
	     { "nowhere", { nowhere, PAGE, PROT_READ } }, { "kernel", { KERNEL, PAGE, PROT_READ } },
	     { "length -1", { base, -1, PROT_READ } }, { "bad protection", { base, PAGE, 0x40 } },
	     { "grows both ways", { base, PAGE, PROT_READ | 0x03000000 } }, { "NULL", { 0, PAGE, PROT_READ } });
	WAYS(munmap, { "one page", { base, PAGE } }, { "the second", { base + PAGE, PAGE } }, { "odd", { base + 1, PAGE } },
	     { "length 0", { base, 0 } }, { "one byte", { base, 1 } }, { "nothing there", { nowhere, PAGE } },
	     { "kernel", { KERNEL, PAGE } }, { "length -1", { base, -1 } }, { "NULL", { 0, PAGE } },
	     { "more than there is", { base + PAGE, (2 * PAGES - 1) * PAGE } });
	WAYS(mremap, { "shrunk", { base, 2 * PAGE, PAGE, 0 } },
	     { "grown into nothing", { base, PAGES * PAGE, (PAGES + 2) * PAGE, 0 } },
	     { "grown into something", { base, PAGE, 2 * PAGE, 0 } },
	     { "grown, may move", { base, PAGE, 3 * PAGE, MREMAP_MAYMOVE } },
	     { "moved", { base, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + PAGES * PAGE } },
	     { "moved upon itself", { base, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + PAGE } },
	     { "moved to an odd place", { base, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 5 } },
	     { "fixed, may not move", { base, PAGE, PAGE, MREMAP_FIXED, base + PAGES * PAGE } },
	     { "odd", { base + 1, PAGE, PAGE, 0 } }, { "to length 0", { base, PAGE, 0, 0 } },
	     { "from length 0", { base, 0, PAGE, MREMAP_MAYMOVE } }, { "nothing there", { nowhere, PAGE, PAGE, 0 } },
	     { "kernel", { KERNEL, PAGE, PAGE, 0 } },
	     { "too long", { base, 2 * PAGES * PAGE, PAGES * 3 * PAGE, MREMAP_MAYMOVE } },
	     { "left behind", { base, PAGE, PAGE, MREMAP_MAYMOVE | 4 } }, { "bad flags", { base, PAGE, PAGE, 0x10 } });
	static const int advices[] = { 0,  1,  2,  3,  4,  5,  8,  9,  10, 11,  12,  13,  14,  15, 16,
				       17, 18, 19, 20, 21, 22, 23, 24, 25, 100, 101, 102, 103, -1 };
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		char what[40];

		if (advices[i] == 100 || advices[i] == 101)
			continue; /* poisons pages, if root asks for it */
		snprintf(what, sizeof(what), "advice %d", advices[i]);
		one("madvise", NR_madvise, (const long[6]){ base + PAGE, PAGE, advices[i] }, what);
		one("madvise", NR_madvise, (const long[6]){ base + 1, PAGE, advices[i] }, "odd");
		one("madvise", NR_madvise, (const long[6]){ base, 0, advices[i] }, "length 0");
		one("madvise", NR_madvise, (const long[6]){ nowhere, PAGE, advices[i] }, "nowhere");
		one("madvise", NR_madvise, (const long[6]){ base, -1, advices[i] }, "length -1");
	}
}

static void breaking(void)
{
	long now = RAW(NR_brk, 0);
	const struct {
		const char *what;
		long to;
	} to[] = {
		{ "asked", 0 },       { "a page more", now + PAGE },   { "some bytes more", now + 5000 },
		{ "as before", now }, { "far below", 4096 },           { "kernel", KERNEL },
		{ "-1", -1 },         { "too far", now + (1L << 45) },
	};

	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		row_ready();
		line("brk", RAW(NR_brk, to[i].to) - now, "%s", to[i].what);
	}
	RAW(NR_brk, now);
}

static void residence(void)
{
	ROW(mincore, { V(base, base + 1, nowhere, KERNEL, 0), LEN(2 * PAGE), OUT(2) }, 0, base_make, { { 2, 0, 2 } });
}

static void own_areas(void)
{
	const struct {
		long sp;
		int flags, zero;
		size_t size;
	} stack = { 0x10000000, 0, 0, 8192 }, small = { 0x10000000, 0, 0, 2047 }, smallest = { 0x10000000, 0, 0, 2048 },
	  odd = { 0x10000000, 4, 0, 8192 }, disarm = { 0x10000000, 1 << 31, 0, 8192 }, off = { 0, 2, 0, 0 },
	  none = { 0, 0, 0, 0 }, on = { 0x10000000, 1, 0, 8192 };

	ROW(sigaltstack, { IN(&stack, 24), OUT(24) });
	GOOD(sigaltstack, { IN(&small, 24), OUT(24) });
	GOOD(sigaltstack, { IN(&smallest, 24), OUT(24) });
	GOOD(sigaltstack, { IN(&odd, 24), OUT(24) });
	GOOD(sigaltstack, { IN(&disarm, 24), OUT(24) });
	GOOD(sigaltstack, { IN(&none, 24), OUT(24) });
	GOOD(sigaltstack, { IN(&on, 24), OUT(24) });
	GOOD(sigaltstack, { IN(&off, 24), OUT(24) });
	GOOD(sigaltstack, { V(0), OUT(24) });
	ROW(get_robust_list, { V(0, 0x7ffffff, -1), OUT(8), OUT(8) }, .hide = { { 1, 0, 8 } });
	long list = 0;
	size_t size;
	syscall(SYS_get_robust_list, 0, &list, &size);
	ROW(set_robust_list, { V(list, 0, nowhere), V(24, 0, 23, 25, -1) });
	GOOD(set_robust_list, { V(list), V(24) });
	ROW(set_tid_address, { V(nowhere, 0, KERNEL, nowhere) }, HIDES);
	ROW(rseq, { OUT(32), V(32, 0, 31, 33, -1), V(0, 1, 2, -1), V(0x53053053, 0) });
	COMMAND(arch_prctl, ARCH_GET_FS, { V(ARCH_GET_FS), OUT(8) }, .hide = { { 1, 0, 8 } });
	long fs = 0;
	syscall(SYS_arch_prctl, ARCH_GET_FS, &fs);
	COMMAND(arch_prctl, ARCH_SET_FS, { V(ARCH_SET_FS), V(fs, -1, KERNEL, LONG_MIN) });
	COMMAND(membarrier, MEMBARRIER_CMD_QUERY, { V(0), V(0, 1, -1), V(0, 1) });
}

static void futexes(void)
{
	const int five = 5;

	COMMAND(futex, FUTEX_WAIT,
		{ IN(&five, 4), V(FUTEX_WAIT, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, FUTEX_WAIT | FUTEX_CLOCK_REALTIME),
		  V(5, 6, 1L << 32 | 5), IN(&moment, 16) },
		BLOCKS);
	row(&(struct row){ "futex FUTEX_WAIT", NR_futex, { IN(&five, 4), V(FUTEX_WAIT), V(5), IN(&negative, 16) }, GOOD_ONLY });
	COMMAND(futex, FUTEX_WAIT_BITSET, { IN(&five, 4), V(FUTEX_WAIT_BITSET), V(5, 6), IN(&moment, 16), V(0), V(-1, 0, 1) },
		BLOCKS);
	COMMAND(futex, FUTEX_WAKE, { IN(&five, 4), V(FUTEX_WAKE, FUTEX_WAKE | FUTEX_PRIVATE_FLAG), V(1, 0, -1) });
	COMMAND(futex, FUTEX_WAKE_BITSET, { IN(&five, 4), V(FUTEX_WAKE_BITSET), V(1, 0, -1), V(0), V(0), V(-1, 0) });
}

static int ended;

static int thread(void *argument)
{
	*(int *)argument += 1;
	syscall(SYS_exit, 0);
	return 0;
}

static void *library_thread(void *argument)
{
	*(int *)argument += 1;
	return NULL;
}

/* By the library, which keeps the address that both return to where the child cannot overwrite it. */
static long share(void)
{
	pid_t parent = getpid(), child = vfork();

	if (child == 0)
		_exit(getppid() == parent ? 9 : 1);
	return child;
}

static void threads(void)
{
	/* nothing here may succeed: there would be two of this program */
	const uint64_t no_flags_known[11] = { CLONE_THREAD, 0, 0, 0, SIGCHLD }, bad_signal[11] = { 0, 0, 0, 0, 0x1000 },
		       no_stack_size[11] = { 0, 0, 0, 0, SIGCHLD, nowhere, 0 };
	enum { FLAGS = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID };
	static char stack[65536] __attribute__((aligned(16)));
	int count = 0;
	pthread_t t;

	ROW(clone, { V(CLONE_THREAD, CLONE_SIGHAND, CLONE_FS | CLONE_NEWNS, CLONE_THREAD | CLONE_SIGHAND,
		       CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_THREAD),
		     V(0, nowhere), OUT(4), OUT(4), V(0) });
	ROW(clone3, { IN(no_flags_known, 88), LEN(88) });
	GOOD(clone3, { IN(no_flags_known, 64), V(64) });
	GOOD(clone3, { IN(bad_signal, 88), V(88) });
	GOOD(clone3, { IN(no_stack_size, 88), V(88) });
	row_ready();
	ended = 1;
	long result = clone(thread, stack + sizeof(stack), FLAGS, &count, NULL, NULL, &ended);
	while (__atomic_load_n(&ended, __ATOMIC_ACQUIRE) != 0)
		RAW(NR_futex, (long)&ended, FUTEX_WAIT, 1, 0);
	line("clone", result > 0 ? 0 : result, "a thread, counted to %d", count);
	row_ready();
	result = pthread_create(&t, NULL, library_thread, &count);
	pthread_join(t, NULL);
	line("clone3", -result, "the library's thread, counted to %d", count);
	row_ready();
	pid_t parent = getpid();
	result = RAW(NR_fork, 0, 0, 0, 0);
	if (result == 0)
		RAW(NR_exit_group, getppid() == parent && getpid() != parent ? 9 : 1, 0, 0, 0);
	int status = 0;
	long waited = RAW(NR_wait4, result, (long)&status, 0, 0);
	line("fork", result > 0 ? 0 : result, "waited for %d, ended with %x", waited == result, status);
	row_ready();
	result = share();
	waited = RAW(NR_wait4, result, (long)&status, 0, 0);
	line("vfork", result > 0 ? 0 : result, "waited for %d, ended with %x", waited == result, status);
}

static sigjmp_buf back;
static volatile siginfo_t fault;
static volatile int handled;

static void on_fault(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	fault = *info;
	siglongjmp(back, 1);
}

static void on_user(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)info;
	handled += signo;
	sigaddset(&uc->uc_sigmask, SIGUSR2); /* in force when it has returned */
}

/* rt_sigreturn takes its frame from the stack. */
static void return_from(long stack, const char *what)
{
	row_ready();
	if (sigsetjmp(back, 1) == 0)
		__asm__ volatile("mov %0, %%rsp\n\tmov $15, %%eax\n\tsyscall\n\tud2" ::"r"(stack) : "rax", "memory");
	say("rt_sigreturn: %s = signal %d, code %d, at %lx\n", what, fault.si_signo, fault.si_code, (long)fault.si_addr);
}

static void returning(void)
{
	static char altstack[65536];
	const stack_t stack = { .ss_sp = altstack, .ss_size = sizeof(altstack) };
	struct sigaction on = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK },
			 user = { .sa_sigaction = on_user, .sa_flags = SA_SIGINFO };
	sigset_t mask;

	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &on, NULL);
	sigaction(SIGUSR1, &user, NULL);
	row_ready();
	RAW(NR_kill, own_pid, SIGUSR1);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	line("rt_sigreturn", 0, "handled %d, blocked %d %d", handled, sigismember(&mask, SIGUSR1), sigismember(&mask, SIGUSR2));
	return_from(nowhere, "from nowhere");
	return_from(KERNEL, "from the kernel");
	return_from(8, "from 8");
	memset(area[0], 0, AREA);
	return_from((long)area[0] + MIDDLE, "from a frame of zeros");
	return_from((long)area[0] + AREA - 64, "from less than a frame");
}

int main(void)
{
	rows_begin();
	mapping();
	breaking();
	residence();
	own_areas();
	futexes();
	threads();
	returning();
	rows_end_by("exit", NR_exit, 0x1239);
}
