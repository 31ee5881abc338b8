/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rows_process: who the process is, what it may, its signals, children, times and System V's queues. See rows.h. */
#include "rows.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <time.h>

#define NOBODY_PID 0x7ffffff /* no process has it */

struct kernel_action {
	uint64_t handler, flags, restorer, mask;
};

static const struct timespec moment = { 0, 3000000 }, negative = { -1, 0 }, crooked = { 0, 1000000000 };
static const uint64_t no_mask;
static volatile int seen;

static void on_user(int signo)
{
	(void)signo;
	seen++;
}

static void names(void)
{
	ROW(getpid, { V(0) }, HIDES);
	ROW(gettid, { V(0) }, HIDES);
	ROW(getppid, { V(0) }, HIDES);
	ROW(getpgrp, { V(0) }, HIDES);
	ROW(getpgid, { V(0, NOBODY_PID, -1) }, HIDES);
	ROW(getpgid, { V(own_pid) }, HIDES | GOOD_ONLY);
	ROW(getsid, { V(0, NOBODY_PID, -1) }, HIDES);
	ROW(setsid, { V(0) }, HIDES);
	ROW(setsid, { V(0) }, HIDES);
	ROW(setpgid, { V(0, NOBODY_PID, -1), V(0, NOBODY_PID, -1) });
	ROW(getuid, { V(0) });
	ROW(getgid, { V(0) });
	ROW(geteuid, { V(0) });
	ROW(getegid, { V(0) });
	ROW(getresuid, { OUT(4), OUT(4), OUT(4) });
	ROW(getresgid, { OUT(4), OUT(4), OUT(4) });
	ROW(setuid, { V(getuid(), 0, -1) });
	ROW(setgid, { V(getgid(), 0, -1) });
	ROW(setreuid, { V(-1, 0, getuid()), V(-1, 0, getuid()) });
	ROW(setregid, { V(-1, 0, getgid()), V(-1, 0, getgid()) });
	ROW(setresuid, { V(-1, 0, getuid()), V(-1, 0, getuid()), V(-1, 0) });
	ROW(setresgid, { V(-1, 0, getgid()), V(-1, 0, getgid()), V(-1, 0) });
	ROW(setfsuid, { V(-1, getuid()) });
	ROW(setfsgid, { V(-1, getgid()) });
	const gid_t own[2] = { getgid(), getgid() };
	ROW(getgroups, { V(32, 0, 1, -1), OUT(128) });
	ROW(setgroups, { LEN(2), IN(own, 8) });
	ROW(uname, { OUT(390) });
	ROW(sysinfo, { OUT(112) }, .hide = { { 0, 0, 112 } });
}

static void powers(void)
{
	const struct __user_cap_header_struct three = { _LINUX_CAPABILITY_VERSION_3, 0 },
					      one = { _LINUX_CAPABILITY_VERSION_1, 0 }, unknown = { 5, 0 },
					      other = { _LINUX_CAPABILITY_VERSION_3, NOBODY_PID };
	const struct __user_cap_data_struct none[2] = { { 0 } };

	ROW(capget, { IO(&three, 8), IO(none, 24) });
	GOOD(capget, { IO(&one, 8), OUT(24) });
	GOOD(capget, { IO(&three, 8), OUT(24) });
	GOOD(capget, { IO(&unknown, 8), OUT(24) });
	GOOD(capget, { IO(&unknown, 8), V(0) });
	GOOD(capget, { IO(&other, 8), OUT(24) });
	GOOD(capset, { IO(&unknown, 8), IN(none, 24) });
	GOOD(capset, { IO(&other, 8), IN(none, 24) });
	ROW(capset, { IO(&three, 8), IN(none, 24) });
}

static void limits(void)
{
	const struct rlimit zero = { 0, 0 }, crossed = { 5, 4 };

	ROW(getrlimit, { V(RLIMIT_NPROC, RLIMIT_AS, 15, 16, -1), OUT(16) });
	ROW(setrlimit, { V(RLIMIT_CORE, 16, -1), IN(&zero, 16) });
	GOOD(setrlimit, { V(RLIMIT_CORE), IN(&crossed, 16) });
	ROW(prlimit64, { V(0, NOBODY_PID, -1), V(RLIMIT_CORE, 16, -1), IN(&zero, 16), OUT(16) });
	GOOD(prlimit64, { V(0), V(RLIMIT_STACK), V(0), OUT(16) });
	ROW(getpriority, { V(PRIO_PROCESS, PRIO_PGRP, 3, -1), V(0, NOBODY_PID, -1) });
	ROW(setpriority, { V(PRIO_PROCESS, 3, -1), V(0, NOBODY_PID, -1), V(0, 1) });
	ROW(ioprio_get, { V(1, 0, 4, -1), V(0, NOBODY_PID, -1) });
	ROW(ioprio_set, { V(1, 0, 4, -1), V(0, NOBODY_PID), V(2 << 13 | 4, 0, 9 << 13, -1) });
	const int level = 0, high = 50;
	const uint64_t everywhere[16] = { ~0ull }, none[16] = { 0 };
	ROW(sched_setparam, { V(0, NOBODY_PID, -1), IN(&level, 4) });
	GOOD(sched_setparam, { V(0), IN(&high, 4) });
	ROW(sched_getparam, { V(0, NOBODY_PID, -1), OUT(4) });
	ROW(sched_setscheduler,
	    { V(0, NOBODY_PID, -1), V(SCHED_OTHER, SCHED_BATCH, SCHED_OTHER, SCHED_FIFO, 99, -1), IN(&level, 4) });
	ROW(sched_getscheduler, { V(0, NOBODY_PID, -1) });
	ROW(sched_get_priority_max, { V(SCHED_FIFO, SCHED_OTHER, 99, -1) });
	ROW(sched_get_priority_min, { V(SCHED_FIFO, SCHED_OTHER, 99, -1) });
	ROW(sched_rr_get_interval, { V(0, NOBODY_PID, -1), OUT(16) });
	ROW(sched_setaffinity, { V(0, NOBODY_PID), LEN(8), IN(everywhere, 8) });
	GOOD(sched_setaffinity, { V(0), V(128), IN(none, 128) });
	GOOD(sched_setaffinity, { V(0), V(3), IN(everywhere, 3) });
	ROW(sched_getaffinity, { V(0, NOBODY_PID, -1), LEN(128), OUT(128) });
	ROW(sched_getattr, { V(0, NOBODY_PID, -1), OUT(56), LEN(56), V(0, 1, -1) });
	ROW(sched_yield, { V(0) });
	ROW(getcpu, { OUT(4), OUT(4), V(0, nowhere) }, .hide = { { 0, 0, 4 }, { 1, 0, 4 } });
}

/* What is sent to oneself has come when the call returns. */
static void sent(const char *name, long result, const char *what)
{
	say("%s: %s = ", name, what);
	say_result(result, false);
	say(", %d came\n", seen);
	seen = 0;
}

static void sending(void)
{
	siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_QUEUE }, forged = { .si_signo = SIGUSR1, .si_code = SI_USER };
	int pidfd;

	info.si_pid = 77;
	info.si_value.sival_int = 4711;
	ROW(kill, { V(own_pid, NOBODY_PID, 0, -1, INT_MIN), V(0, 65, -1) });
	ROW(tkill, { V(own_pid, NOBODY_PID, 0, -1), V(0, 65, -1) });
	ROW(tgkill, { V(own_pid, NOBODY_PID, 0, -1), V(own_pid, NOBODY_PID, 0, -1), V(0, 65, -1) });
	row_ready();
	sent("kill", RAW(NR_kill, own_pid, SIGUSR1), "to oneself");
	sent("tkill", RAW(NR_tkill, own_pid, SIGUSR1), "to oneself");
	sent("tgkill", RAW(NR_tgkill, own_pid, own_pid, SIGUSR1), "to oneself");
	ROW(rt_sigqueueinfo, { V(own_pid, NOBODY_PID, 0, -1), V(SIGUSR1, 0, 65, -1), IN(&info, 128) });
	GOOD(rt_sigqueueinfo, { V(parent_pid), V(0), IN(&forged, 128) });
	ROW(rt_tgsigqueueinfo,
	    { V(own_pid, NOBODY_PID, 0, -1), V(own_pid, NOBODY_PID, 0, -1), V(SIGUSR1, 0, 65, -1), IN(&info, 128) });
	seen = 0;
	ROW(pidfd_open, { V(own_pid, NOBODY_PID, 0, -1), V(0, O_NONBLOCK, 1, -1) }, MAKES);
	pidfd = (int)syscall(SYS_pidfd_open, own_pid, 0);
	put_at(D_CLOSED + 3, pidfd);
	row_ready();
	sent("pidfd_send_signal", RAW(NR_pidfd_send_signal, D_CLOSED + 3, SIGUSR1, 0, 0), "to oneself");
	descriptors_make();
	put_at(D_TCP, (int)syscall(SYS_pidfd_open, own_pid, 0));
	row(&(struct row){ "pidfd_send_signal",
			   NR_pidfd_send_signal,
			   { FD(D_TCP), V(SIGUSR1, 0, 65, -1), IN(&info, 128), V(0, 1, 2, -1) },
			   0,
			   NULL,
			   .about = "descriptor of a socket" });
	seen = 0;
}

static void unmasked(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void waiting_signal(void)
{
	sigset_t set;
	union sigval value = { .sival_int = 5 };

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_SETMASK, &set, NULL);
	sigqueue(getpid(), SIGUSR2, value);
}

static void receiving(void)
{
	const struct kernel_action ignore = { 1, 0x10000000, 0, 0x55 };
	const uint64_t set = 1ull << (SIGUSR2 - 1) | 1ull << (SIGKILL - 1) | 1ull << 40, user = 1ull << (SIGUSR2 - 1);

	ROW(rt_sigaction,
	    { V(SIGUSR2, 0, 65, SIGKILL, SIGSTOP, 64, -1, 1L << 32 | SIGUSR2), IN(&ignore, 32), OUT(32), V(8, 0, 4, 16) });
	GOOD(rt_sigaction, { V(SIGUSR2), V(0), OUT(32), V(8) });
	GOOD(rt_sigaction, { V(64), V(0), OUT(32), V(8) });
	GOOD(rt_sigaction, { V(SIGURG), V(0), OUT(32), V(8) });
	GOOD(rt_sigaction, { V(SIGKILL), V(0), OUT(32), V(8) });
	signal(SIGUSR2, SIG_DFL);
	signal(64, SIG_DFL);
	ROW(rt_sigprocmask, { V(SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK, 3, -1), IN(&set, 8), OUT(8), V(8, 0, 4, 16, -1) }, 0,
	    unmasked);
	ROW(rt_sigpending, { OUT(8), LEN(8) }, 0, waiting_signal);
	ROW(rt_sigtimedwait, { IN(&user, 8), OUT(128), IN(&moment, 16), V(8, 0, 4, -1) }, BLOCKS, waiting_signal,
	    .hide = { { 1, 16, 4 } });
	signal(SIGUSR2, SIG_IGN);
	unmasked();
	signal(SIGUSR2, SIG_DFL);
	GOOD(rt_sigtimedwait, { IN(&user, 8), OUT(128), IN(&moment, 16), V(8) });
	GOOD(rt_sigtimedwait, { IN(&user, 8), OUT(128), IN(&negative, 16), V(8) });
	GOOD(rt_sigtimedwait, { IN(&user, 8), OUT(128), IN(&crooked, 16), V(8) });
	row(&(struct row){ "rt_sigtimedwait", NR_rt_sigtimedwait, { IN(&user, 8), OUT(128), V(0), V(8) }, BLOCKS | GOOD_ONLY });
	ROW(rt_sigsuspend, { IN(&no_mask, 8), V(8, 0, 4, -1) }, BLOCKS);
	ROW(pause, { V(0) }, BLOCKS);
	ROW(alarm, { V(0, 1000, 0, -1, 0) });
}

static void sleeping(void)
{
	ROW(nanosleep, { IN(&moment, 16), OUT(16) });
	GOOD(nanosleep, { IN(&negative, 16), OUT(16) });
	GOOD(nanosleep, { IN(&crooked, 16), OUT(16) });
	const struct timespec day = { 86400, 0 };
	ROW(nanosleep, { IN(&day, 16), OUT(16) }, BLOCKS, .hide = { { 1, 0, 16 } });
	ROW(times, { OUT(32) }, HIDES, .hide = { { 0, 0, 32 } });
	ROW(time, { OUT(8) }, HIDES, .hide = { { 0, 0, 8 } });
	ROW(gettimeofday, { OUT(16), OUT(8) }, .hide = { { 0, 0, 16 } });
	ROW(clock_gettime, { V(99, 10, -1, 0x7fffffff), OUT(16) });
	ROW(clock_getres, { V(99, 10, -1, 0x7fffffff), OUT(16) });
	ROW(getrandom, { OUT(16), LEN(16), V(0, 1, 2, 4, 6, 8, -1) }, .hide = { { 0, 0, 12032 } });
}

static void one_child(void)
{
	siginfo_t info;

	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	if (fork() == 0)
		_exit(7);
	waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
}

static void children(void)
{
	ROW(wait4, { V(-1, 0, NOBODY_PID, INT_MIN), OUT(4), V(0, WNOHANG, 0x40000000, -1), OUT(144) }, BLOCKS | HIDES, one_child,
	    { { 3, 0, 144 } });
	ROW(waitid,
	    { V(P_ALL, P_PID, P_PGID, P_PIDFD, 9, -1), V(0, NOBODY_PID, -1), OUT(128),
	      V(WEXITED, WEXITED | WNOHANG, WSTOPPED | WNOHANG, 0, -1), OUT(144) },
	    BLOCKS, one_child, { { 2, 12, 8 }, { 4, 0, 144 } });
	one_child();
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	GOOD(wait4, { V(-1), OUT(4), V(0), OUT(144) });
	GOOD(waitid, { V(P_ALL), V(0), OUT(128), V(WEXITED), OUT(144) });
}

static int queue, set;

static void fresh_queue(void)
{
	const struct {
		long type;
		char text[8];
	} one = { 3, "waiting" };

	msgctl(queue, IPC_RMID, NULL);
	queue = msgget(0x4d520001, IPC_CREAT | 0600);
	msgsnd(queue, &one, 7, 0);
}

static void semaphores(void)
{
	const struct sembuf up[3] = { { 0, 2, 0 }, { 1, 1, IPC_NOWAIT }, { 0, 0, IPC_NOWAIT } }, wait = { 1, -100, 0 },
			    wrong = { 9, 1, 0 };
	const struct {
		long type;
		char text[24];
	} message = { 5, "text of a message" }, wrong_type = { -1, "x" };

	set = semget(IPC_PRIVATE, 2, 0600);
	ROW(semget, { V(0x4d520002, 0x4d520003), V(2, 0, 3, -1, 100000), V(IPC_CREAT | 0600, 0600, IPC_CREAT | IPC_EXCL) },
	    HIDES);
	semctl(semget(0x4d520002, 0, 0), 0, IPC_RMID);
	semctl(semget(0x4d520003, 0, 0), 0, IPC_RMID);
	ROW(semop, { V(set, -1), IN(up, 12), V(2, 0, 1, 3, 501, 100000, -1) });
	GOOD(semop, { V(set), IN(&wrong, 6), V(1) });
	row(&(struct row){ "semop", NR_semop, { V(set), IN(&wait, 6), V(1) }, BLOCKS | GOOD_ONLY });
	ROW(semtimedop, { V(set, -1), IN(up, 12), V(2, 0, 3, 501, -1), IN(&moment, 16) });
	ROW(semtimedop, { V(set), IN(&wait, 6), V(1), IN(&moment, 16) }, BLOCKS);
	GOOD(semtimedop, { V(set), IN(&wait, 6), V(1), IN(&negative, 16) });
	semctl(set, 0, IPC_RMID);
	queue = msgget(0x4d520001, IPC_CREAT | 0600);
	ROW(msgget, { V(0x4d520001, 0x4d520004), V(0600, IPC_CREAT | IPC_EXCL, 0) }, HIDES);
	fresh_queue();
	const int now = queue;
	ROW(msgsnd, { V(now, -1), IN(&message, 32), LEN(17), V(0, IPC_NOWAIT, -1) }, BLOCKS);
	GOOD(msgsnd, { V(now), IN(&wrong_type, 32), V(1), V(0) });
	msgctl(now, IPC_RMID, NULL);
	row(&(struct row){ "msgrcv", NR_msgrcv, { V(-1), OUT(32), LEN(24), V(0), V(0) }, GOOD_ONLY });
	for (long type = -4; type < 5; type++) {
		static const long rooms[] = { 24, 7, 6, 0, -1, 1 << 21 };

		for (int flags = 0; flags < 4; flags++)
			for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
				if (type != 0 && type != 3 && type != -4 && (i > 0 || flags > 0))
					continue;
				fresh_queue();
				row_ready();
				areas_fill();
				areas_note();
				timer_set(30);
				long result = RAW(NR_msgrcv, queue, (long)area[1] + MIDDLE, rooms[i], type,
						  (flags & 1 ? MSG_NOERROR : 0) | (flags & 2 ? 040000 | IPC_NOWAIT : 0));
				timer_set(0);
				say("msgrcv: type %ld, room %ld, flags %d = ", type, rooms[i], flags);
				say_result(result, false);
				say_changes(1, (long)area[1] + MIDDLE, NULL);
				say("\n");
			}
	}
	for (enum where w = AT_MIDDLE; w < WHERES; w++) {
		const struct arg room = OUT(15);

		fresh_queue();
		row_ready();
		areas_fill();
		long at = place(1, &room, w);
		areas_note();
		long result = RAW(NR_msgrcv, queue, at, 7, 0, 0);
		say("msgrcv: %s = ", where_names[w]);
		say_result(result, false);
		say_changes(1, at, NULL);
		say("\n");
	}
	msgctl(queue, IPC_RMID, NULL);
}

static void timers(void)
{
	const struct itimerspec later = { { 0, 0 }, { 1000, 0 } }, wrong = { { 0, 0 }, { 0, -1 } };
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	int timer = -1;

	syscall(SYS_timer_create, CLOCK_MONOTONIC, &none, &timer);
	ROW(timer_settime, { V(timer, 99, -1), V(0, TIMER_ABSTIME, 2, -1), IN(&later, 32), OUT(32) }, .hide = { { 3, 16, 16 } });
	GOOD(timer_settime, { V(timer), V(0), IN(&wrong, 32), OUT(32) });
	ROW(timer_gettime, { V(timer, 99, -1), OUT(32) }, .hide = { { 1, 16, 16 } });
	ROW(timer_getoverrun, { V(timer, 99, -1) });
	ROW(timer_delete, { V(99, -1, timer) });
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_user };

	rows_begin();
	sigaction(SIGUSR1, &action, NULL);
	names();
	limits();
	sending();
	receiving();
	sleeping();
	children();
	semaphores();
	timers();
	powers();
	rows_end_by("exit_group", NR_exit_group, 0x1234563);
}
