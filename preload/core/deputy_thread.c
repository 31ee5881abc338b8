/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/sched.h>
#include "core.h"
#include "deputy.h"
#include "deputy_signals.h"
#include "deputy_thread.h"
#include "entry.h"
#include "frames.h"
#include "lock.h"
#include "stop.h"
#include "thread.h"

static void serve(void *argument)
{
	(void)argument;
	deputy_main();
}

static long make_thread(uint32_t n, const struct mosix_frame *request)
{
	struct core_state *s = core_here;
	struct core_thread *t = slot_thread(n);
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PARENT_SETTID,
		.stack = slot_address(n) + ARENA_STACK, .stack_size = ARENA_STACK_SIZE,
		.parent_tid = (uint64_t)&t->own.tid,
	};
	long tid;

	if (slot_open(n, 0) != 0)
		return -EAGAIN;
	t->own.mask = request->mask;
	t->call_fd = s->channel_fd[slot_channel(n)];
	tid = core_clone(&args, sizeof(args), serve, NULL);
	core_set(&s->slot_tid[n], tid > 0 ? (uint32_t)tid : 0);
	return tid;
}

int deputy_thread_begin(const struct mosix_frame *request)
{
	struct core_state *s = core_here;
	struct mosix_frame reply = { .type = MOSIX_REPLY, .sequence = request->sequence };
	uint64_t n = request->arg[0];
	long tid;

	if (n == 0 || n > s->slot_count || slot_channel((uint32_t)n) >= s->channels)
		return -EBADMSG;
	signals_close();
	while (core_get(&s->slot_tid[n]) != 0 && core_get(&slot_thread((uint32_t)n)->ends))
		SYS0(__NR_sched_yield);		/* it has answered and is at its last instructions */
	core_lock(&s->lock);
	tid = core_get(&s->slot_tid[n]) != 0 ? -EBADMSG : make_thread((uint32_t)n, request);
	if (tid > 0)
		s->threads++;
	core_unlock(&s->lock);
	if (tid == -EBADMSG)
		return -EBADMSG;
	reply.arg[0] = (uint64_t)tid;
	return deputy_answer(&reply);
}

int deputy_thread_end(const struct mosix_frame *request)
{
	struct core_state *s = core_here;
	struct core_thread *t = core_thread();
	struct mosix_frame reply = { .type = MOSIX_REPLY, .sequence = request->sequence };
	int error;

	if (t->own.slot == 0)
		return -EBADMSG;
	signals_close();
	if (t->held.signo)
		signals_requeue(1);
	core_lock(&s->lock);
	s->threads--;
	core_unlock(&s->lock);
	/* The first thread takes it, and then this slot may go. */
	while (__atomic_load_n(&t->returned.signo, __ATOMIC_SEQ_CST) != 0) {
		stop_nudge(s->pid);
		SYS0(__NR_sched_yield);
	}
	core_set(&t->ends, 1);
	error = frames_send(t->call_fd, &reply, ARENA_PAYLOAD);
	if (error != 0)
		return error;
	core_thread_exit(&s->slot_tid[t->own.slot], (int)request->arg[0]);
}
