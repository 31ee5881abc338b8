/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <mosix/call.h>
#include <mosix/reason.h>
#include "arena.h"
#include "core.h"
#include "deputy_signals.h"
#include "frames.h"
#include "gate.h"
#include "guest.h"
#include "thread.h"
#include "trace.h"

#define LINE   512u
#define STRING 40u	/* of one argument, at most */

struct line { uint32_t length; char text[LINE]; };

int trace_wanted(void)
{
	return core_here->config.trace != 0;
}

static void put(struct line *l, const char *text)
{
	while (*text && l->length < LINE - 1)
		l->text[l->length++] = *text++;
}

static void put_digits(struct line *l, uint64_t value, unsigned base)
{
	char digits[24];
	unsigned n = sizeof(digits) - 1;

	digits[n] = '\0';
	do {
		digits[--n] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	put(l, digits + n);
}

/* Small numbers as people write them, the others as addresses. */
static void put_number(struct line *l, int64_t value)
{
	int64_t all = (int32_t)value < 0 && value >> 32 == 0 ? (int32_t)value : value;	/* an int in a register */

	if (all < 0 && all > -65536) {
		put(l, "-");
		put_digits(l, (uint64_t)-all, 10);
	} else if (all >= 0 && all < 1 << 20) {
		put_digits(l, (uint64_t)all, 10);
	} else {
		put(l, "0x");
		put_digits(l, (uint64_t)value, 16);
	}
}

static void begin(struct line *l)
{
	l->length = 0;
	put_digits(l, core_thread()->own.tid, 10);
	put(l, " ");
}

/* In one piece, so that lines of several threads do not mix. Whoever reads no more gets no more, and the program no SIGPIPE. */
static void end(struct line *l)
{
	const uint64_t pipe = ksigset_bit(KSIG_PIPE);
	struct { int64_t sec, nsec; } now = { 0, 0 };

	l->text[l->length++] = '\n';
	signals_close();
	if (SYS3(__NR_write, core_here->config.trace, l->text, l->length) != -EPIPE)
		return;
	SYS4(__NR_rt_sigtimedwait, &pipe, NULL, &now, 8);
	core_here->config.trace = 0;
}

static void put_call(struct line *l, uint64_t nr, const uint64_t arg[6], const int64_t *result)
{
	const struct call *call = call_base(nr), *row = call_find(nr, arg);

	put(l, call->name);
	put(l, "(");
	for (unsigned i = 0; i < 6 && (row->arg[i].kind != ARG_NONE || call->arg[i].kind != ARG_NONE); i++) {
		if (i > 0)
			put(l, ", ");
		if (row->arg[i].kind <= ARG_FD)
			put_number(l, (int64_t)arg[i]);
		else
			put(l, arg[i] ? "*" : "0");
	}
	put(l, ")");
	if (result) {
		put(l, " = ");
		put_number(l, *result);
	}
	put(l, " at ");
}

void trace_home(uint64_t nr, const uint64_t arg[6], const int64_t *result)
{
	struct line l;

	begin(&l);
	put_call(&l, nr, arg, result);
	put(&l, "home");
	end(&l);
}

void trace_return(uint32_t reason, int64_t detail)
{
	struct line l;

	if (reason != MOSIX_WHY_RETURN)
		return;
	begin(&l);
	put(&l, call_base((uint64_t)detail)->name);
	put(&l, ": comes home for it");
	end(&l);
}

void trace_place(const char *name)
{
	struct line l;

	begin(&l);
	put(&l, "is at ");
	put(&l, name);
	end(&l);
}

void trace_here(uint64_t nr, const uint64_t arg[6], const int64_t *result)
{
	struct mosix_frame told = { .type = MOSIX_TRACE, .nr = (int32_t)nr, .mask = core_thread()->own.mask,
				    .flags = result ? 0 : MOSIX_F_RESTART, .length = sizeof(*result) }, answer;
	const int64_t none = 0;

	for (int i = 0; i < 6; i++)
		told.arg[i] = arg[i];
	if (gate_exchange(&told, result ? result : &none, &answer) != 0 || answer.type != MOSIX_REPLY)
		guest_end();
}

int trace_told(const struct mosix_frame *request)
{
	struct mosix_frame reply = { .type = MOSIX_REPLY, .sequence = request->sequence };
	struct line l;
	int64_t result;

	if (request->length != sizeof(result))
		return -EBADMSG;
	memcpy(&result, slot_at(ARENA_PAYLOAD), sizeof(result));
	if (trace_wanted()) {
		begin(&l);
		put_call(&l, (uint32_t)request->nr, request->arg, request->flags & MOSIX_F_RESTART ? NULL : &result);
		put(&l, core_here->node);
		end(&l);
	}
	return frames_send(core_thread()->call_fd, &reply, ARENA_PAYLOAD);
}
