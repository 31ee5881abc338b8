/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parent and children signal, stop, continue and kill each other, from the moment a child is made: what is queued comes once and in
 * order, who is stopped stands still, who is killed ends, and nobody is left.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/time.h>

#include "fork.h"

enum { TURNS = 60, MEMBERS = 4, QUEUED = 60, VICTIMS = 40, STOPS = 12, EARLY = 20, FORKERS = 8 };

static volatile sig_atomic_t came[65], last[MEMBERS + 1], disorder;

static void on(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO };
	check(sigaction(number, &action, NULL) == 0, "sigaction %d", number);
}

static void counting(int number, siginfo_t *info, void *context)
{
	(void)info, (void)context;
	came[number]++;
}

static void block(int how, int number)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(how, &set, NULL);
}

static void queue(pid_t to, int number, int value)
{
	while (sigqueue(to, number, (union sigval){ .sival_int = value }) < 0)
		if (errno != EAGAIN) {
			check(false, "sigqueue of %d to %d: %s", value, to, strerror(errno));
			return;
		}
}

static bool until(const volatile sig_atomic_t *value, int reached)
{
	for (int64_t end = check_now(CLOCK_MONOTONIC) + INT64_C(20000000000); *value < reached && check_now(CLOCK_MONOTONIC) < end;)
		check_work(1, 20000);
	return *value >= reached;
}

/* ---- one with one ---- */

static int rally(pid_t partner, bool begins)
{
	sigset_t set;
	siginfo_t info;
	int sum = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	for (int i = 0; i < TURNS; i++) {
		if (begins)
			queue(partner, SIGRTMIN + 1, i);
		int number;
		do
			number = sigwaitinfo(&set, &info);
		while (number < 0 && errno == EINTR);
		check(number == SIGRTMIN + 1 && info.si_pid == partner && info.si_value.sival_int == i, "turn %d: %d of %d", i,
		      info.si_value.sival_int, info.si_pid);
		sum += info.si_value.sival_int;
		check_work(1, 600000);
		if (!begins)
			queue(partner, SIGRTMIN + 1, i);
	}
	return sum;
}

static void turns(void)
{
	block(SIG_BLOCK, SIGRTMIN + 1);
	pid_t parent = getpid(), child = fork_start();
	if (child == 0)
		fork_end(rally(parent, false) % 100);
	int sum = rally(child, true);
	fork_expect(child, fork_code(sum % 100), "turns");
	block(SIG_UNBLOCK, SIGRTMIN + 1);
	printf("turns: %d\n", sum);
}

/* A signal that is sent as soon as there is a number to send it to. */
static void early(void)
{
	int handled = 0, waited = 0, killed = 0, status;
	on(SIGUSR1, counting, SA_RESTART);
	for (int i = 0; i < EARLY; i++) {
		came[SIGUSR1] = 0;
		bool blocked = i % 2;
		if (blocked)
			block(SIG_BLOCK, SIGUSR1);
		pid_t child = fork_start();
		if (child == 0) {
			check_compute(5);
			if (blocked) {
				check(came[SIGUSR1] == 0, "a blocked signal came");
				block(SIG_UNBLOCK, SIGUSR1);
			}
			check(until(&came[SIGUSR1], 1), "the first signal is lost");
			check_compute(2);
			fork_end(came[SIGUSR1]);
		}
		kill(child, SIGUSR1);
		fork_wait(child, &status, 0);
		*(blocked ? &waited : &handled) += status == fork_code(1);
		block(SIG_UNBLOCK, SIGUSR1);
		check(came[SIGUSR1] == 0, "the child's signal came to the parent");

		child = fork_start();
		if (child == 0)
			for (;;)
				check_compute(100);
		kill(child, i % 2 ? SIGKILL : SIGTERM);
		fork_wait(child, &status, 0);
		killed += status == (i % 2 ? SIGKILL : SIGTERM);
	}
	printf("at once: %d handled, %d after the mask, %d killed\n", handled, waited, killed);
}

/* ---- all with all ---- */

static void from_many(int number, siginfo_t *info, void *context)
{
	(void)context;
	int sender = info->si_value.sival_int >> 16, value = info->si_value.sival_int & 0xffff;
	if (number != SIGRTMIN + 2 || info->si_code != SI_QUEUE || sender > MEMBERS || value != last[sender] + 1)
		disorder++;
	else
		last[sender] = value;
	came[number]++;
}

/* Sends everybody its share, and has its own when all of it has come. */
static void storm_of(int who, const pid_t *member)
{
	for (int value = 1; value <= QUEUED; value++)
		for (int to = 0; to <= MEMBERS; to++)
			if (to != who) {
				queue(member[to], SIGRTMIN + 2, who << 16 | value);
				check_work(1, 20000);
			}
	check(until(&came[SIGRTMIN + 2], MEMBERS * QUEUED), "signals are lost: %d", (int)came[SIGRTMIN + 2]);
	check(came[SIGRTMIN + 2] == MEMBERS * QUEUED && disorder == 0, "%d, out of order %d", (int)came[SIGRTMIN + 2], (int)disorder);
}

static void storm(void)
{
	pid_t member[MEMBERS + 1] = { getpid() };
	int go[2], gone[2];
	char c;
	on(SIGRTMIN + 2, from_many, SA_RESTART);
	check(pipe(go) == 0 && pipe(gone) == 0, "pipe");
	for (int i = 1; i <= MEMBERS; i++) {
		member[i] = fork_start();
		if (member[i] == 0) {
			close(go[1]);
			close(gone[1]);
			fork_read(go[0], member, sizeof member);
			storm_of(i, member);
			check(fork_read(gone[0], &c, 1) == 0, "a byte");	/* the others may still have something for me */
			fork_end(came[SIGRTMIN + 2] / MEMBERS);
		}
	}
	for (int i = 0; i < MEMBERS; i++)
		fork_write(go[1], member, sizeof member);
	storm_of(0, member);
	close(gone[1]);
	for (int i = 1; i <= MEMBERS; i++)
		fork_expect(member[i], fork_code(QUEUED), "one of the storm");
	printf("a storm: %d, out of order %d\n", (int)came[SIGRTMIN + 2], (int)disorder);
	close(go[0]), close(go[1]), close(gone[0]);
}

/* ---- stop and continue ---- */

static size_t drain(int fd)
{
	char bytes[4096];
	size_t sum = 0;
	for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;)
		sum += (size_t)n;
	return sum;
}

static bool goes_on(int fd)
{
	for (int64_t end = check_now(CLOCK_MONOTONIC) + INT64_C(10000000000); check_now(CLOCK_MONOTONIC) < end;)
		if (drain(fd) > 0)
			return true;
	return false;
}

/* The child counts in a pipe: while it is stopped, nothing is added, and afterwards it goes on. */
static void stopping(bool handles_continue)
{
	int line[2], stopped = 0, continued = 0, went_on = 0, status;
	check(pipe2(line, O_NONBLOCK) == 0, "pipe");
	pid_t child = fork_start();
	if (child == 0) {
		if (handles_continue)
			on(SIGCONT, counting, SA_RESTART);
		on(SIGTERM, counting, SA_RESTART);
		while (came[SIGTERM] == 0) {
			check_work(1, 100000);
			check(write(line[1], "x", 1) == 1 || errno == EAGAIN, "write: %s", strerror(errno));
		}
		fork_end(handles_continue ? came[SIGCONT] : 1);
	}
	check(goes_on(line[0]), "it does not begin");
	for (int i = 0; i < STOPS; i++) {
		fork_sleep(i % 4 * 5);
		kill(child, SIGSTOP);
		check(fork_wait(child, &status, WUNTRACED) == child, "WUNTRACED");
		stopped += WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP;
		drain(line[0]);
		check_compute(15);
		check(drain(line[0]) == 0, "it goes on while it is stopped");
		kill(child, SIGCONT);
		check(fork_wait(child, &status, WCONTINUED) == child, "WCONTINUED");
		continued += WIFCONTINUED(status);
		went_on += goes_on(line[0]);
	}
	/* What is sent to one that is stopped comes when it goes on. */
	kill(child, SIGSTOP);
	fork_wait(child, &status, WUNTRACED);
	kill(child, SIGTERM);
	check_compute(15);
	check(waitpid(child, &status, WNOHANG) == 0, "SIGTERM comes while it is stopped");
	kill(child, SIGCONT);
	fork_wait(child, &status, 0);
	printf("stopped %d, continued %d, went on %d, then %x\n", stopped, continued, went_on, status);
	close(line[0]);
	close(line[1]);
}

/* A family stops itself as a terminal would stop it, and its parent continues it. */
static void family(void)
{
	int status, ready[2];
	char c;
	check(pipe(ready) == 0, "pipe");
	pid_t group = fork_start();
	if (group == 0) {
		setpgid(0, 0);
		pid_t grandchild = fork_start();
		if (grandchild == 0) {
			fork_write(ready[1], "r", 1);
			for (int i = 0; i < 5; i++) {
				kill(0, SIGTSTP);
				check_compute(5);
			}
			fork_end(5);
		}
		fork_wait(grandchild, &status, 0);
		fork_end(WEXITSTATUS(status) + 1);
	}
	check(fork_read(ready[0], &c, 1) == 1, "the grandchild");
	int stops = 0;
	while (fork_wait(group, &status, WUNTRACED) == group && WIFSTOPPED(status)) {
		stops += WSTOPSIG(status) == SIGTSTP;
		check_compute(5);
		kill(-group, SIGCONT);
	}
	/* Two stops may be one when the first of two is continued before it has begun; but somebody has to have stopped. */
	check(stops >= 1 && stops <= 5, "%d stops", stops);
	printf("a family: %x\n", status);
	close(ready[0]);
	close(ready[1]);
}

/* ---- kills ---- */

static void victim(int i)
{
	static char text[4096];
	int line[2];
	if (i % 5 == 1)
		for (;;)
			pause();
	if (i % 5 == 2 && pipe(line) == 0)
		for (;;)
			fork_write(line[1], text, 1), fork_read(line[0], text, 1);
	if (i % 5 == 3 && pipe(line) == 0)
		fork_read(line[0], text, 1);
	for (;;) {
		if (i % 5 == 4)
			free(malloc(1 << 20));
		check_compute(3);
	}
}

static void kills(void)
{
	static const int deadly[] = { SIGKILL, SIGTERM, SIGHUP, SIGINT, SIGUSR2, SIGALRM, SIGPIPE };
	pid_t child[VICTIMS];
	int status, right = 0;
	for (int i = 0; i < VICTIMS; i++) {
		child[i] = fork_start();
		if (child[i] == 0)
			victim(i);
		fork_sleep(i * 7 % 11);
		if (i >= 6)
			kill(child[i - 6], deadly[i % 7]);
	}
	for (int i = VICTIMS; i < VICTIMS + 6; i++)
		kill(child[i - 6], deadly[i % 7]);
	for (int i = 0; i < VICTIMS; i++) {
		fork_wait(child[i], &status, 0);
		right += status == deadly[(i + 6) % 7];
		check(status == deadly[(i + 6) % 7], "victim %d ended with %x", i, status);
	}
	printf("killed: %d\n", right);
}

/* Who forks all the time is killed in the middle of it; all that it has made can be found, and killed. */
static void forkers(void)
{
	int killed = 0, status;
	prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L);
	for (int i = 0; i < FORKERS; i++) {
		pid_t forker = fork_start();
		if (forker == 0) {
			setpgid(0, 0);
			for (int n = 0;; n++) {
				if (fork_start() == 0) {
					check_compute(n % 3);
					if (n % 4 == 0)
						for (;;)
							pause();
					fork_end(n % 4);
				}
				while (waitpid(-1, &status, WNOHANG) > 0)
					;
			}
		}
		setpgid(forker, forker);
		fork_sleep(15 + i * 9);
		check(kill(-forker, SIGKILL) == 0, "kill of the group: %s", strerror(errno));
		while (fork_wait(-1, &status, 0) > 0)
			killed += WIFSIGNALED(status);
		check(kill(-forker, 0) < 0 && errno == ESRCH, "somebody is left of the group");
	}
	prctl(PR_SET_CHILD_SUBREAPER, 0L, 0L, 0L, 0L);
	check(killed >= FORKERS, "%d killed", killed);
	puts("forkers");
}

/* fork() under a fast timer: begun again as often as it has to be, with one child each time. */
static void forks_in_alarms(void)
{
	int sum = 0;
	came[SIGALRM] = 0;
	on(SIGALRM, counting, SA_RESTART);
	on(SIGCHLD, counting, SA_RESTART);
	setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 4000 }, { 0, 4000 } }, NULL);
	for (int i = 0; i < 30; i++) {
		int status, alarms = came[SIGALRM];
		pid_t child = fork_start();
		if (child == 0) {
			struct itimerval left;
			int own = came[SIGALRM];
			getitimer(ITIMER_REAL, &left);
			check_compute(10);
			check(came[SIGALRM] == own && own >= alarms && left.it_value.tv_usec == 0, "the child has alarms");
			fork_end(i);
		}
		fork_wait(child, &status, 0);
		sum += WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
	}
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	check(came[SIGALRM] > 10, "%d alarms", (int)came[SIGALRM]);
	check(came[SIGCHLD] == 30, "SIGCHLD came %d times", (int)came[SIGCHLD]);
	check(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "a child too many");
	signal(SIGCHLD, SIG_DFL);
	printf("forks under a timer: %d\n", sum);
}

int main(void)
{
	turns();
	early();
	storm();
	stopping(false);
	stopping(true);
	family();
	kills();
	forkers();
	forks_in_alarms();
	return check_result();
}
