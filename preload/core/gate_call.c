/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Forwarding: one call out, one answer back, and what the answer asks of the program. */
#include <mosix/reason.h>
#include "arena.h"
#include "core.h"
#include "frames.h"
#include "gate.h"
#include "guest.h"
#include "lock.h"
#include "marshal.h"
#include "resume.h"
#include "thread.h"

int gate_hear(struct mosix_frame *answer)
{
	return frames_receive(core_thread()->call_fd, answer, ARENA_PAYLOAD);
}

static int exchange(int fd, uint32_t sequence, struct mosix_frame *frame, const void *payload, struct mosix_frame *answer)
{
	int error;

	frame->sequence = sequence;
	if (frame->length == 0)
		frames_warm(ARENA_PAYLOAD);
	if (frame->length > 0 && payload != slot_at(ARENA_PAYLOAD))
		memcpy(slot_at(ARENA_PAYLOAD), payload, frame->length);
	error = frames_send(fd, frame, ARENA_PAYLOAD);
	if (error == 0)
		error = frames_receive(fd, answer, ARENA_PAYLOAD);
	if (error == 0 && answer->type == MOSIX_REPLY && answer->sequence != frame->sequence)
		return -EBADMSG;
	return error;
}

int gate_exchange(struct mosix_frame *frame, const void *payload, struct mosix_frame *answer)
{
	struct core_thread *t = core_thread();

	return exchange(t->call_fd, ++t->sequence, frame, payload, answer);
}

int gate_exchange_for(struct core_thread *other, struct mosix_frame *frame, struct mosix_frame *answer)
{
	return exchange(other->call_fd, ++other->sequence, frame, NULL, answer);
}

/* A signal of the program's ends a wait with a time-out, whatever SA_RESTART says. */
static void interrupt_futex(struct mosix_registers *regs)
{
	struct core_thread *t = core_thread();

	if (t->futex != FUTEX_TIMED)
		return;
	if (t->own.inside == __NR_futex + 1)
		regs->rip += 2;
	regs->rax = (uint64_t)-EINTR;
	t->own.inside = 0;
	t->futex = FUTEX_NONE;
}

/* The signal of an answer, if it has one; its siginfo is moved aside because the next exchange overwrites the payload. */
static void take_signal(struct kernel_ucontext *uc, const struct mosix_frame *answer)
{
	uint8_t info[128];
	uint64_t mask = answer->arg[2];

	memcpy(info, slot_at(ARENA_PAYLOAD), sizeof(info));
	interrupt_futex(&uc->mc.regs);
	resume_interrupt(&uc->mc.regs, core_thread()->own.inside, ksigset_bit(answer->signo));
	core_thread()->own.inside = 0;
	gate_signal(uc, answer->signo, info, answer->flags & MOSIX_F_TEMPMASK ? &mask : NULL);
}

void gate_answered(struct kernel_ucontext *uc, const struct mosix_frame *answer)
{
	uint16_t flags = answer->flags;

	if (flags & MOSIX_F_SIGNAL)
		take_signal(uc, answer);
	if (flags & MOSIX_F_COMEHOME)
		guest_go_home(uc, MOSIX_WHY_ORDERED, 0, 0, NULL);
}

void gate_poll_with(struct kernel_ucontext *uc, struct mosix_frame *poll, const void *payload)
{
	struct mosix_frame answer;
	int error;

	poll->type = MOSIX_POLL;
	poll->mask = core_thread()->own.mask;
	error = gate_exchange(poll, payload, &answer);
	if (poll->flags & MOSIX_F_RESET)
		core_unlock(&core_here->action_lock);
	if (error != 0 || answer.type != MOSIX_REPLY)
		guest_end();
	gate_answered(uc, &answer);
}

void gate_poll(struct kernel_ucontext *uc)
{
	gate_poll_with(uc, &(struct mosix_frame){ 0 }, NULL);
}

void gate_forward(struct kernel_ucontext *uc, const struct call *call, uint64_t nr)
{
	struct core_thread *t = core_thread();
	struct mosix_registers *regs = &uc->mc.regs;
	struct mosix_frame request = { .type = MOSIX_CALL, .nr = (int32_t)nr, .mask = t->own.mask }, answer;
	uint8_t *payload = slot_at(ARENA_PAYLOAD);
	uint64_t arg[6];
	int64_t result = 0;
	uint32_t skip;

	for (int i = 0; i < 6; i++)
		request.arg[i] = arg[i] = kernel_call_argument(regs, i);
	if (gate_pack(call, arg, &request, payload, ARENA_PAYLOAD_SIZE) != 0) {
		gate_return(uc, nr);
		return;
	}
	if (t->own.inside == nr + 1)
		request.flags |= MOSIX_F_INSIDE;
	if (call->blocking != CALL_NEVER)
		request.flags |= resume_recorded(regs, nr);
	if (gate_in_vdso(regs->rip))
		request.flags = MOSIX_F_PLAIN;
	if (gate_exchange(&request, payload, &answer) != 0 || answer.type != MOSIX_REPLY)
		guest_end();
	t->own.inside = 0;
	skip = answer.flags & MOSIX_F_SIGNAL ? 128 : 0;
	if (answer.length < skip)
		guest_end();
	if (!(answer.flags & MOSIX_F_RESTART) || answer.flags & MOSIX_F_PARTIAL)
		result = gate_unpack(call, arg, &answer, payload + skip, answer.length - skip);
	if (answer.flags & MOSIX_F_RESTART) {
		regs->rip -= 2;
		regs->rax = nr;
		if (call->blocking != CALL_NEVER && answer.flags & MOSIX_F_COMEHOME)
			t->own.inside = (uint32_t)nr + 1;
		resume_rest(regs, answer.flags & MOSIX_F_LEFT ? (int64_t)answer.arg[1] : -1,
			    answer.flags & MOSIX_F_PARTIAL ? answer.arg[1] : 0);
	} else {
		regs->rax = (uint64_t)result;
		if (nr == __NR_times)
			gate_add_times(arg[0]);
	}
	gate_answered(uc, &answer);
}
