/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <mosix/reason.h>
#include "arena.h"
#include "capture.h"
#include "core.h"
#include "deputy.h"
#include "deputy_signals.h"
#include "entry.h"
#include "frames.h"
#include "homecoming.h"
#include "leave.h"
#include "maps.h"
#include "orders.h"
#include "resume.h"
#include "step.h"



#define STALL_SECONDS 60

static int is_migration_signal(const struct kernel_siginfo *info)
{
	return info->code == KSI_QUEUE && info->rt.value == core_here->config.secret;
}

/* A SIGURG of the program's own, as its disposition and mask say. */
static void dispatch_urgent(int signo, struct kernel_siginfo *info, struct kernel_ucontext *uc)
{
	struct core_urgent *urgent = &core_here->urgent;
	struct mosix_sigaction action = urgent->action;
	uint64_t mask;

	if (action.handler == KSIG_DFL || action.handler == KSIG_IGN || urgent->blocked) {
		urgent->pending = urgent->blocked && action.handler != KSIG_IGN;
		resume_rewind(uc);	/* natively the call would not have noticed */
		return;
	}
	core_here->action[KSIG_URG] = action;
	if (action.flags & KSA_RESETHAND)
		urgent->action = (struct mosix_sigaction){ 0 };
	if (!(action.flags & KSA_RESTART))
		resume_interrupt(&uc->mc.regs, resume_rewind(uc), ksigset_bit(KSIG_URG));
	mask = (uc->sigmask | action.mask) & ~ksigset_bit(KSIG_URG);
	urgent->blocked = !(action.flags & KSA_NODEFER);
	signals_mask(mask);
	((void (*)(int, struct kernel_siginfo *, struct kernel_ucontext *))action.handler)(signo, info, uc);
	signals_mask(~0ull);
	urgent->blocked = 0;
}

/*
 * From READY on the kernel must find nothing of the program's here: these areas are about to be dropped.
 * The alternate stack goes too: deputy handlers run on the arena stack.
 */
static void detach(void)
{
	struct core_state *s = core_here;
	struct mosix_altstack none = { .flags = KSS_DISABLE };

	if (s->rseq && SYS4(__NR_rseq, s->rseq, s->rseq_size, 1 /* RSEQ_FLAG_UNREGISTER */, s->rseq_signature) != 0)
		s->rseq = 0;	/* it was never registered (glibc.pthread.rseq=0) */
	SYS2(__NR_set_robust_list, 0, 24);
	SYS1(__NR_set_tid_address, 0);
	SYS2(__NR_sigaltstack, &none, NULL);
}

/* Waits for READY. 0, or a reason. */
static uint32_t await_ready(uint64_t deadline_ns)
{
	struct core_state *s = core_here;
	struct pollfd poll = { .fd = s->call_fd, .events = POLLIN };
	uint64_t now = core_clock(1);
	struct mosix_frame frame;
	struct { int64_t sec, nsec; } left = { 0, 0 };

	if (deadline_ns > now)
		left.sec = (int64_t)((deadline_ns - now) / 1000000000), left.nsec = (int64_t)((deadline_ns - now) % 1000000000);
	if (SYS5(__NR_ppoll, &poll, 1, &left, NULL, 0) != 1)
		return MOSIX_WHY_TIMED_OUT;
	if (core_read_all(s->call_fd, &frame, sizeof(frame)) != 0)	/* exactly: a POLL may be right behind it */
		return MOSIX_WHY_CUT;
	return frame.type == MOSIX_READY && frame.epoch == s->epoch && frame.length == 0 ? 0 : MOSIX_WHY_BAD_IMAGE;
}

/* Sends the image and waits until the guest stands. 0: gone, dispositions and kernel state are the deputy's. */
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
	error = capture_send(core_here->page_fd, &capture);
	if (error != 0) {
		*ret_detail = error;
		return error == -EAGAIN ? MOSIX_WHY_TIMED_OUT : MOSIX_WHY_CUT;
	}
	core_step(MOSIX_STEP_deputy_sent);
	reason = await_ready(deadline);
	if (reason == 0) {
		core_step(MOSIX_STEP_deputy_ready);
		detach();
	}
	return reason;
}

/* A node that lives but neither reads nor writes any more is as good as gone. Idle channels are waited for by ppoll. */
static void limit_stalls(int fd)
{
	struct { int64_t sec, usec; } limit = { STALL_SECONDS, 0 };

	SYS5(__NR_setsockopt, fd, 1 /* SOL_SOCKET */, 20 /* SO_RCVTIMEO */, &limit, sizeof(limit));
	SYS5(__NR_setsockopt, fd, 1 /* SOL_SOCKET */, 21 /* SO_SNDTIMEO */, &limit, sizeof(limit));
}

static void close_channels(void)
{
	SYS1(__NR_close, core_here->call_fd);
	SYS1(__NR_close, core_here->control_fd);
	SYS1(__NR_close, core_here->page_fd);
	SYS1(__NR_close, core_here->maps_fd);
}

static void leave(struct kernel_ucontext *uc, int orders, const struct mosix_order *order, const int fds[3])
{
	struct core_state *s = core_here;
	struct mosix_word word = { .kind = MOSIX_WORD_MOVED };
	uint64_t begun = core_clock(1);

	s->epoch = order->epoch;
	s->call_fd = orders_hide(fds[MOSIX_CHANNEL_CALL]);
	s->control_fd = orders_hide(fds[MOSIX_CHANNEL_CONTROL]);
	s->page_fd = orders_hide(fds[MOSIX_CHANNEL_PAGE]);
	limit_stalls(s->call_fd);
	limit_stalls(s->page_fd);
	s->maps_fd = maps_open("/proc/thread-self/maps");
	if (s->maps_fd >= 0)
		s->maps_fd = orders_hide(s->maps_fd);
	word.reason = go(uc, order, &word.detail);
	word.pages = s->moved_pages;
	word.bytes = s->moved_bytes;
	word.freeze_ns = word.total_ns = core_clock(1) - begun;
	if (word.reason != 0) {
		close_channels();
		word.kind = MOSIX_WORD_REFUSED;
		orders_report(orders, &word);
		return;
	}
	s->place = PLACE_AWAY;
	s->committed = s->dropped = s->order_pending = s->come_home = s->rung = s->handed = 0;
	s->held.signo = 0;
	signals_install();
	orders_report(orders, &word);
	core_step(MOSIX_STEP_deputy_moved);
	deputy_main();
}

/* On the arena's stack: the orders, and what follows from them. Returns only if the program goes on here. */
static void hear_orders(void *argument)
{
	struct kernel_ucontext *uc = argument;
	struct mosix_word word = { .kind = MOSIX_WORD_HERE };
	struct mosix_order *order = arena_at(ARENA_ORDER);
	int fds[3], fd;

	core_step(MOSIX_STEP_deputy_entered);
	/* While other threads run, no descriptor may be taken that their open() would have got: no answer says it. */
	if (capture_alone() != 0)
		return;
	fd = orders_connect();
	if (fd < 0)
		return;
	if (orders_say(fd, &word) != 0 || orders_hear(fd, order, ARENA_MANIFEST - ARENA_ORDER, fds) != 0) {
		SYS1(__NR_close, fd);
		return;
	}
	if (order->kind == MOSIX_ORDER_LEAVE) {
		core_step(MOSIX_STEP_deputy_ordered);
		leave(uc, fd, order, fds);
		return;
	}
	if (order->kind == MOSIX_ORDER_HOME) {
		word.kind = MOSIX_WORD_HOME;
		word.reason = MOSIX_WHY_ALREADY;
		orders_say(fd, &word);
	}
	SYS1(__NR_close, fd);
}

void leave_handler(int signo, struct kernel_siginfo *info, struct kernel_ucontext *uc)
{
	struct core_state *s = core_here;
	uint64_t pending = 0;

	core_clear_alignment_check();
	if (s->place == PLACE_AWAY) {
		if (is_migration_signal(info)) {
			uint64_t rip = uc->mc.regs.rip;

			s->order_pending = s->order_hit = s->stop = 1;
			if (rip >= (uint64_t)deputy_window_begin && rip <= (uint64_t)deputy_window_call)
				uc->mc.regs.rip = (uint64_t)deputy_window_abort;
		} else if (s->urgent.action.handler != KSIG_DFL && s->urgent.action.handler != KSIG_IGN) {
			if (ksigset_has(s->mask, KSIG_URG) || s->held.signo) {
				s->urgent.pending = 1;
				s->urgent_waits.signo = signo;
				memcpy(s->urgent_waits.info, info, sizeof(s->urgent_waits.info));
			} else {
				signals_catch(signo, info, uc);
			}
		} else {
			s->order_hit = 1;	/* ignored by the program: the call it fell into goes on */
		}
		return;
	}
	if (!is_migration_signal(info)) {
		dispatch_urgent(signo, info, uc);
		return;
	}
	SYS3(__NR_mprotect, s->base + ARENA_STACK, MOSIX_ARENA_SIZE - ARENA_STACK - MOSIX_PAGE, PROT_READ | PROT_WRITE);
	for (int i = 1; i <= KSIG_MAX; i++)
		SYS4(__NR_rt_sigaction, i, NULL, &s->action[i], 8);
	s->action[KSIG_URG] = s->urgent.action;
	s->inside = resume_rewind(uc);
	s->place = PLACE_LEAVING;
	core_call_on(arena_at(ARENA_STACK + ARENA_STACK_SIZE), hear_orders, uc);
	s->place = PLACE_HOME;
	SYS2(__NR_rt_sigpending, &pending, 8);
	resume_interrupt(&uc->mc.regs, s->inside, pending & ~uc->sigmask);
	s->inside = 0;
}
