/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The deputy's half of marshalling, outward: what a call left in scratch into a reply. */
#include "core.h"
#include "marshal.h"
#include "marshal_wire.h"

uint8_t *replying_chunk(struct replying *r, unsigned arg, uint64_t length)
{
	struct marshal_chunk *chunk = (struct marshal_chunk *)(r->payload + r->used);
	uint8_t *data = (uint8_t *)(chunk + 1);

	if (length > MARSHAL_ROOM || sizeof(*chunk) + marshal_round(length) > MARSHAL_ROOM - r->used)
		return NULL;
	chunk->arg = arg;
	chunk->length = (uint32_t)length;
	memset(data + length, 0, marshal_round(length) - length);
	r->used += sizeof(*chunk) + marshal_round(length);
	return data;
}

static int reply_bytes(struct replying *r, const struct deputy_call *dc, unsigned n, uint64_t length)
{
	uint8_t *to;

	length = marshal_least(length, dc->slot[n].size);
	if (length == 0)
		return 0;
	to = replying_chunk(r, n, length);
	if (to == NULL)
		return -EBADMSG;
	memcpy(to, dc->slot[n].data, length);
	return 0;
}

/* Only revents: the descriptors may be guarded ones. */
static int reply_poll(struct replying *r, const struct deputy_call *dc, unsigned n)
{
	uint64_t count = dc->slot[n].size / 8;
	uint8_t *to = replying_chunk(r, n, count * 2);

	if (to == NULL)
		return -EBADMSG;
	for (uint64_t i = 0; i < count; i++)
		memcpy(to + i * 2, dc->slot[n].data + i * 8 + 6, 2);
	return 0;
}

static int reply_argument(struct replying *r, const struct call *c, const struct deputy_call *dc, unsigned n, int64_t result)
{
	const struct call_arg *a = &c->arg[n];
	uint64_t done = result > 0 ? (uint64_t)result : 0;
	uint32_t length = 0;

	if (a->kind == ARG_IOV_OUT)
		return done ? replying_iov(r, dc, n, done) : 0;
	if (dc->slot[n].data == NULL)
		return 0;
	switch (a->kind) {
	case ARG_INOUT:
	case ARG_INOUT_LENGTH:
	case ARG_SOCKLEN:  return reply_bytes(r, dc, n, dc->slot[n].size);
	case ARG_POLL:     return reply_poll(r, dc, n);
	default:           break;
	}
	if (result < 0)
		return 0;
	switch (a->kind) {
	case ARG_OUT:
	case ARG_OUT_LENGTH:
	case ARG_FDSET:      return reply_bytes(r, dc, n, dc->slot[n].size);
	case ARG_OUT_RESULT:
	case ARG_OUT_DATA:   return reply_bytes(r, dc, n, done * a->size);
	case ARG_QUEUE_OUT:  return reply_bytes(r, dc, n, done + 8);
	case ARG_OUT_SOCKLEN:
	case ARG_INOUT_SOCKLEN:
		if (dc->slot[a->ref].data != NULL)
			memcpy(&length, dc->slot[a->ref].data, sizeof(length));
		return reply_bytes(r, dc, n, length);
	case ARG_MSG_OUT:    return replying_msg(r, dc, n, done);
	case ARG_MMSG_OUT:   return replying_mmsg(r, dc, n, 1, done);
	case ARG_MMSG_IN:    return replying_mmsg(r, dc, n, 0, done);
	default:             return 0;
	}
}

int deputy_pack(const struct call *c, struct deputy_call *dc, int64_t result, void *payload, uint32_t *ret_length)
{
	struct replying r = { .payload = payload };

	for (unsigned i = 0; i < 6; i++)
		if (reply_argument(&r, c, dc, i, result) != 0)
			return -EBADMSG;
	*ret_length = (uint32_t)r.used;
	return 0;
}

/* Bytes of such a result; 0: none, or one that does not travel as it lies. */
static uint64_t plain_length(const struct call_arg *a, int64_t result)
{
	switch (a->kind) {
	case ARG_OUT_RESULT:
	case ARG_OUT_DATA: return (uint64_t)result * a->size;
	case ARG_OUT:
	case ARG_OUT_LENGTH: return MARSHAL_ROOM;
	default:             return 0;
	}
}

uint32_t deputy_pack_there(const struct call *c, struct deputy_call *dc, int64_t result, uint8_t **ret_start)
{
	struct marshal_chunk chunk = { 0, 0 };
	uint8_t *data = NULL;
	uint64_t length = 0;

	_Static_assert(sizeof(chunk) == MARSHAL_BEFORE, "what stands before a result");
	for (uint32_t i = 0; i < 6 && result >= 0; i++) {
		if (c->arg[i].kind == ARG_IOV_OUT)
			return 0;
		if (dc->slot[i].data == NULL)
			continue;
		data = dc->slot[i].data;
		if (length > 0 || data != dc->scratch + marshal_place((uint64_t)data, dc->slot[i].size))
			return 0;
		length = marshal_least(plain_length(&c->arg[i], result), dc->slot[i].size);
		if (length == 0)
			return 0;
		chunk.arg = i;
	}
	if (length == 0 || (uint64_t)(data - dc->scratch) + marshal_round(length) > dc->capacity)
		return 0;
	chunk.length = (uint32_t)length;
	*ret_start = data - MARSHAL_BEFORE;
	memcpy(*ret_start, &chunk, sizeof(chunk));
	memset(data + length, 0, marshal_round(length) - length);
	return (uint32_t)(sizeof(chunk) + marshal_round(length));
}
