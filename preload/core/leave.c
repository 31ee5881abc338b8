/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <mosix/reason.h>
#include "arena.h"
#include "capture.h"
#include "apart.h"
#include "core.h"
#include "deputy.h"
#include "deputy_signals.h"
#include "entry.h"
#include "frames.h"
#include "homecoming.h"
#include "leave.h"
#include "lock.h"
#include "maps.h"
#include "orders.h"
#include "resume.h"
#include "snapshot.h"
#include "step.h"
#include "stop.h"
#include "thread.h"
#include "trace.h"

static int is_migration_signal(const struct kernel_siginfo *info)
{
	return info->code == KSI_QUEUE && info->rt.value == core_here->config.secret;
}

/* From one thread of this process to another. */
static int is_nudge(const struct kernel_siginfo *info)
{
	return info->code == KSI_QUEUE && info->rt.value == stop_nudge_value(core_here->config.secret);
}

/*
 * It goes to the kernel's queue, where a signalfd finds it, and is blocked by the kernel from now on: once for each thread.
 * Only the first thread may say to the process that kill(2) sent it; the others keep the sender, but say sigqueue(3).
 */
static void give_back(struct kernel_siginfo *info, struct kernel_ucontext *uc)
{
	long pid = SYS0(__NR_getpid);

	uc->sigmask |= ksigset_bit(KSIG_URG);
	if (info->code == KSI_TKILL) {
		SYS4(__NR_rt_tgsigqueueinfo, pid, SYS0(__NR_gettid), KSIG_URG, info);
	} else if (SYS3(__NR_rt_sigqueueinfo, pid, KSIG_URG, info) != 0) {
		info->code = KSI_QUEUE;
		SYS3(__NR_rt_sigqueueinfo, pid, KSIG_URG, info);
	}
}

/* A SIGURG of the program's own, as its disposition and mask say. */
static void dispatch_urgent(int signo, struct kernel_siginfo *info, struct kernel_ucontext *uc)
{
	static struct core_own nothing;
	struct mosix_sigaction action = core_here->urgent.action;
	struct core_own *own;
	uint64_t mask, fs = 0;

	SYS2(__NR_arch_prctl, 0x1003 /* ARCH_GET_FS */, &fs);
	own = fs ? capture_own(fs) : &nothing;
	if (action.handler == KSIG_DFL || action.handler == KSIG_IGN || own->blocked) {
		if (own->blocked && core_here->urgent.kept)
			give_back(info, uc);
		else
			own->pending = own->blocked && action.handler != KSIG_IGN;
		resume_rewind(uc);	/* natively the call would not have noticed */
		return;
	}
	core_here->action[KSIG_URG] = action;
	if (action.flags & KSA_RESETHAND)
		core_here->urgent.action = (struct mosix_sigaction){ 0 };
	if (!(action.flags & KSA_RESTART))
		resume_interrupt(&uc->mc.regs, resume_rewind(uc), ksigset_bit(KSIG_URG));
	mask = (uc->sigmask | action.mask) & ~ksigset_bit(KSIG_URG);
	own->blocked = !(action.flags & KSA_NODEFER);
	signals_mask(mask);
	((void (*)(int, struct kernel_siginfo *, struct kernel_ucontext *))action.handler)(signo, info, uc);
	signals_mask(~0ull);
	own->blocked = 0;
}

/*
 * From READY on the kernel must find nothing of the program's here: these areas are about to be dropped.
 * The alternate stack goes too: deputy handlers run on the slot's stack.
 */
void leave_detach(struct core_thread *t)
{
	struct mosix_altstack none = { .flags = KSS_DISABLE };

	if (t->own.rseq)
		SYS4(__NR_rseq, t->own.rseq, t->own.rseq_size, 1 /* RSEQ_FLAG_UNREGISTER */, t->own.rseq_signature);
	SYS2(__NR_set_robust_list, 0, 24);
	SYS1(__NR_set_tid_address, 0);
	SYS2(__NR_sigaltstack, &none, NULL);
}

/* Waits for READY. 0, or a reason. */
static uint32_t await_ready(uint64_t deadline_ns)
{
	struct core_state *s = core_here;
	struct pollfd poll = { .fd = s->channel_fd[MOSIX_CHANNEL_CALL], .events = POLLIN };
	uint64_t now = core_clock(1);
	struct mosix_frame frame;
	struct { int64_t sec, nsec; } left = { 0, 0 };

	if (deadline_ns > now)
		left.sec = (int64_t)((deadline_ns - now) / 1000000000), left.nsec = (int64_t)((deadline_ns - now) % 1000000000);
	if (SYS5(__NR_ppoll, &poll, 1, &left, NULL, 0) != 1)
		return MOSIX_WHY_TIMED_OUT;
	/* Exactly so much: a POLL may be right behind it. */
	if (core_read_all(s->channel_fd[MOSIX_CHANNEL_CALL], &frame, sizeof(frame)) != 0)
		return MOSIX_WHY_CUT;
	return frame.type == MOSIX_READY && frame.epoch == s->epoch && frame.length == 0 ? 0 : MOSIX_WHY_BAD_IMAGE;
}

/* Sends the image and waits until the guest stands. 0: gone, dispositions and kernel state are the deputies'. */
static uint32_t go(struct kernel_ucontext *uc, const struct mosix_order *order, int64_t *ret_detail)
{
	uint64_t deadline = core_clock(1) + order->deadline_ns;
	struct capture capture;
	uint32_t reason;
	int error;

	if (capture_home(uc, order, &capture) != 0) {
		*ret_detail = capture.detail;
		return capture.reason;
	}
	core_step(MOSIX_STEP_deputy_captured);
	error = capture_send(core_here->channel_fd[MOSIX_CHANNEL_PAGE], &capture);
	if (error != 0) {
		*ret_detail = error;
		return error == -EAGAIN ? MOSIX_WHY_TIMED_OUT : MOSIX_WHY_CUT;
	}
	core_step(MOSIX_STEP_deputy_sent);
	reason = await_ready(deadline);
	if (reason == 0) {
		core_step(MOSIX_STEP_deputy_ready);
		leave_detach(core_thread());
		stop_detach();
	}
	return reason;
}

static void take_channels(const struct mosix_order *order, const int *fds)
{
	struct core_state *s = core_here;

	s->channels = order->channels;
	for (uint32_t i = 0; i < order->channels; i++)
		s->channel_fd[i] = orders_hide(fds[i]);
	for (uint32_t i = 0; i < order->channels; i++)
		if (i != MOSIX_CHANNEL_CONTROL)
			frames_limit_stalls(s->channel_fd[i]);
	s->maps_fd = maps_open("/proc/thread-self/maps");
	if (s->maps_fd >= 0)
		s->maps_fd = orders_hide(s->maps_fd);
	s->fd_low = s->fd_high = s->maps_fd;
	for (uint32_t i = 0; i < order->channels; i++)
		orders_guard(s->channel_fd[i]);
	core_thread()->call_fd = s->channel_fd[MOSIX_CHANNEL_CALL];
	for (uint32_t n = 1; n <= s->slot_count; n++)
		if (slot_is_used(n) && slot_channel(n) < s->channels)
			slot_thread(n)->call_fd = s->channel_fd[slot_channel(n)];
}

/* A call channel for each slot up to the last one on which a thread stands. */
static uint32_t calls_needed(void)
{
	uint32_t last = 0;

	for (uint32_t n = 1; n <= core_here->slot_count; n++)
		if (slot_is_used(n))
			last = n;
	return 1 + last;
}

static void leave(struct kernel_ucontext *uc, int orders, const struct mosix_order *order, const int *fds)
{
	struct core_state *s = core_here;
	struct mosix_word word = { .kind = MOSIX_WORD_MOVED };
	uint64_t begun = core_clock(1);

	s->epoch = order->epoch;
	s->config.trace = order->trace;
	memcpy(s->node, order->node, sizeof(s->node) - 1);
	take_channels(order, fds);
	word.reason = s->urgent.kept ? MOSIX_WHY_BLOCKED : stop_objection();
	if (word.reason == 0 && MOSIX_CHANNELS - 1 + calls_needed() > order->channels) {
		word.reason = MOSIX_WHY_NEW_THREADS;
		word.detail = calls_needed();
	} else if (word.reason == 0) {
		word.reason = go(uc, order, &word.detail);
	}
	word.pages = s->moved_pages;
	word.bytes = s->moved_bytes;
	word.freeze_ns = word.total_ns = core_clock(1) - begun;
	if (word.reason != 0) {
		home_close();
		word.kind = MOSIX_WORD_REFUSED;
		orders = orders_report(orders, &word);
		SYS1(__NR_close, orders);
		return;
	}
	s->place = PLACE_AWAY;
	s->shares = 0;
	s->committed = s->dropped = s->order_pending = s->wish_home = s->come_home = s->guest_gone = 0;
	signals_install();
	orders = orders_report(orders, &word);
	s->orders_fd = orders < 0 ? 0 : orders_hide(orders);	/* for the next order: other deputies open descriptors then */
	orders_guard(s->orders_fd);
	core_step(MOSIX_STEP_deputy_moved);
	if (trace_wanted())
		trace_place(s->node);
	stop_serve();
	deputy_main();
}

/* What to do with an order that came over fd; closes it. */
static void obey(struct kernel_ucontext *uc, int fd, const struct mosix_order *order, const int *fds)
{
	struct mosix_word word = { .kind = MOSIX_WORD_HOME, .reason = MOSIX_WHY_ALREADY };

	if (order->kind == MOSIX_ORDER_LEAVE) {
		core_step(MOSIX_STEP_deputy_ordered);
		leave(uc, fd, order, fds);
		return;
	}
	if (order->kind == MOSIX_ORDER_HOME)
		orders_say(fd, &word);
	if (order->kind == MOSIX_ORDER_STACK) {
		core_thread()->uc = uc;
		snapshot_say(fd);
	}
	SYS1(__NR_close, fd);
}

/* Threads could not be stopped: homed hears it from a thread whose descriptors nobody else sees. */
static void refuse_apart(void *argument)
{
	const uint32_t *reason = argument;
	struct mosix_word word = { .kind = MOSIX_WORD_HERE };
	struct mosix_order *order = arena_at(ARENA_ORDER);
	int *fds = arena_at(ARENA_RUNS);
	int fd = orders_connect();

	if (fd < 0 || orders_say(fd, &word) != 0)
		return;
	orders_hear(fd, order, ARENA_MANIFEST - ARENA_ORDER, fds);	/* whatever it is */
	word.kind = MOSIX_WORD_REFUSED;
	word.reason = *reason;
	orders_say(fd, &word);
}

/* Now that no other thread changes them. */
static void take_actions(void)
{
	struct core_state *s = core_here;

	for (int i = 1; i <= KSIG_MAX; i++)
		SYS4(__NR_rt_sigaction, i, NULL, &s->action[i], 8);
	s->action[KSIG_URG] = s->urgent.action;
}

/* On the arena's stack: the orders, and what follows from them. Returns only if the program goes on here. */
static void hear_orders(void *argument)
{
	struct kernel_ucontext *uc = argument;
	struct mosix_word word = { .kind = MOSIX_WORD_HERE };
	struct mosix_order *order = arena_at(ARENA_ORDER);
	int *fds = arena_at(ARENA_RUNS);
	uint32_t reason, teller;
	int fd;

	core_step(MOSIX_STEP_deputy_entered);
	core_thread()->own.tid = core_here->pid;
	core_thread()->own.slot = 0;
	core_thread()->held.signo = 0;
	core_thread()->order_hit = core_thread()->rung = core_thread()->handed = 0;
	reason = stop_all();
	if (reason != 0) {
		apart_run(refuse_apart, &reason, &teller);
		return;
	}
	take_actions();
	fd = orders_connect();
	if (fd >= 0 && (orders_say(fd, &word) != 0 || orders_hear_many(fd, order, ARENA_MANIFEST - ARENA_ORDER, fds) != 0)) {
		SYS1(__NR_close, fd);
		fd = -1;
	}
	if (fd >= 0)
		obey(uc, fd, order, fds);
	stop_let_go();
}

/* The migration signal in the deputy. An order is the first one's to fetch; a nudge makes any of them look around. */
static void stirred(const struct kernel_siginfo *info, struct kernel_ucontext *uc)
{
	struct core_thread *t = core_thread();
	uint64_t rip = uc->mc.regs.rip;

	if (is_migration_signal(info)) {
		core_here->order_pending = 1;
		if (t->own.slot != 0)
			stop_tell_order();	/* and the call that this one fell into goes on */
	}
	t->order_hit = t->stop = 1;
	if (rip >= (uint64_t)deputy_window_begin && rip <= (uint64_t)deputy_window_call)
		uc->mc.regs.rip = (uint64_t)deputy_window_abort;
}

/* The program's own SIGURG while it is away. */
static void urgent_away(int signo, const struct kernel_siginfo *info, struct kernel_ucontext *uc)
{
	struct core_state *s = core_here;
	struct core_thread *t = core_thread();
	uint64_t handler = s->urgent.action.handler;
	int blocked = ksigset_has(t->own.mask, KSIG_URG) != 0;

	if (blocked || handler == KSIG_DFL || handler == KSIG_IGN)
		t->order_hit = 1;	/* the program does not notice: the call it fell into goes on */
	if (handler == KSIG_IGN || (handler == KSIG_DFL && !blocked))
		return;
	if (blocked || t->held.signo) {
		t->urgent_pending = 1;
		t->urgent_waits.signo = signo;
		memcpy(t->urgent_waits.info, info, sizeof(t->urgent_waits.info));
	} else {
		signals_catch(signo, info, uc);
	}
}

/* What came while the thread was in the handler interrupts the call it is inside, as it would have without the handler. */
static void go_on(struct kernel_ucontext *uc, uint32_t inside)
{
	resume_pending(&uc->mc.regs, inside, uc->sigmask);
}

/* The first thread's handler at home. */
static void lead(struct kernel_ucontext *uc)
{
	struct core_state *s = core_here;
	uint32_t inside;

	SYS3(__NR_mprotect, s->base + ARENA_STACK, MOSIX_ARENA_SIZE - ARENA_STACK - MOSIX_PAGE, PROT_READ | PROT_WRITE);
	inside = slot_thread(0)->own.inside = resume_rewind(uc);
	s->place = PLACE_LEAVING;
	core_call_on(slot_stack(0), hear_orders, uc);
	s->place = PLACE_HOME;
	go_on(uc, inside);
}

void leave_handler(int signo, struct kernel_siginfo *info, struct kernel_ucontext *uc)
{
	int order = is_migration_signal(info), nudge = is_nudge(info);

	core_clear_alignment_check();
	if (core_here->place == PLACE_AWAY) {
		if (order || nudge)
			stirred(info, uc);
		else
			urgent_away(signo, info, uc);
		return;
	}
	if (!order && !nudge) {
		dispatch_urgent(signo, info, uc);
	} else if (stop_is_first()) {
		if (order)
			lead(uc);
		else
			go_on(uc, resume_rewind(uc));
	} else {
		uint32_t inside = resume_rewind(uc);

		if (order)
			stop_tell_order();
		stop_here(uc, inside);
		go_on(uc, inside);
	}
}
