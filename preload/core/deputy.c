/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/poll.h>
#include <mosix/call.h>
#include <mosix/reason.h>
#include "arena.h"
#include "core.h"
#include "deputy.h"
#include "deputy_signals.h"
#include "entry.h"
#include "frames.h"
#include "homecoming.h"
#include "orders.h"
#include "step.h"

/* The guest is gone. Before the commit home's own copy is the truth and goes on; after it the process is lost. */
static __attribute__((noreturn)) void guest_gone(void)
{
	struct core_state *s = core_here;

	signals_close();
	if (!s->committed) {
		home_close();
		orders_tell(MOSIX_WORD_HOME, MOSIX_WHY_REVOKED, 0);
		s->mask = ((const struct mosix_manifest *)arena_at(ARENA_MANIFEST))->thread.mask;
		if (s->held.signo)
			signals_requeue();
		home_resume(arena_at(ARENA_MANIFEST));
	}
	core_say("the process is lost with its node: ", (const char *)((struct mosix_manifest *)arena_at(ARENA_MANIFEST))->name);
	orders_tell(MOSIX_WORD_LOST, MOSIX_WHY_NODE_GONE, 0);
	SYS2(__NR_kill, s->pid, KSIG_KILL);
	for (;;)
		SYS1(__NR_exit_group, 128 + KSIG_KILL);
}

/*
 * Before the first act: the last moment at which home's own copy can go on. What a guest that is known to be gone has asked
 * for must not be what makes it the only copy.
 */
static void commit(void)
{
	struct core_state *s = core_here;
	struct pollfd poll = { .fd = s->call_fd, .events = POLLRDHUP };
	struct { int64_t sec, nsec; } now = { 0, 0 };

	if (s->dropped)
		return;
	core_step(MOSIX_STEP_deputy_acting);
	if (!s->committed && SYS5(__NR_ppoll, &poll, 1, &now, NULL, 0) == 1)
		guest_gone();
	home_drop();
}

/* Else its default action dumps core, and is taken at home. */
static int is_for_guest(const struct core_signal *held)
{
	return core_here->action[held->signo].handler != KSIG_DFL;
}

uint32_t deputy_put_signal(struct mosix_frame *reply, uint8_t *payload)
{
	struct core_state *s = core_here;

	if (s->held.signo == 0)
		return 0;
	if (!is_for_guest(&s->held)) {
		s->come_home = 1;
		s->come_home_reason = MOSIX_WHY_CORE_DUMP;
		return 0;
	}
	memcpy(payload, s->held.info, sizeof(s->held.info));
	reply->flags |= MOSIX_F_SIGNAL;
	reply->signo = s->held.signo;
	s->held.signo = 0;
	s->handed = 1;
	return sizeof(s->held.info);
}

int deputy_ask_orders(void)
{
	struct core_state *s = core_here;
	struct mosix_word word = { .kind = MOSIX_WORD_HERE, .state = 1 };
	struct mosix_order *order = arena_at(ARENA_ORDER);
	int fds[3], fd;

	signals_close();
	s->order_pending = 0;
	fd = orders_connect();
	if (fd < 0)
		return 0;
	if (orders_say(fd, &word) != 0 || orders_hear(fd, order, ARENA_MANIFEST - ARENA_ORDER, fds) != 0) {
		SYS1(__NR_close, fd);
		return 0;
	}
	if (order->kind == MOSIX_ORDER_LEAVE) {
		struct mosix_word busy = { .kind = MOSIX_WORD_REFUSED, .reason = MOSIX_WHY_BUSY };

		for (int i = 0; i < 3; i++)
			SYS1(__NR_close, fds[i]);
		orders_say(fd, &busy);
	}
	if (order->kind != MOSIX_ORDER_HOME) {
		SYS1(__NR_close, fd);
		return 0;
	}
	if (s->orders_fd > 0)
		SYS1(__NR_close, s->orders_fd);
	s->orders_fd = orders_hide(fd);
	s->come_home = 1;
	s->come_home_reason = MOSIX_WHY_ORDERED;
	core_step(MOSIX_STEP_deputy_home_called);
	return 1;
}

static void ring(void)
{
	static const uint8_t bell = 1;

	if (!core_here->rung && core_write_all(core_here->control_fd, &bell, 1) == 0)
		core_here->rung = 1;
}

/*
 * Waits for the guest's next frame with the program's signals open, catching at most one of them. The wait is a read in the
 * window, like any call of the guest: whatever arrives while nothing has been read ends it.
 */
static void wait_request(struct mosix_frame *frame)
{
	struct core_state *s = core_here;
	const uint64_t arg[6] = { (uint64_t)s->call_fd, (uint64_t)frames_start(ARENA_PAYLOAD), FRAMES_MOST };

	for (;;) {
		long n;

		signals_watch();	/* what comes from here on stops the read, what came before is seen here */
		if (s->order_pending)
			deputy_ask_orders();
		if (s->come_home || (s->held.signo && !s->handed))
			ring();
		signals_open(s->held.signo || s->handed ? SIGNALS_FULL : s->mask & ~ksigset_bit(KSIG_URG));
		n = deputy_window(__NR_read, arg, &s->stop);
		if (n == -EINTR || n == -CORE_ERESTARTSYS || n == -EAGAIN)	/* -EAGAIN: idle for STALL_SECONDS */
			continue;
		if (n <= 0 || frames_finish(s->call_fd, frame, ARENA_PAYLOAD, (uint64_t)n) != 0)
			guest_gone();
		return;
	}
}

/* The guest stands frozen and offers its image. Afterwards the program runs here, or the guest goes on. */
static void take_home(const struct mosix_frame *request)
{
	struct core_state *s = core_here;
	struct mosix_frame answer = { .type = MOSIX_WELCOME, .sequence = request->sequence };
	uint32_t reason = s->come_home ? s->come_home_reason : (uint32_t)request->arg[0];
	struct kernel_siginfo refused;
	int32_t requeue = request->length == sizeof(refused) ? request->signo : 0;
	int error;

	s->handed = 0;
	s->freeze_at = core_clock(1);	/* the guest froze a message earlier */
	if (requeue)
		memcpy(&refused, arena_at(ARENA_PAYLOAD), sizeof(refused));
	core_step(MOSIX_STEP_deputy_home_coming);
	if (frames_send(s->call_fd, &answer, ARENA_PAYLOAD) != 0)
		guest_gone();
	error = home_take();
	core_step(MOSIX_STEP_deputy_home_took);
	answer.type = error ? MOSIX_STAY : MOSIX_GOT;
	answer.arg[0] = (uint64_t)error;
	if (error != 0 && error != -ENOMEM && error != -EMFILE && error != -EOPNOTSUPP)
		guest_gone();	/* its image cannot be read to the end, so neither can the next one */
	if (frames_send(s->call_fd, &answer, ARENA_PAYLOAD) != 0 && error != 0)
		guest_gone();
	if (error != 0) {
		home_drop();
		s->come_home = 0;
		orders_tell(MOSIX_WORD_REFUSED, error == -ENOMEM ? MOSIX_WHY_NO_MEMORY : MOSIX_WHY_BAD_IMAGE, error);
		return;
	}
	core_step(MOSIX_STEP_deputy_home_got);
	if (requeue > 0 && requeue <= KSIG_MAX)	/* a signal whose frame the guest could not build: the kernel here will see */
		SYS3(__NR_rt_sigqueueinfo, s->pid, requeue, &refused);
	if (s->held.signo)
		signals_requeue();
	home_close();
	orders_tell(MOSIX_WORD_HOME, reason, (int64_t)request->arg[1]);
	core_step(MOSIX_STEP_deputy_home_told);
	home_resume(arena_at(ARENA_RETURN));
}

/* The program's mask from the frame; a held signal that it blocks goes back to the kernel. */
static void accept_mask(const struct mosix_frame *request)
{
	struct core_state *s = core_here;

	s->mask = request->mask & ~KSIGSET_UNBLOCKABLE;
	s->handed = 0;
	if (request->flags & MOSIX_F_RESET && request->signo > 0 && request->signo <= KSIG_MAX) {
		struct mosix_sigaction standard = { 0 };

		signals_change(request->signo, &standard);
	}
	if (s->held.signo && ksigset_has(s->mask, s->held.signo))
		signals_requeue();
	if (s->held.signo == 0 && s->urgent.pending && !ksigset_has(s->mask, KSIG_URG)) {
		s->urgent.pending = 0;
		s->held = s->urgent_waits;
	}
}

static int answer_poll(const struct mosix_frame *request)
{
	struct core_state *s = core_here;
	struct mosix_frame reply = { .type = MOSIX_REPLY, .sequence = request->sequence };
	uint8_t *payload = arena_at(ARENA_PAYLOAD);

	s->rung = 0;
	signals_poll(s->mask);
	if (s->held.signo && is_for_guest(&s->held))
		commit();
	reply.length = deputy_put_signal(&reply, payload);
	if (s->come_home)
		reply.flags |= MOSIX_F_COMEHOME;
	return frames_send(core_here->call_fd, &reply, ARENA_PAYLOAD);
}

/* A request that crosses a signal or an order has not begun; the program takes those first. */
static int answer_not_begun(const struct mosix_frame *request)
{
	struct mosix_frame reply = { .type = MOSIX_REPLY, .flags = MOSIX_F_RESTART, .sequence = request->sequence };
	uint8_t *payload = arena_at(ARENA_PAYLOAD);

	reply.length = deputy_put_signal(&reply, payload);
	if (core_here->come_home)
		reply.flags |= MOSIX_F_COMEHOME;
	return frames_send(core_here->call_fd, &reply, ARENA_PAYLOAD);
}

/* The gate has changed its own view already, so home follows whatever crosses it. */
static int is_disposition(const struct mosix_frame *request)
{
	return call_find((uint32_t)request->nr, request->arg)->special == SPECIAL_SIGACTION;
}

/* Whether nothing has changed or come since the request before, so that this one can be served with signals open. */
static int is_steady(const struct mosix_frame *request)
{
	const struct core_state *s = core_here;

	return s->dropped && !s->come_home && !s->handed && !s->urgent.pending &&
	       !(request->flags & (MOSIX_F_PLAIN | MOSIX_F_RESET)) && (request->mask & ~KSIGSET_UNBLOCKABLE) == s->mask &&
	       s->kernel_mask == (s->mask & ~ksigset_bit(KSIG_URG)) && !is_disposition(request);
}

void deputy_main(void)
{
	struct core_state *s = core_here;
	struct mosix_frame frame;

	s->kernel_mask = ~0ull;
	frames_warm(ARENA_PAYLOAD);
	for (;;) {
		int error = 0;

		wait_request(&frame);
		if (frame.type == MOSIX_CALL && is_steady(&frame)) {
			if (deputy_call_serve(&frame) != 0)
				guest_gone();
			continue;
		}
		signals_close();
		switch (frame.type) {
		case MOSIX_POLL:
			accept_mask(&frame);
			error = answer_poll(&frame);
			break;
		case MOSIX_CALL:
			commit();
			if (frame.flags & MOSIX_F_PLAIN) {
				error = deputy_call_serve(&frame);
				break;
			}
			accept_mask(&frame);
			if (is_disposition(&frame))
				error = deputy_call_serve(&frame);
			else if (s->come_home || (s->held.signo && !(frame.flags & MOSIX_F_INSIDE)))
				error = answer_not_begun(&frame);
			else
				error = deputy_call_serve(&frame);
			break;
		case MOSIX_COMING:
			take_home(&frame);
			break;
		default:
			error = -EBADMSG;
			break;
		}
		if (error != 0)
			guest_gone();
	}
}
