/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How arguments look in a frame and its payload. For marshal_*.c and their tests only.
 *
 * Request: arg[n] of a value is the value; of a pointer it is a reference (below) into the payload. Structs with pointers
 * (iovec, msghdr, mmsghdr) travel in the kernel's layout with references in the places of the pointers.
 * Reply: chunks, each for one argument, ascending, padded to 8 bytes.
 */
#ifndef MOSIX_CORE_MARSHAL_WIRE_H
#define MOSIX_CORE_MARSHAL_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include "marshal.h"

/* References. Bits 60-63 kind, 28-55 length, 0-27 offset in the payload; of HERE, 0-11 marshal_place() of the room. */
#define REFERENCE_NULL 0ull
#define REFERENCE_BAD  (1ull << 60)	/* an address the program cannot access */
#define REFERENCE_HERE (2ull << 60)	/* accessible; nothing to read there (room for results, or length 0) */
#define REFERENCE_DATA (3ull << 60)	/* these bytes */
#define REFERENCE_KIND (15ull << 60)
#define REFERENCE_BITS 28
#define REFERENCE_MAX  ((1ull << REFERENCE_BITS) - 1)

static inline uint64_t reference_data(uint64_t offset, uint64_t length)
{
	return REFERENCE_DATA | length << REFERENCE_BITS | offset;
}

static inline uint64_t reference_offset(uint64_t reference) { return reference & REFERENCE_MAX; }
static inline uint64_t reference_length(uint64_t reference) { return reference >> REFERENCE_BITS & REFERENCE_MAX; }

/* Limits of the kernel, and ours where it has none. */
#define MARSHAL_IOV_MAX      1024u	/* UIO_MAXIOV */
#define MARSHAL_MMSG_IOV_MAX 8192u	/* entries of all messages of one call */
#define MARSHAL_NAME_MAX     128u	/* sizeof(struct sockaddr_storage): the kernel looks at no more */
#define MARSHAL_CONTROL_MAX  65536u
#define MARSHAL_FDS_MAX      65536u	/* poll entries, bits of an fd_set */
#define MARSHAL_NO_FD        0x7fffffffu	/* a descriptor that is never open */

struct marshal_iov { uint64_t base, length; };

struct marshal_msg {
	uint64_t name;
	uint32_t name_length, zero;
	uint64_t iov, iov_count;
	uint64_t control, control_length;
	uint32_t flags, zero2;
};

struct marshal_mmsg {
	struct marshal_msg msg;
	uint32_t length, zero;
};

struct marshal_mask_pair { uint64_t mask, size; };

/* ARG_SIGSET_PAIR in a request. */
struct marshal_pair { uint64_t mask, size, value; };

struct marshal_chunk { uint32_t arg, length; };

/* One received message in a reply; name, control and data bytes follow, padded to 8 together. */
struct marshal_got {
	uint32_t name_length, flags;		/* as the kernel left them */
	uint64_t control_length;
	uint32_t length;			/* result, or msg_len */
	uint32_t name, control, data;		/* bytes that follow */
};

_Static_assert(sizeof(struct marshal_msg) == 56 && sizeof(struct marshal_mmsg) == 64, "kernel's struct msghdr, mmsghdr");

static inline uint64_t marshal_round(uint64_t n) { return (n + 7) & ~7ull; }
static inline uint64_t marshal_least(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* Capacity of a peer's name buffer: the kernel takes the length as int. */
static inline uint64_t marshal_name_room(uint32_t length)
{
	return length > 0x7fffffffu ? 0 : length < MARSHAL_NAME_MAX ? length : MARSHAL_NAME_MAX;
}

/*
 * O_DIRECT: what is a multiple of a block lies in one as it does in the program's memory, so that home's kernel takes and refuses
 * the same. Programs find out by trial what alignment a file wants.
 */
static inline uint64_t marshal_alignment(uint64_t length)
{
	return length == 0 ? 8 : length % 4096 == 0 ? 4096 : length % 512 == 0 ? 512 : 8;
}

static inline uint64_t marshal_place(uint64_t address, uint64_t length)
{
	return length > 0 && length % 512 == 0 ? address & (marshal_alignment(length) - 1) : 0;
}

/* The first byte from used on that is so aligned, place bytes further. */
static inline uint64_t marshal_start(uint64_t used, uint64_t alignment, uint64_t place)
{
	return used + ((place - used) & (alignment - 1));
}

/* Room and data that args[ref] gives the length of: it is capped before it is multiplied. */
static inline int marshal_is_sized(uint8_t kind)
{
	return kind == ARG_IN_LENGTH || kind == ARG_OUT_LENGTH || kind == ARG_INOUT_LENGTH || kind == ARG_OUT_RESULT ||
	       kind == ARG_OUT_DATA || kind == ARG_QUEUE_IN || kind == ARG_QUEUE_OUT;
}

static inline uint64_t marshal_fdset_bytes(uint64_t n)
{
	return (int32_t)n <= 0 ? 0 : ((uint64_t)(uint32_t)n + 63) / 64 * 8;
}

/* select and ppoll write the time that is left only if they can. */
static inline int marshal_is_forgiven(const struct call *c, unsigned n)
{
	return c->arg[n].kind == ARG_INOUT && (c->arg[0].kind == ARG_POLL || c->arg[1].kind == ARG_FDSET);
}

/* A send with MSG_ZEROCOPY would pin the deputy's buffer beyond the call. */
static inline int marshal_pins(const struct call *c, const uint64_t arg[6])
{
	const uint64_t zero_copy = 0x4000000;

	if (c->arg[1].kind == ARG_MSG_IN)
		return (arg[2] & zero_copy) != 0;
	if (c->arg[1].kind == ARG_MMSG_IN || (c->arg[1].kind == ARG_IN_LENGTH && c->arg[4].kind == ARG_IN_LENGTH))
		return (arg[3] & zero_copy) != 0;
	return 0;
}

/* ---- gate ---- */
struct packing {
	const struct call *call;
	const uint64_t *arg;
	uint8_t *payload;
	uint64_t capacity, used;
	uint64_t reply;		/* bytes of the reply, at most */
	uint64_t scratch;	/* bytes the deputy will need, at most */
};

/* All return 0 or -E2BIG; the reference is set on success. */
int packing_reserve(struct packing *p, uint64_t length, uint64_t alignment, uint64_t place, uint64_t *ret_offset);
int packing_expect(struct packing *p, uint64_t reply, uint64_t scratch);
int packing_in(struct packing *p, uint64_t address, uint64_t length, uint64_t *ret_reference);
int packing_out(struct packing *p, uint64_t address, uint64_t length, uint64_t *ret_reference);
int packing_iov(struct packing *p, uint64_t address, uint64_t count, int out, uint64_t *ret_reference);
int packing_msg(struct packing *p, uint64_t address, int out, uint64_t *ret_reference);
/* One that is longer than limit travels up to there, so that the kernel finds it too long as well (or takes what counts). */
int packing_string(struct packing *p, uint64_t address, uint64_t limit, uint64_t *ret_reference);
int packing_strings(struct packing *p, uint64_t address, uint64_t *ret_reference);
int packing_mmsg(struct packing *p, uint64_t address, uint64_t count, int out, uint64_t *ret_reference);

/* Results of vectors into program memory. 0 or -EFAULT. */
int gate_scatter(uint64_t iov, uint64_t count, const uint8_t *data, uint64_t length);
int gate_got(uint64_t message, const uint8_t *chunk, uint64_t length, uint64_t *ret_used);

/* ---- deputy ---- */
struct unpacking {
	const struct call *call;
	const struct mosix_frame *frame;
	const uint8_t *payload;
	struct deputy_call *dc;
};

/* Scratch, aligned, place bytes further; NULL: none left. */
uint8_t *deputy_room(struct deputy_call *dc, uint64_t length, uint64_t alignment, uint64_t place);

/* A reference that must be NULL, BAD, HERE with length 0, or exactly length bytes: the address for the kernel. -EBADMSG. */
int unpacking_in(const struct unpacking *u, uint64_t reference, uint64_t length, uint64_t *ret_address);
/* The same, copied into scratch (*ret_copy NULL if there is nothing). */
int unpacking_copy(const struct unpacking *u, uint64_t reference, uint64_t length, uint64_t *ret_address, uint8_t **ret_copy);
/* Room for length bytes of result (*ret_room NULL if there is none). */
int unpacking_out(const struct unpacking *u, uint64_t reference, uint64_t length, uint64_t *ret_address, uint8_t **ret_room);
int unpacking_iov(const struct unpacking *u, uint64_t reference, uint64_t count, int out, uint64_t *ret_address);
int unpacking_strings(const struct unpacking *u, unsigned n);
int unpacking_msg(const struct unpacking *u, unsigned n, int out);
int unpacking_mmsg(const struct unpacking *u, unsigned n, int out);

/* A descriptor as home's kernel may see it. */
static inline uint64_t deputy_guard(const struct deputy_call *dc, uint64_t fd)
{
	int32_t n = (int32_t)fd;

	return n >= dc->fd_low && n <= dc->fd_high ? MARSHAL_NO_FD : fd;
}

/* The reply under construction. */
struct replying { uint8_t *payload; uint64_t used; };

/* Room for a chunk of n bytes for argument arg; NULL: no room. */
uint8_t *replying_chunk(struct replying *r, unsigned arg, uint64_t length);
/* Results of vectors. 0 or -EBADMSG. */
int replying_iov(struct replying *r, const struct deputy_call *dc, unsigned n, uint64_t result);
int replying_msg(struct replying *r, const struct deputy_call *dc, unsigned n, uint64_t result);
int replying_mmsg(struct replying *r, const struct deputy_call *dc, unsigned n, int out, uint64_t result);

#endif
