/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The deputy's half of marshalling, inward: a request, hostile until checked, into arguments for home's kernel. */
#include "core.h"
#include "marshal.h"
#include "marshal_wire.h"

uint8_t *deputy_room(struct deputy_call *dc, uint64_t length, uint64_t alignment, uint64_t place)
{
	uint64_t start = marshal_start(dc->used, alignment, place);

	if (start > dc->capacity || length > dc->capacity - start)
		return NULL;
	dc->used = start + length;
	return dc->scratch + start;
}

int unpacking_in(const struct unpacking *u, uint64_t reference, uint64_t length, uint64_t *ret_address)
{
	uint64_t offset = reference_offset(reference);

	if (reference == REFERENCE_NULL) {
		*ret_address = 0;
		return 0;
	}
	if (reference == REFERENCE_BAD || (reference == REFERENCE_HERE && length == 0)) {
		*ret_address = u->dc->bad;
		return 0;
	}
	if ((reference & REFERENCE_KIND) != REFERENCE_DATA || reference_length(reference) != length)
		return -EBADMSG;
	if (offset > u->frame->length || length > u->frame->length - offset)
		return -EBADMSG;
	*ret_address = (uint64_t)(u->payload + offset);
	return 0;
}

int unpacking_copy(const struct unpacking *u, uint64_t reference, uint64_t length, uint64_t *ret_address, uint8_t **ret_copy)
{
	uint64_t address;
	uint8_t *room = NULL;
	int error = unpacking_in(u, reference, length, &address);

	if (error != 0)
		return error;
	if ((reference & REFERENCE_KIND) == REFERENCE_DATA) {
		room = deputy_room(u->dc, length, 8, 0);
		if (room == NULL)
			return -EBADMSG;
		memcpy(room, (const void *)address, length);
		address = (uint64_t)room;
	}
	*ret_address = address;
	*ret_copy = room;
	return 0;
}

int unpacking_out(const struct unpacking *u, uint64_t reference, uint64_t length, uint64_t *ret_address, uint8_t **ret_room)
{
	uint64_t place = reference_offset(reference);

	*ret_room = NULL;
	if (reference == REFERENCE_NULL || reference == REFERENCE_BAD || (reference == REFERENCE_HERE && length == 0)) {
		*ret_address = reference == REFERENCE_NULL ? 0 : u->dc->bad;
		return 0;
	}
	if (reference != (REFERENCE_HERE | place) || place != marshal_place(place, length))
		return -EBADMSG;
	*ret_room = deputy_room(u->dc, length, marshal_alignment(length), place);
	if (*ret_room == NULL)
		return -EBADMSG;
	/* A small struct that the kernel fills only partly must not show what was there before. */
	if (length <= 512)
		memset(*ret_room, 0, length);
	*ret_address = (uint64_t)*ret_room;
	return 0;
}

static int unpack_string(const struct unpacking *u, unsigned n)
{
	uint64_t reference = u->frame->arg[n], length = reference_length(reference);
	int error;

	if ((reference & REFERENCE_KIND) == REFERENCE_DATA && (length == 0 || length > u->call->arg[n].size + 1ull))
		return -EBADMSG;
	error = unpacking_in(u, reference, length, &u->dc->arg[n]);
	if (error == 0 && (reference & REFERENCE_KIND) == REFERENCE_DATA && ((const char *)u->dc->arg[n])[length - 1] != '\0')
		return -EBADMSG;
	return error;
}

static int unpack_inout(const struct unpacking *u, unsigned n, uint64_t length)
{
	struct deputy_call *dc = u->dc;

	dc->slot[n].size = length;
	return unpacking_copy(u, u->frame->arg[n], length, &dc->arg[n], &dc->slot[n].data);
}

static int unpack_out(const struct unpacking *u, unsigned n, uint64_t length)
{
	struct deputy_call *dc = u->dc;

	dc->slot[n].size = length;
	return unpacking_out(u, u->frame->arg[n], length, &dc->arg[n], &dc->slot[n].data);
}

/* Small ones are copied, because a time-out may be shortened for a second attempt. */
static int unpack_in(const struct unpacking *u, unsigned n, uint64_t length)
{
	uint8_t *copy;

	if (length == 16)
		return unpacking_copy(u, u->frame->arg[n], length, &u->dc->arg[n], &copy);
	return unpacking_in(u, u->frame->arg[n], length, &u->dc->arg[n]);
}

/* The room of a socket address or option, from the payload of the socklen_t that belongs to it. */
static int socklen_room(const struct unpacking *u, const struct call_arg *a, uint64_t *ret_room)
{
	uint64_t address;
	uint32_t length = 0;
	int error = unpacking_in(u, u->frame->arg[a->ref], sizeof(length), &address);

	if (error != 0)
		return error;
	if ((u->frame->arg[a->ref] & REFERENCE_KIND) == REFERENCE_DATA)
		memcpy(&length, (const void *)address, sizeof(length));
	if (length > 0x7fffffffu)
		length = 0;
	*ret_room = a->size ? marshal_least(length, a->size) : length;
	return 0;
}

static int unpack_socklen(const struct unpacking *u, unsigned n, int in)
{
	uint64_t room;
	int error = socklen_room(u, &u->call->arg[n], &room);

	if (error != 0)
		return error;
	return in ? unpack_inout(u, n, room) : unpack_out(u, n, room);
}

static int unpack_sigset(const struct unpacking *u, unsigned n)
{
	struct deputy_call *dc = u->dc;
	uint8_t *copy;
	uint64_t set;
	int error = unpacking_copy(u, u->frame->arg[n], sizeof(set), &dc->arg[n], &copy);

	if (error != 0 || copy == NULL)
		return error;
	memcpy(&set, copy, sizeof(set));
	if (u->call->special == SPECIAL_MASKED || u->call->special == SPECIAL_SIGSUSPEND) {
		dc->mask = set;
		dc->masked = 1;
	}
	set = marshal_strip_mask(set);
	memcpy(copy, &set, sizeof(set));
	return 0;
}

static int unpack_pair(const struct unpacking *u, unsigned n)
{
	struct deputy_call *dc = u->dc;
	struct marshal_pair pair;
	uint8_t *copy;
	int error = unpacking_copy(u, u->frame->arg[n], sizeof(pair), &dc->arg[n], &copy);

	if (error != 0 || copy == NULL)
		return error;
	memcpy(&pair, copy, sizeof(pair));
	if (pair.mask == REFERENCE_HERE) {
		dc->mask = pair.value;
		dc->masked = 1;
		pair.value = marshal_strip_mask(pair.value);
		pair.mask = (uint64_t)copy + offsetof(struct marshal_pair, value);
	} else if (pair.mask == REFERENCE_BAD) {
		pair.mask = dc->bad;
	} else if (pair.mask != REFERENCE_NULL) {
		return -EBADMSG;
	}
	memcpy(copy, &pair, sizeof(pair));
	return 0;
}

static int unpack_fdset(const struct unpacking *u, unsigned n)
{
	struct deputy_call *dc = u->dc;
	int64_t bits = (int32_t)u->frame->arg[0];
	int error;

	if (bits > (int64_t)MARSHAL_FDS_MAX)
		return -EBADMSG;
	error = unpack_inout(u, n, marshal_fdset_bytes((uint64_t)bits));
	if (error != 0 || dc->slot[n].data == NULL)
		return error;
	for (int64_t fd = dc->fd_low < 0 ? 0 : dc->fd_low; fd <= dc->fd_high && fd < bits; fd++)
		if (dc->slot[n].data[fd / 8] >> (fd % 8) & 1)
			return -EBADF;
	return 0;
}

static int unpack_poll(const struct unpacking *u, unsigned n)
{
	struct deputy_call *dc = u->dc;
	uint32_t count = (uint32_t)u->frame->arg[u->call->arg[n].ref];
	int error;

	if (count > MARSHAL_FDS_MAX)
		return -EBADMSG;
	error = unpack_inout(u, n, count * 8ull);
	if (error != 0 || dc->slot[n].data == NULL)
		return error;
	for (uint32_t i = 0; i < count; i++) {
		int32_t *fd = (int32_t *)(dc->slot[n].data + i * 8ull);

		*fd = (int32_t)deputy_guard(dc, (uint64_t)(int64_t)*fd);
	}
	return 0;
}

/*
 * The part of the range below the channels is closed at once and the part above by the call itself: both close what the
 * program asked for, and doing it twice changes nothing.
 */
static void guard_range(struct deputy_call *dc)
{
	uint32_t first = (uint32_t)dc->arg[0], last = (uint32_t)dc->arg[1];
	uint32_t low = (uint32_t)dc->fd_low, high = (uint32_t)dc->fd_high;

	if (dc->fd_low < 0 || dc->fd_high < dc->fd_low || first > last || last < low || first > high)
		return;
	if (first < low && last > high)
		SYS3(dc->nr, first, low - 1, dc->arg[2]);
	if (last > high)
		first = high + 1;
	else if (first < low)
		last = low - 1;
	else
		first = last = MARSHAL_NO_FD;
	dc->arg[0] = first;
	dc->arg[1] = last;
}

static int unpack_argument(const struct unpacking *u, unsigned n)
{
	const struct call_arg *a = &u->call->arg[n];
	struct deputy_call *dc = u->dc;
	uint64_t count = u->frame->arg[a->ref];

	/* Where there is nothing behind the pointer, the length is the kernel's to judge. */
	if (marshal_is_sized(a->kind) && count > MARSHAL_ROOM) {
		if (u->frame->arg[n] != REFERENCE_NULL)
			return -EBADMSG;
		dc->arg[n] = 0;
		return 0;
	}
	switch (a->kind) {
	case ARG_NONE:          dc->arg[n] = 0; return 0;
	case ARG_VALUE:         dc->arg[n] = u->frame->arg[n]; return 0;
	case ARG_FD:            dc->arg[n] = deputy_guard(dc, u->frame->arg[n]); return 0;
	case ARG_STRING:        return unpack_string(u, n);
	case ARG_SIGSET:        return unpack_sigset(u, n);
	case ARG_IN:            return unpack_in(u, n, a->size);
	case ARG_OUT:           return unpack_out(u, n, a->size);
	case ARG_SOCKLEN:
	case ARG_INOUT:         return unpack_inout(u, n, a->size);
	case ARG_IN_LENGTH:     return unpacking_in(u, u->frame->arg[n], count * a->size, &dc->arg[n]);
	case ARG_OUT_LENGTH:
	case ARG_OUT_DATA:
	case ARG_OUT_RESULT:    return unpack_out(u, n, count * a->size);
	case ARG_INOUT_LENGTH:  return unpack_inout(u, n, count * a->size);
	case ARG_OUT_SOCKLEN:   return unpack_socklen(u, n, 0);
	case ARG_INOUT_SOCKLEN: return unpack_socklen(u, n, 1);
	case ARG_QUEUE_IN:      return unpacking_in(u, u->frame->arg[n], count + 8, &dc->arg[n]);
	case ARG_QUEUE_OUT:     return unpack_out(u, n, count + 8);
	case ARG_IOV_IN:        return unpacking_iov(u, u->frame->arg[n], count, 0, &dc->arg[n]);
	case ARG_IOV_OUT:       return unpacking_iov(u, u->frame->arg[n], count, 1, &dc->arg[n]);
	case ARG_MSG_IN:        return unpacking_msg(u, n, 0);
	case ARG_MSG_OUT:       return unpacking_msg(u, n, 1);
	case ARG_MMSG_IN:       return unpacking_mmsg(u, n, 0);
	case ARG_MMSG_OUT:      return unpacking_mmsg(u, n, 1);
	case ARG_STRINGS:       return unpacking_strings(u, n);
	case ARG_FDSET:         return unpack_fdset(u, n);
	case ARG_POLL:          return unpack_poll(u, n);
	case ARG_SIGSET_PAIR:   return unpack_pair(u, n);
	default:                return -EBADMSG;
	}
}

int deputy_unpack(const struct call *c, const struct mosix_frame *f, const void *payload, struct deputy_call *dc)
{
	const struct unpacking u = { .call = c, .frame = f, .payload = payload, .dc = dc };
	int result = 0;

	dc->used = 0;
	dc->mask = 0;
	dc->masked = 0;
	memset(dc->slot, 0, sizeof(dc->slot));
	/* What is BOTH never runs here as it came: only its own function may touch the deputy's masks, handlers and addresses. */
	if (c->where != CALL_HOME)
		return -EBADMSG;
	if (f->length > MOSIX_PAYLOAD_MAX || marshal_pins(c, f->arg))
		return -EBADMSG;
	for (unsigned i = 0; i < 6; i++) {
		int error = unpack_argument(&u, i);

		if (error == -EBADMSG)
			return error;
		if (error != 0)
			result = error;
	}
	if (c->special == SPECIAL_CLOSE_RANGE)
		guard_range(dc);
	return result;
}
