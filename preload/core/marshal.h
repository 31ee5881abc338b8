/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The arguments of a call on their way: packed by the gate out of the program's memory, unpacked by the deputy into its own,
 * and the results back. What an argument is, the table of calls says (call.h); how it looks in a frame, marshal_wire.h.
 *
 *   gate:   gate_pack → frame + payload → … → gate_unpack
 *   deputy: deputy_unpack → the call with dc.arg → deputy_pack → frame + payload
 *
 * A bad pointer is not an error of marshalling: home's kernel is given an address that is never mapped and says EFAULT
 * itself, in its own order of checks. What cannot be carried exactly (too large, a buffer of which only a part is
 * accessible, vectors without bound) is -E2BIG at the gate: the process goes home and makes the call there (P5).
 */
#ifndef MOSIX_CORE_MARSHAL_H
#define MOSIX_CORE_MARSHAL_H

#include <stdint.h>
#include <mosix/call.h>
#include <mosix/wire.h>

/* Bytes of payload that a reply needs at most, and bytes of scratch that deputy_unpack() needs at most; a siginfo still fits
   in front of the reply. */
#define MARSHAL_ROOM (MOSIX_PAYLOAD_MAX - 8192u)

/*
 * Packs the arguments of c into f->arg, f->length and payload (page aligned, so that alignment for O_DIRECT survives).
 * Buffers for results are made sure to be writable. Returns 0, or -E2BIG: go home. Changes nothing of the program's. Guest only.
 */
int gate_pack(const struct call *c, const uint64_t arg[6], struct mosix_frame *f, void *payload, uint64_t capacity);

/*
 * Copies what a reply brought into the program's memory; arg is what gate_pack() had, length are the bytes at payload (behind
 * a siginfo, if there is one). Returns the call's result: reply->arg[0], or -EFAULT if memory has become inaccessible.
 */
int64_t gate_unpack(const struct call *c, const uint64_t arg[6], const struct mosix_frame *reply, const void *payload,
		    uint32_t length);

struct deputy_call {
	/* Set by the caller. */
	uint64_t nr;
	uint8_t *scratch;		/* page aligned, read and write; MARSHAL_ROOM bytes are always enough */
	uint64_t capacity;
	uint64_t bad;			/* an address that is never mapped */
	int32_t  fd_low, fd_high;	/* the deputy's own descriptors, inclusive */

	/* The call, ready to be made: values, and pointers into scratch and the request's payload. */
	uint64_t arg[6];

	/* marshal*.c only. */
	uint64_t used;			/* of scratch */
	uint64_t mask;			/* the program's temporary mask, as it gave it */
	uint32_t masked;		/* there is one */
	uint32_t zero;
	struct { uint8_t *data; uint64_t size; } slot[6];	/* results: where they will lie and their room */
};

/*
 * Unpacks a request. Everything in it is hostile until checked. Returns 0, -EBADMSG (malformed: the guest is not ours), or
 * another -errno that is the call's result without making it (-EBADF: it names the deputy's channels). Until deputy_pack()
 * the payload must stay as it is. Home only.
 */
int deputy_unpack(const struct call *c, const struct mosix_frame *f, const void *payload, struct deputy_call *dc);

/*
 * Packs the results of a call that returned result into payload, which may be where the request's was, MARSHAL_ROOM
 * bytes. Returns 0 and the bytes used, or -EBADMSG if the room is too small. Home only.
 */
int deputy_pack(const struct call *c, struct deputy_call *dc, int64_t result, void *payload, uint32_t *ret_length);

/*
 * The same where nothing has to be copied, because the only result is the first thing in scratch: the reply is completed
 * around it, and begins MARSHAL_BEFORE bytes before it, which may be before scratch and must belong to the caller. Returns the
 * bytes used, or 0: not such a call, and nothing has changed. Home only.
 */
#define MARSHAL_BEFORE 8u
uint32_t deputy_pack_there(const struct call *c, struct deputy_call *dc, int64_t result, uint8_t **ret_start);

/* The time the call may take by its own arguments, relative, nanoseconds; -1: none or for ever. Returns 0. */
int deputy_timeout(const struct call *c, const struct deputy_call *dc, int64_t *ret_ns);

/* Makes the next attempt of an interrupted call end in left nanoseconds (>= 0). Absolute time-outs stay as they are. */
void marshal_set_timeout(const struct call *c, struct deputy_call *dc, int64_t left);

/* Bytes that a sending call interrupted after done bytes still has to do; 0 for calls that cannot be gone on with. */
uint64_t marshal_rest(const struct call *c, const struct deputy_call *dc, uint64_t done);

/* Makes the next attempt of such a call go on behind done bytes; done < what the attempt had to do. */
void marshal_advance(const struct call *c, struct deputy_call *dc, uint64_t done);

/* The mask that the call has in force while it waits, as the program gave it. 0, or -ENOENT: it has none. */
int marshal_temporary_mask(const struct call *c, const struct deputy_call *dc, uint64_t *ret_mask);

/* A program's mask or set as home's kernel may see it: the migration signal is never blocked or waited for. */
static inline uint64_t marshal_strip_mask(uint64_t mask)
{
	return mask & ~(1ull << (23 - 1));	/* SIGURG */
}

#endif
