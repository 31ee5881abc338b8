/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/poll.h>
#include <mosix/call.h>
#include <mosix/reason.h>
#include "arena.h"
#include "core.h"
#include "deputy.h"
#include "deputy_settle.h"
#include "deputy_signals.h"
#include "deputy_fork.h"
#include "deputy_map.h"
#include "deputy_thread.h"
#include "entry.h"
#include "frames.h"
#include "homecoming.h"
#include "lock.h"
#include "orders.h"
#include "step.h"
#include "stop.h"
#include "thread.h"
#include "trace.h"

/* Each deputy finds its own channel broken; one of them says so. */
static __attribute__((noreturn)) void process_lost(void)
{
	const struct mosix_manifest *m = arena_at(ARENA_MANIFEST);

	while (__atomic_exchange_n(&core_here->lost, 1, __ATOMIC_SEQ_CST))
		SYS0(__NR_pause);
	core_say("the process is lost with its node: ", (const char *)m->name);
	orders_tell(MOSIX_WORD_LOST, MOSIX_WHY_NODE_GONE, 0);
	SYS2(__NR_kill, core_here->pid, KSIG_KILL);
	for (;;)
		SYS1(__NR_exit_group, 128 + KSIG_KILL);
}

/* The guest is gone. Before the commit home's own copy is the truth and goes on; after it the process is lost. */
static __attribute__((noreturn)) void guest_gone(void)
{
	struct core_state *s = core_here;

	signals_close();
	if (core_thread()->own.slot != 0 && core_get(&s->taking))
		home_follow();		/* the first one has the image, or will find that it is not whole */
	if (home_is_committed())
		process_lost();
	if (core_thread()->own.slot != 0) {
		s->guest_gone = 1;
		home_follow();
	}
	if (!home_revoke())
		process_lost();
	home_gather(arena_at(ARENA_MANIFEST));
	home_close();
	orders_tell(MOSIX_WORD_HOME, MOSIX_WHY_REVOKED, 0);
	home_resume();
}

/*
 * Before the first act: the last moment at which home's own copy can go on. What a guest that is known to be gone has asked
 * for must not be what makes it the only copy.
 */
static void commit(void)
{
	struct pollfd poll = { .fd = core_thread()->call_fd, .events = POLLRDHUP };
	struct { int64_t sec, nsec; } now = { 0, 0 };

	if (core_here->dropped)
		return;
	core_step(MOSIX_STEP_deputy_acting);
	if (!home_is_committed() && (core_here->guest_gone || SYS5(__NR_ppoll, &poll, 1, &now, NULL, 0) == 1))
		guest_gone();
	home_drop();
}

/* Else its default action dumps core, and is taken at home. */
static int is_for_guest(const struct core_signal *held)
{
	return core_here->action[held->signo].handler != KSIG_DFL;
}

void deputy_want_home(uint32_t reason, int64_t detail)
{
	struct core_state *s = core_here;

	if (s->come_home || s->wish_home)
		return;
	s->come_home_reason = reason;
	s->come_home_detail = detail;
	s->wish_home = 1;
	if (core_thread()->own.slot != 0)
		stop_nudge(s->pid);
	else
		deputy_consent();
}

void deputy_consent(void)
{
	struct core_state *s = core_here;

	if (s->come_home || !s->wish_home)
		return;
	s->come_home = 1;
	stop_nudge_all();
}

uint32_t deputy_put_signal(struct mosix_frame *reply, uint8_t *payload)
{
	struct core_thread *t = core_thread();

	if (t->held.signo == 0)
		return 0;
	if (!is_for_guest(&t->held)) {
		deputy_want_home(MOSIX_WHY_CORE_DUMP, t->held.signo);
		return 0;
	}
	memcpy(payload, t->held.info, sizeof(t->held.info));
	reply->flags |= MOSIX_F_SIGNAL;
	reply->signo = t->held.signo;
	t->held.signo = 0;
	t->handed = 1;
	return sizeof(t->held.info);
}

int deputy_answer(struct mosix_frame *reply)
{
	reply->length = deputy_put_signal(reply, slot_at(ARENA_PAYLOAD));
	if (core_here->come_home)
		reply->flags |= MOSIX_F_COMEHOME;
	return frames_send(core_thread()->call_fd, reply, ARENA_PAYLOAD);
}

/* On the connection that has been open since the process left, for a new one would take a descriptor that is not its own. */
static int ask(struct mosix_order *order, int *fds)
{
	struct mosix_word word = { .kind = MOSIX_WORD_HERE, .state = 1 };
	struct core_state *s = core_here;

	for (int again = 0; again < 2; again++) {
		if (s->orders_fd <= 0) {	/* homed is another one by now */
			int fd = orders_connect();

			if (fd < 0)
				return fd;
			s->orders_fd = orders_hide(fd);
			orders_guard(s->orders_fd);
		}
		if (orders_say(s->orders_fd, &word) == 0 &&
		    orders_hear(s->orders_fd, order, ARENA_MANIFEST - ARENA_ORDER, fds) == 0)
			return 0;
		SYS1(__NR_close, s->orders_fd);
		s->orders_fd = 0;
	}
	return -ENOTCONN;
}

int deputy_ask_orders(void)
{
	struct core_state *s = core_here;
	struct mosix_order *order = arena_at(ARENA_ORDER);
	int *fds = arena_at(ARENA_RUNS);

	signals_close();
	s->order_pending = 0;
	if (ask(order, fds) != 0)
		return 0;
	if (order->kind == MOSIX_ORDER_LEAVE) {
		struct mosix_word busy = { .kind = MOSIX_WORD_REFUSED, .reason = MOSIX_WHY_BUSY };

		for (uint32_t i = 0; i < order->channels; i++)
			SYS1(__NR_close, fds[i]);
		orders_say(s->orders_fd, &busy);
	}
	if (order->kind != MOSIX_ORDER_HOME)
		return 0;
	if (s->shares) {
		orders_tell(MOSIX_WORD_REFUSED, MOSIX_WHY_VFORK, 0);
		return 0;
	}
	if (!s->come_home) {
		s->come_home_reason = MOSIX_WHY_ORDERED;
		s->come_home_detail = 0;
		s->wish_home = 1;
		deputy_consent();
	}
	core_step(MOSIX_STEP_deputy_home_called);
	return 1;
}

/* The control channel is common to all, and a write of four bytes is not parted. */
static void ring(void)
{
	struct core_thread *t = core_thread();

	if (!t->rung && core_write_all(core_here->channel_fd[MOSIX_CHANNEL_CONTROL], &t->own.tid, sizeof(t->own.tid)) == 0)
		t->rung = 1;
}

/* What the first deputy does for all. */
static void lead(void)
{
	struct core_state *s = core_here;

	if (s->guest_gone)
		guest_gone();
	if (s->returned)
		signals_returned();
	if (s->order_pending)
		deputy_ask_orders();
	deputy_consent();
}

/*
 * Waits for the guest's next frame with the program's signals open, catching at most one of them. The wait is a read in the
 * window, like any call of the guest: whatever arrives while nothing has been read ends it.
 */
static void wait_request(struct mosix_frame *frame)
{
	struct core_state *s = core_here;
	struct core_thread *t = core_thread();
	const uint64_t arg[6] = { (uint64_t)t->call_fd, (uint64_t)frames_start(ARENA_PAYLOAD), FRAMES_MOST };

	for (;;) {
		long n;

		signals_watch();	/* what comes from here on stops the read, what came before is seen here */
		if (core_get(&s->phase) == STOP_RESUME)
			home_follow();
		if (t->own.slot == 0)
			lead();
		if (s->come_home || (t->held.signo && !t->handed))
			ring();
		signals_open(t->held.signo || t->handed ? SIGNALS_FULL : t->own.mask & ~ksigset_bit(KSIG_URG));
		n = deputy_window(__NR_read, arg, &t->stop);
		if (n == -EINTR || n == -CORE_ERESTARTSYS || n == -EAGAIN)	/* -EAGAIN: idle for STALL_SECONDS */
			continue;
		if (n <= 0 || frames_finish(t->call_fd, frame, ARENA_PAYLOAD, (uint64_t)n) != 0)
			guest_gone();
		return;
	}
}

/* A signal whose frame the guest could not build came with the request: home's kernel shall see what to do. */
static void keep_refused(const struct mosix_frame *request)
{
	struct core_thread *t = core_thread();

	if (request->length != sizeof(t->refused.info))
		return;
	memcpy(t->refused.info, slot_at(ARENA_PAYLOAD), sizeof(t->refused.info));
	t->refused.signo = request->signo;
}

/* It stays where it is: who ordered it home hears why. */
static void forget_home(uint32_t reason, int64_t detail)
{
	struct core_state *s = core_here;

	s->come_home = s->wish_home = 0;
	slot_thread(0)->refused.signo = 0;
	orders_tell(MOSIX_WORD_REFUSED, reason, detail);
}

/* The guest stands frozen and offers its image. Afterwards the program runs here, or the guest goes on. */
static void take_home(const struct mosix_frame *request)
{
	struct core_state *s = core_here;
	struct core_thread *t = core_thread();
	struct mosix_frame answer = { .type = MOSIX_WELCOME, .sequence = request->sequence };
	uint32_t reason = s->come_home ? s->come_home_reason : (uint32_t)request->arg[0];
	int64_t detail = s->come_home ? s->come_home_detail : (int64_t)request->arg[1];
	int error;

	t->handed = 0;
	s->freeze_at = core_clock(1);	/* the guest froze a message earlier */
	keep_refused(request);
	core_step(MOSIX_STEP_deputy_home_coming);
	core_set(&s->taking, 1);
	if (frames_send(t->call_fd, &answer, ARENA_PAYLOAD) != 0)
		guest_gone();
	error = home_take();
	core_step(MOSIX_STEP_deputy_home_took);
	answer.type = error ? MOSIX_STAY : MOSIX_GOT;
	answer.arg[0] = (uint64_t)error;
	if (error == 0)		/* the others leave their channels before those end */
		home_gather(arena_at(ARENA_RETURN));
	if (error != 0 && error != -ENOMEM && error != -EMFILE && error != -EOPNOTSUPP)
		guest_gone();	/* its image cannot be read to the end, so neither can the next one */
	if (frames_send(t->call_fd, &answer, ARENA_PAYLOAD) != 0 && error != 0)
		guest_gone();
	if (error != 0) {
		core_set(&s->taking, 0);
		home_drop();
		forget_home(error == -ENOMEM ? MOSIX_WHY_NO_MEMORY : MOSIX_WHY_BAD_IMAGE, error);
		return;
	}
	core_step(MOSIX_STEP_deputy_home_got);
	if (trace_wanted()) {
		trace_return(reason, detail);
		trace_place("home");
	}
	s->shares = 0;
	home_close();
	orders_tell(MOSIX_WORD_HOME, reason, detail);
	core_step(MOSIX_STEP_deputy_home_told);
	home_resume();
}

/* The program's mask from the frame; a held signal that it blocks goes back to the kernel. */
static void accept_mask(const struct mosix_frame *request)
{
	struct core_thread *t = core_thread();

	t->own.mask = request->mask & ~KSIGSET_UNBLOCKABLE;
	settle_taken();
	if (request->flags & MOSIX_F_RESET && request->signo > 0 && request->signo <= KSIG_MAX) {
		struct mosix_sigaction standard = { 0 };

		signals_change(request->signo, &standard);
	}
	if (t->held.signo && ksigset_has(t->own.mask, t->held.signo))
		signals_requeue(1);
	if (t->held.signo == 0 && t->urgent_pending && !ksigset_has(t->own.mask, KSIG_URG)) {
		uint64_t handler = core_here->urgent.action.handler;

		t->urgent_pending = 0;
		if (handler != KSIG_DFL && handler != KSIG_IGN)
			t->held = t->urgent_waits;
	}
}

static int answer_poll(const struct mosix_frame *request)
{
	struct core_thread *t = core_thread();
	struct mosix_frame reply = { .type = MOSIX_REPLY, .sequence = request->sequence };

	t->rung = 0;
	if (request->flags & MOSIX_F_BLOCK)
		settle_taken();
	signals_poll(t->own.mask);
	if (request->flags & MOSIX_F_BLOCK && !t->held.signo && !core_here->come_home)
		t->own.mask = request->mask & ~KSIGSET_UNBLOCKABLE;
	if (t->held.signo && is_for_guest(&t->held))
		commit();
	return deputy_answer(&reply);
}

/* A request that crosses a signal or an order has not begun; the program takes those first. */
static int answer_not_begun(const struct mosix_frame *request)
{
	struct mosix_frame reply = { .type = MOSIX_REPLY, .flags = MOSIX_F_RESTART, .sequence = request->sequence };

	return deputy_answer(&reply);
}

static int is_disposition(const struct mosix_frame *request)
{
	return call_find((uint32_t)request->nr, request->arg)->special == SPECIAL_SIGACTION;
}

/* Whether nothing has changed or come since the request before, so that this one can be served with signals open. */
static int is_steady(const struct mosix_frame *request)
{
	const struct core_state *s = core_here;
	const struct core_thread *t = core_thread();

	return s->dropped && !s->come_home && !t->handed && !t->urgent_pending &&
	       !(request->flags & (MOSIX_F_PLAIN | MOSIX_F_RESET)) && (request->mask & ~KSIGSET_UNBLOCKABLE) == t->own.mask &&
	       t->kernel_mask == (t->own.mask & ~ksigset_bit(KSIG_URG)) && !is_disposition(request);
}

/* Executes a call or makes a thread, or has it begun again after what came first. */
static int answer_call(const struct mosix_frame *request)
{
	struct core_thread *t = core_thread();

	commit();
	if (request->flags & MOSIX_F_PLAIN)
		return deputy_call_serve(request);
	accept_mask(request);
	if (request->type == MOSIX_CALL && is_disposition(request))
		signals_poll(t->own.mask);	/* what was sent before finds the handler of before */
	if (core_here->come_home || (t->held.signo && !(request->flags & MOSIX_F_INSIDE)))
		return answer_not_begun(request);
	switch (request->type) {
	case MOSIX_THREAD: return deputy_thread_begin(request);
	case MOSIX_FORK:   return deputy_fork(request);
	case MOSIX_MAP:    return deputy_map(request);
	default:           return deputy_call_serve(request);
	}
}

static int answer_wish(const struct mosix_frame *request)
{
	struct mosix_frame reply = { .type = MOSIX_REPLY, .sequence = request->sequence };

	keep_refused(request);
	deputy_want_home((uint32_t)request->arg[0], (int64_t)request->arg[1]);
	return frames_send(core_thread()->call_fd, &reply, ARENA_PAYLOAD);
}

static int answer_staying(const struct mosix_frame *request)
{
	struct mosix_frame reply = { .type = MOSIX_REPLY, .sequence = request->sequence };

	forget_home(MOSIX_WHY_THREAD_BUSY, 0);
	return frames_send(core_thread()->call_fd, &reply, ARENA_PAYLOAD);
}

static int answer(const struct mosix_frame *request)
{
	int first = core_thread()->own.slot == 0;

	switch (request->type) {
	case MOSIX_POLL:
		if (!(request->flags & MOSIX_F_BLOCK))
			accept_mask(request);
		if (request->flags & MOSIX_F_BACK) {
			keep_refused(request);
			signals_refused();
		}
		return answer_poll(request);
	case MOSIX_CALL:
	case MOSIX_THREAD:
	case MOSIX_FORK:
	case MOSIX_MAP:
		return answer_call(request);
	case MOSIX_UNBORN:
		return deputy_unborn(request);
	case MOSIX_WHO:
		return deputy_who(request);
	case MOSIX_FETCH:
		return deputy_fetch(request);
	case MOSIX_TRACE:
		return trace_told(request);
	case MOSIX_WISH:
		return answer_wish(request);
	case MOSIX_STAYING:
		return first ? answer_staying(request) : -EBADMSG;
	case MOSIX_COMING:
		if (!first)
			return -EBADMSG;
		take_home(request);
		return 0;
	default:
		return -EBADMSG;
	}
}

void deputy_main(void)
{
	struct mosix_frame frame;

	core_thread()->kernel_mask = ~0ull;
	frames_warm(ARENA_PAYLOAD);
	for (;;) {
		wait_request(&frame);
		if (frame.type == MOSIX_CALL && is_steady(&frame)) {
			if (deputy_call_serve(&frame) != 0)
				guest_gone();
			continue;
		}
		signals_close();
		if (answer(&frame) != 0)
			guest_gone();
	}
}
