/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The gate's half of marshalling, outward: arguments of the program into a frame. */
#include "core.h"
#include "marshal.h"
#include "marshal_wire.h"

#define USER_END  0x00007ffffffff000ull	/* TASK_SIZE_MAX of four levels; a kernel with five gives more only to who asks */
#define PROBE_ALL 65536u	/* every page up to here, first and last byte beyond */

int packing_reserve(struct packing *p, uint64_t length, uint64_t alignment, uint64_t place, uint64_t *ret_offset)
{
	uint64_t start = marshal_start(p->used, alignment, place);

	if (start > p->capacity || length > p->capacity - start)
		return -E2BIG;
	memset(p->payload + p->used, 0, start - p->used);
	p->used = marshal_round(start + length);
	if (p->used > p->capacity)
		return -E2BIG;
	for (uint64_t i = start + length; i < p->used; i++)
		p->payload[i] = 0;
	*ret_offset = start;
	return 0;
}

int packing_expect(struct packing *p, uint64_t reply, uint64_t scratch)
{
	if (reply > MARSHAL_ROOM || scratch > MARSHAL_ROOM)
		return -E2BIG;
	p->reply += marshal_round(reply) + sizeof(struct marshal_chunk);
	p->scratch += marshal_round(scratch) + marshal_alignment(scratch);
	return p->reply > MARSHAL_ROOM || p->scratch > MARSHAL_ROOM ? -E2BIG : 0;
}

/*
 * Beyond what any program can have: home's kernel refuses that where it would not look at a bad address (access_ok() comes before a
 * length of 0, before the first entry of a vector, before a device that takes nothing), and there the same address has to stand.
 */
static int is_foreign(uint64_t address, uint64_t length)
{
	return address >= USER_END || length > USER_END - address;
}

int packing_in(struct packing *p, uint64_t address, uint64_t length, uint64_t *ret_reference)
{
	uint64_t offset, keep = p->used;
	uint8_t byte;

	if (is_foreign(address, length))
		return -E2BIG;
	if (address == 0 || length == 0) {
		*ret_reference = address == 0 ? REFERENCE_NULL : REFERENCE_HERE;
		return 0;
	}
	if (length > MARSHAL_ROOM ||
	    packing_reserve(p, length, marshal_alignment(length), marshal_place(address, length), &offset) != 0)
		return -E2BIG;
	if (core_copy_in(p->payload + offset, address, length) == 0) {
		*ret_reference = reference_data(offset, length);
		return 0;
	}
	/* The kernel might take the part that is accessible, or never look: only home can tell. */
	if (core_copy_in(&byte, address, 1) == 0)
		return -E2BIG;
	p->used = keep;
	*ret_reference = REFERENCE_BAD;
	return 0;
}

static int writable(uint64_t address, uint64_t length)
{
	if (length <= PROBE_ALL)
		return core_probe_write(address, length) == 0;
	return core_probe_write(address, 1) == 0 && core_probe_write(address + length - 1, 1) == 0;
}

int packing_out(struct packing *p, uint64_t address, uint64_t length, uint64_t *ret_reference)
{
	uint8_t byte;

	if (is_foreign(address, length))
		return -E2BIG;
	if (address == 0 || length == 0) {
		*ret_reference = address == 0 ? REFERENCE_NULL : REFERENCE_HERE;
		return 0;
	}
	if (packing_expect(p, length, length) != 0)
		return -E2BIG;
	if (!writable(address, length)) {
		/* A part of it, or read-only: the kernel may look at what it does not write. */
		if (core_probe_write(address, 1) == 0 || core_copy_in(&byte, address, 1) == 0)
			return -E2BIG;
		*ret_reference = REFERENCE_BAD;
		return 0;
	}
	*ret_reference = REFERENCE_HERE | marshal_place(address, length);
	return 0;
}

/* In and out. What can be read but not written home's kernel meets after it has acted, so it shall meet it where it is. */
static int pack_inout(struct packing *p, uint64_t address, uint64_t length, uint64_t *ret_reference)
{
	int error = packing_expect(p, length, length);

	if (error == 0)
		error = packing_in(p, address, length, ret_reference);
	if (error == 0 && (*ret_reference & REFERENCE_KIND) == REFERENCE_DATA && !writable(address, length))
		return -E2BIG;
	return error;
}

/* The time that is left is written only if it can be. */
static int pack_forgiven(struct packing *p, uint64_t address, uint64_t length, uint64_t *ret_reference)
{
	int error = packing_expect(p, length, length);

	return error ? error : packing_in(p, address, length, ret_reference);
}

/* A peer's address or an option. The kernel may find out only when the data has come that there is no place or length for it. */
static int pack_socklen(struct packing *p, uint64_t address, const struct call_arg *a, int in, uint64_t *ret_reference)
{
	uint32_t length;
	int error;

	*ret_reference = REFERENCE_NULL;
	if (address == 0)
		return 0;
	if (core_copy_in(&length, p->arg[a->ref], sizeof(length)) != 0 || length > 0x7fffffffu)
		return -E2BIG;
	if (a->size)
		length = (uint32_t)marshal_least(length, a->size);
	error = in ? pack_inout(p, address, length, ret_reference) : packing_out(p, address, length, ret_reference);
	return error == 0 && *ret_reference == REFERENCE_BAD ? -E2BIG : error;
}

static int pack_string(struct packing *p, uint64_t address, uint64_t limit, uint64_t *ret_reference)
{
	if (address != 0)
		return packing_string(p, address, limit, ret_reference);
	*ret_reference = REFERENCE_NULL;
	return 0;
}

static int pack_fdset(struct packing *p, uint64_t address, uint64_t *ret_reference)
{
	if ((int32_t)p->arg[0] > (int32_t)MARSHAL_FDS_MAX)
		return -E2BIG;
	return pack_inout(p, address, marshal_fdset_bytes(p->arg[0]), ret_reference);
}

static int pack_poll(struct packing *p, uint64_t address, uint32_t count, uint64_t *ret_reference)
{
	return count > MARSHAL_FDS_MAX ? -E2BIG : pack_inout(p, address, count * 8ull, ret_reference);
}

static int pack_pair(struct packing *p, uint64_t address, uint64_t *ret_reference)
{
	struct marshal_pair pair = { 0, 0, 0 };
	uint64_t offset;

	if (packing_expect(p, 0, 64) != 0)
		return -E2BIG;
	if (address == 0 || core_copy_in(&pair, address, sizeof(struct marshal_mask_pair)) != 0) {
		*ret_reference = address == 0 ? REFERENCE_NULL : REFERENCE_BAD;
		return 0;
	}
	if (pair.mask)
		pair.mask = core_copy_in(&pair.value, pair.mask, 8) == 0 ? REFERENCE_HERE : REFERENCE_BAD;
	if (packing_reserve(p, sizeof(pair), 8, 0, &offset) != 0)
		return -E2BIG;
	memcpy(p->payload + offset, &pair, sizeof(pair));
	*ret_reference = reference_data(offset, sizeof(pair));
	return 0;
}

static int pack_argument(struct packing *p, unsigned n, uint64_t *ret_reference)
{
	const struct call_arg *a = &p->call->arg[n];
	uint64_t address = p->arg[n], count = p->arg[a->ref];

	if (marshal_is_sized(a->kind) && address != 0 && count > MARSHAL_ROOM)
		return -E2BIG;
	switch (a->kind) {
	case ARG_STRING:        return pack_string(p, address, a->size, ret_reference);
	case ARG_SIGSET:        return packing_expect(p, 0, 8) ? -E2BIG : packing_in(p, address, 8, ret_reference);
	case ARG_IN:            return packing_expect(p, 0, a->size) ? -E2BIG : packing_in(p, address, a->size, ret_reference);
	case ARG_OUT:           return packing_out(p, address, a->size, ret_reference);
	case ARG_SOCKLEN:       return pack_inout(p, address, a->size, ret_reference);
	case ARG_INOUT:
		if (marshal_is_forgiven(p->call, n))
			return pack_forgiven(p, address, a->size, ret_reference);
		return pack_inout(p, address, a->size, ret_reference);
	case ARG_IN_LENGTH:     return packing_in(p, address, count * a->size, ret_reference);
	case ARG_OUT_LENGTH:
	case ARG_OUT_DATA:
	case ARG_OUT_RESULT:    return packing_out(p, address, count * a->size, ret_reference);
	case ARG_INOUT_LENGTH:  return pack_inout(p, address, count * a->size, ret_reference);
	case ARG_OUT_SOCKLEN:   return pack_socklen(p, address, a, 0, ret_reference);
	case ARG_INOUT_SOCKLEN: return pack_socklen(p, address, a, 1, ret_reference);
	case ARG_QUEUE_IN:      return packing_in(p, address, count + 8, ret_reference);
	case ARG_QUEUE_OUT:     return packing_out(p, address, count + 8, ret_reference);
	case ARG_IOV_IN:        return packing_iov(p, address, count, 0, ret_reference);
	case ARG_IOV_OUT:       return packing_iov(p, address, count, 1, ret_reference);
	case ARG_MSG_IN:        return packing_msg(p, address, 0, ret_reference);
	case ARG_MSG_OUT:       return packing_msg(p, address, 1, ret_reference);
	case ARG_MMSG_IN:       return packing_mmsg(p, address, count, 0, ret_reference);
	case ARG_MMSG_OUT:      return packing_mmsg(p, address, count, 1, ret_reference);
	case ARG_STRINGS:       return packing_strings(p, address, ret_reference);
	case ARG_FDSET:         return pack_fdset(p, address, ret_reference);
	case ARG_POLL:          return pack_poll(p, address, (uint32_t)count, ret_reference);
	case ARG_SIGSET_PAIR:   return pack_pair(p, address, ret_reference);
	default:
		*ret_reference = a->kind == ARG_NONE ? 0 : address;
		return 0;
	}
}

int gate_pack(const struct call *c, const uint64_t arg[6], struct mosix_frame *f, void *payload, uint64_t capacity)
{
	struct packing p = { .call = c, .arg = arg, .payload = payload, .capacity = capacity };
	uint64_t reference[6];

	if (capacity > MOSIX_PAYLOAD_MAX)
		p.capacity = MOSIX_PAYLOAD_MAX;
	if (marshal_pins(c, arg))
		return -E2BIG;
	for (unsigned i = 0; i < 6; i++)
		if (pack_argument(&p, i, &reference[i]) != 0)
			return -E2BIG;
	memcpy(f->arg, reference, sizeof(reference));
	f->length = (uint32_t)p.used;
	return 0;
}
