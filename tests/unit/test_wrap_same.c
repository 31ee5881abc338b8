/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scenarios that must log the same with libc's functions and with the wrappers. */
#define _GNU_SOURCE
#include "test_wrap.h"

struct api libc_api, wrap_api;

void find_apis(void)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW);
	void *self = dlopen(NULL, RTLD_NOW);

#define REAL(result, name, parameters) *(void **)&libc_api.r.name = dlsym(libc, #name); \
	*(void **)&wrap_api.r.name = dlsym(self, #name); \
	EXPECT(!libc_api.r.name || (void *)libc_api.r.name != (void *)wrap_api.r.name, "%s is not wrapped", #name);
#include "../../preload/reals.def"
#undef REAL
#define X(result, name, parameters) *(void **)&libc_api.name = dlsym(libc, #name); \
	*(void **)&wrap_api.name = dlsym(self, #name); \
	EXPECT((void *)libc_api.name != (void *)wrap_api.name, "%s is not wrapped", #name);
	MORE(X)
#undef X
}

static char *run(void (*scenario)(const struct api *, FILE *), const struct api *api)
{
	FILE *log = tmpfile();
	char *text;
	long size;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		alarm(20);
		if (api == &libc_api) {
			wrap_raw_(SYS_rt_sigaction, SIGURG, (uint64_t[4]){ 0 }, 0, 8);
			wrap_on = 0;
		}
		scenario(api, log);
		fflush(log);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	fseek(log, 0, SEEK_END);
	fprintf(log, "status %x\n", status);
	size = ftell(log);
	rewind(log);
	text = calloc(1, (size_t)size + 1);
	if (fread(text, 1, (size_t)size, log) != (size_t)size)
		abort();
	fclose(log);
	return text;
}

static void same(const char *name, void (*scenario)(const struct api *, FILE *))
{
	char *native = run(scenario, &libc_api), *wrapped = run(scenario, &wrap_api);

	if (strcmp(native, wrapped) != 0) {
		failures++;
		printf("not ok same %s\n--- native\n%s--- wrapped\n%s", name, native, wrapped);
	}
	free(native);
	free(wrapped);
}

static volatile int calls;
static void count_call(int sig) { calls += sig == SIGURG ? 1 : 100; }
static void count_info(int sig, siginfo_t *info, void *context) { (void)info; (void)context; count_call(sig); }

static void log_mask(FILE *log, const char *what, const sigset_t *set)
{
	fprintf(log, "%s %lx\n", what, set->__val[0]);
}

static void log_now(const struct api *a, FILE *log, const char *what)
{
	sigset_t set;

	a->r.sigprocmask(SIG_BLOCK, NULL, &set);
	fprintf(log, "%s mask %lx calls %d", what, set.__val[0], calls);
	sigemptyset(&set);
	a->r.sigpending(&set);
	fprintf(log, " pending %lx\n", set.__val[0]);
}

static void log_action(const struct api *a, FILE *log, int sig)
{
	struct sigaction old;

	fprintf(log, "action %d: %d", sig, a->r.sigaction(sig, NULL, &old));
	fprintf(log, " handler %p flags %x mask %lx restorer %d\n", (void *)old.sa_handler, (unsigned)old.sa_flags,
		old.sa_mask.__val[0], old.sa_restorer != NULL);
}

static void masks(const struct api *a, FILE *log)
{
	sigset_t set, old;

	for (int how = -1; how <= 3; how++) {
		for (int round = 0; round < 4; round++) {
			sigemptyset(&set);
			if (round & 1)
				sigaddset(&set, SIGURG);
			if (round & 2)
				sigaddset(&set, SIGUSR1);
			memset(&old, 0x55, sizeof(old));
			errno = 0;
			fprintf(log, "%d/%d: %d %d\n", how, round, a->r.sigprocmask(how, &set, &old), errno);
			log_mask(log, "old", &old);
			log_now(a, log, "then");
			fprintf(log, "pthread: %d\n", a->r.pthread_sigmask(how, &set, NULL));
			log_now(a, log, "then");
		}
	}
	sigfillset(&set);
	a->r.sigprocmask(SIG_SETMASK, &set, &old);
	log_now(a, log, "full");
	a->r.sigprocmask(SIG_SETMASK, &old, NULL);
	fprintf(log, "sigblock %x\n", (unsigned)a->sigblock(1 << (SIGURG - 1)));
	fprintf(log, "siggetmask %x\n", (unsigned)a->siggetmask());
	fprintf(log, "sigsetmask %x\n", (unsigned)a->sigsetmask(5));
	log_now(a, log, "set");
	fprintf(log, "hold %d", a->r.sighold(SIGURG));
	log_now(a, log, "held");
	fprintf(log, "relse %d", a->r.sigrelse(SIGURG));
	log_now(a, log, "released");
	errno = 0;
	fprintf(log, "bad %d %d %d\n", a->r.sighold(99), a->r.sigrelse(-1), errno);
}

static void actions(const struct api *a, FILE *log)
{
	static const int flags[] = { 0, SA_RESTART, (int)SA_RESETHAND | SA_NODEFER, SA_ONSTACK | SA_RESTART, 0x02000000 | SA_SIGINFO };
	static const int sigs[] = { SIGURG, SIGUSR1, SIGURG, SIGUSR2 };
	struct sigaction act;

	for (unsigned i = 0; i < 4; i++) {
		log_action(a, log, sigs[i]);
		for (unsigned f = 0; f < 5; f++) {
			for (int full = 0; full < 2; full++) {
				memset(&act, 0, sizeof(act));
				act.sa_handler = count_call;
				act.sa_flags = flags[f];
				if (full)
					sigfillset(&act.sa_mask);
				else
					sigaddset(&act.sa_mask, SIGHUP);
				fprintf(log, "set %d\n", a->r.sigaction(sigs[i], &act, &act));
				fprintf(log, "old %p %x %lx\n", (void *)act.sa_handler, (unsigned)act.sa_flags, act.sa_mask.__val[0]);
				log_action(a, log, sigs[i]);
			}
		}
		fprintf(log, "signal %p\n", (void *)a->r.signal(sigs[i], SIG_IGN));
		log_action(a, log, sigs[i]);
		fprintf(log, "signal %p\n", (void *)a->r.signal(sigs[i], count_call));
		log_action(a, log, sigs[i]);
		fprintf(log, "siginterrupt %d\n", a->r.siginterrupt(sigs[i], 1));
		log_action(a, log, sigs[i]);
		fprintf(log, "bsd %p\n", (void *)a->bsd_signal(sigs[i], count_call));
		log_action(a, log, sigs[i]);
		fprintf(log, "siginterrupt %d\n", a->r.siginterrupt(sigs[i], 0));
		log_action(a, log, sigs[i]);
		fprintf(log, "sysv %p\n", (void *)a->r.sysv_signal(sigs[i], count_call));
		log_action(a, log, sigs[i]);
		fprintf(log, "sigset %p\n", (void *)a->r.sigset(sigs[i], SIG_HOLD));
		log_now(a, log, "held");
		fprintf(log, "sigset %p\n", (void *)a->r.sigset(sigs[i], count_call));
		log_action(a, log, sigs[i]);
		log_now(a, log, "set");
		fprintf(log, "sigignore %d\n", a->r.sigignore(sigs[i]));
		log_action(a, log, sigs[i]);
		errno = 0;
		fprintf(log, "error %p %d\n", (void *)a->r.signal(sigs[i], SIG_ERR), errno);
	}
	errno = 0;
	fprintf(log, "bad %d %d\n", a->r.sigaction(65, NULL, &act), errno);
	fprintf(log, "bad %d %d\n", a->r.sigaction(SIGKILL, &act, NULL), errno);
}

static void urgents(const struct api *a, FILE *log)
{
	struct sigaction act = { .sa_sigaction = count_info, .sa_flags = SA_SIGINFO };
	struct timespec none = { 0, 0 };
	sigset_t set, empty;
	siginfo_t info;
	int sig;

	sigemptyset(&empty);
	sigemptyset(&set);
	sigaddset(&set, SIGURG);
	raise(SIGURG);
	log_now(a, log, "default");
	a->r.sigaction(SIGURG, &act, NULL);
	raise(SIGURG);
	log_now(a, log, "handler");
	a->r.sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGURG);
	raise(SIGURG);
	log_now(a, log, "blocked");
	fprintf(log, "wait %d", a->r.sigtimedwait(&set, &info, &none));
	fprintf(log, " signo %d\n", info.si_signo);
	log_now(a, log, "taken");
	errno = 0;
	fprintf(log, "wait %d %d\n", a->r.sigtimedwait(&set, NULL, &none), errno);
	raise(SIGURG);
	fprintf(log, "sigwait %d", a->sigwait(&set, &sig));
	fprintf(log, " %d\n", sig);
	raise(SIGURG);
	errno = 0;
	fprintf(log, "sigsuspend %d %d\n", a->r.sigsuspend(&empty), errno);
	log_now(a, log, "suspended");
	raise(SIGURG);
	errno = 0;
	fprintf(log, "ppoll %d %d\n", a->r.ppoll(NULL, 0, NULL, &empty), errno);
	log_now(a, log, "polled");
	raise(SIGURG);
	errno = 0;
	fprintf(log, "pselect %d %d\n", a->r.pselect(0, NULL, NULL, NULL, NULL, &empty), errno);
	log_now(a, log, "selected");
	raise(SIGURG);
	a->r.sigprocmask(SIG_SETMASK, &empty, NULL);
	log_now(a, log, "unblocked");
	a->r.sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGURG);
	a->r.signal(SIGURG, SIG_IGN);
	a->r.signal(SIGURG, count_call);
	log_now(a, log, "ignored and back");
	raise(SIGURG);
	errno = 0;
	fprintf(log, "sigpause %d %d\n", a->__xpg_sigpause(SIGURG), errno);
	log_now(a, log, "paused");
	a->r.sigprocmask(SIG_UNBLOCK, &set, NULL);
	a->r.sysv_signal(SIGURG, count_call);
	raise(SIGURG);
	raise(SIGURG);
	log_now(a, log, "one shot");
	log_action(a, log, SIGURG);
}

/* Time-outs, wrong arguments, pointers the kernel refuses. */
static void results(const struct api *a, FILE *log)
{
	static const uintptr_t bad[] = { 1, 4096, 0x7fffffffffff, 0xffff800000000000, UINTPTR_MAX };
	struct timespec left = { 7, 7 };
	int epoll = epoll_create1(0), pipes[2];
	struct epoll_event event;
	struct pollfd fd;
	struct iovec list[3] = { { (void *)"ab", 2 }, { (void *)"", 0 }, { (void *)"cde", 3 } };
	void *none = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char bytes[16];

	if (pipe(pipes))
		abort();
#define TRY(call) do { errno = 0; long r_ = (long)(call); fprintf(log, "%s: %ld %d\n", #call, r_, errno); } while (0)
	for (unsigned i = 0; i < 6; i++) {
		void *at = i < 5 ? (void *)bad[i] : none;

		TRY(a->nanosleep(at, NULL));
		TRY(a->r.clock_nanosleep(CLOCK_MONOTONIC, 0, at, NULL));
		TRY(a->r.clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, at, NULL));
		TRY(a->thrd_sleep(at, NULL));
		TRY(a->r.sigsuspend(at));
		TRY(a->r.sigtimedwait(at, NULL, NULL));
		TRY(a->r.sigtimedwait(&(sigset_t){{ 0 }}, NULL, at));
		TRY(a->r.ppoll(at, 1, &(struct timespec){ 0, 1 }, NULL));
		TRY(a->r.ppoll(NULL, 0, &(struct timespec){ 0, 1 }, at));
		TRY(a->r.pselect(0, NULL, NULL, NULL, &(struct timespec){ 0, 1 }, at));
		TRY(a->r.pselect(1, at, NULL, NULL, &(struct timespec){ 0, 1 }, NULL));
		TRY(a->r.select(1, at, NULL, NULL, &(struct timeval){ 0, 1 }));
		TRY(a->r.epoll_pwait(epoll, &event, 1, 0, at));
		TRY(a->r.epoll_pwait2(epoll, &event, 1, at, NULL));
		TRY(a->r.epoll_pwait2(epoll, &event, 1, &(struct timespec){ 0, 1 }, at));
		TRY(a->r.signalfd(-1, at, 0) < 0);
		TRY(a->r.poll(at, 1, 1));
		TRY(a->r.write(pipes[1], at, 1));
		TRY(a->r.writev(pipes[1], at, 1));
		TRY(a->r.writev(pipes[1], &(struct iovec){ at, 1 }, 1));
		TRY(a->r.sendmsg(pipes[1], at, 0));
		TRY(a->r.semtimedop(-1, NULL, 1, at));
		TRY(a->r.sigpending(at));
		TRY(a->r.read(pipes[0], at, 0));
		TRY(a->r.getrusage(RUSAGE_SELF, at));
	}
	TRY(a->nanosleep(&(struct timespec){ -1, 0 }, NULL));
	TRY(a->nanosleep(&(struct timespec){ 0, 1000000000 }, NULL));
	TRY(a->nanosleep(&(struct timespec){ 0, 1 }, &left));
	fprintf(log, "left %ld %ld\n", (long)left.tv_sec, left.tv_nsec);
	TRY(a->r.clock_nanosleep(77, 0, &(struct timespec){ 0, 1 }, NULL));
	TRY(a->r.clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &(struct timespec){ 0, 1 }, NULL));
	TRY(a->r.clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &(struct timespec){ 1, 1 }, NULL));
	TRY(a->usleep(1));
	TRY(a->usleep(0));
	TRY(a->sleep(0));
	TRY(a->r.poll(NULL, 0, 0));
	TRY(a->r.poll(NULL, 0, 1));
	TRY(a->r.poll(&(struct pollfd){ -1, 0, 0 }, 1, 1));
	TRY(a->r.poll(NULL, 1u << 30, 1));
	fd = (struct pollfd){ pipes[1], POLLOUT, 0 };
	TRY(a->r.poll(&fd, 1, -1));
	TRY(a->r.ppoll(&fd, 1, &(struct timespec){ 5, 0 }, NULL));
	TRY(a->r.ppoll(NULL, 0, &(struct timespec){ -1, 0 }, NULL));
	for (int i = 0; i < 6; i++) {
		static const struct timeval spans[] = { { 0, 1 }, { -1, 0 }, { 0, -1 }, { 0, 1500 }, { 0, 1l << 32 }, { 0, 0 } };
		struct timeval span = spans[i];

		TRY(a->r.select(0, NULL, NULL, NULL, &span));
		fprintf(log, "span %ld %ld\n", (long)span.tv_sec, (long)span.tv_usec);
	}
	TRY(a->r.select(-1, NULL, NULL, NULL, NULL));
	TRY(a->r.pselect(0, NULL, NULL, NULL, &(struct timespec){ 0, -1 }, NULL));
	TRY(a->r.epoll_wait(epoll, &event, 1, 1));
	TRY(a->r.epoll_wait(epoll, &event, 0, 1));
	TRY(a->r.epoll_wait(-1, &event, 1, -1));
	TRY(a->r.epoll_pwait2(epoll, &event, 1, &(struct timespec){ 0, 5 }, NULL));
	TRY(a->r.epoll_pwait2(epoll, &event, 1, &(struct timespec){ 0, -5 }, NULL));
	TRY(a->r.writev(pipes[1], list, 3));
	TRY(a->r.writev(pipes[1], list, 0));
	TRY(a->r.writev(pipes[1], list, -1));
	TRY(a->r.writev(pipes[1], list, 5000));
	TRY(a->r.pwritev2(pipes[1], list, 3, -1, 0));
	TRY(a->r.pwritev2(pipes[1], list, 3, 0, 0));
	TRY(a->r.write(pipes[1], "x", 1));
	TRY(a->r.write(-1, "x", 1));
	TRY(a->r.read(pipes[0], bytes, sizeof(bytes)));
	fprintf(log, "%.11s\n", bytes);
	TRY(a->r.send(pipes[1], "x", 1, 0));
	TRY(a->r.sendfile(-1, -1, NULL, 1));
	TRY(a->r.copy_file_range(-1, NULL, -1, NULL, 1, 0));
	TRY(a->r.semtimedop(-1, NULL, 0, &(struct timespec){ 0, -1 }));
	TRY(a->semop(-1, NULL, 1));
	TRY(a->r.msgrcv(-1, bytes, 1, 0, 0));
	TRY(a->r.msgsnd(-1, bytes, 1, 0));
	TRY(a->r.tcdrain(pipes[0]));
	TRY(a->r.accept(-1, NULL, NULL));
	TRY(a->r.connect(-1, NULL, 0));
}

static void messages(const struct api *a, FILE *log)
{
	int pair[2], type;
	char in[4] = "", out[] = "abcdefgh";
	struct iovec list[2] = { { in, 1 }, { in + 1, 2 } };
	struct msghdr message = { .msg_iov = list, .msg_iovlen = 2, .msg_flags = 0x55 };

	for (type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		if (socketpair(AF_UNIX, type, 0, pair))
			abort();
		TRY(a->r.send(pair[0], out, 2, 0));
		TRY(a->r.sendto(pair[0], out, 6, 0, NULL, 0));
		TRY(a->r.recvmsg(pair[1], &message, MSG_WAITALL));
		fprintf(log, "%.3s %x %zu\n", in, (unsigned)message.msg_flags, message.msg_iovlen);
		TRY(a->r.recv(pair[1], in, 3, MSG_WAITALL));
		TRY(a->r.setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 0, 1000 }, sizeof(struct timeval)));
		for (int i = 0; i < 3; i++) {
			TRY(a->r.recvfrom(pair[1], in, 1, 0, NULL, NULL));
			TRY(a->r.read(pair[1], in, 1));
		}
		TRY(a->r.recvmsg(pair[1], &message, 0));
		TRY(a->r.sendmsg(pair[0], &message, 0));
		TRY(a->r.readv(pair[1], list, 2));
		close(pair[0]);
		TRY(a->r.recv(pair[1], in, 3, MSG_WAITALL));
		close(pair[1]);
	}
}

static void on_alarm(int sig) { (void)sig; calls++; }

/* A handler of the program's still ends what it ended before. */
static void interrupted(const struct api *a, FILE *log)
{
	struct sigaction act = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	/* repeated: the first may come before the call blocks */
	struct itimerval soon = { { 0, 2000 }, { 0, 2000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct timespec left = { 0, 0 }, until;
	struct pollfd none = { -1, 0, 0 };
	int pipes[2], epoll = epoll_create1(0);
	struct epoll_event event;
	sigset_t empty;
	sem_t sem;
	char *big = calloc(1, 1 << 20);

	a->r.sigaction(SIGALRM, &act, NULL);
	sigemptyset(&empty);
	sem_init(&sem, 0, 0);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	if (pipe(pipes))
		abort();
#define CUT(call) do { setitimer(ITIMER_REAL, &soon, NULL); TRY(call); setitimer(ITIMER_REAL, &never, NULL); } while (0)
	CUT(a->nanosleep(&(struct timespec){ 10, 0 }, &left));
	fprintf(log, "left %ld\n", (long)left.tv_sec);
	CUT(a->sleep(10));
	CUT(a->usleep(10000000));
	CUT(a->r.pause());
	CUT(a->r.poll(&none, 1, 10000));
	CUT(a->r.ppoll(&none, 1, &(struct timespec){ 10, 0 }, &empty));
	CUT(a->r.select(0, NULL, NULL, NULL, NULL));
	CUT(a->r.pselect(0, NULL, NULL, NULL, &(struct timespec){ 10, 0 }, NULL));
	CUT(a->r.epoll_wait(epoll, &event, 1, 10000));
	CUT(a->r.epoll_pwait(epoll, &event, 1, -1, &empty));
	CUT(a->r.epoll_pwait2(epoll, &event, 1, NULL, &empty));
	CUT(a->r.sigsuspend(&empty));
	CUT(a->sigwaitinfo(&empty, NULL));
	CUT(a->r.sem_timedwait(&sem, &until));
	CUT(a->r.write(pipes[1], big, 1 << 20));
	fprintf(log, "called %d\n", calls > 0);
	free(big);
}

/* What syscall() says, and what the other functions see afterwards. */
static void numbers(const struct api *a, FILE *log)
{
	static const uintptr_t bad[] = { 0, 1, 4096, 0x7fffffffffff, 0xffff800000000000 };
	struct { void *handler; uint64_t flags, restorer, mask; } action = { 0 }, old;
	uint64_t urgent_too = 1ull << (SIGURG - 1) | 1ull << (SIGUSR1 - 1), mask = 0, pair[2] = { (uintptr_t)&urgent_too, 8 };
	struct timespec none = { 0, 0 }, second = { 1, 0 };
	long (*call)(long, ...) = a->r.syscall;
	struct pollfd ready = { -1, 0, 0 };
	int pipes[2];

	if (pipe(pipes))
		abort();
	ready = (struct pollfd){ pipes[1], POLLOUT, 0 };
	TRY(call(SYS_getpid) == getpid());
	TRY(call(-1l));
	TRY(call(511l));
	TRY(call(512l));
	TRY(call(SYS_mmap, 0l, 4096l, 3l, (long)(MAP_PRIVATE | MAP_ANONYMOUS), -1l, 4096l) != -1);
	TRY(call(SYS_mmap, 0l, 4096l, 3l, (long)(MAP_PRIVATE | MAP_ANONYMOUS), -1l, 1l));
	for (int how = -1; how <= 3; how++) {
		TRY(call(SYS_rt_sigprocmask, (long)how, &urgent_too, &mask, 8l));
		fprintf(log, "mask %lx\n", (unsigned long)mask);
		log_now(a, log, "then");
		TRY(call(SYS_rt_sigprocmask, (long)how, &urgent_too, &mask, 9l));
	}
	call(SYS_rt_sigaction, (long)SIGURG, NULL, &old, 8l);
	action.handler = (void *)count_call;
	action.flags = old.flags | 0x04000000;
	action.restorer = old.restorer;
	call(SYS_rt_sigaction, (long)SIGUSR1, NULL, &old, 8l);
	fprintf(log, "usr1 %p %lx %lx\n", old.handler, (long)old.flags, (long)old.mask);
	for (int sig = SIGURG; ; sig = SIGUSR1) {
		action.mask = urgent_too;
		a->r.signal(sig, count_call);
		TRY(call(SYS_rt_sigaction, (long)sig, NULL, &old, 8l));
		action.restorer = old.restorer;
		TRY(call(SYS_rt_sigaction, (long)sig, &action, &old, 8l));
		fprintf(log, "old %p %lx %lx\n", old.handler, (long)old.flags, (long)old.mask);
		TRY(call(SYS_rt_sigaction, (long)sig, &action, &old, 8l));
		fprintf(log, "old %p %lx %lx\n", old.handler, (long)old.flags, (long)old.mask);
		log_action(a, log, sig);
		TRY(call(SYS_rt_sigaction, (long)sig, &action, &old, 16l));
		if (sig == SIGUSR1)
			break;
	}
	mask = urgent_too;
	TRY(call(SYS_rt_sigprocmask, (long)SIG_UNBLOCK, &mask, NULL, 8l));
	raise(SIGURG);
	log_now(a, log, "raised");
	TRY(call(SYS_rt_sigprocmask, (long)SIG_BLOCK, &mask, NULL, 8l));
	raise(SIGURG);
	log_now(a, log, "blocked");
	TRY(call(SYS_rt_sigpending, &mask, 8l));
	fprintf(log, "pending %lx\n", (long)mask);
	TRY(call(SYS_rt_sigtimedwait, &urgent_too, NULL, &none, 8l));
	TRY(call(SYS_rt_sigtimedwait, &urgent_too, NULL, &none, 8l));
	raise(SIGURG);
	mask = 0;
	TRY(call(SYS_rt_sigsuspend, &mask, 8l));
	log_now(a, log, "suspended");
	raise(SIGURG);
	TRY(call(SYS_ppoll, NULL, 0l, NULL, &mask, 8l));
	log_now(a, log, "polled");
	TRY(call(SYS_ppoll, &ready, 1l, &second, &urgent_too, 8l));
	fprintf(log, "left %d\n", second.tv_sec == 0 && second.tv_nsec > 0);
	second = (struct timespec){ 1, 0 };
	TRY(call(SYS_pselect6, 0l, NULL, NULL, NULL, &none, pair));
	TRY(call(SYS_epoll_pwait, -1l, NULL, 1l, 1l, &urgent_too, 8l));
	for (int i = 0; i < 5; i++) {
		void *at = (void *)bad[i];

		TRY(call(SYS_rt_sigprocmask, (long)SIG_BLOCK, at, NULL, 8l));
		TRY(call(SYS_rt_sigaction, (long)SIGURG, at, NULL, 8l));
		TRY(call(SYS_rt_sigaction, (long)SIGURG, NULL, at, 8l));
		TRY(call(SYS_rt_sigaction, (long)SIGUSR2, at, at, 8l));
		TRY(call(SYS_nanosleep, at, NULL));
		TRY(call(SYS_clock_nanosleep, 0l, 0l, at, NULL));
		TRY(call(SYS_futex, pipes, 0l, (long)pipes[0], at ? at : (void *)8, NULL, 0l));
		TRY(call(SYS_ppoll, &ready, 1l, at, NULL, 0l));
		TRY(call(SYS_ppoll, &ready, 1l, NULL, at, 8l));
		TRY(call(SYS_select, 0l, NULL, NULL, NULL, at ? at : (void *)8));
		TRY(call(SYS_pselect6, 0l, NULL, NULL, NULL, &none, at));
		TRY(call(SYS_rt_sigsuspend, at ? at : (void *)8, 8l));
		TRY(call(SYS_rt_sigtimedwait, at, NULL, &none, 8l));
		TRY(call(SYS_sendmsg, (long)pipes[0], at, 0l));
		TRY(call(SYS_writev, (long)pipes[1], at, 1l));
		TRY(call(SYS_sigaltstack, at, NULL));
		TRY(call(SYS_rt_sigpending, at, 8l));
		TRY(call(SYS_signalfd4, -1l, at, 8l, 0l) < 0);
		TRY(call(SYS_getrandom, at, 5l, 0l));
	}
	TRY(call(SYS_nanosleep, &(struct timespec){ 0, -1 }, NULL));
	TRY(call(SYS_futex, pipes, 0l, (long)pipes[0], &(struct timespec){ 0, 1000 }, NULL, 0l));
	TRY(call(SYS_futex, pipes, 0l, (long)pipes[0] + 1, &second, NULL, 0l));
	TRY(call(SYS_futex, pipes, 0l, (long)pipes[0], &(struct timespec){ 0, -1 }, NULL, 0l));
	TRY(call(SYS_futex, pipes, 1l, 1l));
	TRY(call(SYS_write, (long)pipes[1], "abc", 3l));
	TRY(call(SYS_read, (long)pipes[0], &mask, 8l));
	TRY(call(SYS_poll, NULL, 0l, 0l));
	TRY(call(SYS_epoll_wait, -1l, NULL, 1l, 0l));
}

void all_same(void)
{
	same("numbers", numbers);
	same("masks", masks);
	same("actions", actions);
	same("urgents", urgents);
	same("results", results);
	same("messages", messages);
	same("interrupted", interrupted);
}
