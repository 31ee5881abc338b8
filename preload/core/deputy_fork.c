/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/sched.h>
#include <linux/wait.h>
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
	uint64_t birth;
	int      ready;		/* the guest has its ends of the channels */
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

static void become_child(const struct forking *f)
{
	struct core_state *s = core_here;

	s->pid = (uint32_t)SYS0(__NR_getpid);
	s->config.secret = make_secret();
	s->epoch = f->epoch;
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

	memset(t, 0, sizeof(*t));
	t->own = own;
	t->own.tid = core_here->pid;
	t->own.slot = 0;
	t->own.inside = 0;
	t->own.away_ns = 0;
	t->call_fd = core_here->channel_fd[MOSIX_CHANNEL_CALL];
	t->kernel_mask = ~0ull;
}

/* homed has to know of it before it can do anything that homed hears of otherwise: run another program, say. */
static void say_so(const struct forking *f)
{
	struct core_state *s = core_here;
	struct mosix_word word = { .kind = MOSIX_WORD_FORKED, .detail = (int64_t)f->birth, .pages = s->config.secret, .state = 1 };
	struct mosix_order *order = slot_at(ARENA_ORDER);
	int fds[MOSIX_CHANNELS_MAX], fd = orders_connect();

	s->orders_fd = 0;
	if (fd < 0)
		return;
	if (orders_say(fd, &word) != 0 || orders_hear(fd, order, ARENA_MANIFEST - ARENA_ORDER, fds) != 0) {
		SYS1(__NR_close, fd);
		return;
	}
	s->orders_fd = orders_hide(fd);
	orders_guard(s->orders_fd);
}

static void live(void *argument)
{
	say_so(argument);
	deputy_main();
}

/* On the stack apart, in the child's copy of it. */
static void begin(void *argument)
{
	const struct forking *f = argument;

	become_child(f);
	become_first(f->parent);
	core_call_on(slot_stack(0), live, argument);
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
	f->epoch = order->epoch;
	f->birth = order->birth;
	return order->kind == MOSIX_ORDER_CHILD;
}

/*
 * In a thread apart: what is opened here only the child will have, and what the parent has hidden the child will not. It is made
 * from this thread, whose table of descriptors it copies.
 */
static void fork_apart(void *argument)
{
	struct core_state *s = core_here;
	struct clone_args args = { .exit_signal = KSIG_CHLD };
	struct forking *f = argument;

	f->ready = get_channels(f);
	if (!f->ready)
		return;
	receive_close(s->channel_fd, s->channels);
	SYS1(__NR_close, s->maps_fd);
	if (s->orders_fd > 0)
		SYS1(__NR_close, s->orders_fd);
	for (uint32_t i = 0; i < MOSIX_CHANNELS; i++)
		f->fds[i] = orders_hide(f->fds[i]);
	f->result = core_clone(&args, sizeof(args), begin, f);
}

int deputy_fork(const struct mosix_frame *request)
{
	struct core_thread *t = core_thread();
	struct mosix_frame reply = { .type = MOSIX_REPLY, .sequence = request->sequence };
	struct forking f = { .parent = t };
	uint32_t tid;

	signals_close();
	if (apart_run(fork_apart, &f, &tid) != 0)
		f.result = f.ready = 0;
	reply.arg[0] = (uint64_t)f.result;
	reply.arg[1] = f.epoch;
	reply.arg[2] = (uint64_t)f.ready;
	if (core_here->come_home)
		reply.flags |= MOSIX_F_COMEHOME;
	return frames_send(t->call_fd, &reply, ARENA_PAYLOAD);
}

int deputy_unborn(const struct mosix_frame *request)
{
	struct mosix_frame reply = { .type = MOSIX_REPLY, .sequence = request->sequence };
	int pid = (int)request->arg[0];

	if (pid > 1 && SYS2(__NR_kill, pid, KSIG_KILL) == 0)
		SYS4(__NR_wait4, pid, NULL, __WALL, NULL);
	return frames_send(core_thread()->call_fd, &reply, ARENA_PAYLOAD);
}
