/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Moves. A process in a "guest" here has the program's mask and action of SIGURG in the kernel, as the gate would show them;
 * at "home" they are in `urgent`. moves_at() makes the place change right after the n-th look at it.
 */
#define _GNU_SOURCE
#include "test_wrap.h"
#include <aio.h>
#include <linux/futex.h>
#include <sys/auxv.h>
#include <sys/random.h>

int guest;
static int countdown;
static const uint64_t bit_of_urgent = URGENT_BIT;

static uint64_t kernel_mask(void)
{
	uint64_t mask = 0;

	wrap_raw_(SYS_rt_sigprocmask, SIG_BLOCK, 0, &mask, 8);
	return mask;
}

static void move(void)
{
	if (!guest && kernel_mask() & URGENT_BIT)	/* the order cannot arrive */
		return;
	if (guest) {
		mosix_own.blocked = (kernel_mask() & URGENT_BIT) != 0;
		wrap_raw_(SYS_rt_sigaction, SIGURG, 0, &urgent.action, 8);
		wrap_raw_(SYS_rt_sigaction, SIGURG, &core_action, 0, 8);
		wrap_raw_(SYS_rt_sigprocmask, SIG_UNBLOCK, &bit_of_urgent, 0, 8);
	} else {
		wrap_raw_(SYS_rt_sigaction, SIGURG, &urgent.action, 0, 8);
		wrap_raw_(SYS_rt_sigprocmask, mosix_own.blocked ? SIG_BLOCK : SIG_UNBLOCK, &bit_of_urgent, 0, 8);
		mosix_own.blocked = 0;	/* a guest's core does not keep it */
		memset(&urgent.action, 0, sizeof(urgent.action));
	}
	guest = !guest;
}

static void start_in(int place, int blocked)
{
	countdown = 0;
	if (guest)
		move();
	mosix_own.blocked = (uint32_t)blocked;
	mosix_own.pending = 0;
	wrap_raw_(SYS_rt_sigaction, SIGURG, &core_action, 0, 8);
	wrap_raw_(SYS_rt_sigprocmask, SIG_UNBLOCK, &bit_of_urgent, 0, 8);
	if (place)
		move();
}

int core_is_guest(void)
{
	int place = guest;

	if (countdown && --countdown == 0)
		move();
	return place;
}

/* The program's mask has SIGURG, and home's kernel has it not. */
static int has_urgent(void)
{
	return guest ? (kernel_mask() & URGENT_BIT) != 0 : (int)mosix_own.blocked;
}

static int home_is_sound(void)
{
	struct mosix_sigaction now;

	wrap_raw_(SYS_rt_sigaction, SIGURG, 0, &now, 8);
	return guest || (!(kernel_mask() & URGENT_BIT) && now.handler == core_action.handler);
}

static int by_number(int how, const sigset_t *set, sigset_t *old)
{
	return (int)syscall(SYS_rt_sigprocmask, how, set, old, 8l);
}

static void masks_moved(int place, int at, int blocked)
{
	static int (*const calls[])(int, const sigset_t *, sigset_t *) = { sigprocmask, pthread_sigmask, by_number };

	for (int i = 0; i < 3 * 3 * 3; i++) {
		int how = i % 3, what = i / 3 % 3, result, expected;
		sigset_t set, old;

		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		if (what == 1)
			sigaddset(&set, SIGURG);
		expected = what == 2 ? blocked : how == SIG_SETMASK ? what : what ? how == SIG_BLOCK : blocked;
		start_in(place, blocked);
		countdown = at;
		result = calls[i / 9](how, what == 2 ? NULL : &set, &old);
		countdown = 0;
		EXPECT(result == 0 && home_is_sound(), "mask %d from %d at %d: home's kernel", i, place, at);
		EXPECT(has_urgent() == expected, "mask %d from %d at %d (%d): is %d", i, place, at, blocked, has_urgent());
		EXPECT(sigismember(&old, SIGURG) == blocked, "mask %d from %d at %d: old", i, place, at);
		sigemptyset(&set);
		wrap_raw_(SYS_rt_sigprocmask, SIG_SETMASK, &set, 0, 8);
	}
}

static void first(int sig) { (void)sig; }
static void second(int sig) { (void)sig; }

static wrap_handler action_now(void)
{
	struct mosix_sigaction now = urgent.action;

	if (guest)
		wrap_raw_(SYS_rt_sigaction, SIGURG, 0, &now, 8);
	return (wrap_handler)now.handler;
}

static void actions_moved(int place, int at, int blocked)
{
	for (int way = 0; way < 4; way++) {
		struct { wrap_handler handler; uint64_t flags, restorer, mask; } raw = {
			second, 0x04000000, core_action.restorer, 0 };
		struct sigaction act = { .sa_handler = second }, old = { .sa_handler = first };

		start_in(0, blocked);
		signal(SIGURG, first);
		if (place)
			move();
		countdown = at;
		if (way == 0)
			sigaction(SIGURG, &act, &old);
		else if (way == 1)
			old.sa_handler = signal(SIGURG, second);
		else if (way == 2)
			sigaction(SIGURG, NULL, &old);
		else if (syscall(SYS_rt_sigaction, (long)SIGURG, &raw, &raw, 8l) == 0)
			old.sa_handler = raw.handler;
		countdown = 0;
		EXPECT(home_is_sound(), "action %d from %d at %d: home's kernel", way, place, at);
		EXPECT(action_now() == (way == 2 ? first : second), "action %d from %d at %d: new", way, place, at);
		EXPECT(old.sa_handler == first, "action %d from %d at %d: old", way, place, at);
		EXPECT(has_urgent() == blocked, "action %d from %d at %d: mask", way, place, at);
	}
}

static void masked_calls_moved(int place, int at, int blocked)
{
	struct timespec soon = { 0, 1 };

	for (int way = 0; way < 6; way++) {
		sigset_t set;

		sigemptyset(&set);
		if (way & 1)
			sigaddset(&set, SIGURG);
		start_in(place, blocked);
		countdown = at;
		if (way < 2)
			ppoll(NULL, 0, &soon, &set);
		else if (way < 4)
			pselect(0, NULL, NULL, NULL, &soon, &set);
		else
			syscall(SYS_ppoll, NULL, 0l, &(struct timespec){ 0, 1 }, &set, 8l);
		countdown = 0;
		EXPECT(home_is_sound() && has_urgent() == blocked, "call %d from %d at %d (%d)", way, place, at, blocked);
	}
}

/* ---- the migration signal, again and again, while a call waits ---- */

static int rewound;

void moved(ucontext_t *context)
{
	greg_t *regs = context->uc_mcontext.gregs;
	static const int places[6] = { REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9 };
	struct mosix_record *r = mosix_records;
	uint64_t now = wrap_now(), left;

	if (regs[REG_RAX] != -EINTR || memcmp((const void *)(regs[REG_RIP] - 2), "\x0f\x05", 2) != 0)
		return;
	if (!r || r->magic != MOSIX_RECORD_MAGIC || r->self != r || (uintptr_t)r < (uintptr_t)regs[REG_RSP] || !r->restart)
		return;
	for (int i = 0; i < 6; i++)
		if (r->arg_mask & 1u << i && r->arg[i] != (uint64_t)regs[places[i]])
			return;
	left = r->deadline_ns > now ? r->deadline_ns - now : 0;
	if (r->deadline_ns != UINT64_MAX && r->rest == MOSIX_REST_TIMESPEC)
		r->left.ts = (struct timespec){ (time_t)(left / 1000000000), (long)(left % 1000000000) };
	else if (r->deadline_ns != UINT64_MAX && r->rest == MOSIX_REST_TIMEVAL)
		r->left.tv = (struct timeval){ (time_t)(left / 1000000000), (long)(left % 1000000000 / 1000) };
	else if (r->deadline_ns != UINT64_MAX && r->rest == MOSIX_REST_MS)
		r->arg[r->place] = (uint64_t)(regs[places[r->place]] = (greg_t)((left + 999999) / 1000000));
	regs[REG_RAX] = r->nr;
	regs[REG_RIP] -= 2;
	rewound++;
}

#define WAITS(milliseconds, wanted, error, call) do { \
	uint64_t begun_ = wrap_now(), took_; \
	long result_; \
	rewound = 0; \
	errno = 0; \
	result_ = (long)(call); \
	took_ = (wrap_now() - begun_) / 1000000; \
	EXPECT(result_ == (wanted) && errno == (error), "%s: %ld, errno %d", #call, result_, errno); \
	EXPECT(took_ >= (milliseconds) && took_ < (milliseconds) + 2000, "%s: %lu ms", #call, (unsigned long)took_); \
	EXPECT(rewound >= 1, "%s: begun again %d times", #call, rewound); } while (0)

static struct timespec after(clockid_t clock, long milliseconds)
{
	struct timespec now;

	clock_gettime(clock, &now);
	now.tv_nsec += milliseconds * 1000000;
	now.tv_sec += now.tv_nsec / 1000000000;
	now.tv_nsec %= 1000000000;
	return now;
}

static void waits(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGURG, .sigev_value.sival_int = MOVE_VALUE };
	struct itimerspec often = { { 0, 7000000 }, { 0, 7000000 } };
	struct timespec span = { 0, 100000000 }, until, *volatile constant;
	struct timeval span_tv = { 0, 100000 };
	int word = 7, pipes[2];
	struct aiocb block, *list[1] = { &block };
	struct { const sigset_t *mask; size_t size; } pair;
	sigset_t set;
	static char bytes[4 << 20];
	timer_t timer;

	start_in(0, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pair.mask = &set;
	pair.size = 8;
	constant = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*constant = span;
	mprotect(constant, 4096, PROT_READ);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || pipe(pipes))
		abort();
	timer_settime(timer, 0, &often, NULL);
	WAITS(600, -1, ETIMEDOUT, syscall(SYS_futex, &word, FUTEX_WAIT, 7, &(struct timespec){ 0, 600000000 }, NULL, 0));
	until = after(CLOCK_MONOTONIC, 100);
	WAITS(99, -1, ETIMEDOUT, syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 7, &until, NULL, ~0u));
	WAITS(100, 0, 0, syscall(SYS_nanosleep, &span, NULL));
	WAITS(100, 0, 0, syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0l, &span, NULL));
	WAITS(100, 0, 0, syscall(SYS_poll, NULL, 0l, 100l));
	WAITS(100, 0, 0, syscall(SYS_ppoll, NULL, 0l, constant, &set, 8l));
	WAITS(100, 0, 0, syscall(SYS_ppoll, NULL, 0l, &span, &set, 8l));
	EXPECT(span.tv_sec == 0 && span.tv_nsec == 0, "ppoll left %ld", span.tv_nsec);
	span.tv_nsec = 100000000;
	WAITS(100, 0, 0, syscall(SYS_pselect6, 0l, NULL, NULL, NULL, &span, &pair));
	EXPECT(span.tv_sec == 0 && span.tv_nsec == 0, "pselect left %ld", span.tv_nsec);
	WAITS(100, 0, 0, syscall(SYS_select, 0l, NULL, NULL, NULL, &span_tv));
	EXPECT(span_tv.tv_sec == 0 && span_tv.tv_usec == 0, "select left %ld", (long)span_tv.tv_usec);
	span.tv_nsec = 100000000;
	WAITS(100, -1, EAGAIN, syscall(SYS_rt_sigtimedwait, &set, NULL, &span, 8l));
	WAITS(100, 0, 0, syscall(SYS_epoll_wait, (long)epoll_create1(0), &(struct epoll_event){ .events = 0 }, 1l, 100l));
	WAITS(100, 0, 0, nanosleep(&span, NULL));
	WAITS(100, 0, 0, poll(NULL, 0, 100));
	sigaddset(&set, SIGURG);
	WAITS(100, -1, EAGAIN, sigtimedwait(&set, NULL, &span));
	memset(&block, 0, sizeof(block));
	block.aio_fildes = pipes[0];
	block.aio_buf = bytes;
	block.aio_nbytes = 1;
	for (int i = 0; i < 20; i++) {
		EXPECT(getrandom(bytes, sizeof(bytes), 0) == sizeof(bytes), "getrandom falls short");
		EXPECT(syscall(SYS_getrandom, bytes, sizeof(bytes), 0l) == sizeof(bytes), "getrandom falls short");
	}
	sigemptyset(&set);
	sigaddset(&set, SIGURG);
	libc_api.r.pthread_sigmask(SIG_BLOCK, &set, NULL);	/* for the thread that reads */
	if (aio_read(&block))
		abort();
	libc_api.r.pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	WAITS(100, -1, EAGAIN, aio_suspend((const struct aiocb *const *)list, 1, &span));
	timer_delete(timer);
}

/* ---- alternate stacks ---- */

static int onstack(void)
{
	struct mosix_sigaction now;

	wrap_raw_(SYS_rt_sigaction, SIGURG, 0, &now, 8);
	return (now.flags & SA_ONSTACK) != 0 && now.handler == core_action.handler && now.restorer == core_action.restorer;
}

static void stacks(void)
{
	static char memory[1 << 18];
	size_t least = 2 * getauxval(51) + 4096;
	stack_t none = { .ss_flags = SS_DISABLE }, large = { memory, 0, sizeof(memory) }, old;
	stack_t tight = { memory, 0, least - 1 };

	start_in(0, 0);
	EXPECT(onstack(), "at first");
	EXPECT(sigaltstack(&tight, &old) == 0 && !onstack() && old.ss_flags == SS_DISABLE, "too small");
	EXPECT(sigaltstack(&large, &old) == 0 && onstack() && old.ss_size == least - 1, "large");
	EXPECT(syscall(SYS_sigaltstack, &tight, NULL) == 0 && !onstack(), "too small");
	EXPECT(sigaltstack(&(stack_t){ memory, 0, 5 }, NULL) != 0 && !onstack(), "refused");
	EXPECT(sigaltstack(&none, NULL) == 0 && onstack(), "none");
	EXPECT(sigaltstack(&(stack_t){ memory, 0, 5 }, NULL) != 0 && onstack(), "refused");
	guest = 1;
	EXPECT(sigaltstack(&tight, NULL) == 0 && onstack(), "in a guest");
	guest = 0;
	EXPECT(sigaltstack(&tight, NULL) == 0 && !onstack(), "home again");
	sigaltstack(&none, NULL);
}

void moves(void)
{
	struct sigaction none = { .sa_handler = SIG_DFL };

	for (int i = 0; i < 2 * 2 * 16; i++) {
		masks_moved(i & 1, i / 4, i / 2 & 1);
		actions_moved(i & 1, i / 4, i / 2 & 1);
		sigaction(SIGURG, &none, NULL);
		masked_calls_moved(i & 1, i / 4, i / 2 & 1);
	}
	start_in(0, 0);
	waits();
	stacks();
}
