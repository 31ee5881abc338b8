/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the records say, compared with the registers at the system call. */
#define _GNU_SOURCE
#include "test_wrap.h"

static struct {
	int nr;			/* expected call */
	int rest, restart;
	int64_t seconds;	/* of the time-out, -1 none */
	uint64_t masked;	/* the mask that must arrive, if has_mask */
	int has_mask, mask_place;
	int hits;
	long result;
} volatile expected;

static const char *volatile wrong;

static void on_trap(int sig, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	static const int places[6] = { REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9 };
	const struct mosix_record *r = mosix_records;
	const struct timespec *ts;
	uint64_t mask;

	(void)sig;
	expected.hits++;
	if (!r || r->magic != MOSIX_RECORD_MAGIC || r->self != r)
		wrong = "no record";
	else if ((uintptr_t)r <= (uintptr_t)regs[REG_RSP])
		wrong = "record below the stack pointer";
	else if (r->nr != info->si_syscall || r->nr != expected.nr)
		wrong = "another call";
	else if (r->rest != expected.rest || r->restart != expected.restart)
		wrong = "another rest";
	else
		for (int i = 0; i < 6; i++)
			if (r->arg_mask & 1u << i && r->arg[i] != (uint64_t)regs[places[i]])
				wrong = "an argument differs";
	if (!wrong && memcmp((const void *)(regs[REG_RIP] - 2), "\x0f\x05", 2) != 0)
		wrong = "not behind a syscall instruction";
	if (!wrong && (r->deadline_ns == UINT64_MAX) != (expected.seconds < 0))
		wrong = "deadline";
	if (!wrong && expected.seconds >= 0 && (r->deadline_ns < wrap_now() + (uint64_t)expected.seconds * 900000000 ||
						r->deadline_ns > wrap_now() + (uint64_t)expected.seconds * 1000000000))
		wrong = "deadline is off";
	if (!wrong && r->rest == MOSIX_REST_TIMESPEC) {
		ts = (const struct timespec *)regs[places[r->place]];
		if (ts != &r->left.ts || ts->tv_sec != expected.seconds || !(r->arg_mask & 1u << r->place))
			wrong = "time-out is not the record's";
	}
	if (!wrong && r->rest == MOSIX_REST_MS && (expected.seconds < 0 ? (int)regs[places[r->place]] >= 0 :
						   regs[places[r->place]] != expected.seconds * 1000))
		wrong = "milliseconds";
	if (!wrong && (r->rest == MOSIX_REST_COUNT || r->rest == MOSIX_REST_SPLICE) &&
	    r->asked != (uint64_t)regs[r->rest == MOSIX_REST_COUNT ? REG_RDX : places[r->place]])
		wrong = "bytes asked";
	if (!wrong && expected.has_mask) {
		memcpy(&mask, (const void *)regs[places[expected.mask_place]], 8);
		if (expected.mask_place == 5 && expected.nr == SYS_pselect6)
			memcpy(&mask, (const void *)(uintptr_t)mask, 8);
		if (mask != expected.masked)
			wrong = "mask";
		if (!mosix_own.blocked && expected.has_mask == 1)
			wrong = "the program's SIGURG is not blocked meanwhile";
	}
	if (r && (r->rest == MOSIX_REST_COUNT || r->rest == MOSIX_REST_IOV || r->rest == MOSIX_REST_MSG))
		((struct mosix_record *)(uintptr_t)r)->done = 5;
	regs[REG_RAX] = expected.result;
}

static void trap(const int *numbers, unsigned int count)
{
	struct sock_filter filter[64];
	struct sock_fprog program = { 0, filter };
	struct sigaction act = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };

	libc_api.r.sigaction(SIGSYS, &act, NULL);
	filter[program.len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
	for (unsigned int i = 0; i < count; i++)
		filter[program.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)numbers[i],
								     (uint8_t)(count - i), 0);
	filter[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	filter[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(99);
}

/* Shared with the parent, because writing is trapped. */
static char *complaints;

static void complain(const char *call, const char *why, long number)
{
	size_t used = strlen(complaints);

	snprintf(complaints + used, 65536 - used, "%s: %s %ld\n", call, why, number);
}

#define RECORDED_AS(nr_, rest_, seconds_, result_, wanted, call) do { \
	expected.nr = nr_; expected.rest = rest_; expected.seconds = seconds_; expected.result = result_; \
	expected.hits = 0; wrong = NULL; \
	long got_ = (long)(call); \
	if (expected.hits != 1) complain(#call, "system calls", expected.hits); \
	if (wrong) complain(#call, wrong, nr_); \
	if (got_ != (wanted)) complain(#call, "returned", got_); \
	if (mosix_records) complain(#call, "left a record behind", 0); \
	} while (0)

static void all_records(void)
{
	static const int numbers[] = {
		SYS_pause, SYS_clock_nanosleep, SYS_poll, SYS_ppoll, SYS_pselect6, SYS_epoll_wait, SYS_epoll_pwait,
		SYS_epoll_pwait2, SYS_rt_sigsuspend, SYS_rt_sigtimedwait, SYS_futex, SYS_semtimedop, SYS_msgrcv, SYS_msgsnd,
		SYS_write, SYS_writev, SYS_pwritev2, SYS_sendfile, SYS_copy_file_range, SYS_sendto, SYS_sendmsg, SYS_recvfrom,
		SYS_recvmsg, SYS_read, SYS_readv, SYS_accept, SYS_accept4, SYS_connect, SYS_ioctl, SYS_io_getevents,
		SYS_fallocate, SYS_nanosleep, SYS_select, SYS_semop, SYS_io_pgetevents,
	};
	struct timespec two = { 2, 0 }, until;
	struct timeval two_tv = { 2, 0 };
	struct iovec list[2] = { { (void *)"abc", 3 }, { (void *)"de", 2 } };
	struct msghdr message = { .msg_iov = list, .msg_iovlen = 2 };
	sigset_t set;
	struct { const sigset_t *mask; size_t size; } pair_of = { &set, 8 };
	int pair[2];
	sem_t sem;
	char bytes[16];

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	sem_init(&sem, 0, 0);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 100;
	sigemptyset(&set);
	sigaddset(&set, SIGURG);
	sigaddset(&set, SIGHUP);
	expected.masked = 1ull << (SIGHUP - 1);
	trap(numbers, sizeof(numbers) / sizeof(numbers[0]));
	expected.restart = 1;
	RECORDED_AS(SYS_pause, MOSIX_REST_NONE, -1, -EINTR, -1, pause());
	RECORDED_AS(SYS_clock_nanosleep, MOSIX_REST_TIMESPEC, 2, 0, 0, nanosleep(&two, NULL));
	RECORDED_AS(SYS_clock_nanosleep, MOSIX_REST_TIMESPEC, 2, 0, 0, nanosleep(&two, &until));
	RECORDED_AS(SYS_clock_nanosleep, MOSIX_REST_TIMESPEC, 2, -EINTR, 2, sleep(2));
	RECORDED_AS(SYS_clock_nanosleep, MOSIX_REST_TIMESPEC, 2, 0, 0, usleep(2000000));
	RECORDED_AS(SYS_clock_nanosleep, MOSIX_REST_TIMESPEC, 2, -EINTR, -1, thrd_sleep(&two, NULL));
	RECORDED_AS(SYS_clock_nanosleep, MOSIX_REST_TIMESPEC, 2, 0, 0, clock_nanosleep(CLOCK_MONOTONIC, 0, &two, NULL));
	RECORDED_AS(SYS_clock_nanosleep, MOSIX_REST_ABSOLUTE, -1, 0, 0,
		    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &two, NULL));
	RECORDED_AS(SYS_poll, MOSIX_REST_MS, 2, 0, 0, poll(NULL, 0, 2000));
	RECORDED_AS(SYS_poll, MOSIX_REST_MS, -1, 0, 0, poll(NULL, 0, -1));
	RECORDED_AS(SYS_epoll_wait, MOSIX_REST_MS, 2, 0, 0, epoll_wait(5, (void *)bytes, 1, 2000));
	RECORDED_AS(SYS_pselect6, MOSIX_REST_TIMESPEC, 2, 0, 0, select(1, NULL, NULL, NULL, &two_tv));
	RECORDED_AS(SYS_pselect6, MOSIX_REST_NONE, -1, 0, 0, select(1, NULL, NULL, NULL, NULL));
	expected.has_mask = 1;
	expected.mask_place = 3;
	RECORDED_AS(SYS_ppoll, MOSIX_REST_TIMESPEC, 2, 0, 0, ppoll(NULL, 0, &two, &set));
	expected.mask_place = 5;
	RECORDED_AS(SYS_pselect6, MOSIX_REST_TIMESPEC, 2, 0, 0, pselect(1, NULL, NULL, NULL, &two, &set));
	expected.mask_place = 4;
	RECORDED_AS(SYS_epoll_pwait, MOSIX_REST_MS, 2, 0, 0, epoll_pwait(5, (void *)bytes, 1, 2000, &set));
	RECORDED_AS(SYS_epoll_pwait2, MOSIX_REST_TIMESPEC, 2, 0, 0, epoll_pwait2(5, (void *)bytes, 1, &two, &set));
	expected.mask_place = 0;
	RECORDED_AS(SYS_rt_sigsuspend, MOSIX_REST_NONE, -1, -EINTR, -1, sigsuspend(&set));
	expected.has_mask = 2;
	RECORDED_AS(SYS_rt_sigtimedwait, MOSIX_REST_TIMESPEC, 2, -EAGAIN, -1, sigtimedwait(&set, NULL, &two));
	urgent.action.handler = (uintptr_t)all_records;
	expected.restart = 0;
	RECORDED_AS(SYS_rt_sigtimedwait, MOSIX_REST_TIMESPEC, 2, -EAGAIN, -1, sigtimedwait(&set, NULL, &two));
	RECORDED_AS(SYS_rt_sigtimedwait, MOSIX_REST_TIMESPEC, 2, -EAGAIN, -1, syscall(SYS_rt_sigtimedwait, &set, NULL, &two, 8l));
	urgent.action.handler = 0;
	expected.has_mask = 1;
	expected.restart = 1;
	expected.mask_place = 3;
	RECORDED_AS(SYS_ppoll, MOSIX_REST_TIMESPEC, 2, 0, 0, syscall(SYS_ppoll, NULL, 0l, &two, &set, 8l));
	expected.mask_place = 5;
	RECORDED_AS(SYS_pselect6, MOSIX_REST_TIMESPEC, 2, 0, 0, syscall(SYS_pselect6, 1l, NULL, NULL, NULL, &two, &pair_of));
	expected.mask_place = 4;
	RECORDED_AS(SYS_epoll_pwait, MOSIX_REST_MS, 2, 0, 0, syscall(SYS_epoll_pwait, 5l, bytes, 1l, 2000l, &set, 8l));
	RECORDED_AS(SYS_epoll_pwait2, MOSIX_REST_TIMESPEC, 2, 0, 0, syscall(SYS_epoll_pwait2, 5l, bytes, 1l, &two, &set, 8l));
	expected.mask_place = 0;
	RECORDED_AS(SYS_rt_sigsuspend, MOSIX_REST_NONE, -1, -EINTR, -1, syscall(SYS_rt_sigsuspend, &set, 8l));
	expected.has_mask = 0;
	sigdelset(&set, SIGURG);
	RECORDED_AS(SYS_pause, MOSIX_REST_NONE, -1, -EINTR, -1, syscall(SYS_pause));
	RECORDED_AS(SYS_nanosleep, MOSIX_REST_TIMESPEC, 2, 0, 0, syscall(SYS_nanosleep, &two, NULL));
	RECORDED_AS(SYS_poll, MOSIX_REST_MS, 2, 0, 0, syscall(SYS_poll, NULL, 0l, 2000l));
	RECORDED_AS(SYS_poll, MOSIX_REST_NONE, -1, 0, 0, syscall(SYS_poll, NULL, 0l, -1l));
	RECORDED_AS(SYS_select, MOSIX_REST_TIMEVAL, 2, 0, 0, syscall(SYS_select, 1l, NULL, NULL, NULL, &two_tv));
	RECORDED_AS(SYS_epoll_wait, MOSIX_REST_MS, 2, 0, 0, syscall(SYS_epoll_wait, 5l, bytes, 1l, 2000l));
	RECORDED_AS(SYS_futex, MOSIX_REST_TIMESPEC, 2, -ETIMEDOUT, -1, syscall(SYS_futex, bytes, 0l, 0l, &two, NULL, 0l));
	RECORDED_AS(SYS_futex, MOSIX_REST_ABSOLUTE, -1, 0, 0, syscall(SYS_futex, bytes, 9l, 0l, &until, NULL, 1l));
	RECORDED_AS(SYS_semop, MOSIX_REST_NONE, -1, 0, 0, syscall(SYS_semop, 1l, NULL, 1l));
	RECORDED_AS(SYS_semtimedop, MOSIX_REST_TIMESPEC, 2, 0, 0, syscall(SYS_semtimedop, 1l, NULL, 1l, &two));
	RECORDED_AS(SYS_msgrcv, MOSIX_REST_NONE, -1, 3, 3, syscall(SYS_msgrcv, 1l, bytes, 4l, -7l, 0l));
	RECORDED_AS(SYS_msgsnd, MOSIX_REST_NONE, -1, 0, 0, syscall(SYS_msgsnd, 1l, bytes, 4l, 0l));
	RECORDED_AS(SYS_io_getevents, MOSIX_REST_TIMESPEC, 2, 0, 0, syscall(SYS_io_getevents, 1l, 1l, 1l, bytes, &two));
	RECORDED_AS(SYS_io_pgetevents, MOSIX_REST_TIMESPEC, 2, 0, 0, syscall(SYS_io_pgetevents, 1l, 1l, 1l, bytes, &two, NULL));
	RECORDED_AS(SYS_write, MOSIX_REST_COUNT, -1, 3, 8, syscall(SYS_write, 1l, "abcdefgh", 8l));
	RECORDED_AS(SYS_write, MOSIX_REST_COUNT, -1, -EPIPE, 5, syscall(SYS_write, 1l, "abcdefgh", 8l));
	RECORDED_AS(SYS_writev, MOSIX_REST_IOV, -1, 0, 5, syscall(SYS_writev, 1l, list, 2l));
	RECORDED_AS(SYS_sendfile, MOSIX_REST_SPLICE, -1, 7, 7, syscall(SYS_sendfile, 1l, 0l, NULL, 99l));
	RECORDED_AS(SYS_copy_file_range, MOSIX_REST_SPLICE, -1, 7, 7, syscall(SYS_copy_file_range, 1l, NULL, 0l, NULL, 99l, 0l));
	RECORDED_AS(SYS_sendto, MOSIX_REST_COUNT, -1, 3, 8, syscall(SYS_sendto, pair[0], "abcdefgh", 8l, 0l, NULL, 0l));
	RECORDED_AS(SYS_sendmsg, MOSIX_REST_MSG, -1, -EINTR, 5, syscall(SYS_sendmsg, pair[0], &message, 0l));
	RECORDED_AS(SYS_recvfrom, MOSIX_REST_COUNT, -1, 3, 8, syscall(SYS_recvfrom, pair[0], bytes, 8l, MSG_WAITALL, NULL, NULL));
	RECORDED_AS(SYS_recvmsg, MOSIX_REST_MSG, -1, 0, 5, syscall(SYS_recvmsg, pair[0], &message, MSG_WAITALL));
	RECORDED_AS(SYS_fallocate, MOSIX_REST_NONE, -1, 0, 0, fallocate(1, 0, 0, 5));
	RECORDED_AS(SYS_fallocate, MOSIX_REST_NONE, -1, 0, 0, posix_fallocate(1, 0, 5));
	RECORDED_AS(SYS_rt_sigtimedwait, MOSIX_REST_NONE, -1, SIGHUP, SIGHUP, sigwaitinfo(&set, NULL));
	RECORDED_AS(SYS_futex, MOSIX_REST_ABSOLUTE, -1, -ETIMEDOUT, -1, sem_timedwait(&sem, &until));
	RECORDED_AS(SYS_futex, MOSIX_REST_ABSOLUTE, -1, -EINTR, -1, sem_clockwait(&sem, CLOCK_REALTIME, &until));
	RECORDED_AS(SYS_semtimedop, MOSIX_REST_NONE, -1, 0, 0, semop(1, NULL, 1));
	RECORDED_AS(SYS_semtimedop, MOSIX_REST_TIMESPEC, 2, 0, 0, semtimedop(1, NULL, 1, &two));
	RECORDED_AS(SYS_msgrcv, MOSIX_REST_NONE, -1, 3, 3, msgrcv(1, bytes, 4, -7, 0));
	RECORDED_AS(SYS_msgsnd, MOSIX_REST_NONE, -1, 0, 0, msgsnd(1, bytes, 4, 0));
	RECORDED_AS(SYS_ioctl, MOSIX_REST_NONE, -1, 0, 0, tcdrain(0));
	RECORDED_AS(SYS_write, MOSIX_REST_COUNT, -1, 3, 8, write(1, "abcdefgh", 8));
	RECORDED_AS(SYS_write, MOSIX_REST_COUNT, -1, -EPIPE, 5, write(1, "abcdefgh", 8));
	RECORDED_AS(SYS_writev, MOSIX_REST_IOV, -1, 0, 5, writev(1, list, 2));
	RECORDED_AS(SYS_pwritev2, MOSIX_REST_IOV, -1, 0, 5, pwritev2(1, list, 2, -1, 0));
	RECORDED_AS(SYS_sendfile, MOSIX_REST_SPLICE, -1, 7, 7, sendfile(1, 0, NULL, 99));
	RECORDED_AS(SYS_copy_file_range, MOSIX_REST_SPLICE, -1, 7, 7, copy_file_range(1, NULL, 0, NULL, 99, 0));
	RECORDED_AS(SYS_sendto, MOSIX_REST_COUNT, -1, 3, 8, send(pair[0], "abcdefgh", 8, 0));
	RECORDED_AS(SYS_sendto, MOSIX_REST_COUNT, -1, 3, 8, sendto(pair[0], "abcdefgh", 8, MSG_NOSIGNAL, NULL, 0));
	RECORDED_AS(SYS_sendmsg, MOSIX_REST_MSG, -1, -EINTR, 5, sendmsg(pair[0], &message, 0));
	RECORDED_AS(SYS_recvfrom, MOSIX_REST_COUNT, -1, 3, 8, recv(pair[0], bytes, 8, MSG_WAITALL));
	RECORDED_AS(SYS_recvmsg, MOSIX_REST_MSG, -1, 0, 5, recvmsg(pair[0], &message, MSG_WAITALL));
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &two_tv, sizeof(two_tv));
	setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){ 2, 0 }, sizeof(two_tv));
	two_tv = (struct timeval){ 2, 0 };
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &two_tv, sizeof(two_tv));
	RECORDED_AS(SYS_recvfrom, MOSIX_REST_SOCKET, 2, 1, 1, recv(pair[0], bytes, 8, 0));
	RECORDED_AS(SYS_recvfrom, MOSIX_REST_SOCKET, 2, 1, 1, recvfrom(pair[0], bytes, 8, 0, NULL, NULL));
	RECORDED_AS(SYS_recvmsg, MOSIX_REST_SOCKET, 2, 1, 1, recvmsg(pair[0], &message, 0));
	RECORDED_AS(SYS_read, MOSIX_REST_SOCKET, 2, 1, 1, read(pair[0], bytes, 8));
	RECORDED_AS(SYS_readv, MOSIX_REST_SOCKET, 2, 1, 1, readv(pair[0], list, 2));
	RECORDED_AS(SYS_read, MOSIX_REST_SOCKET, 2, 1, 1, syscall(SYS_read, pair[0], bytes, 8l));
	RECORDED_AS(SYS_recvfrom, MOSIX_REST_SOCKET, 2, 1, 1, syscall(SYS_recvfrom, pair[0], bytes, 8l, 0l, NULL, NULL));
	RECORDED_AS(SYS_connect, MOSIX_REST_SOCKET, 2, 0, 0, syscall(SYS_connect, pair[0], NULL, 0l));
	RECORDED_AS(SYS_accept, MOSIX_REST_SOCKET, 2, 9, 9, accept(pair[0], NULL, NULL));
	RECORDED_AS(SYS_accept4, MOSIX_REST_SOCKET, 2, 9, 9, accept4(pair[0], NULL, NULL, 0));
	RECORDED_AS(SYS_connect, MOSIX_REST_SOCKET, 2, 0, 0, connect(pair[0], NULL, 0));
}

void records(void)
{
	int status;
	pid_t pid;

	complaints = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		alarm(20);
		all_records();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	EXPECT(status == 0 && !*complaints, "child ended with %x\n%s", status, complaints);
	munmap(complaints, 65536);
}
