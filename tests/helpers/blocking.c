/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blocking CALL[,CALL...]|all [plain|signal|restart] [MILLISECONDS]
 *
 * Each call blocks for so long until a child, or its time-out, ends it. "signal": a signal with a handler comes half-way; "restart": the handler
 * has SA_RESTART. Prints the result and whether it came in time; "ready" goes to stderr if BLOCKING_READY is set, so that a test can
 * move the process while it blocks.
 *
 * One program for all calls, hence long: they share the child, the clock and the report, and a table at the end names them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { MEGABYTE = 1 << 20, LATE_MS = 4000 };

static int milliseconds = 600, signalled, restarting;
static volatile sig_atomic_t handled;
static pid_t peer;
static int64_t forked;	/* when the peer's clock began to run, which is before the call begins */
static char *block;

static void handler(int number)
{
	(void)number;
	handled++;
}

static struct timespec span(int ms)
{
	return (struct timespec){ ms / 1000, ms % 1000 * 1000000L };
}

static void later(int ms)
{
	struct timespec t = span(ms);
	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

/* Forks; true in the child once the time has passed. The child sends the signal half-way. */
static bool child_later(void)
{
	pid_t parent = getpid();
	fflush(stdout);
	forked = check_now(CLOCK_MONOTONIC);
	peer = fork();
	if (peer != 0)
		return false;
	if (signalled) {
		later(milliseconds / 2);
		kill(parent, SIGUSR1);
		later(milliseconds - milliseconds / 2);
	} else {
		later(milliseconds);
	}
	return true;
}

/* For calls that end by their own time-out: a child is there only for the signal. */
static void only_signal(void)
{
	pid_t parent = getpid();
	if (!signalled)
		return;
	fflush(stdout);
	forked = check_now(CLOCK_MONOTONIC);
	peer = fork();
	if (peer == 0) {
		later(milliseconds / 2);
		_exit(kill(parent, SIGUSR1) < 0);
	}
}

/* The time-out of a call that a signal is to interrupt is far away, so that a slow machine does not turn the order round. */
static int limit_ms(void)
{
	return signalled ? 8 * milliseconds : milliseconds;
}

static int64_t begin(void)
{
	if (getenv("BLOCKING_READY") != NULL)
		fprintf(stderr, "ready %d\n", (int)getpid());
	return peer > 0 ? forked : check_now(CLOCK_MONOTONIC);
}

static void report(const char *name, long result, int error, int64_t begun, int at_least_ms, const char *more)
{
	long passed = (check_now(CLOCK_MONOTONIC) - begun) / 1000000;
	const char *when = passed < at_least_ms - 2 ? "EARLY" : passed > at_least_ms + LATE_MS ? "LATE" : "in time";
	/* The signal was sent before the other side ended: one that is not counted now is lost, not late. */
	int status = 0;
	if (peer > 0 && waitpid(peer, &status, 0) != peer)
		status = 0;
	printf("%s: %ld %s, %s, handled %d%s\n", name, result, result < 0 ? strerror(error) : "", when, handled, more);
	if (status != 0)
		printf("%s: the other side ended with %d\n", name, status);
	fflush(stdout);
	if (strcmp(when, "in time") != 0)
		check_wrong++;
	handled = 0;
	peer = 0;
}

/*
 * With SA_RESTART a transfer that has begun ends short at the signal, one that has not goes on. A transfer that began at home and
 * goes on there after a move has not begun as far as home's kernel knows: both are right for a program, so only "some" is told.
 */
static long amount(long result)
{
	return restarting && result > 0 ? 1 : result;
}

/* How long a call lasts that a handler ends if it is not restarted. */
static int until_end(bool can_restart)
{
	return signalled && !(restarting && can_restart) ? milliseconds / 2 : milliseconds;
}

static void do_sleep(void)
{
	only_signal();
	int64_t t = begin();
	int seconds = (limit_ms() + 999) / 1000, left = (int)sleep((unsigned)seconds);
	int expected = signalled ? seconds - milliseconds / 2 / 1000 : 0;	/* in whole seconds, less on a slow machine */
	report("sleep", signalled == (left > 0) && left <= expected + 1 ? expected : -1, errno, t, signalled ? milliseconds / 2 : seconds * 1000, "");
}

static void do_nanosleep(void)
{
	struct timespec want = span(limit_ms()), left = { 0, 0 };
	only_signal();
	int64_t t = begin();
	int result = nanosleep(&want, &left), error = errno;
	long sum = (check_now(CLOCK_MONOTONIC) - t) / 1000000 + left.tv_sec * 1000 + left.tv_nsec / 1000000;
	const char *rest = result < 0 ? sum < limit_ms() - 5 || sum > limit_ms() + LATE_MS ? ", remainder WRONG" : ", remainder right" : "";
	report("nanosleep", result, error, t, until_end(false), rest);
}

static void do_select(void)
{
	struct timeval left = { limit_ms() / 1000, limit_ms() % 1000 * 1000 };
	only_signal();
	int64_t t = begin();
	int result = select(0, NULL, NULL, NULL, &left), error = errno;
	long sum = (check_now(CLOCK_MONOTONIC) - t) / 1000 + left.tv_sec * 1000000 + left.tv_usec;
	const char *rest = sum < limit_ms() * 1000L - 5000 || sum > (limit_ms() + LATE_MS) * 1000L ? ", remainder WRONG" : ", remainder right";
	report("select", result, error, t, until_end(false), rest);
}

static void do_poll(void)
{
	only_signal();
	int64_t t = begin();
	int result = poll(NULL, 0, limit_ms()), error = errno;
	report("poll", result, error, t, until_end(false), "");
}

static void do_poll_ready(void)
{
	int ends[2];
	char c = 0;
	if (pipe(ends) < 0)
		return;
	if (child_later())
		_exit(write(ends[1], "x", 1) != 1);
	struct pollfd p = { .fd = ends[0], .events = POLLIN };
	int64_t t = begin();
	int result = poll(&p, 1, 60000), error = errno;
	report("poll for a pipe", result, error, t, until_end(false), p.revents == POLLIN ? ", readable" : "");
	if (read(ends[0], &c, 1) != 1)
		check(false, "nothing in the pipe");
	close(ends[0]);
	close(ends[1]);
}

static void do_epoll(void)
{
	int fd = epoll_create1(0);
	struct epoll_event event;
	only_signal();
	int64_t t = begin();
	int result = epoll_wait(fd, &event, 1, limit_ms()), error = errno;
	report("epoll_wait", result, error, t, until_end(false), "");
	close(fd);
}

static void do_read(void)
{
	int ends[2];
	char c;
	if (pipe(ends) < 0)
		return;
	if (child_later())
		_exit(write(ends[1], "x", 1) != 1);
	int64_t t = begin();
	ssize_t result = read(ends[0], &c, 1);
	report("read", result, errno, t, until_end(true), "");
	close(ends[0]);
	close(ends[1]);
}

static void do_terminal(void)
{
	char line[100] = "";
	int64_t t = begin();
	ssize_t n = read(STDIN_FILENO, line, sizeof line - 1);
	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	printf("read on a terminal: %zd \"%s\"%s\n", n, line, check_now(CLOCK_MONOTONIC) < t ? ", before it began" : "");
}

static int listener(struct sockaddr_in *address)
{
	socklen_t length = sizeof *address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memset(address, 0, sizeof *address);
	address->sin_family = AF_INET;
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)address, sizeof *address) < 0 || listen(fd, 5) < 0 || getsockname(fd, (struct sockaddr *)address, &length) < 0)
		check(false, "listen");
	return fd;
}

static void do_accept(void)
{
	struct sockaddr_in address, from;
	socklen_t length = sizeof from;
	int fd = listener(&address);
	if (child_later()) {
		int out = socket(AF_INET, SOCK_STREAM, 0);
		_exit(connect(out, (struct sockaddr *)&address, sizeof address) < 0);
	}
	int64_t t = begin();
	int result = accept(fd, (struct sockaddr *)&from, &length), error = errno;
	report("accept", result < 0 ? result : 0, error, t, until_end(true), result >= 0 && length == sizeof from ? ", with an address" : "");
	if (result >= 0)
		close(result);
	close(fd);
}

static void do_wait(void)
{
	int status = 0;
	if (child_later())
		_exit(7);
	int64_t t = begin();
	pid_t result = waitpid(peer, &status, 0);
	int error = errno;
	char more[32];
	snprintf(more, sizeof more, ", status %x", result > 0 ? (unsigned)status : 0);
	if (result > 0)
		peer = 0;
	report("wait", result < 0 ? -1 : 0, error, t, until_end(true), more);
}

static void do_flock(void)
{
	int ends[2];
	char c;
	int fd = open("locked", O_RDWR | O_CREAT, 0600);
	if (pipe(ends) < 0)
		return;
	fflush(stdout);
	pid_t parent = getpid();
	forked = check_now(CLOCK_MONOTONIC);
	peer = fork();
	if (peer == 0) {
		int own = open("locked", O_RDWR);
		flock(own, LOCK_EX);
		if (write(ends[1], "x", 1) != 1)
			_exit(1);
		later(milliseconds / 2);
		if (signalled)
			kill(parent, SIGUSR1);
		later(milliseconds - milliseconds / 2);
		_exit(0);
	}
	if (read(ends[0], &c, 1) != 1)
		check(false, "the child");
	int64_t t = begin();
	int result = flock(fd, LOCK_EX), error = errno;
	report("flock", result, error, t, until_end(true), "");
	close(fd);
	close(ends[0]);
	close(ends[1]);
	unlink("locked");
}

static void do_lock(void)
{
	int ends[2];
	char c;
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };
	int fd = open("locked", O_RDWR | O_CREAT, 0600);
	if (pipe(ends) < 0)
		return;
	fflush(stdout);
	pid_t parent = getpid();
	forked = check_now(CLOCK_MONOTONIC);
	peer = fork();
	if (peer == 0) {
		fcntl(fd, F_SETLK, &lock);
		if (write(ends[1], "x", 1) != 1)
			_exit(1);
		later(milliseconds / 2);
		if (signalled)
			kill(parent, SIGUSR1);
		later(milliseconds - milliseconds / 2);
		_exit(0);
	}
	if (read(ends[0], &c, 1) != 1)
		check(false, "the child");
	int64_t t = begin();
	int result = fcntl(fd, F_SETLKW, &lock), error = errno;
	report("fcntl lock", result, error, t, until_end(true), "");
	close(fd);
	close(ends[0]);
	close(ends[1]);
	unlink("locked");
}

/* A reader that begins when the time has come and checks the bytes. Exits 0 if it got the wanted number of them. */
static void reader(int fd, long want)
{
	long got = 0;
	static unsigned char buffer[65536];
	for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0; got += n)
		for (ssize_t i = 0; i < n; i++)
			if (buffer[i] != (unsigned char)((got + i) * 7 % 253))
				_exit(3);
	_exit(want >= 0 && got != want);
}

static void do_write(void)
{
	int ends[2];
	if (pipe(ends) < 0)
		return;
	pid_t parent = getpid();
	fflush(stdout);
	forked = check_now(CLOCK_MONOTONIC);
	peer = fork();
	if (peer == 0) {
		close(ends[1]);
		later(milliseconds / 2);
		if (signalled)
			kill(parent, SIGUSR1);
		later(milliseconds - milliseconds / 2);
		reader(ends[0], signalled ? -1 : MEGABYTE);
	}
	close(ends[0]);
	int64_t t = begin();
	ssize_t result = write(ends[1], block, MEGABYTE);
	int error = errno;
	close(ends[1]);
	report("write", amount(result), error, t, signalled ? milliseconds / 2 : milliseconds, "");
}

static void do_send(void)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		return;
	pid_t parent = getpid();
	fflush(stdout);
	forked = check_now(CLOCK_MONOTONIC);
	peer = fork();
	if (peer == 0) {
		close(ends[1]);
		later(milliseconds / 2);
		if (signalled)
			kill(parent, SIGUSR1);
		later(milliseconds - milliseconds / 2);
		reader(ends[0], signalled ? -1 : MEGABYTE);
	}
	close(ends[0]);
	int64_t t = begin();
	ssize_t result = send(ends[1], block, MEGABYTE, 0);
	int error = errno;
	close(ends[1]);
	report("send", amount(result), error, t, signalled ? milliseconds / 2 : milliseconds, "");
}

static void do_receive(void)
{
	int ends[2];
	static char buffer[40000];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		return;
	pid_t parent = getpid();
	fflush(stdout);
	forked = check_now(CLOCK_MONOTONIC);
	peer = fork();
	if (peer == 0) {
		close(ends[0]);
		for (int i = 0; i < 4; i++) {
			later(milliseconds / 4);
			if (signalled && i == 1) {
				kill(parent, SIGUSR1);
				later(100);
			}
			if (write(ends[1], block + 10000L * i, 10000) != 10000)
				_exit(signalled ? 0 : 1);
		}
		_exit(0);
	}
	close(ends[1]);
	signal(SIGPIPE, SIG_IGN);
	int64_t t = begin();
	ssize_t result = recv(ends[0], buffer, sizeof buffer, MSG_WAITALL);
	int error = errno;
	check(result < 0 || memcmp(buffer, block, (size_t)result) == 0, "other bytes");
	close(ends[0]);
	report("recv", result, error, t, signalled ? milliseconds / 2 : milliseconds, "");
}

static void do_receive_timeout(void)
{
	int ends[2];
	char c;
	struct timeval limit = { limit_ms() / 1000, limit_ms() % 1000 * 1000 };
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		return;
	setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	only_signal();
	int64_t t = begin();
	ssize_t result = recv(ends[0], &c, 1, 0);
	report("recv with SO_RCVTIMEO", result, errno, t, until_end(false), "");
	close(ends[0]);
	close(ends[1]);
}

static void do_sigwait(void)
{
	sigset_t set;
	siginfo_t info;
	struct timespec limit = span(limit_ms());
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	only_signal();
	int64_t t = begin();
	int result = sigtimedwait(&set, &info, &limit), error = errno;
	report("sigtimedwait", result, error, t, until_end(false), "");
	if (child_later()) {
		kill(getppid(), SIGUSR2);
		_exit(0);
	}
	t = begin();
	result = sigwaitinfo(&set, &info);
	error = errno;
	report("sigwaitinfo", result, error, t, until_end(false), "");
	limit = (struct timespec){ 0, 0 };
	sigtimedwait(&set, &info, &limit);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void do_pause(void)
{
	bool saved = signalled;
	signalled = true;
	only_signal();
	int64_t t = begin();
	int result = pause(), error = errno;
	report("pause", result, error, t, milliseconds / 2, "");
	signalled = saved;
}

static void do_semaphore(void)
{
	sem_t semaphore;
	struct timespec until;
	sem_init(&semaphore, 0, 0);
	only_signal();
	int64_t t = begin();
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += limit_ms() / 1000;
	until.tv_nsec += limit_ms() % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	int result = sem_timedwait(&semaphore, &until), error = errno;
	report("sem_timedwait", result, error, t, until_end(false) - 1, "");
}

static void do_futex(void)
{
	uint32_t word = 1;
	struct timespec limit = span(limit_ms());
	only_signal();
	int64_t t = begin();
	long result = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, &limit, NULL, 0);
	report("futex", result, errno, t, until_end(false), "");
}

static void do_sysv(void)
{
	struct { long type; char text[16]; } message = { 1, "text" };
	int queue = msgget(IPC_PRIVATE, 0600), set = semget(IPC_PRIVATE, 1, 0600);
	if (child_later())
		_exit(msgsnd(queue, &message, sizeof message.text, 0) < 0);
	int64_t t = begin();
	ssize_t got = msgrcv(queue, &message, sizeof message.text, 0, 0);
	int error = errno;
	report("msgrcv", got, error, t, until_end(false), "");
	struct sembuf down = { 0, -1, 0 }, up = { 0, 1, 0 };
	if (child_later())
		_exit(semop(set, &up, 1) < 0);
	t = begin();
	int result = semop(set, &down, 1);
	error = errno;
	report("semop", result, error, t, until_end(false), "");
	struct timespec limit = span(limit_ms());
	semctl(set, 0, SETVAL, 0);
	only_signal();
	t = begin();
	result = semtimedop(set, &down, 1, &limit);
	error = errno;
	report("semtimedop", result, error, t, until_end(false), "");
	msgctl(queue, IPC_RMID, NULL);
	semctl(set, 0, IPC_RMID);
}

static void do_queue(void)
{
	char name[64], text[64];
	struct mq_attr attributes = { .mq_maxmsg = 4, .mq_msgsize = sizeof text };
	snprintf(name, sizeof name, "/mosix-test-%d", (int)getpid());
	mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
	if (queue < 0) {
		printf("mq_receive: %s\n", strerror(errno));
		return;
	}
	mq_unlink(name);
	if (child_later())
		_exit(mq_send(queue, "text", 5, 1) < 0);
	int64_t t = begin();
	ssize_t result = mq_receive(queue, text, sizeof text, NULL);
	report("mq_receive", result, errno, t, until_end(true), "");
	mq_close(queue);
}

static void do_fifo(void)
{
	mkfifo("fifo", 0600);
	if (child_later())
		_exit(open("fifo", O_WRONLY | (signalled && !restarting ? O_NONBLOCK : 0)) < 0 && !signalled);
	int64_t t = begin();
	int fd = open("fifo", O_RDONLY), error = errno;
	report("open", fd < 0 ? -1 : 0, error, t, until_end(true), "");
	if (fd >= 0)
		close(fd);
	unlink("fifo");
}

static void do_events(void)
{
	uint64_t value = 0;
	int event = eventfd(0, 0);
	if (child_later()) {
		value = 5;
		_exit(write(event, &value, 8) != 8);
	}
	int64_t t = begin();
	ssize_t result = read(event, &value, 8);
	report("read of an eventfd", result, errno, t, until_end(true), value == 5 ? ", 5" : "");
	close(event);
	int timer = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec once = { .it_value = span(milliseconds) };
	only_signal();
	t = begin();
	timerfd_settime(timer, 0, &once, NULL);
	result = read(timer, &value, 8);
	report("read of a timerfd", result, errno, t, until_end(true), "");
	close(timer);
	int watch = inotify_init1(0);
	char buffer[512];
	inotify_add_watch(watch, ".", IN_CREATE);
	if (child_later()) {
		close(open("created", O_WRONLY | O_CREAT, 0600));
		_exit(0);
	}
	t = begin();
	result = read(watch, buffer, sizeof buffer);
	report("read of an inotify", result, errno, t, until_end(false), "");
	close(watch);
	unlink("created");
}

static void do_absolute(void)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	int64_t end = until.tv_sec * INT64_C(1000000000) + until.tv_nsec + limit_ms() * INT64_C(1000000);
	until = (struct timespec){ end / 1000000000, end % 1000000000 };
	only_signal();
	int64_t t = begin();
	int error = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL);
	report("clock_nanosleep", error == 0 ? 0 : -1, error, t, until_end(false) - 1, "");
}

static const struct { const char *name; void (*run)(void); } calls[] = {
	{ "sleep", do_sleep },		{ "nanosleep", do_nanosleep },	{ "absolute", do_absolute },	{ "select", do_select },
	{ "poll", do_poll },		{ "pollready", do_poll_ready },	{ "epoll", do_epoll },		{ "read", do_read },
	{ "accept", do_accept },	{ "wait", do_wait },		{ "flock", do_flock },		{ "lock", do_lock },
	{ "write", do_write },		{ "send", do_send },		{ "recv", do_receive },		{ "rcvtimeo", do_receive_timeout },
	{ "sigwait", do_sigwait },	{ "pause", do_pause },		{ "sem", do_semaphore },	{ "futex", do_futex },
	{ "sysv", do_sysv },		{ "mq", do_queue },		{ "fifo", do_fifo },		{ "events", do_events },
	{ "terminal", do_terminal },
};

int main(int argc, char **argv)
{
	const char *which = argc > 1 ? argv[1] : "all", *how = argc > 2 ? argv[2] : "plain";
	if (argc > 3)
		milliseconds = atoi(argv[3]);
	signalled = strcmp(how, "plain") != 0;
	restarting = strcmp(how, "restart") == 0;
	struct sigaction action = { .sa_handler = handler, .sa_flags = restarting ? SA_RESTART : 0 };
	sigemptyset(&action.sa_mask);
	sigaction(SIGUSR1, &action, NULL);
	block = malloc(MEGABYTE);
	for (long i = 0; i < MEGABYTE; i++)
		block[i] = (char)(unsigned char)(i * 7 % 253);
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		const char *at = strstr(which, calls[i].name);
		size_t length = strlen(calls[i].name);
		bool named = at != NULL && (at == which || at[-1] == ',') && (at[length] == '\0' || at[length] == ',');
		if (named || (strcmp(which, "all") == 0 && calls[i].run != do_terminal))
			calls[i].run();
	}
	free(block);
	return check_result();
}
