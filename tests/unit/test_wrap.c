/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The wrappers of preload/, linked into this program with a core of a few lines, so that they interpose libc's functions as
 * they do when preloaded. Five kinds of test:
 *   same     a scenario is run in two children, with libc's functions and with the wrappers: what they log must be equal
 *   record   a seccomp filter traps each blocking call; the record must name the number and the registers that arrive
 *   cancel   each cancellation point still is one, before and while it blocks
 *   moves    the process is moved between any two steps of a wrapper, and interrupted by the migration signal while it waits
 *   enroll   the constructor and fork's child each send homed one datagram and leave no descriptor
 */
#define _GNU_SOURCE
#include "test_wrap.h"

int failures;

/* The core's part. */
struct core_urgent urgent;
static struct core_config seen;
static uint64_t forked;
static uint64_t away_user, away_system;

static void on_urgent(int sig, siginfo_t *info, void *context)
{
	struct mosix_sigaction action = urgent.action;

	if (info->si_code == SI_TIMER && info->si_value.sival_int == MOVE_VALUE) {
		moved(context);
		return;
	}
	if (mosix_own.blocked) {
		mosix_own.pending = 1;
		return;
	}
	if (action.handler == (uintptr_t)SIG_DFL || action.handler == (uintptr_t)SIG_IGN)
		return;
	if (action.flags & SA_RESETHAND)
		urgent.action.handler = (uintptr_t)SIG_DFL;
	if (action.flags & SA_SIGINFO)
		((void (*)(int, siginfo_t *, void *))action.handler)(sig, info, context);
	else
		((wrap_handler)action.handler)(sig);
}

struct mosix_sigaction core_action;

int core_start(const struct core_config *config)
{
	int (*real)(int, const struct sigaction *, struct sigaction *) = wrap_resolve(WRAP_sigaction);
	struct sigaction act = { .sa_sigaction = on_urgent, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };

	seen = *config;
	real(SIGURG, &act, NULL);
	wrap_raw_(SYS_rt_sigaction, SIGURG, 0, &core_action, 8);
	return 0;
}

void core_forked(uint64_t secret) { forked = secret; }
uint64_t core_arena(void) { return 0x1234000; }
struct core_urgent *core_urgent(void) { return &urgent; }
uint64_t core_whereabouts(void) { return 0; }
uint64_t core_away_user(void) { return away_user; }
uint64_t core_away_system(void) { return away_system; }
uint64_t core_away_thread(int tid) { (void)tid; return core_away_user() + core_away_system(); }

/* ---- cancel ---- */

static int idle_fd, queue_id;
static sem_t idle_sem;

static void cancel_0(void) { pause(); }
static void cancel_1(void) { nanosleep(&(struct timespec){ 100, 0 }, NULL); }
static void cancel_2(void) { sleep(100); }
static void cancel_3(void) { usleep(100000000); }
static void cancel_4(void) { clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ 100, 0 }, NULL); }
static void cancel_5(void) { poll(NULL, 0, 100000); }
static void cancel_6(void) { ppoll(NULL, 0, &(struct timespec){ 100, 0 }, NULL); }
static void cancel_7(void) { select(0, NULL, NULL, NULL, NULL); }
static void cancel_8(void) { pselect(0, NULL, NULL, NULL, &(struct timespec){ 100, 0 }, &(sigset_t){{ 0 }}); }
static void cancel_9(void) { epoll_wait(epoll_create1(0), &(struct epoll_event){ .events = 0 }, 1, -1); }
static void cancel_10(void) { epoll_pwait(epoll_create1(0), &(struct epoll_event){ .events = 0 }, 1, -1, &(sigset_t){{ 0 }}); }
static void cancel_11(void) { epoll_pwait2(epoll_create1(0), &(struct epoll_event){ .events = 0 }, 1, NULL, NULL); }
static void cancel_12(void) { sigsuspend(&(sigset_t){{ 0 }}); }
static void cancel_13(void) { sigtimedwait(&(sigset_t){{ 0 }}, NULL, NULL); }
static void cancel_14(void) { int sig; sigwait(&(sigset_t){{ 0 }}, &sig); }
static void cancel_15(void) { sem_timedwait(&idle_sem, &(struct timespec){ 1l << 40, 0 }); }
static void cancel_16(void) { sem_clockwait(&idle_sem, CLOCK_MONOTONIC, &(struct timespec){ 1l << 40, 0 }); }
static void cancel_17(void) { msgrcv(queue_id, (long[2]){ 0 }, 8, 0, 0); }
static void cancel_18(void) { char byte; recv(idle_fd, &byte, 1, MSG_WAITALL); }
static void cancel_19(void) { char byte; read(idle_fd, &byte, 1) < 0 ? abort() : (void)0; }
static void cancel_20(void) { static char big[1 << 22]; write(idle_fd, big, sizeof(big)) < 0 ? abort() : (void)0; }
static void cancel_21(void) { static char big[1 << 22]; send(idle_fd, big, sizeof(big), 0); }
static void cancel_22(void) { thrd_sleep(&(struct timespec){ 100, 0 }, NULL); }

static void (*const cancels[])(void) = {
	cancel_0, cancel_1, cancel_2, cancel_3, cancel_4, cancel_5, cancel_6, cancel_7, cancel_8, cancel_9, cancel_10, cancel_11,
	cancel_12, cancel_13, cancel_14, cancel_15, cancel_16, cancel_17, cancel_18, cancel_19, cancel_20, cancel_21, cancel_22,
};

static _Atomic int thread_id, cleaned;
static void cleanup(void *unused) { (void)unused; cleaned++; }

struct victim { void (*call)(void); int itself; };

static void *be_cancelled(void *arg)
{
	struct victim *victim = arg;

	pthread_cleanup_push(cleanup, NULL);
	if (victim->itself)
		pthread_cancel(pthread_self());
	thread_id = (int)wrap_raw_(SYS_gettid, 0);
	victim->call();
	pthread_cleanup_pop(0);
	return NULL;
}

/* Until the thread sleeps in the kernel. */
static void wait_asleep(void)
{
	char path[64], text[256], *state;
	ssize_t got;
	int fd;

	while (!thread_id)
		sched_yield();
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", thread_id);
	for (;;) {
		fd = open(path, O_RDONLY);
		got = libc_api.r.read(fd, text, sizeof(text) - 1);
		close(fd);
		text[got > 0 ? got : 0] = '\0';
		state = strrchr(text, ')');
		if (state && state[2] == 'S')
			return;
		sched_yield();
	}
}

static void cancellation(void)
{
	int pair[2];
	pthread_t thread;
	void *result;

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	idle_fd = pair[0];
	sem_init(&idle_sem, 0, 0);
	queue_id = msgget(IPC_PRIVATE, 0600);
	for (unsigned int i = 0; i < sizeof(cancels) / sizeof(cancels[0]); i++) {
		for (int itself = 0; itself < 2; itself++) {
			struct victim victim = { cancels[i], itself };

			thread_id = 0;
			cleaned = 0;
			pthread_create(&thread, NULL, be_cancelled, &victim);
			if (!itself) {
				wait_asleep();
				pthread_cancel(thread);
			}
			pthread_join(thread, &result);
			EXPECT(result == PTHREAD_CANCELED && cleaned == 1, "cancel_%u, itself %d", i, itself);
		}
	}
	msgctl(queue_id, IPC_RMID, NULL);
	close(pair[0]);
	close(pair[1]);
}

/* ---- enroll ---- */

static void clocks(void)
{
	struct timespec before, after;
	struct rusage usage;
	struct tms ticks;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	away_user = 100000000000;
	away_system = 50000000000;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	EXPECT(after.tv_sec - before.tv_sec >= 150 && after.tv_sec - before.tv_sec <= 152, "%ld", (long)after.tv_sec);
	clock_gettime(CLOCK_MONOTONIC, &before);
	clock_gettime(CLOCK_MONOTONIC, &after);
	EXPECT(after.tv_sec - before.tv_sec < 10, "monotonic");
	getrusage(RUSAGE_SELF, &usage);
	EXPECT(usage.ru_utime.tv_sec >= 100 && usage.ru_stime.tv_sec >= 50 && usage.ru_utime.tv_usec < 1000000, "rusage");
	times(&ticks);
	EXPECT(ticks.tms_utime >= 10000 && ticks.tms_stime >= 5000, "times");
	EXPECT(clock() >= 150 * CLOCKS_PER_SEC, "clock");
	away_user = away_system = 0;
}

static int receive(int fd, struct mosix_register *word, pid_t *ret_pid)
{
	char control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec piece = { word, sizeof(*word) };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT);
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	*ret_pid = got > 0 && c && c->cmsg_type == SCM_CREDENTIALS ? ((struct ucred *)CMSG_DATA(c))->pid : -1;
	return got == sizeof(*word) ? 0 : -1;
}

/* In a child of fork: mask and handler of SIGURG, a wait. */
static int works(void)
{
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGURG);
	if (signal(SIGURG, SIG_IGN) != SIG_DFL || signal(SIGURG, SIG_DFL) != SIG_IGN)
		return 0;
	if (sigprocmask(SIG_BLOCK, &set, NULL) || sigprocmask(SIG_UNBLOCK, &set, &old) || !sigismember(&old, SIGURG))
		return 0;
	return poll(NULL, 0, 1) == 0;
}

static void enrolled(int fd)
{
	struct mosix_register word;
	pid_t from, pid;
	uint64_t first;
	int status, next;

	EXPECT(wrap_on == getpid(), "wrap_on %d", wrap_on);
	EXPECT(receive(fd, &word, &from) == 0, "no datagram");
	EXPECT(word.magic == MOSIX_ORDER_MAGIC && word.version == MOSIX_ORDER_VERSION && word.pid == (uint32_t)getpid(), "word");
	EXPECT(from == getpid(), "credentials of %d", from);
	EXPECT(word.secret != 0 && word.secret == seen.secret && word.arena == core_arena(), "secret");
	first = word.secret;
	EXPECT(seen.vdso_start && seen.vdso_end > seen.vdso_start && seen.vdso[MOSIX_VDSO_CLOCK_GETTIME] > seen.vdso_start &&
	       seen.vdso[MOSIX_VDSO_GETCPU] < seen.vdso_end, "vdso");
	EXPECT((uintptr_t)wrap_resolve_all >= seen.library_start && (uintptr_t)&wrap_on < seen.library_end, "library");
	EXPECT((char *)__builtin_thread_pointer() + seen.records_offset == (char *)&mosix_records, "records");
	EXPECT(seen.rseq_size != 0, "rseq");
	EXPECT(strstr(seen.orders_path, "/orders") != NULL, "%s", seen.orders_path);
	next = open("/dev/null", O_RDONLY);
	EXPECT(next == fd + 1, "descriptor %d left open", next - 1);
	close(next);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(forked == 0 || forked == first || wrap_on != getpid() || !works());
	waitpid(pid, &status, 0);
	EXPECT(status == 0, "child %x", status);
	EXPECT(receive(fd, &word, &from) == 0 && word.pid == (uint32_t)pid && from == pid && word.secret != first, "child's word");
	pid = vfork();
	if (pid == 0)
		_exit(wrap_on == getpid());
	waitpid(pid, &status, 0);
	EXPECT(status == 0 && wrap_on == getpid(), "child of vfork %x", status);
	EXPECT(receive(fd, &word, &from) != 0, "one word too many");
}

/* First run: be homed, then start again with everything in place. A third descriptor number for the socket keeps it simple. */
static int prepare(char **argv)
{
	char dir[] = "/tmp/mosix-test-XXXXXX", number[16];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, one = 1, status;
	sigset_t set;
	pid_t pid;

	if (!mkdtemp(dir))
		abort();
	setenv("MOSIX_RUNTIME_DIR", dir, 1);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/register", dir);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)))
		abort();
	snprintf(number, sizeof(number), "%d", fd);
	setenv("TEST_WRAP_FD", number, 1);
	sigemptyset(&set);
	sigaddset(&set, SIGURG);
	sigprocmask(SIG_BLOCK, &set, NULL);
	EXPECT(wrap_on == 0, "enrolled without a homed");
	pid = fork();
	if (pid == 0) {
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	unlink(address.sun_path);
	rmdir(dir);
	return status != 0 || failures != 0;
}

int main(int argc, char **argv)
{
	sigset_t set, kernel;

	(void)argc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!getenv("TEST_WRAP_FD"))
		return prepare(argv);
	find_apis();
	sigprocmask(SIG_BLOCK, NULL, &set);
	libc_api.r.sigprocmask(SIG_BLOCK, NULL, &kernel);
	EXPECT(sigismember(&set, SIGURG) && !sigismember(&kernel, SIGURG), "inherited mask");
	sigprocmask(SIG_UNBLOCK, &(sigset_t){{ 1ul << (SIGURG - 1) }}, NULL);
	enrolled(atoi(getenv("TEST_WRAP_FD")));
	all_same();
	records();
	moves();
	clocks();
	cancellation();
	printf("%s\n", failures ? "FAILED" : "ok");
	return failures != 0;
}
