/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The gate's half of marshalling, inward: results of a reply into the program's memory. */
#include "core.h"
#include "marshal.h"
#include "marshal_wire.h"

int gate_scatter(uint64_t iov, uint64_t count, const uint8_t *data, uint64_t length)
{
	struct marshal_iov one;

	for (uint64_t i = 0; i < count && length > 0; i++) {
		uint64_t n;

		if (core_copy_in(&one, iov + i * sizeof(one), sizeof(one)) != 0)
			return -EFAULT;
		n = marshal_least(one.length, length);
		if (core_copy_out(one.base, data, n) != 0)
			return -EFAULT;
		data += n;
		length -= n;
	}
	return 0;
}

/* What the kernel changes in a struct msghdr: the lengths and the flags; the pointers stay the program's. */
static int put_header(uint64_t message, const struct marshal_msg *m, const struct marshal_got *got)
{
	int error = 0;

	if (m->name != 0)
		error = core_copy_out(message + offsetof(struct marshal_msg, name_length), &got->name_length, 4);
	if (error == 0)
		error = core_copy_out(message + offsetof(struct marshal_msg, control_length), &got->control_length, 8);
	if (error == 0)
		error = core_copy_out(message + offsetof(struct marshal_msg, flags), &got->flags, 4);
	return error;
}

int gate_got(uint64_t message, const uint8_t *chunk, uint64_t length, uint64_t *ret_used)
{
	struct marshal_got got;
	struct marshal_msg m;
	uint64_t used;

	if (length < sizeof(got))
		return -EFAULT;
	memcpy(&got, chunk, sizeof(got));
	used = marshal_round(sizeof(got) + (uint64_t)got.name + got.control + got.data);
	if (used > length || core_copy_in(&m, message, sizeof(m)) != 0)
		return -EFAULT;
	if (got.name > marshal_name_room(m.name_length) || got.control > m.control_length)
		return -EFAULT;
	chunk += sizeof(got);
	*ret_used = used;
	if ((got.name && core_copy_out(m.name, chunk, got.name) != 0) ||
	    (got.control && core_copy_out(m.control, chunk + got.name, got.control) != 0) ||
	    gate_scatter(m.iov, m.iov_count, chunk + got.name + got.control, got.data) != 0)
		return -EFAULT;
	return put_header(message, &m, &got);
}

static int got_mmsg(uint64_t address, const uint8_t *chunk, uint64_t length)
{
	uint64_t used;

	for (; length > 0; address += sizeof(struct marshal_mmsg), chunk += used, length -= used) {
		const struct marshal_got *got = (const struct marshal_got *)chunk;

		if (gate_got(address, chunk, length, &used) != 0 ||
		    core_copy_out(address + offsetof(struct marshal_mmsg, length), &got->length, 4) != 0)
			return -EFAULT;
	}
	return 0;
}

/* Fields of 2 or 4 bytes, each into its element of an array of the program. */
static int put_column(uint64_t address, uint64_t step, const uint8_t *from, uint64_t size, uint64_t length)
{
	for (; length >= size; length -= size, from += size, address += step)
		if (core_copy_out(address, from, size) != 0)
			return -EFAULT;
	return 0;
}

static uint64_t room_of(const struct call_arg *a, const uint64_t arg[6], unsigned n)
{
	uint32_t length = 0;

	switch (a->kind) {
	case ARG_OUT: case ARG_INOUT: case ARG_SOCKLEN:
		return a->size;
	case ARG_OUT_LENGTH: case ARG_INOUT_LENGTH: case ARG_OUT_RESULT: case ARG_OUT_DATA:
		return arg[a->ref] > MARSHAL_ROOM ? 0 : arg[a->ref] * a->size;
	case ARG_QUEUE_OUT:
		return arg[a->ref] > MARSHAL_ROOM ? 0 : arg[a->ref] + 8;
	case ARG_OUT_SOCKLEN: case ARG_INOUT_SOCKLEN:
		/* Its chunk comes before that of the length, which is still the program's therefore. */
		return n < a->ref && core_copy_in(&length, arg[a->ref], sizeof(length)) == 0 ? length : 0;
	case ARG_FDSET:
		return marshal_fdset_bytes(arg[0]);
	default:
		return 0;
	}
}

static int put_argument(const struct call *c, const uint64_t arg[6], unsigned n, const uint8_t *data, uint64_t length)
{
	const struct call_arg *a = &c->arg[n];
	uint64_t used;

	switch (a->kind) {
	case ARG_IOV_OUT:  return gate_scatter(arg[n], arg[a->ref], data, length);
	case ARG_MSG_OUT:  return gate_got(arg[n], data, length, &used);
	case ARG_MMSG_OUT: return got_mmsg(arg[n], data, length);
	case ARG_MMSG_IN:
		return put_column(arg[n] + offsetof(struct marshal_mmsg, length), sizeof(struct marshal_mmsg), data, 4, length);
	case ARG_POLL:     return put_column(arg[n] + 6, 8, data, 2, length);
	default:           return length > room_of(a, arg, n) ? -EFAULT : core_copy_out(arg[n], data, length);
	}
}

int64_t gate_unpack(const struct call *c, const uint64_t arg[6], const struct mosix_frame *reply, const void *payload,
		    uint32_t length)
{
	const uint8_t *at = payload;
	int64_t result = (int64_t)reply->arg[0];
	uint64_t left = length;
	int error = 0;

	while (left >= sizeof(struct marshal_chunk) && error == 0) {
		const struct marshal_chunk *chunk = (const struct marshal_chunk *)at;
		uint64_t size = sizeof(*chunk) + marshal_round(chunk->length);

		if (chunk->arg > 5 || size > left)
			return -EFAULT;
		error = put_argument(c, arg, chunk->arg, at + sizeof(*chunk), chunk->length);
		if (marshal_is_forgiven(c, chunk->arg))
			error = 0;
		at += size;
		left -= size;
	}
	/* A call that failed has its own reason already, unless it wanted to say what is left. */
	return error && (result >= 0 || result == -EINTR) ? -EFAULT : result;
}
