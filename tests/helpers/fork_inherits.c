/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a child has of its parent and what not, fork(2): memory, registers, descriptors, locks, signals, timers, clocks, handlers,
 * buffers. Both compute and change what is theirs meanwhile. One list, a function for each thing on it: long.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <fenv.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>

#include "fork.h"

enum { SHORT = 20, STATIC = 3 << 20, HEAP = 2 << 20, PAGE = 4096, TURNS = 100 };

static uint64_t filled[STATIC / 8];

static uint64_t digest(const void *memory, size_t size)
{
	const uint64_t *word = memory;
	uint64_t sum = 14695981039346656037u;
	for (size_t i = 0; i < size / 8; i++)
		sum = (sum ^ word[i]) * UINT64_C(1099511628211);
	return sum;
}

static void fill(void *memory, size_t size, uint64_t seed, size_t stride)
{
	uint64_t *word = memory;
	for (size_t i = 0; i < size / 8; i += stride)
		word[i] = seed = check_work(seed, 1);
}

/* Whether the kernel can read there: a fault is an errno. */
static int can_read(const void *memory, int pipe_end)
{
	return write(pipe_end, memory, 1) == 1 ? 0 : errno;
}

/* ---- memory ---- */

static void of_a_descendant(uint64_t *heap, uint64_t *mapped, int depth)
{
	uint64_t on_stack[1024], before[] = { digest(filled, STATIC), digest(heap, HEAP), digest(mapped, HEAP) };
	fill(on_stack, sizeof on_stack, (uint64_t)depth, 1);
	uint64_t stack = digest(on_stack, sizeof on_stack);
	pid_t child = fork_start();
	if (child == 0) {
		check(digest(filled, STATIC) == before[0] && digest(heap, HEAP) == before[1] && digest(mapped, HEAP) == before[2] &&
		      digest(on_stack, sizeof on_stack) == stack, "memory as it was at the fork, %d", depth);
		fill(filled, STATIC, (uint64_t)depth + 5, 37);
		fill(heap, HEAP, (uint64_t)depth + 6, 513);
		fill(on_stack, sizeof on_stack, 3, 2);
		uint64_t now = digest(filled, STATIC), now_heap = digest(heap, HEAP);
		if (depth < 3)
			of_a_descendant(heap, mapped, depth + 1);
		check_compute(SHORT);
		check(digest(filled, STATIC) == now && digest(heap, HEAP) == now_heap, "the child's changes, %d", depth);
		fork_end(depth);
	}
	fill(mapped, HEAP, (uint64_t)depth, 101);
	fill(on_stack, sizeof on_stack, 4, 3);
	uint64_t now = digest(mapped, HEAP);
	stack = digest(on_stack, sizeof on_stack);
	check_compute(SHORT);
	fork_expect(child, fork_code(depth), "copies of memory");
	check(digest(mapped, HEAP) == now && digest(on_stack, sizeof on_stack) == stack, "the parent's changes, %d", depth);
	check(digest(filled, STATIC) == before[0] && digest(heap, HEAP) == before[1], "memory of the parent, %d", depth);
}

static void kinds_of_memory(void)
{
	int line[2];
	char *page = mmap(NULL, 6 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int file = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);
	check(page != MAP_FAILED && file >= 0 && pipe(line) == 0, "memory");
	memset(page, 'm', 6 * PAGE);
	mprotect(page, PAGE, PROT_READ);
	mprotect(page + PAGE, PAGE, PROT_NONE);
	mprotect(page + 2 * PAGE, PAGE, PROT_READ | PROT_EXEC);
	madvise(page + 3 * PAGE, PAGE, MADV_DONTNEED);
	fork_write(file, page, 100);
	ftruncate(file, PAGE);
	char *mapped = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	mapped[1] = 'p';
	munmap(page + 4 * PAGE, PAGE);
	for (int round = 0; round < 3; round++) {
		check_compute(2 * SHORT);
		pid_t child = fork_start();
		if (child == 0) {
			int answers[8] = { can_read(page, line[1]) };
			for (int i = 1; i < 6; i++)
				answers[i] = can_read(page + i * PAGE, line[1]);
			answers[6] = answers[3] == 0 ? page[3 * PAGE + 7] : -1;
			answers[7] = mapped[0] == 'm' && mapped[1] == 'p' && page[5 * PAGE] == 'm';
			mapped[2] = 'c';
			page[5 * PAGE] = 'c';
			FILE *out = fopen("kinds", "we");
			for (int i = 0; i < 8; i++)
				fprintf(out, " %d", answers[i]);
			fclose(out);
			fork_end(0);
		}
		fork_expect(child, 0, "kinds of memory");
		check(mapped[2] == 'm' && page[5 * PAGE] == 'm' && page[2 * PAGE] == 'm' && page[3 * PAGE] == 0, "the parent's pages");
		char text[128] = "";
		FILE *in = fopen("kinds", "re");
		check(in != NULL && fgets(text, sizeof text, in) != NULL, "the child's answers");
		fclose(in);
		printf("kinds of memory:%s\n", text);
	}
	close(line[0]);
	close(line[1]);
	close(file);
	munmap(mapped, PAGE);
}

static void memory(void)
{
	uint64_t *heap = malloc(HEAP);
	uint64_t *mapped = mmap(NULL, HEAP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fill(filled, STATIC, 1, 1);
	fill(heap, HEAP, 2, 1);
	fill(mapped, HEAP, 3, 1);
	for (int round = 0; round < 3; round++)
		of_a_descendant(heap, mapped, 1);
	printf("memory: %016llx %016llx\n", (unsigned long long)digest(filled, STATIC), (unsigned long long)digest(mapped, HEAP));

	/* Its break and its mappings are its own. */
	char *end = sbrk(0), *where = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(where, PAGE);
	pid_t child = fork_start();
	if (child == 0) {
		check(sbrk(0) == end && sbrk(5 * PAGE) == end && sbrk(0) == end + 5 * PAGE, "the child's break");
		memset(end, 'c', 5 * PAGE);
		char *mine = mmap(where, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(mine, 'c', 16 * PAGE);
		munmap(mapped, HEAP);
		check_compute(2 * SHORT);
		check(end[PAGE] == 'c' && mine[15 * PAGE] == 'c', "the child's memory");
		fork_end(0);
	}
	check(sbrk(0) == end && sbrk(2 * PAGE) == end, "the parent's break");
	memset(end, 'p', 2 * PAGE);
	check_compute(SHORT);
	fork_expect(child, 0, "break and mappings");
	check(sbrk(0) == end + 2 * PAGE && end[PAGE] == 'p' && sbrk(-2 * PAGE) == end + 2 * PAGE, "the break after the child's");
	check(mapped[0] != 0, "what the child has unmapped");
	munmap(mapped, HEAP);
	free(heap);
}

/* ---- registers ---- */

struct registers { uint64_t general[6]; double vector[4][2]; uint32_t mxcsr; };

/* fork(2) with values in registers that a system call keeps, and what they are afterwards. */
static __attribute__((noinline)) long fork_with_registers(struct registers *r)
{
	register long result __asm__("rax") = SYS_fork;
	register uint64_t r12 __asm__("r12") = r->general[0], r13 __asm__("r13") = r->general[1], r14 __asm__("r14") = r->general[2];
	register uint64_t r8 __asm__("r8") = r->general[3], r10 __asm__("r10") = r->general[4], rdx __asm__("rdx") = r->general[5];
	register struct registers *p __asm__("rbx") = r;
	__asm__ volatile("movupd 48(%%rbx), %%xmm1\n\tmovupd 64(%%rbx), %%xmm7\n\tmovupd 80(%%rbx), %%xmm8\n\tmovupd 96(%%rbx), %%xmm15\n\t"
			 "syscall\n\t"
			 "movupd %%xmm1, 48(%%rbx)\n\tmovupd %%xmm7, 64(%%rbx)\n\tmovupd %%xmm8, 80(%%rbx)\n\tmovupd %%xmm15, 96(%%rbx)\n\t"
			 "stmxcsr 112(%%rbx)"
			 : "+r"(result), "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r8), "+r"(r10), "+r"(rdx)
			 : "r"(p)
			 : "rcx", "r11", "memory", "xmm1", "xmm7", "xmm8", "xmm15");
	uint64_t general[] = { r12, r13, r14, r8, r10, rdx };
	memcpy(r->general, general, sizeof general);
	return result;
}

static void registers(void)
{
	int rounding[] = { FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO };
	for (int i = 0; i < 3; i++) {
		struct registers r = { .general = { 12, 13, 14, 8, 10, 2 }, .vector = { { 1, 2 }, { 3, 4 }, { 5, 6 }, { 7, 8 } } };
		struct registers before = r;
		check_compute(SHORT);
		fesetround(rounding[i]);
		volatile double one = 1, three = 3;
		double third = one / three;
		fflush(stdout);
		pid_t child = (pid_t)fork_with_registers(&r);
		bool same = memcmp(&r, &before, offsetof(struct registers, mxcsr)) == 0;
		bool rounds = fegetround() == rounding[i] && one / three == third;
		fesetround(FE_TONEAREST);
		check(same, "registers of %s", child ? "the parent" : "the child");
		check(rounds, "rounding of %s", child ? "the parent" : "the child");
		if (child == 0)
			fork_end(3);
		fork_expect(child, fork_code(3), "registers");
	}
	puts("registers");
}

/* ---- descriptors ---- */

static void offsets(void)
{
	char text[400] = "", flags[64];
	int line[2], fd = open("shared", O_RDWR | O_CREAT | O_TRUNC, 0600), appending = open("shared", O_WRONLY | O_APPEND);
	check(fd >= 0 && appending >= 0 && pipe(line) == 0, "open");
	fork_write(fd, "parent ", 7);
	for (int i = 0; i < 5; i++) {
		pid_t child = fork_start();
		if (child == 0) {
			fork_write(fd, "child ", 6);
			check_compute(SHORT);
			int own = dup(fd);
			fork_write(own, "dup ", 4);
			fork_write(appending, "append ", 7);
			lseek(fd, 1, SEEK_CUR);
			fcntl(fd, F_SETFD, FD_CLOEXEC);
			fcntl(fd, F_SETFL, O_NONBLOCK);
			close(appending);
			fork_end(lseek(own, 0, SEEK_CUR) & 127);
		}
		int status;
		fork_wait(child, &status, 0);
		check((lseek(fd, 0, SEEK_CUR) & 127) == WEXITSTATUS(status), "the offset");
		lseek(fd, 0, SEEK_END);
		fork_write(appending, "end ", 4);
		lseek(fd, 0, SEEK_END);
		fork_write(fd, "parent ", 7);
	}
	snprintf(flags, sizeof flags, "%d %d", fcntl(fd, F_GETFD), (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	pread(fd, text, sizeof text - 1, 0);
	printf("offsets: %s, flags %s\n%s\n", fcntl(appending, F_GETFD) == 0 ? "open" : "closed", flags, text);
	close(fd);
	close(appending);
	close(line[0]);
	close(line[1]);
}

/* No number is free, which is nothing to fork(2). */
static void full_table(void)
{
	struct rlimit before, few;
	int highest = 0;
	getrlimit(RLIMIT_NOFILE, &before);
	few = (struct rlimit){ 40, before.rlim_max };
	setrlimit(RLIMIT_NOFILE, &few);
	for (int fd; (fd = dup(0)) >= 0;)
		highest = fd;
	for (int round = 0; round < 3; round++) {
		check_compute(SHORT);
		pid_t child = fork_start();
		if (child == 0) {
			check(dup(0) < 0 && errno == EMFILE, "a free number");
			check_compute(SHORT);
			close(20);
			check(dup(0) == 20 && dup(0) < 0, "another number than the one that is free");
			fork_end(highest);
		}
		fork_expect(child, fork_code(39), "a full table");
	}
	for (int fd = 3; fd <= highest; fd++)
		close(fd);
	setrlimit(RLIMIT_NOFILE, &before);
	puts("a full table");
}

static void talk(int in, int out, uint64_t first, uint64_t *ret_last)
{
	uint64_t x = first;
	for (int i = 0; i < TURNS; i++) {
		if (first == 0 || i > 0)
			if (!check(fork_read(in, &x, sizeof x) == sizeof x, "turn %d", i))
				break;
		x = check_work(x, 20000);
		fork_write(out, &x, sizeof x);
	}
	*ret_last = x;
}

static void lines(void)
{
	int to[2], from[2], pair[2];
	uint64_t x;
	char c;
	check(pipe(to) == 0 && pipe(from) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "pipe and socketpair");
	pid_t child = fork_start();
	if (child == 0) {
		close(to[1]), close(from[0]), close(pair[0]);
		talk(to[0], from[1], 0, &x);
		talk(pair[1], pair[1], 0, &x);
		check(read(to[0], &c, 1) == 0, "no end of file");
		signal(SIGPIPE, SIG_IGN);
		struct pollfd p = { .fd = pair[1] };
		check(poll(&p, 1, 20000) == 1 && p.revents & POLLHUP, "no hangup: %x", p.revents);
		check(write(pair[1], "x", 1) < 0 && errno == EPIPE, "a socket without another end: %s", strerror(errno));
		fork_end(1);
	}
	close(to[0]), close(from[1]), close(pair[1]);
	talk(from[0], to[1], 99, &x);
	fork_read(from[0], &x, sizeof x);
	printf("pipes: %016llx, ", (unsigned long long)x);
	talk(pair[0], pair[0], 98, &x);
	fork_read(pair[0], &x, sizeof x);
	printf("a pair: %016llx\n", (unsigned long long)x);
	close(to[1]), close(pair[0]);
	check(fork_read(from[0], &c, 1) == 0, "no end of file from the child");
	fork_expect(child, fork_code(1), "lines");
	close(from[0]);
}

/* Objects behind descriptors are one for both. */
static void objects(void)
{
	uint64_t value = 0;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int event = eventfd(5, EFD_SEMAPHORE), queue = epoll_create1(0), signals = signalfd(-1, &set, SFD_NONBLOCK);
	int timer = timerfd_create(CLOCK_MONOTONIC, 0);
	epoll_ctl(queue, EPOLL_CTL_ADD, event, &(struct epoll_event){ .events = EPOLLIN, .data.u32 = 77 });
	kill(getpid(), SIGUSR1);
	pid_t child = fork_start();
	if (child == 0) {
		struct signalfd_siginfo info;
		struct epoll_event got = { .events = 0 };
		check_compute(SHORT);
		check(read(signals, &info, sizeof info) < 0 && errno == EAGAIN, "the parent's signal");
		kill(getpid(), SIGUSR1);
		check(read(signals, &info, sizeof info) == sizeof info && (pid_t)info.ssi_pid == getpid(), "the child's signal");
		check(epoll_wait(queue, &got, 1, 0) == 1 && got.data.u32 == 77, "epoll");
		for (int i = 0; i < 3; i++)
			check(read(event, &value, sizeof value) == sizeof value && value == 1, "eventfd");
		timerfd_settime(timer, 0, &(struct itimerspec){ { 0, 0 }, { 0, 30000000 } }, NULL);
		fork_end(0);
	}
	check(read(timer, &value, sizeof value) == sizeof value && value == 1, "the child's timerfd");
	fork_expect(child, 0, "objects");
	struct signalfd_siginfo info;
	check(read(signals, &info, sizeof info) == sizeof info && (pid_t)info.ssi_pid == getpid(), "the parent's signal is gone");
	int left = 0;
	fcntl(event, F_SETFL, O_NONBLOCK);
	while (read(event, &value, sizeof value) == sizeof value)
		left++;
	printf("objects: %d left\n", left);
	close(event), close(queue), close(signals), close(timer);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void locks(void)
{
	int fd = open("locked", O_RDWR | O_CREAT, 0600), line[2], turn[2];
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 }, asked = all;
	pid_t me = getpid();
	char c;
	check(fd >= 0 && pipe(line) == 0 && pipe(turn) == 0, "a file");
	check(fcntl(fd, F_SETLK, &all) == 0 && flock(fd, LOCK_EX) == 0, "locks");
	pid_t child = fork_start();
	if (child == 0) {
		int other = open("locked", O_RDWR);
		check(fcntl(other, F_GETLK, &asked) == 0 && asked.l_type == F_WRLCK && asked.l_pid == me, "whose lock: %d", asked.l_pid);
		check(flock(other, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK, "flock of another open: %s", strerror(errno));
		check(flock(fd, LOCK_EX | LOCK_NB) == 0, "flock of the same open: %s", strerror(errno));
		all.l_start = 5;
		check(fcntl(fd, F_SETLK, &all) < 0 && (errno == EAGAIN || errno == EACCES), "F_SETLK: %s", strerror(errno));
		all.l_start = 20;
		check(fcntl(fd, F_SETLK, &all) == 0, "F_SETLK elsewhere: %s", strerror(errno));
		check_compute(SHORT);
		flock(fd, LOCK_UN);	/* for both */
		check(flock(other, LOCK_EX | LOCK_NB) == 0, "flock after LOCK_UN: %s", strerror(errno));
		close(fd);		/* its own record lock, not the parent's */
		check(fcntl(other, F_GETLK, &asked) == 0 && asked.l_type == F_WRLCK && asked.l_pid == me, "the lock is gone");
		all.l_start = 30;
		check(fcntl(other, F_SETLK, &all) == 0, "another lock");
		fork_write(line[1], "x", 1);
		all.l_start = 0;
		check(fcntl(other, F_SETLKW, &all) == 0, "F_SETLKW: %s", strerror(errno));
		fork_write(line[1], "y", 1);
		check(read(turn[0], &c, 1) == 1, "its turn");
		fork_end(0);
	}
	check(read(line[0], &c, 1) == 1, "the child");
	asked = (struct flock){ .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 30, .l_len = 1 };
	check(fcntl(fd, F_GETLK, &asked) == 0 && asked.l_pid == child, "the child's lock: %d", asked.l_pid);
	check_compute(SHORT);
	struct pollfd p = { .fd = line[0], .events = POLLIN };
	check(poll(&p, 1, 0) == 0, "F_SETLKW does not wait");
	all.l_type = F_UNLCK;
	fcntl(fd, F_SETLK, &all);
	check(read(line[0], &c, 1) == 1 && c == 'y', "F_SETLKW");
	check(flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK, "the child's flock: %s", strerror(errno));
	fork_write(turn[1], "z", 1);
	fork_expect(child, 0, "locks");
	all.l_type = F_WRLCK;
	check(fcntl(fd, F_SETLK, &all) == 0 && flock(fd, LOCK_EX | LOCK_NB) == 0, "locks of the dead");
	all.l_pid = 0;
	check(fcntl(fd, F_OFD_SETLK, &all) < 0, "an OFD lock against one's own record lock");
	all.l_start = 100;
	check(fcntl(fd, F_OFD_SETLK, &all) == 0, "an OFD lock: %s", strerror(errno));
	child = fork_start();
	if (child == 0) {
		check(fcntl(fd, F_OFD_SETLK, &all) == 0, "the OFD lock of the same open: %s", strerror(errno));
		fork_end(0);
	}
	fork_expect(child, 0, "OFD locks");
	puts("locks");
	close(fd);
	for (int i = 0; i < 2; i++)
		close(line[i]), close(turn[i]);
}

/* ---- signals and timers ---- */

static volatile sig_atomic_t came[65];
static volatile uintptr_t handler_stack;

static void on_signal(int number)
{
	came[number]++;
	handler_stack = (uintptr_t)__builtin_frame_address(0);
}

static uint64_t mask_word(const sigset_t *set)
{
	uint64_t word;
	memcpy(&word, set, sizeof word);
	return word;
}

static void signals(void)
{
	static char stack[64 * 1024];
	sigset_t mask, now, pending, old;
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack }, seen;
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESETHAND }, read_back;
	sigemptyset(&mask);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGRTMIN + 3);
	sigprocmask(SIG_SETMASK, &mask, &old);
	sigaltstack(&alternate, NULL);
	sigaddset(&action.sa_mask, SIGURG);
	sigaction(SIGUSR1, &action, NULL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR2, on_signal);
	kill(getpid(), SIGUSR1);
	sigqueue(getpid(), SIGRTMIN + 3, (union sigval){ .sival_int = 1 });
	raise(SIGRTMIN + 3);
	for (int round = 0; round < 4; round++) {
		check_compute(SHORT);
		pid_t child = fork_start();
		if (child != 0) {
			fork_expect(child, fork_code(12), "signals");
			continue;
		}
		sigpending(&pending);
		sigprocmask(SIG_SETMASK, NULL, &now);
		check(mask_word(&pending) == 0, "pending %llx", (unsigned long long)mask_word(&pending));
		check(mask_word(&now) == mask_word(&mask), "mask %llx", (unsigned long long)mask_word(&now));
		sigaltstack(NULL, &seen);
		check(seen.ss_sp == stack && seen.ss_size == sizeof stack && seen.ss_flags == 0, "altstack");
		sigaction(SIGUSR1, NULL, &read_back);
		check(read_back.sa_handler == on_signal && (read_back.sa_flags & action.sa_flags) == action.sa_flags &&
		      sigismember(&read_back.sa_mask, SIGURG),
		      "disposition: %x", read_back.sa_flags);
		sigaction(SIGHUP, NULL, &read_back);
		check(read_back.sa_handler == SIG_IGN, "SIG_IGN");
		kill(getpid(), SIGUSR1);
		check(came[SIGUSR1] == 0, "a blocked signal");
		sigprocmask(SIG_UNBLOCK, &mask, NULL);
		check(came[SIGUSR1] == 1 && handler_stack - (uintptr_t)stack < sizeof stack, "on the alternate stack");
		sigaction(SIGUSR1, NULL, &read_back);
		check(read_back.sa_handler == SIG_DFL, "SA_RESETHAND");
		kill(getpid(), SIGHUP);
		signal(SIGHUP, SIG_DFL);
		signal(SIGUSR2, SIG_IGN);
		check_compute(SHORT / 2);
		kill(getpid(), SIGUSR2);
		check(came[SIGUSR2] == 0, "an ignored signal");
		fork_end(12);
	}
	sigpending(&pending);
	printf("signals: pending %llx, ", (unsigned long long)mask_word(&pending));
	kill(getpid(), SIGUSR2);
	signal(SIGRTMIN + 3, on_signal);
	sigprocmask(SIG_SETMASK, &old, NULL);
	printf("came %d %d %d\n", (int)came[SIGUSR1], (int)came[SIGUSR2], (int)came[SIGRTMIN + 3]);
	alternate.ss_flags = SS_DISABLE;
	sigaltstack(&alternate, NULL);
	signal(SIGHUP, SIG_DFL);
}

/* A fork in a handler on the alternate stack: both return from it, or leave it by a jump. */
static volatile pid_t born;
static volatile int state;
static sigjmp_buf back;

static void forking(int number)
{
	sigset_t mask;
	stack_t seen;
	born = _Fork();
	sigprocmask(SIG_SETMASK, NULL, &mask);
	sigaltstack(NULL, &seen);
	state = sigismember(&mask, SIGUSR1) | sigismember(&mask, SIGUSR2) << 1 | (seen.ss_flags == SS_ONSTACK) << 2;
	if (number == SIGUSR2)
		siglongjmp(back, 1);
}

static void in_handlers(void)
{
	static char stack[64 * 1024];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack }, seen;
	struct sigaction action = { .sa_handler = forking, .sa_flags = SA_ONSTACK };
	sigaddset(&action.sa_mask, SIGUSR1);
	sigaddset(&action.sa_mask, SIGUSR2);
	sigaltstack(&alternate, NULL);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	for (volatile int round = 0; round < 6; round++) {
		sigset_t mask;
		check_compute(SHORT);
		fflush(stdout);
		state = 0;
		if (sigsetjmp(back, 1) == 0)
			kill(getpid(), round % 2 ? SIGUSR2 : SIGUSR1);
		sigprocmask(SIG_SETMASK, NULL, &mask);
		sigaltstack(NULL, &seen);
		check(state == 7 && !sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGUSR2) && seen.ss_flags == 0,
		      "after a handler, in the %s: %d", born ? "parent" : "child", state);
		check_compute(SHORT / 2);
		if (born == 0)
			fork_end(round);
		fork_expect(born, fork_code(round), "forked in a handler");
	}
	alternate.ss_flags = SS_DISABLE;
	sigaltstack(&alternate, NULL);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
	puts("handlers");
}

static void timers(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 4 };
	struct itimerval value = { 0 };
	struct itimerspec left;
	timer_t timer, own;
	memset((void *)came, 0, sizeof came);
	signal(SIGRTMIN + 4, on_signal);
	signal(SIGALRM, on_signal);
	check(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer_create");
	for (int round = 0; round < 4; round++) {
		if (round % 2)
			alarm(100);
		else
			setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 0 }, { 0, 60000 } }, NULL);
		timer_settime(timer, 0, &(struct itimerspec){ { 0, 0 }, { 0, 60000000 } }, NULL);
		pid_t child = fork_start();
		if (child == 0) {
			memset((void *)came, 0, sizeof came);
			check(alarm(0) == 0, "an alarm");
			check(getitimer(ITIMER_REAL, &value) == 0 && value.it_value.tv_sec == 0 && value.it_value.tv_usec == 0, "an itimer");
			check(timer_gettime(timer, &left) < 0 && errno == EINVAL, "a timer: %s", strerror(errno));
			check(timer_create(CLOCK_REALTIME, &event, &own) == 0, "the child's timer_create: %s", strerror(errno));
			check_compute(90);
			check(came[SIGRTMIN + 4] == 0 && came[SIGALRM] == 0, "the parent's timers come");
			timer_settime(own, 0, &(struct itimerspec){ { 0, 0 }, { 0, 10000000 } }, NULL);
			setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 0 }, { 0, 10000 } }, NULL);
			for (int64_t until = check_now(CLOCK_MONOTONIC) + INT64_C(10000000000);
			     (came[SIGRTMIN + 4] == 0 || came[SIGALRM] == 0) && check_now(CLOCK_MONOTONIC) < until;)
				check_work(1, 10000);
			fork_end(came[SIGRTMIN + 4] * 10 + came[SIGALRM]);
		}
		fork_expect(child, fork_code(11), "timers");
		check(came[SIGRTMIN + 4] == round + 1, "the parent's timer came %d times", (int)came[SIGRTMIN + 4]);
		if (round % 2)
			check(alarm(0) > 80, "the parent's alarm");
	}
	printf("timers: %d %d\n", (int)came[SIGRTMIN + 4], (int)came[SIGALRM]);
	timer_delete(timer);
}

/* ---- clocks and limits ---- */

static void clocks(void)
{
	static const int64_t used = 100000000;
	while (check_now(CLOCK_PROCESS_CPUTIME_ID) < used)
		check_work(1, 100000);
	for (int round = 0; round < 4; round++) {
		int64_t before = check_now(CLOCK_PROCESS_CPUTIME_ID), real = check_now(CLOCK_MONOTONIC);
		pid_t child = fork_start();
		if (child == 0) {
			struct rusage self, children;
			struct tms t;
			int64_t mine = check_now(CLOCK_PROCESS_CPUTIME_ID);
			check(mine < used / 2, "the process's clock begins at %lld ms", (long long)mine / 1000000);
			check(check_now(CLOCK_THREAD_CPUTIME_ID) < used / 2, "the thread's clock");
			check(check_now(CLOCK_MONOTONIC) >= real, "monotonic time");
			getrusage(RUSAGE_SELF, &self);
			getrusage(RUSAGE_CHILDREN, &children);
			check(self.ru_utime.tv_sec == 0 && self.ru_utime.tv_usec < used / 2000, "RUSAGE_SELF");
			check(children.ru_utime.tv_sec == 0 && children.ru_utime.tv_usec == 0, "RUSAGE_CHILDREN");
			clock_t now = times(&t);
			check(now != -1 && t.tms_utime < 10 && t.tms_stime < 10 && t.tms_cutime == 0 && t.tms_cstime == 0,
			      "times: %ld, %ld %ld, %ld %ld", now, t.tms_utime, t.tms_stime, t.tms_cutime, t.tms_cstime);
			check(clock() < CLOCKS_PER_SEC / 20, "clock()");
			while (check_now(CLOCK_PROCESS_CPUTIME_ID) < mine + used / 3)
				check_work(1, 100000);
			check(check_now(CLOCK_THREAD_CPUTIME_ID) >= used / 3 && clock() >= CLOCKS_PER_SEC / 50, "the clocks stand still");
			fork_end(0);
		}
		check_compute(SHORT);
		fork_expect(child, 0, "clocks");
		check(check_now(CLOCK_PROCESS_CPUTIME_ID) >= before, "the parent's clock goes back");
	}
	puts("clocks");
}

static void limits(void)
{
	char name[16] = "", directory[64] = "";
	struct rlimit files = { 500, 600 }, now;
	int signal_number = 77, priority = getpriority(PRIO_PROCESS, 0);
	cpu_set_t cpus, theirs;
	sched_getaffinity(0, sizeof cpus, &cpus);
	mkdir("below", 0700);
	check(chdir("below") == 0, "chdir");
	umask(0137);
	setrlimit(RLIMIT_NOFILE, &files);
	prctl(PR_SET_NAME, "a name");
	prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L);
	setpriority(PRIO_PROCESS, 0, priority + 1);
	for (int round = 0; round < 3; round++) {
		check_compute(SHORT);
		pid_t child = fork_start();
		if (child == 0) {
			prctl(PR_GET_NAME, name);
			prctl(PR_GET_PDEATHSIG, &signal_number, 0L, 0L, 0L);
			getrlimit(RLIMIT_NOFILE, &now);
			check(getcwd(directory, sizeof directory) != NULL || errno == ERANGE, "getcwd");
			int made = open("made", O_WRONLY | O_CREAT | O_TRUNC, 0777);
			struct stat s;
			fstat(made, &s);
			check(strcmp(name, "a name") == 0 && signal_number == 0, "name %s, signal %d", name, signal_number);
			check(now.rlim_cur == 500 && now.rlim_max == 600 && (s.st_mode & 0777) == 0640, "limit %lu, mode %o",
			      (unsigned long)now.rlim_cur, s.st_mode);
			check(access("../below/made", F_OK) == 0, "the directory");
			check(getpriority(PRIO_PROCESS, 0) == priority + 1, "the priority");
			sched_getaffinity(0, sizeof theirs, &theirs);
			check(CPU_EQUAL(&cpus, &theirs), "the processors");
			chdir("..");
			umask(0);
			prctl(PR_SET_NAME, "another");
			fork_end(0);
		}
		fork_expect(child, 0, "limits");
		prctl(PR_GET_NAME, name);
		check(strcmp(name, "a name") == 0 && access("made", F_OK) == 0 && umask(0137) == 0137, "the parent's: %s", name);
	}
	prctl(PR_SET_PDEATHSIG, 0L, 0L, 0L, 0L);
	chdir("..");
	umask(022);
	puts("limits");
}

/* ---- the library ---- */

static char order[128];

#define HANDLER(name, text)              \
	static void name(void)           \
	{                                \
		strcat(order, " " text); \
	}
HANDLER(prepare_1, "prepare1")
HANDLER(prepare_2, "prepare2")
HANDLER(parent_1, "parent1")
HANDLER(parent_2, "parent2")
HANDLER(child_1, "child1")
HANDLER(child_2, "child2")

static FILE *buffered;

static void at_exit(void)
{
	if (buffered != NULL)
		fprintf(buffered, "%s at exit\n", order);
}

static void library(void)
{
	static char text[4096];
	buffered = fopen("buffered", "we+");
	pthread_atfork(prepare_1, parent_1, child_1);
	pthread_atfork(prepare_2, parent_2, child_2);
	atexit(at_exit);
	for (int i = 0; i < 4; i++) {
		order[0] = '\0';
		check_compute(SHORT);
		fprintf(buffered, "line %d by the parent\n", i);
		fflush(stdout);
		pid_t child = i % 2 ? _Fork() : fork();
		if (child == 0) {
			fprintf(buffered, "line %d by the child\n", i);
			if (i == 3)
				fork_end(3);
			free(malloc(100000));
			exit(i);
		}
		fork_expect(child, fork_code(i), "the library");
		fprintf(buffered, "%s\n", order);
	}
	rewind(buffered);
	size_t length = fread(text, 1, sizeof text - 1, buffered);
	printf("%.*s", (int)length, text);
	fclose(buffered);
	buffered = NULL;
}

int main(void)
{
	memory();
	registers();
	offsets();
	full_table();
	lines();
	objects();
	locks();
	signals();
	in_handlers();
	timers();
	clocks();
	limits();
	library();
	kinds_of_memory();
	return check_result();
}
