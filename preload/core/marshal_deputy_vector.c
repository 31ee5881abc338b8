/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The deputy's half of marshalling: iovec arrays and messages, both ways. */
#include "core.h"
#include "marshal.h"
#include "marshal_wire.h"

#define LEVEL_SOCKET 1
#define TYPE_RIGHTS  1

struct control { uint64_t length; int32_t level, type; };

/* Behind the messages of a slot: the room each had for results, because the kernel overwrites the lengths. */
struct room { uint32_t name, control; };

static uint64_t stride_of(const struct call_arg *a)
{
	return a->kind == ARG_MSG_IN || a->kind == ARG_MSG_OUT ? sizeof(struct marshal_msg) : sizeof(struct marshal_mmsg);
}

static struct room *rooms_of(const struct deputy_call *dc, unsigned n, uint64_t stride)
{
	return (struct room *)(dc->slot[n].data + dc->slot[n].size * stride);
}

int unpacking_iov(const struct unpacking *u, uint64_t reference, uint64_t count, int out, uint64_t *ret_address)
{
	struct marshal_iov *iov;
	uint8_t *copy, *room;
	int error;

	if (count > MARSHAL_IOV_MAX) {
		if (reference != REFERENCE_NULL && reference != REFERENCE_BAD)
			return -EBADMSG;
		*ret_address = reference == REFERENCE_NULL ? 0 : u->dc->bad;
		return 0;
	}
	error = unpacking_copy(u, reference, count * sizeof(*iov), ret_address, &copy);
	if (error != 0 || copy == NULL)
		return error;
	iov = (struct marshal_iov *)copy;
	for (uint64_t i = 0; i < count && error == 0; i++) {
		if (iov[i].length > MARSHAL_ROOM)
			return -EBADMSG;
		error = out ? unpacking_out(u, iov[i].base, iov[i].length, &iov[i].base, &room) :
			      unpacking_in(u, iov[i].base, iov[i].length, &iov[i].base);
	}
	return error;
}

/* Descriptors that are sent must not be the deputy's. The walk is the kernel's: it ends at the first malformed header. */
static void guard_control(const struct deputy_call *dc, uint8_t *control, uint64_t length)
{
	struct control c;

	for (uint64_t at = 0; length - at >= sizeof(c); at += marshal_round(c.length)) {
		memcpy(&c, control + at, sizeof(c));
		if (c.length < sizeof(c) || c.length > length - at)
			return;
		if (c.level == LEVEL_SOCKET && c.type == TYPE_RIGHTS)
			for (uint64_t i = sizeof(c); i + 4 <= c.length; i += 4) {
				int32_t fd;

				memcpy(&fd, control + at + i, 4);
				fd = (int32_t)deputy_guard(dc, (uint64_t)(int64_t)fd);
				memcpy(control + at + i, &fd, 4);
			}
		if (marshal_round(c.length) > length - at)
			return;
	}
}

static int unpack_parts(const struct unpacking *u, struct marshal_msg *m, int out, struct room *ret_room)
{
	uint64_t name_room = marshal_name_room(m->name_length);
	uint8_t *name = NULL, *control = NULL;
	int error;

	if (m->control_length > MARSHAL_CONTROL_MAX)
		return -EBADMSG;
	error = unpacking_iov(u, m->iov, m->iov_count, out, &m->iov);
	if (error == 0)
		error = out ? unpacking_out(u, m->name, name_room, &m->name, &name) :
			      unpacking_in(u, m->name, name_room, &m->name);
	if (error == 0)
		error = out ? unpacking_out(u, m->control, m->control_length, &m->control, &control) :
			      unpacking_copy(u, m->control, m->control_length, &m->control, &control);
	if (error != 0)
		return error;
	if (out) {
		/* The kernel leaves the padding of control messages as it is. */
		if (control != NULL)
			memset(control, 0, m->control_length);
		ret_room->name = name ? (uint32_t)name_room : 0;
		ret_room->control = control ? (uint32_t)m->control_length : 0;
	} else if (control != NULL) {
		guard_control(u->dc, control, m->control_length);
	}
	return 0;
}

static int unpack_messages(const struct unpacking *u, unsigned n, uint64_t count, int out)
{
	struct deputy_call *dc = u->dc;
	uint64_t stride = stride_of(&u->call->arg[n]), entries = 0;
	uint8_t *copy;
	struct room *rooms;
	int error = unpacking_copy(u, u->frame->arg[n], count * stride, &dc->arg[n], &copy);

	if (error != 0 || copy == NULL)
		return error;
	rooms = (struct room *)deputy_room(dc, count * sizeof(*rooms), 8, 0);
	if (rooms == NULL)
		return -EBADMSG;
	dc->slot[n].data = copy;
	dc->slot[n].size = count;
	for (uint64_t i = 0; i < count && error == 0; i++) {
		struct marshal_msg *m = (struct marshal_msg *)(copy + i * stride);

		entries += marshal_least(m->iov_count, MARSHAL_IOV_MAX);
		if (entries > MARSHAL_MMSG_IOV_MAX)
			return -EBADMSG;
		error = unpack_parts(u, m, out, &rooms[i]);
	}
	return error;
}

int unpacking_msg(const struct unpacking *u, unsigned n, int out)
{
	return unpack_messages(u, n, 1, out);
}

int unpacking_mmsg(const struct unpacking *u, unsigned n, int out)
{
	uint32_t count = (uint32_t)u->frame->arg[u->call->arg[n].ref];

	return unpack_messages(u, n, marshal_least(count, MARSHAL_IOV_MAX), out);
}

/* Gathers length bytes that the kernel scattered; returns how many there were. With to = NULL it only counts. */
static uint64_t gather(const struct deputy_call *dc, uint64_t iov_address, uint64_t count, uint64_t length, uint8_t *to)
{
	const struct marshal_iov *iov = (const struct marshal_iov *)iov_address;
	uint64_t done = 0;

	if (iov_address == 0 || iov_address == dc->bad || count > MARSHAL_IOV_MAX)
		return 0;
	for (uint64_t i = 0; i < count && done < length; i++) {
		uint64_t part = marshal_least(iov[i].length, length - done);

		if (part == 0)
			continue;
		if (iov[i].base == 0 || iov[i].base == dc->bad)
			break;
		if (to != NULL)
			memcpy(to + done, (const void *)iov[i].base, part);
		done += part;
	}
	return done;
}

int replying_iov(struct replying *r, const struct deputy_call *dc, unsigned n, uint64_t result)
{
	uint64_t count = dc->arg[2], length = gather(dc, dc->arg[n], count, result, NULL);
	uint8_t *to = replying_chunk(r, n, length);

	if (to == NULL)
		return -EBADMSG;
	gather(dc, dc->arg[n], count, length, to);
	return 0;
}

static int reply_message(struct replying *r, const struct deputy_call *dc, const struct marshal_msg *m, const struct room *room,
			 uint64_t result)
{
	struct marshal_got got = { .name_length = m->name_length, .flags = m->flags, .control_length = m->control_length,
				   .length = (uint32_t)result };
	uint64_t length;
	uint8_t *to;

	got.name = (uint32_t)marshal_least(m->name_length, room->name);
	got.control = (uint32_t)marshal_least(m->control_length, room->control);
	got.data = (uint32_t)gather(dc, m->iov, m->iov_count, result, NULL);
	length = sizeof(got) + (uint64_t)got.name + got.control + got.data;
	if (marshal_round(length) > MARSHAL_ROOM - r->used)
		return -EBADMSG;
	to = r->payload + r->used;
	memcpy(to, &got, sizeof(got));
	to += sizeof(got);
	if (got.name > 0)
		memcpy(to, (const void *)m->name, got.name);
	if (got.control > 0)
		memcpy(to + got.name, (const void *)m->control, got.control);
	gather(dc, m->iov, m->iov_count, got.data, to + got.name + got.control);
	memset(r->payload + r->used + length, 0, marshal_round(length) - length);
	r->used += marshal_round(length);
	return 0;
}

/* The chunk at start ends here. */
static void set_length(struct replying *r, uint64_t start)
{
	struct marshal_chunk *chunk = (struct marshal_chunk *)(r->payload + start);

	chunk->length = (uint32_t)(r->used - start - sizeof(*chunk));
}

int replying_msg(struct replying *r, const struct deputy_call *dc, unsigned n, uint64_t result)
{
	uint64_t start = r->used;
	int error;

	if (dc->slot[n].data == NULL)
		return 0;
	if (replying_chunk(r, n, 0) == NULL)
		return -EBADMSG;
	error = reply_message(r, dc, (const struct marshal_msg *)dc->slot[n].data,
			      rooms_of(dc, n, sizeof(struct marshal_msg)), result);
	set_length(r, start);
	return error;
}

int replying_mmsg(struct replying *r, const struct deputy_call *dc, unsigned n, int out, uint64_t result)
{
	const struct marshal_mmsg *m = (const struct marshal_mmsg *)dc->slot[n].data;
	uint64_t start = r->used, count = marshal_least(result, dc->slot[n].size);
	uint8_t *lengths;

	if (m == NULL)
		return 0;
	lengths = replying_chunk(r, n, out ? 0 : count * 4);
	if (lengths == NULL)
		return -EBADMSG;
	for (uint64_t i = 0; i < count; i++) {
		if (!out)
			memcpy(lengths + i * 4, &m[i].length, 4);
		else if (reply_message(r, dc, &m[i].msg, &rooms_of(dc, n, sizeof(*m))[i], m[i].length) != 0)
			return -EBADMSG;
	}
	if (out)
		set_length(r, start);
	return 0;
}
