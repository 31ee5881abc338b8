/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Children in all ways in which they can be made and waited for: who they are, how they end, what their parent hears of it, who
 * gets them when it ends before them. The list of what wait(2) and its like can do is long.
 */
#define _GNU_SOURCE
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "fork.h"

enum { GENERATIONS = 6, CROWD = 60, GROUP = 4, SHORT = 15 };

static sigset_t set_of(int number)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, number);
	return set;
}

/* ---- ways to make one ---- */

static pid_t parent_tid, child_tid;

static pid_t by_clone(void)
{
	parent_tid = child_tid = -1;
	unsigned long flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
	return (pid_t)syscall(SYS_clone, flags, 0, &parent_tid, &child_tid, 0);
}

static pid_t by_clone3(void)
{
	parent_tid = child_tid = -1;
	struct clone_args args = {
		.flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID, .parent_tid = (uintptr_t)&parent_tid,
		.child_tid = (uintptr_t)&child_tid, .exit_signal = SIGCHLD,
	};
	return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

static pid_t by_fork_call(void)
{
	return (pid_t)syscall(SYS_fork);
}

static pid_t by_plain_clone(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, NULL, NULL, 0);
}

static const struct {
	const char *name;
	pid_t (*make)(void);
	bool tids;
} ways[] = {
	{ "fork",      fork,           false },
	{ "_Fork",     _Fork,          false },
	{ "SYS_fork",  by_fork_call,   false },
	{ "SYS_clone", by_plain_clone, false },
	{ "tids",      by_clone,       true  },
	{ "clone3",    by_clone3,      true  },
};

static void ways_to_make(void)
{
	pid_t parent = getpid(), group = getpgrp(), session = getsid(0);
	for (int round = 0; round < 4; round++)
		for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
			const char *name = ways[i].name;
			fflush(stdout);
			pid_t child = ways[i].make();
			if (child == 0) {
				pid_t pid = getpid();
				for (int again = 0; again < 2; again++) {
					check(pid != parent && getpid() == pid && syscall(SYS_gettid) == pid, "%s: who am I", name);
					check(getppid() == parent && getpgrp() == group && getsid(0) == session, "%s: whose am I", name);
					check(getpgid(0) == group && getsid(parent) == session, "%s: where am I", name);
					check(kill(pid, 0) == 0 && kill(parent, 0) == 0, "%s: kill", name);
					check(!ways[i].tids || child_tid == pid, "%s: %d instead of %d", name, child_tid, pid);
					check_compute(SHORT);
				}
				fork_end((int)i + 20);
			}
			check(child > 0 && child != parent && getpid() == parent, "%s: %d", name, child);
			check(!ways[i].tids || (parent_tid == child && child_tid == -1), "%s: tids %d %d", name, parent_tid, child_tid);
			fork_expect(child, fork_code((int)i + 20), name);
		}
	puts("all ways to make a child");
}

/* ---- on another stack, or with another signal ---- */

static char stack[64 * 1024] __attribute__((aligned(16)));

static int on_stack(void *code)
{
	pid_t pid = getpid();
	check_compute(SHORT);
	bool there = (uintptr_t)__builtin_frame_address(0) - (uintptr_t)stack < sizeof stack;
	return there && getpid() == pid && syscall(SYS_gettid) == pid ? (int)(intptr_t)code : FORK_WRONG;
}

static void other_clones(void)
{
	static const struct {
		const char *name;
		int flags, options;
	} clones[] = {
		{ "a stack",        SIGCHLD,                       0        },
		{ "tids",           SIGCHLD | CLONE_PARENT_SETTID, 0        },
		{ "another signal", SIGUSR1,                       __WCLONE },
		{ "no signal",      0,                             __WALL   },
		{ "descriptors",    SIGCHLD | CLONE_FILES,         0        },
		{ "memory",         SIGCHLD | CLONE_VM,            0        },
	};
	signal(SIGUSR1, SIG_IGN);
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < sizeof clones / sizeof clones[0]; i++) {
			int status = 0;
			pid_t tid = 0;
			check_compute(SHORT);
			fflush(stdout);
			pid_t child = clone(on_stack, stack + sizeof stack, clones[i].flags, (void *)(intptr_t)(i + 10), &tid, NULL, NULL);
			check(child > 0 && (!(clones[i].flags & CLONE_PARENT_SETTID) || tid == child), "%s: %d %d", clones[i].name, child, tid);
			pid_t waited = fork_wait(child, &status, clones[i].options);
			check(waited == child && status == fork_code((int)i + 10), "%s: wait says %d for %d, status %x", clones[i].name,
			      waited, child, status);
		}
	signal(SIGUSR1, SIG_DFL);
	puts("other clones");
}

/* ---- ways to end ---- */

static void end_in_write(void)
{
	int ends[2];
	if (pipe(ends) == 0)
		close(ends[0]);
	fork_end(write(ends[1], "x", 1) < 0 ? 1 : 2);
}

static void end_in_fault(void)
{
	volatile int *nothing = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*nothing = 1;
}

static void end_in_division(void)
{
	volatile int zero = 0;
	zero = 7 / zero;
}

static void end_in_nonsense(void) { __builtin_trap(); }
static void end_in_kill(void) { kill(getpid(), SIGKILL); }
static void end_in_alarm(void) { alarm(1), pause(); }
static void end_in_abort(void) { abort(); }
static void end_in_exit(void) { exit(300); }
static void end_in_minus(void) { _exit(-1); }
static void end_in_thread(void) { syscall(SYS_exit, 33); }

static const struct {
	const char *name;
	void (*end)(void);
} ends[] = {
	{ "exit(300)", end_in_exit },     { "_exit(-1)", end_in_minus },     { "exit of the thread", end_in_thread },
	{ "SIGKILL", end_in_kill },       { "abort", end_in_abort },         { "a fault", end_in_fault },
	{ "a division", end_in_division }, { "an instruction", end_in_nonsense }, { "SIGPIPE", end_in_write },
	{ "SIGALRM", end_in_alarm },
};

static void ways_to_end(void)
{
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		int status = -1;
		siginfo_t info = { 0 };
		struct rusage usage;
		memset(&usage, 0xff, sizeof usage);
		pid_t child = fork_start();
		if (child == 0) {
			check_compute(SHORT);
			ends[i].end();
			fork_end(98);
		}
		int first = waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
		check(first == 0 && info.si_pid == child && info.si_uid == getuid() && info.si_signo == SIGCHLD, "%s: waitid", ends[i].name);
		pid_t waited = i % 3 == 0 ? wait(&status) : i % 3 == 1 ? wait4(-1, &status, __WALL, &usage) : waitpid(0, &status, 0);
		check(waited == child, "%s: wait says %d for %d", ends[i].name, waited, child);
		check(i % 3 != 1 || (usage.ru_utime.tv_sec >= 0 && usage.ru_utime.tv_sec < 60 && usage.ru_stime.tv_sec >= 0 &&
				     usage.ru_maxrss >= 0), "%s: rusage", ends[i].name);
		printf("%s: code %d, status %d; %x\n", ends[i].name, info.si_code, info.si_status, status);
	}
	struct rusage usage;
	check(getrusage(RUSAGE_CHILDREN, &usage) == 0 && usage.ru_maxrss >= 0, "RUSAGE_CHILDREN");
}

/* ---- ways to wait ---- */

static void nobody(const char *when)
{
	siginfo_t info;
	errno = 0;
	check(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "waitpid %s: %s", when, strerror(errno));
	errno = 0;
	check(waitid(P_ALL, 0, &info, WEXITED) == -1 && errno == ECHILD, "waitid %s: %s", when, strerror(errno));
}

static void show(const char *what, pid_t child, int result, const siginfo_t *info)
{
	printf("%s: %d, %s, code %d, status %d\n", what, result, info->si_pid == child ? "the child" : info->si_pid ? "who?" : "nobody",
	       info->si_pid ? info->si_code : 0, info->si_pid ? info->si_status : 0);
}

static void stops(void)
{
	static const int stopping[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };
	siginfo_t info;
	int status;
	for (int i = 0; i < 4; i++) {
		pid_t child = fork_start();
		if (child == 0) {
			setpgid(0, 0);	/* an orphaned group is not stopped by a terminal's signals; its parent is in another here */
			check_compute(SHORT);
			kill(getpid(), stopping[i]);
			check_compute(SHORT);
			for (;;)
				pause();
		}
		check(fork_wait(child, &status, WUNTRACED) == child, "WUNTRACED");
		printf("stopped: %x", status);
		check(waitpid(child, &status, WUNTRACED | WNOHANG) == 0, "stopped twice");
		kill(child, SIGCONT);
		check(fork_wait(child, &status, WCONTINUED) == child && WIFCONTINUED(status), "WCONTINUED: %x", status);
		kill(child, SIGSTOP);
		memset(&info, 0, sizeof info);
		int result = waitid(P_PID, (id_t)child, &info, WSTOPPED | WNOWAIT);
		show(", again", child, result, &info);
		memset(&info, 0, sizeof info);
		result = waitid(P_PID, (id_t)child, &info, WSTOPPED | WEXITED);
		show("taken", child, result, &info);
		kill(child, i % 2 ? SIGKILL : SIGTERM);
		if (i % 2 == 0) {
			check(waitpid(child, &status, WNOHANG) == 0, "ended while it was stopped");
			kill(child, SIGCONT);
		}
		fork_expect(child, i % 2 ? SIGKILL : SIGTERM, "stopped, then killed");
	}
}

static void ways_to_wait(void)
{
	int status = 77, hold[2];
	siginfo_t info;
	nobody("before");
	check(pipe(hold) == 0, "pipe");
	pid_t child = fork_start();
	if (child == 0) {
		char c;
		close(hold[1]);
		setpgid(0, 0);
		check(read(hold[0], &c, 1) == 0, "a byte");
		check_compute(SHORT);
		fork_end(42);
	}
	close(hold[0]);
	check(setpgid(child, child) == 0, "setpgid: %s", strerror(errno));
	memset(&info, 0xff, sizeof info);
	check(waitpid(child, &status, WNOHANG) == 0 && status == 77, "WNOHANG: %d", status);
	show("WNOHANG", child, waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG), &info);
	check(waitid(P_PID, (id_t)child, &info, 0) < 0 && errno == EINVAL, "no options");
	check(waitpid(child, NULL, 0x10000) < 0 && errno == EINVAL, "wrong options");
	check(waitpid(child, NULL, __WCLONE | WNOHANG) < 0 && errno == ECHILD, "__WCLONE");
	check(waitpid(getppid(), NULL, WNOHANG) < 0 && errno == ECHILD, "not my child");
	check(waitpid(0, NULL, WNOHANG) < 0 && errno == ECHILD, "none of my group");
	check(waitid(P_PGID, (id_t)getpgrp(), &info, WEXITED | WNOHANG) < 0 && errno == ECHILD, "P_PGID of my group");
	check(waitpid(child, (int *)16, WNOHANG) == 0, "nothing to be written");
	int fd = pidfd_open(child, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	check(fd >= 0 && poll(&p, 1, 0) == 0, "the pidfd of who lives");
	close(hold[1]);
	check(poll(&p, 1, 20000) == 1 && p.revents == POLLIN, "the pidfd of who has ended: %x", p.revents);
	check(pidfd_send_signal(fd, SIGTERM, NULL, 0) == 0, "a signal to a zombie: %s", strerror(errno));
	memset(&info, 0, sizeof info);
	show("P_PIDFD", child, waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOWAIT), &info);
	memset(&info, 0, sizeof info);
	show("P_PGID", child, waitid(P_PGID, (id_t)child, &info, WEXITED | WNOWAIT | __WALL), &info);
	errno = 0;
	pid_t waited = waitpid(-child, (int *)16, 0);
	printf("a bad pointer: %s, %s\n", waited == child ? "the child" : waited < 0 ? "nobody" : "who?", strerror(errno));
	errno = 0;
	waited = waitpid(-child, &status, 0);
	printf("then %s, %s\n", waited == child ? "the child" : waited < 0 ? "nobody" : "who?", strerror(errno));
	errno = 0;
	int result = pidfd_send_signal(fd, 0, NULL, 0);
	printf("a signal to who is gone: %d %s\n", result, strerror(errno));
	close(fd);
	nobody("after");
}

/* ---- SIGCHLD ---- */

static volatile sig_atomic_t heard;
static siginfo_t told[8];

static void on_child(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	told[heard++ % 8] = *info;
}

static void handle(int flags)
{
	struct sigaction action = { .sa_sigaction = on_child, .sa_flags = flags | SA_SIGINFO };
	heard = 0;
	check(sigaction(SIGCHLD, &action, NULL) == 0, "sigaction");
}

static void until_heard(int count)
{
	for (int64_t until = check_now(CLOCK_MONOTONIC) + INT64_C(20000000000); heard < count && check_now(CLOCK_MONOTONIC) < until;)
		check_work(1, 10000);
	check(heard == count, "SIGCHLD came %d times instead of %d", (int)heard, count);
}

static pid_t sleeper(void)
{
	pid_t child = fork_start();
	if (child == 0) {
		signal(SIGCHLD, SIG_DFL);
		for (;;)
			pause();
	}
	return child;
}

/* The parent computes, or waits for the signal itself, while the child stops, goes on and ends. */
static void sigchld(bool waits, int flags)
{
	static const int sent[] = { SIGSTOP, SIGCONT, SIGTSTP, SIGCONT, SIGUSR1 };
	sigset_t set = set_of(SIGCHLD);
	handle(flags);
	if (waits)
		sigprocmask(SIG_BLOCK, &set, NULL);
	pid_t child = sleeper();
	setpgid(child, child);
	check_compute(SHORT);
	for (int i = 0; i < 5; i++) {
		siginfo_t info = { 0 };
		int number = SIGCHLD;
		bool silent = flags & SA_NOCLDSTOP && i < 4;
		kill(child, sent[i]);
		if (silent) {
			siginfo_t state;
			waitid(P_PID, (id_t)child, &state, WSTOPPED | WCONTINUED);
			check_compute(3);
			check(heard == 0, "a signal in spite of SA_NOCLDSTOP");
			continue;
		} else if (waits) {
			number = sigwaitinfo(&set, &info);
		} else {
			until_heard(flags & SA_NOCLDSTOP ? 1 : i + 1);
			info = told[heard - 1];
		}
		check(info.si_uid == getuid() && info.si_errno == 0 && number == info.si_signo, "siginfo: uid %d, errno %d, signo %d",
		      info.si_uid, info.si_errno, info.si_signo);
		show(waits ? "sigwaitinfo" : "SIGCHLD", child, number, &info);
	}
	fork_expect(child, SIGUSR1, "its last signal");
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* No zombies: waiting ends when all are gone, with nobody. */
static void no_zombies(bool ignored)
{
	if (ignored)
		signal(SIGCHLD, SIG_IGN);
	else
		handle(SA_NOCLDWAIT | SA_RESTART);
	for (int i = 0; i < 5; i++) {
		pid_t child = fork_start();
		if (child == 0) {
			check_compute(SHORT);
			fork_end(i);
		}
		if (i % 2)
			continue;
		errno = 0;
		pid_t waited = fork_wait(child, NULL, 0);
		check(waited == -1 && errno == ECHILD, "waitpid of nobody's: %d %s", waited, strerror(errno));
	}
	int status = 0;
	errno = 0;
	pid_t waited;
	do
		waited = wait(&status);
	while (waited < 0 && errno == EINTR);
	printf("%s: wait %d, %s\n", ignored ? "SIGCHLD ignored" : "SA_NOCLDWAIT", waited, strerror(errno));
	if (!ignored)
		check(heard >= 1 && heard <= 5, "SIGCHLD came %d times", (int)heard);
	signal(SIGCHLD, SIG_DFL);
	nobody("when there are no zombies");
}

/* ---- orphans ---- */

static void wait_for_parent(pid_t expected)
{
	for (int64_t until = check_now(CLOCK_MONOTONIC) + INT64_C(20000000000); getppid() != expected && check_now(CLOCK_MONOTONIC) < until;)
		check_work(1, 100000);
	check(getppid() == expected, "the parent is %d instead of %d", getppid(), expected);
}

static void orphans(void)
{
	pid_t me = getpid();
	int line[2], subreaper = 0, status;
	check(prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L) == 0 && pipe(line) == 0, "prctl");
	pid_t middle = fork_start();
	if (middle == 0) {
		prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0L, 0L, 0L);
		check(subreaper == 0, "a subreaper is born");
		for (int i = 0; i < 3; i++)
			if (fork_start() == 0) {
				check_compute(i * SHORT);
				wait_for_parent(me);
				fork_end(50 + i);
			}
		check_compute(SHORT);
		fork_end(49);
	}
	fork_expect(middle, fork_code(49), "who has orphans");
	int sum = 0;
	for (int i = 0; i < 3; i++) {
		pid_t orphan = fork_wait(-1, &status, 0);
		check(orphan > 0 && WIFEXITED(status), "an orphan: %d %x", orphan, status);
		sum += WEXITSTATUS(status);
	}
	printf("orphans: %d\n", sum);

	middle = fork_start();
	if (middle == 0) {
		if (fork_start() == 0) {
			prctl(PR_SET_PDEATHSIG, (long)SIGUSR2, 0L, 0L, 0L);
			fork_write(line[1], "r", 1);
			for (;;)
				pause();
		}
		char c;
		check(read(line[0], &c, 1) == 1, "the grandchild");
		fork_end(0);
	}
	fork_expect(middle, 0, "who is outlived");
	fork_wait(-1, &status, 0);
	printf("PR_SET_PDEATHSIG: %x\n", status);

	/* As daemon(3) does it, twice. */
	middle = fork_start();
	if (middle == 0) {
		check(setsid() == getpid() && setsid() < 0 && errno == EPERM, "setsid");
		pid_t leader = getpid();
		if (fork_start() != 0)
			fork_end(0);
		wait_for_parent(me);
		check_compute(SHORT);
		int answers[] = { getsid(0) == leader, getpgrp() == leader, getpid() != leader, setpgid(0, 0), getpgrp() == getpid(),
				  setsid(), errno };
		fork_write(line[1], answers, sizeof answers);
		fork_end(0);
	}
	int answers[7] = { 0 };
	fork_expect(middle, 0, "the session's leader");
	check(fork_read(line[0], answers, sizeof answers) == sizeof answers, "the daemon's answers");
	printf("a daemon:");
	for (int i = 0; i < 7; i++)
		printf(" %d", answers[i]);
	putchar('\n');
	check(wait(&status) > 0 && status == 0, "the daemon: %x", status);
	close(line[0]);
	close(line[1]);
	prctl(PR_SET_CHILD_SUBREAPER, 0L, 0L, 0L, 0L);
	nobody("after orphans");
}

/* ---- groups ---- */

static void in_group(int ready, int go)
{
	sigset_t set = set_of(SIGUSR1);
	siginfo_t info;
	char c;
	fork_write(ready, "r", 1);
	check(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_code == SI_USER, "the group's signal");
	check_compute(SHORT);
	fork_write(ready, "g", 1);
	check(read(go, &c, 1) == 0, "a byte");
	fork_end(5);
}

static void groups(void)
{
	int ready[2], go[2];
	sigset_t set = set_of(SIGUSR1);
	pid_t member[GROUP], group = 0;
	check(pipe(ready) == 0 && pipe(go) == 0, "pipe");
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < GROUP; i++) {
		member[i] = fork_start();
		if (member[i] == 0) {
			close(go[1]);
			check(setpgid(0, group) == 0 || errno == EACCES, "setpgid: %s", strerror(errno));
			in_group(ready[1], go[0]);
		}
		group = group ? group : member[i];
		check(setpgid(member[i], group) == 0 && getpgid(member[i]) == group, "setpgid of %d: %s", i, strerror(errno));
	}
	close(go[0]);
	char bytes[GROUP];
	check(fork_read(ready[0], bytes, GROUP) == GROUP, "not all are there");
	check(kill(-group, SIGUSR1) == 0, "kill of the group");
	check(fork_read(ready[0], bytes, GROUP) == GROUP && memcmp(bytes, "gggg", GROUP) == 0, "not all have heard");
	check(killpg(group, SIGSTOP) == 0, "killpg");
	int status, stopped = 0;
	while (stopped < GROUP && fork_wait(-group, &status, WUNTRACED) > 0)
		stopped += WIFSTOPPED(status);
	check(waitpid(-group, NULL, WNOHANG | WUNTRACED) == 0, "more have stopped");
	killpg(group, SIGCONT);
	close(go[1]);
	int ended = 0;
	while (fork_wait(-group, &status, 0) > 0)
		ended += status == fork_code(5);
	errno = 0;
	int gone = kill(-group, 0);
	printf("a group: %d stopped, %d ended, then %d %s\n", stopped, ended, gone, strerror(errno));

	/* One that signals its own group, itself too. */
	pid_t leader = fork_start();
	if (leader == 0) {
		siginfo_t info = { 0 };
		check(setsid() == getpid(), "setsid");
		check(pipe(go) == 0, "pipe");
		for (int i = 0; i < 3; i++)
			if (fork_start() == 0) {
				close(go[1]);
				in_group(ready[1], go[0]);
			}
		close(go[0]);
		check(fork_read(ready[0], bytes, 3) == 3, "not all are there");
		kill(0, SIGUSR1);
		check(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_pid == getpid(), "not mine");
		check(fork_read(ready[0], bytes, 3) == 3, "not all have heard");
		close(go[1]);
		for (int i = 0; i < 3; i++)
			check(fork_wait(-1, &status, 0) > 0 && status == fork_code(5), "one of the session: %x", status);
		fork_end(6);
	}
	fork_wait(leader, &status, 0);
	printf("a session: %x\n", status);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	close(ready[0]);
	close(ready[1]);
	nobody("after groups");
}

/* ---- many ---- */

static void generations(void)
{
	int line[2], depth = 0;
	pid_t ancestor = getpid();
	check(pipe(line) == 0, "pipe");
	fflush(stdout);
	while (depth < GENERATIONS) {
		pid_t parent = getpid(), child = fork_start();
		if (child != 0) {
			char text[32];
			int status = 0;
			check_compute(SHORT);
			check(fork_wait(child, &status, 0) == child && WIFEXITED(status), "generation %d: %x", depth + 1, status);
			int length = snprintf(text, sizeof text, " %d:%d", depth, WEXITSTATUS(status));
			fork_write(line[1], text, (size_t)length);
			if (depth > 0)
				fork_end(WEXITSTATUS(status) + depth);
			break;
		}
		depth++;
		check(getppid() == parent && getpid() != ancestor, "the parent of generation %d", depth);
		check_compute(SHORT);
	}
	if (depth == GENERATIONS)
		fork_end(100);
	char text[256] = "";
	close(line[1]);
	fork_read(line[0], text, sizeof text - 1);
	close(line[0]);
	printf("generations:%s\n", text);
}

static void crowd(void)
{
	int go[2], line[2], sum = 0, codes = 0;
	pid_t child[CROWD];
	check(pipe(go) == 0 && pipe(line) == 0, "pipe");
	uint64_t digest = 1, all = 0;
	for (int i = 0; i < CROWD; i++) {
		digest = check_work(digest, 1000);
		child[i] = fork_start();
		if (child[i] == 0) {
			char c;
			close(go[1]);
			check(read(go[0], &c, 1) == 0, "a byte");
			uint64_t mine[2] = { (uint64_t)i, check_work(digest, 300000L * (1 + i % 7)) };
			fork_write(line[1], mine, sizeof mine);
			fork_end(i);
		}
	}
	close(line[1]);
	close(go[0]);
	close(go[1]);
	uint64_t mine[2];
	while (fork_read(line[0], mine, sizeof mine) == sizeof mine) {
		sum += (int)mine[0];
		all ^= mine[1];
	}
	close(line[0]);
	for (int i = CROWD - 1; i >= 0; i--) {
		fork_expect(child[i], fork_code(i), "one of the crowd");
		codes += i;
	}
	printf("a crowd: %d %d %016llx\n", sum, codes, (unsigned long long)all);
	nobody("after the crowd");
}

int main(void)
{
	ways_to_make();
	ways_to_end();
	ways_to_wait();
	stops();
	sigchld(false, 0);
	sigchld(true, 0);
	sigchld(false, SA_RESTART | SA_NOCLDSTOP);
	no_zombies(true);
	no_zombies(false);
	orphans();
	groups();
	generations();
	crowd();
	other_clones();
	return check_result();
}
