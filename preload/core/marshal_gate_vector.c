/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The gate's half of marshalling, outward: iovec arrays and messages. */
#include "core.h"
#include "marshal.h"
#include "marshal_wire.h"

/*
 * Reserves room for an array of the program and copies it there. *ret_at NULL: nothing to copy, and *ret_reference says
 * why (NULL, HERE for length 0, BAD).
 */
static int reserve_array(struct packing *p, uint64_t address, uint64_t length, uint8_t **ret_at, uint64_t *ret_reference)
{
	int error = packing_expect(p, 0, length);

	*ret_at = NULL;
	if (error == 0)
		error = packing_in(p, address, length, ret_reference);
	if (error == 0 && (*ret_reference & REFERENCE_KIND) == REFERENCE_DATA)
		*ret_at = p->payload + reference_offset(*ret_reference);
	return error;
}

int packing_iov(struct packing *p, uint64_t address, uint64_t count, int out, uint64_t *ret_reference)
{
	struct marshal_iov *iov;
	uint8_t *at;
	int error;

	/* Some calls take 32 bits of the count (import_iovec()), some all. */
	if (count >> 32)
		return -E2BIG;
	/* The kernel refuses the count before it looks at the array. */
	if (count > MARSHAL_IOV_MAX) {
		*ret_reference = address ? REFERENCE_BAD : REFERENCE_NULL;
		return 0;
	}
	error = reserve_array(p, address, count * sizeof(*iov), &at, ret_reference);
	if (error != 0 || at == NULL)
		return error;
	iov = (struct marshal_iov *)at;
	for (uint64_t i = 0; i < count; i++) {
		if (iov[i].length > MARSHAL_ROOM)
			return -E2BIG;
		error = out ? packing_out(p, iov[i].base, iov[i].length, &iov[i].base) :
			      packing_in(p, iov[i].base, iov[i].length, &iov[i].base);
		if (error != 0)
			return error;
		/* What comes before it may be written even if the call fails: only home can tell. */
		if (out && iov[i].base == REFERENCE_BAD)
			return -E2BIG;
		if (out && packing_expect(p, 0, marshal_alignment(iov[i].length)) != 0)
			return -E2BIG;
	}
	return 0;
}

/* The message's pointers, in place. */
static int pack_parts(struct packing *p, struct marshal_msg *m, int out)
{
	uint64_t name_room = marshal_name_room(m->name_length);
	int error;

	if (m->control_length > MARSHAL_CONTROL_MAX)
		return -E2BIG;
	error = packing_iov(p, m->iov, m->iov_count, out, &m->iov);
	if (error == 0)
		error = out ? packing_out(p, m->name, name_room, &m->name) : packing_in(p, m->name, name_room, &m->name);
	if (error == 0 && !out)
		error = packing_expect(p, 0, m->control_length);
	if (error == 0)
		error = out ? packing_out(p, m->control, m->control_length, &m->control) :
			      packing_in(p, m->control, m->control_length, &m->control);
	/* Found out when the message has come. */
	if (error == 0 && out && (m->name == REFERENCE_BAD || m->control == REFERENCE_BAD))
		return -E2BIG;
	return error;
}

int packing_msg(struct packing *p, uint64_t address, int out, uint64_t *ret_reference)
{
	uint8_t *at;
	int error = packing_expect(p, sizeof(struct marshal_got), 8);

	if (error == 0)
		error = reserve_array(p, address, sizeof(struct marshal_msg), &at, ret_reference);
	if (error != 0 || at == NULL)
		return error;
	return pack_parts(p, (struct marshal_msg *)at, out);
}

int packing_mmsg(struct packing *p, uint64_t address, uint64_t count, int out, uint64_t *ret_reference)
{
	struct marshal_mmsg *m;
	uint64_t entries = 0;
	uint8_t *at;
	int error;

	count = marshal_least((uint32_t)count, MARSHAL_IOV_MAX);
	error = packing_expect(p, count * sizeof(struct marshal_got), count * 8);
	if (error == 0)
		error = reserve_array(p, address, count * sizeof(*m), &at, ret_reference);
	if (error != 0 || at == NULL)
		return error;
	m = (struct marshal_mmsg *)at;
	for (uint64_t i = 0; i < count; i++) {
		entries += marshal_least(m[i].msg.iov_count, MARSHAL_IOV_MAX);
		if (entries > MARSHAL_MMSG_IOV_MAX)
			return -E2BIG;
		error = pack_parts(p, &m[i].msg, out);
		if (error != 0)
			return error;
	}
	return 0;
}
