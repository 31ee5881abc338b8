/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One call of the guest, executed at home: what it means when a signal or an order interrupts it. */
#include <mosix/call.h>
#include <mosix/reason.h>
#include "arena.h"
#include "core.h"
#include "deputy.h"
#include "deputy_settle.h"
#include "deputy_signals.h"
#include "deputy_thread.h"
#include "entry.h"
#include "frames.h"
#include "lock.h"
#include "marshal.h"
#include "resume.h"
#include "thread.h"
#include "trace.h"

#define CLOCK_MONOTONIC_NOW core_clock(1)
#define SIGINFO             sizeof(core_thread()->held.info)	/* stands before the results, if a signal goes with them */

/* What is known about a call while it is under way. */
struct progress {
	const struct call *call;
	struct deputy_call dc;
	uint32_t flags;			/* of the request */
	int64_t  timeout;		/* ns it was given, negative: none */
	uint64_t begun;			/* CLOCK_MONOTONIC */
	uint64_t done;			/* bytes of earlier rounds */
};

static int64_t time_left(const struct progress *p)
{
	int64_t gone = (int64_t)(CLOCK_MONOTONIC_NOW - p->begun);

	return p->timeout < 0 ? -1 : gone < p->timeout ? p->timeout - gone : 0;
}

static int has_handler_restarting(int signo)
{
	return (core_here->action[signo].flags & KSA_RESTART) != 0;
}

/* Whether the signal that was caught before the call could begin would have interrupted it, had it begun in time. */
static int interrupts(const struct progress *p)
{
	if (!(p->flags & MOSIX_F_INSIDE) || core_here->action[core_thread()->held.signo].handler == KSIG_DFL)
		return 0;
	switch (p->call->blocking) {
	case CALL_RESTART: return !has_handler_restarting(core_thread()->held.signo);
	case CALL_LEFT:
	case CALL_EINTR:   return 1;
	default:           return 0;
	}
}

/* exit and exit_group take the deputy with them; the guest sees the end of its channels. */
static __attribute__((noreturn)) void leave_for_good(uint64_t nr, uint64_t status)
{
	for (;;)
		SYS1(nr, status);
}

static int end(const struct mosix_frame *request)
{
	if (request->nr == __NR_exit && core_get(&core_here->threads) > 1)
		return deputy_thread_end(request);
	leave_for_good((uint64_t)request->nr, request->arg[0]);
}

static int change_disposition(const struct mosix_frame *request)
{
	struct mosix_frame reply = { .type = MOSIX_REPLY, .sequence = request->sequence };
	const struct mosix_sigaction *action = slot_at(ARENA_PAYLOAD);

	if (request->length != sizeof(*action) || request->arg[0] < 1 || request->arg[0] > KSIG_MAX)
		return -EBADMSG;
	signals_change((int)request->arg[0], action);
	signals_poll(core_thread()->own.mask);
	return deputy_answer(&reply);
}

/*
 * Our own signal, not one of the program's, stopped the call. If the process is to come home, the rest of the call goes with
 * it; where nothing could carry the rest (a raw system call with a time-out in memory), the order has to wait for its end.
 */
static int goes_along(const struct progress *p, int64_t result)
{
	uint64_t nr = p->dc.nr;
	int timed = p->timeout >= 0 && p->call->blocking != CALL_RESTART;

	if (p->flags & MOSIX_F_RECORD)
		return 1;
	if (nr == __NR_poll || nr == __NR_epoll_wait || nr == __NR_epoll_pwait || nr == __NR_mq_timedsend ||
	    nr == __NR_mq_timedreceive || (nr == __NR_clock_nanosleep && p->dc.arg[1] & 1 /* TIMER_ABSTIME */))
		timed = 0;	/* what is left is in a register, or the time-out is absolute */
	return !timed && p->done == 0 && result <= 0;
}

static int is_partial(const struct progress *p, int64_t result)
{
	return result > 0 && core_thread()->order_hit && marshal_rest(p->call, &p->dc, (uint64_t)result) > 0;
}

/* What such a call has received when an order stops it has nowhere to go: the order waits for its end. */
static int waits_for_all(const struct progress *p)
{
	const uint64_t all = 0x100;	/* MSG_WAITALL */

	return (p->dc.nr == __NR_recvfrom && p->dc.arg[3] & all) || (p->dc.nr == __NR_recvmsg && p->dc.arg[2] & all);
}

/*
 * A call that neither waits nor sends a signal that would have to arrive before it returns needs no window: what comes
 * meanwhile arrives as it would have right behind it.
 */
static int is_quiet(const struct progress *p)
{
	switch (p->dc.nr) {
	case __NR_kill: case __NR_tkill: case __NR_tgkill: case __NR_rt_sigqueueinfo: case __NR_rt_tgsigqueueinfo:
	case __NR_pidfd_send_signal: case __NR_ioctl: case __NR_setitimer: case __NR_timer_settime: case __NR_rt_sigpending:
		return 0;
	default:
		return p->call->blocking == CALL_NEVER && core_thread()->held.signo == 0;
	}
}

/* Such a call on a file may wait for a file system that lets itself be interrupted, which is not to be seen. */
static int concerns_files(const struct call *call)
{
	for (unsigned i = 0; i < 6; i++)
		if (call->arg[i].kind == ARG_FD || call->arg[i].kind == ARG_STRING)
			return 1;
	return 0;
}

/*
 * A change of a file may send its own process a signal (F_NOTIFY, O_ASYNC at the other end, RLIMIT_FSIZE), which comes before
 * the program's next instruction: so they are open again before there is a reply, as they would be soon after.
 */
static int64_t run_quiet(const struct progress *p)
{
	int64_t result;

	if (concerns_files(p->call))
		signals_close();
	result = core_syscall6((long)p->dc.nr, p->dc.arg[0], p->dc.arg[1], p->dc.arg[2], p->dc.arg[3], p->dc.arg[4],
			       p->dc.arg[5]);
	if (!(p->flags & MOSIX_F_PLAIN))
		signals_open(core_thread()->own.mask & ~ksigset_bit(KSIG_URG));
	return result;
}

/* The process is to come home, or might be: the first deputy has to look. */
static int is_wanted_home(void)
{
	const struct core_state *s = core_here;

	return s->come_home || (core_thread()->own.slot == 0 && (s->order_pending || s->wish_home || s->returned));
}

/* This call need not hold it up. */
static int goes_home(void)
{
	struct core_state *s = core_here;

	if (core_thread()->own.slot == 0) {
		if (s->order_pending)
			deputy_ask_orders();
		if (s->returned)
			signals_returned();
		deputy_consent();
	}
	return s->come_home;
}

/*
 * Another program takes this one's place, here at home; it begins with the program's mask. What is left of the deputies and of
 * the guest ends with their channels.
 */
static int64_t run_exec(const struct progress *p)
{
	struct core_thread *t = core_thread();
	int64_t result;

	signals_close();
	signals_watch();
	if (t->held.signo || is_wanted_home())
		return -CORE_ERESTARTSYS;
	t->kernel_mask = t->own.mask;
	signals_mask(t->own.mask);
	result = deputy_window(p->dc.nr, p->dc.arg, &t->stop);
	signals_close();
	return result;
}

/* A first attempt sees the order that came while its frame was read; a later one goes on in spite of it. */
static int64_t run(struct progress *p, int first)
{
	struct core_thread *t = core_thread();
	int64_t result;

	t->order_hit = 0;
	if (p->call->special == SPECIAL_EXEC)
		return run_exec(p);
	if (p->flags & MOSIX_F_PLAIN || is_quiet(p))
		return run_quiet(p);
	signals_watch();
	if (first && is_wanted_home())
		t->order_hit = t->stop = 1;
	if (t->held.signo)
		t->stop = 1;
	else
		signals_open((t->own.mask & ~ksigset_bit(KSIG_URG)) | (waits_for_all(p) ? ksigset_bit(KSIG_URG) : 0));
	result = deputy_window(p->dc.nr, p->dc.arg, &t->stop);
	if (t->stop || t->order_hit || result == -EINTR || result == -CORE_ERESTARTSYS)
		signals_close();	/* what it means is decided in peace */
	return result;
}

/* A read that only our own signal has cut short. */
static int64_t read_on(const struct progress *p, uint64_t done)
{
	if ((p->dc.nr != __NR_read && p->dc.nr != __NR_pread64) || done >= p->dc.arg[2] || !resume_is_endless((int)p->dc.arg[0]))
		return 0;
	return (int64_t)resume_fill((int)p->dc.arg[0], p->dc.arg[1] + done, p->dc.arg[2] - done);
}

/* Runs the call until it has a result or the guest has to act first. *ret_flags: flags for the reply. */
static int64_t run_through(struct progress *p, uint16_t *ret_flags)
{
	struct core_thread *t = core_thread();

	for (int first = 1;; first = 0) {
		int64_t result = run(p, first);
		int stopped;

		if (t->order_hit)
			p->flags |= MOSIX_F_INSIDE;	/* from here on it may have begun, and a signal interrupts it */
		stopped = result == -CORE_ERESTARTSYS || (result == -EINTR && !t->held.signo && t->order_hit);

		if (result == -CORE_ERESTARTSYS && t->held.signo) {
			if (p->done > 0)
				return (int64_t)p->done;
			if (interrupts(p) || p->flags & MOSIX_F_STARTED)
				return -EINTR;
			*ret_flags |= MOSIX_F_RESTART;
			return 0;
		}
		if (is_partial(p, result)) {
			p->done += (uint64_t)result;
			marshal_advance(p->call, &p->dc, (uint64_t)result);
			stopped = 1;
			result = 0;
		}
		if (result > 0 && t->order_hit)
			result += read_on(p, (uint64_t)result);
		if (!stopped)
			return p->done > 0 ? (result > 0 ? result : 0) + (int64_t)p->done : result;
		if (goes_along(p, result) && goes_home()) {
			*ret_flags |= MOSIX_F_RESTART | MOSIX_F_COMEHOME;
			return 0;
		}
		if (p->timeout >= 0)
			marshal_set_timeout(p->call, &p->dc, time_left(p));
	}
}

/*
 * Files below the process's own /proc tell of the deputy, not of the program (and its mem is the deputy): they are opened,
 * and read, at home. A process that has such a file open does not leave. Whatever the path was: the result is looked at.
 */
static int is_own_proc(int64_t fd)
{
	const uint64_t proc_super_magic = 0x9fa0;	/* linux/magic.h */
	uint64_t statfs[15], pid = 0;
	char link[40] = "/proc/self/fd/", target[64];
	char digits[12];
	int n = 0, at = 14;
	const char *p = target + 6;
	long length;

	if (SYS2(__NR_fstatfs, fd, statfs) != 0 || statfs[0] != proc_super_magic)
		return 0;
	do
		digits[n++] = (char)('0' + fd % 10);
	while ((fd /= 10) > 0);
	while (n > 0)
		link[at++] = digits[--n];
	length = SYS3(__NR_readlink, link, target, sizeof(target) - 1);
	if (length < 0)
		return 1;
	target[length] = '\0';
	if (!core_starts(target, "/proc/"))
		return 1;	/* mounted elsewhere: which process it tells of cannot be seen */
	for (; *p >= '0' && *p <= '9'; p++)
		pid = pid * 10 + (uint64_t)(*p - '0');
	return pid == core_here->pid;
}

/* The deputy's own descriptors lie together at the top; the guest's calls must not touch them. */
static void guard_descriptors(struct deputy_call *dc)
{
	dc->fd_low = core_here->fd_low;
	dc->fd_high = core_here->fd_high;
}

int deputy_call_serve(const struct mosix_frame *request)
{
	struct core_state *s = core_here;
	struct core_thread *t = core_thread();
	struct mosix_frame reply = { .type = MOSIX_REPLY, .sequence = request->sequence, .nr = request->nr };
	struct progress p = { .call = call_find((uint64_t)(uint32_t)request->nr, request->arg), .flags = request->flags };
	const uint8_t *payload = slot_at(ARENA_PAYLOAD);
	uint8_t *answer = (uint8_t *)slot_at(ARENA_REPLY) + SIGINFO;
	uint32_t length = 0, put, sent;
	int64_t result;
	int error;

	if (p.call->special == SPECIAL_EXIT) {
		if (s->config.trace)
			trace_home((uint64_t)(uint32_t)request->nr, request->arg, NULL);
		return end(request);
	}
	if (p.call->special == SPECIAL_SIGACTION)
		return change_disposition(request);
	if ((p.call->where != CALL_HOME && p.call->where != CALL_BOTH) || p.call->special == SPECIAL_CLONE)
		return -EBADMSG;
	p.dc.nr = (uint64_t)request->nr;
	p.dc.scratch = slot_at(ARENA_SCRATCH + MOSIX_PAGE);
	p.dc.capacity = ARENA_SCRATCH_SIZE - MOSIX_PAGE;
	p.dc.bad = s->base + ARENA_BAD;
	guard_descriptors(&p.dc);
	error = deputy_unpack(p.call, request, payload, &p.dc);
	if (error == -EBADMSG)
		return error;
	if (error == 0 && (p.call->blocking == CALL_NEVER || deputy_timeout(p.call, &p.dc, &p.timeout) != 0))
		p.timeout = -1;
	p.begun = p.timeout >= 0 ? CLOCK_MONOTONIC_NOW : 0;
	if (s->config.trace && p.call->special == SPECIAL_EXEC)
		trace_home(p.dc.nr, request->arg, NULL);
	sent = settle_begin();
	result = error ? error : run_through(&p, &reply.flags);
	if (result == 0 && p.call->blocking == CALL_NEVER)
		deputy_settle(p.dc.nr, request->arg, sent);
	if (p.call->special == SPECIAL_OPEN && result >= 0 && !(reply.flags & MOSIX_F_RESTART) && is_own_proc(result)) {
		SYS1(__NR_close, result);
		reply.flags |= MOSIX_F_RESTART;
		result = 0;
		deputy_want_home(MOSIX_WHY_RETURN, request->nr);
	}
	if (p.done > 0 && reply.flags & MOSIX_F_RESTART) {
		reply.flags |= MOSIX_F_PARTIAL;
		reply.arg[1] = p.done;
	} else if (reply.flags & MOSIX_F_RESTART && reply.flags & MOSIX_F_COMEHOME && p.timeout >= 0) {
		reply.flags |= MOSIX_F_LEFT;
		reply.arg[1] = (uint64_t)time_left(&p);
	}
	reply.arg[0] = (uint64_t)result;
	if (s->config.trace && !(reply.flags & MOSIX_F_RESTART))
		trace_home(p.dc.nr, request->arg, &result);
	if (result == -EINTR && t->held.signo && marshal_temporary_mask(p.call, &p.dc, &reply.arg[2]) == 0)
		reply.flags |= MOSIX_F_TEMPMASK;
	/* Offsets that the kernel advances in memory travel with a part, too. */
	if (!(reply.flags & MOSIX_F_RESTART) || reply.flags & MOSIX_F_PARTIAL) {
		length = deputy_pack_there(p.call, &p.dc, result, &answer);
		if (length == 0 && deputy_pack(p.call, &p.dc, result, answer, &length) != 0)
			return -EBADMSG;
	}
	put = p.flags & MOSIX_F_PLAIN ? 0 : deputy_put_signal(&reply, answer - SIGINFO);
	if (!(reply.flags & MOSIX_F_SIGNAL))
		reply.flags &= (uint16_t)~MOSIX_F_TEMPMASK;
	if (s->come_home && !(p.flags & MOSIX_F_PLAIN))
		reply.flags |= MOSIX_F_COMEHOME;
	reply.length = put + length;
	return frames_send(t->call_fd, &reply, (uint64_t)(answer - put) - slot_here());
}
