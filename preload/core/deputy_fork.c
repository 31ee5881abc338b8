/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/sched.h>
#include <linux/wait.h>
#include <linux/mman.h>
#include <mosix/reason.h>
#include "apart.h"
#include "arena.h"
#include "core.h"
#include "deputy.h"
#include "deputy_fork.h"
#include "deputy_signals.h"
#include "entry.h"
#include "frames.h"
#include "maps.h"
#include "orders.h"
#include "receive.h"
#include "stop.h"
#include "thread.h"

struct forking {
	const struct core_thread *parent;
	int64_t  result;	/* its number; 0: not here; or -errno of the fork itself */
	uint32_t epoch;
	uint64_t birth;		/* 0: the guest has no ends of channels */
	uint32_t sequence;	/* of the request */
	int      shares;	/* vfork(2) */
	int      interrupted;	/* by a signal, which comes first: not made */
	int      fds[MOSIX_CHANNELS_MAX];
};

/* ---- the child ---- */

static uint64_t make_secret(void)
{
	uint64_t secret = 0;

	while (secret == 0)
		SYS3(__NR_getrandom, &secret, sizeof(secret), 0);
	return secret;
}

static void become_child(struct forking *f)
{
	struct core_state *s = core_here;

	for (uint32_t i = 0; i < MOSIX_CHANNELS; i++)
		f->fds[i] = orders_hide(f->fds[i]);
	frames_limit_stalls(f->fds[MOSIX_CHANNEL_CALL]);
	frames_limit_stalls(f->fds[MOSIX_CHANNEL_PAGE]);

	s->pid = (uint32_t)SYS0(__NR_getpid);
	s->config.secret = make_secret();
	s->epoch = f->epoch;
	s->birth = f->birth;
	s->shares = (uint32_t)f->shares;
	s->orders_fd = 0;
	s->channels = MOSIX_CHANNELS;
	memcpy(s->channel_fd, f->fds, MOSIX_CHANNELS * sizeof(int));
	s->threads = 1;
	memset(s->slot_tid, 0, sizeof(s->slot_tid));
	s->lock = s->standing = s->detached = 0;
	s->order_pending = s->wish_home = s->come_home = s->returned = s->guest_gone = s->taking = s->lost = 0;
	s->away_user = s->away_system = 0;
	s->maps_fd = maps_open("/proc/self/maps");
	if (s->maps_fd >= 0)
		s->maps_fd = orders_hide(s->maps_fd);
	s->fd_low = s->fd_high = s->maps_fd;
	for (uint32_t i = 0; i < MOSIX_CHANNELS; i++)
		orders_guard(s->channel_fd[i]);
}

static void become_first(const struct core_thread *parent)
{
	struct core_thread *t = slot_thread(0);
	struct mosix_thread own = parent->own;
	struct core_signal held = parent->held;	/* one that came as soon as the child was there */

	memset(t, 0, sizeof(*t));
	t->own = own;
	t->own.tid = core_here->pid;
	t->own.slot = 0;
	t->own.inside = 0;
	t->own.away_ns = 0;
	t->call_fd = core_here->channel_fd[MOSIX_CHANNEL_CALL];
	t->kernel_mask = ~0ull;
	t->held = held;
}

/* homed has to know of it before it can do anything that homed hears of otherwise: run another program, say. */
static void say_so(void)
{
	struct core_state *s = core_here;
	struct mosix_word word = { .kind = MOSIX_WORD_FORKED, .detail = (int64_t)s->birth, .pages = s->config.secret,
				   .bytes = s->base, .state = 1 };
	struct mosix_order *order = slot_at(ARENA_ORDER);
	int fds[MOSIX_CHANNELS_MAX], fd = orders_connect();

	if (fd >= 0 && orders_say(fd, &word) == 0 && orders_hear(fd, order, ARENA_MANIFEST - ARENA_ORDER, fds) == 0) {
		s->orders_fd = orders_hide(fd);
		orders_guard(s->orders_fd);
		return;
	}
	SYS1(__NR_close, fd);
	deputy_want_home(MOSIX_WHY_CUT, 0);	/* whom nobody knows nobody could call home later */
}

static void live(void *nothing)
{
	(void)nothing;
	say_so();
	deputy_main();
}

/* On the stack apart, in the child's copy of it. */
static __attribute__((noreturn)) void begin(struct forking *f)
{
	become_child(f);
	become_first(f->parent);
	core_call_on(slot_stack(0), live, NULL);
	__builtin_unreachable();
}

/* ---- the parent ---- */

static int get_channels(struct forking *f)
{
	struct mosix_word word = { .kind = MOSIX_WORD_FORK, .state = 1 };
	struct mosix_order *order = slot_at(ARENA_ORDER);
	int fd = orders_connect();

	if (fd < 0 || orders_say(fd, &word) != 0 || orders_hear(fd, order, ARENA_MANIFEST - ARENA_ORDER, f->fds) != 0)
		return 0;
	SYS1(__NR_close, fd);
	if (order->kind != MOSIX_ORDER_CHILD)
		return 0;
	f->epoch = order->epoch;
	f->birth = order->birth;
	return 1;
}

/*
 * madvise(2): what is not to be in a child, or empty there. Home's mappings know of it, the guest's do not, so such a
 * program forks at home. It cannot change while the program is away. A line of smaps begins "VmFlags: rd wr", wf and dc
 * among what follows.
 */
static int has_advice(void)
{
	char *text = slot_at(ARENA_PAYLOAD);
	uint64_t length = 0;
	int fd = maps_open("/proc/self/smaps"), in_flags = 0, found = 0;
	long n = -1;

	while (fd >= 0 && length < ARENA_PAYLOAD_SIZE - 1 &&
	       (n = SYS3(__NR_read, fd, text + length, ARENA_PAYLOAD_SIZE - 1 - length)) > 0)
		length += (uint64_t)n;
	SYS1(__NR_close, fd);	/* or the child would have it */
	text[length] = '\0';
	for (const char *at = text; *at && !found; at++) {
		if (at[0] == '\n')
			in_flags = core_starts(at + 1, "VmFlags:");
		else if (in_flags && at[0] == ' ')
			found = core_starts(at, " wf") || core_starts(at, " dc");
	}
	SYS3(__NR_madvise, text, PAGE_UP(length + 1), MADV_DONTNEED);
	return n != 0 || found;
}

/* Looked at once in a stay. */
static int forks_as_it_is(void)
{
	struct core_state *s = core_here;

	if (s->forks_known != s->epoch) {
		s->forks_home = (uint32_t)has_advice();
		s->forks_known = s->epoch;
	}
	return !s->forks_home;
}

/*
 * With the program's signals open, as for any other call: one that is there already acts before there is a child, which
 * would not have got it.
 */
static int64_t make_child(struct forking *f)
{
	struct core_thread *t = core_thread();
	struct clone_args args = { .flags = f->shares ? CLONE_VFORK : 0, .exit_signal = KSIG_CHLD };
	const uint64_t arg[6] = { (uint64_t)&args, sizeof(args) };
	int64_t pid;

	signals_watch();
	signals_open(t->own.mask | ksigset_bit(KSIG_URG));
	pid = t->held.signo ? -CORE_ERESTARTSYS : deputy_window(__NR_clone3, arg, &t->stop);
	signals_close();
	if (pid == 0)
		begin(f);
	return pid;
}

/* The parent of a vfork child is heard of no more until that has executed another program or ended. */
static int announce(const struct forking *f)
{
	struct mosix_frame reply = { .type = MOSIX_REPLY, .sequence = f->sequence, .arg = { 0, f->epoch, f->birth } };

	return frames_send(f->parent->call_fd, &reply, ARENA_PAYLOAD);
}

/*
 * In a thread apart: what is opened here only the child will have, and what the parent has hidden the child will not. It is made
 * from this thread, whose table of descriptors it copies.
 */
static void fork_apart(void *argument)
{
	struct core_state *s = core_here;
	struct forking *f = argument;

	if ((!f->shares && !forks_as_it_is()) || !get_channels(f) || (f->shares && announce(f) != 0))
		return;
	receive_close(s->channel_fd, s->channels);
	SYS1(__NR_close, s->maps_fd);
	if (s->orders_fd > 0)
		SYS1(__NR_close, s->orders_fd);
	f->result = make_child(f);
	f->interrupted = f->result == -CORE_ERESTARTSYS;
}

int deputy_fork(const struct mosix_frame *request)
{
	struct core_thread *t = core_thread();
	struct mosix_frame reply = { .type = MOSIX_REPLY, .sequence = request->sequence };
	struct forking f = { .parent = t, .sequence = request->sequence, .shares = request->arg[0] == 1 };
	uint32_t tid;

	signals_close();
	if (apart_run(fork_apart, &f, &tid) != 0)
		f.result = 0;
	reply.arg[0] = (uint64_t)f.result;
	reply.arg[1] = f.epoch;
	reply.arg[2] = f.birth;
	if (f.interrupted)
		reply.flags |= MOSIX_F_RESTART;
	signals_poll(t->own.mask);	/* what the child has sent its parent comes before the program's next instruction */
	return deputy_answer(&reply);
}

int deputy_unborn(const struct mosix_frame *request)
{
	struct mosix_frame reply = { .type = MOSIX_REPLY, .sequence = request->sequence };
	int pid = (int)request->arg[0];

	if (pid > 1 && SYS2(__NR_kill, pid, KSIG_KILL) == 0)
		SYS4(__NR_wait4, pid, NULL, __WALL, NULL);
	return frames_send(core_thread()->call_fd, &reply, ARENA_PAYLOAD);
}

int deputy_who(const struct mosix_frame *request)
{
	struct mosix_frame reply = { .type = MOSIX_REPLY, .sequence = request->sequence, .arg = { core_here->pid } };

	return frames_send(core_thread()->call_fd, &reply, ARENA_PAYLOAD);
}
