/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Strings, and arrays of them (argv, envp): in a request, references to the strings and a last one that is NULL, all of one
 * length word by word as the program's array is.
 */
#include "core.h"
#include "marshal.h"
#include "marshal_wire.h"

#define STRING_MAX 131072u	/* MAX_ARG_STRLEN, linux/binfmts.h: with its NUL; a longer one is E2BIG */

/* Entries before the NULL; -EFAULT, or -E2BIG: more than home's kernel takes either way, but it shall say so. */
static long count_strings(uint64_t address, uint64_t most)
{
	uint64_t pointer;

	for (uint64_t n = 0; n < most; n++) {
		if (core_copy_in(&pointer, address + n * 8, 8) != 0)
			return -EFAULT;
		if (pointer == 0)
			return (long)n;
	}
	return -E2BIG;
}

int packing_string(struct packing *p, uint64_t address, uint64_t limit, uint64_t *ret_reference)
{
	char *at = (char *)p->payload + p->used;
	uint64_t offset;
	long length;

	if (p->capacity - p->used < limit + 16)
		return -E2BIG;
	length = core_string_in(at, address, limit);
	if (length == -ENAMETOOLONG) {
		length = (long)limit;
		at[limit] = '\0';
	}
	if (length < 0) {
		*ret_reference = REFERENCE_BAD;
		return 0;
	}
	if (packing_reserve(p, (uint64_t)length + 1, 8, 0, &offset) != 0)
		return -E2BIG;
	*ret_reference = reference_data(offset, (uint64_t)length + 1);
	return 0;
}

int packing_strings(struct packing *p, uint64_t address, uint64_t *ret_reference)
{
	long count = address ? count_strings(address, (p->capacity - p->used) / 8) : 0;
	uint64_t offset;

	if (address == 0 || count == -EFAULT) {
		*ret_reference = address ? REFERENCE_BAD : REFERENCE_NULL;
		return 0;
	}
	if (count < 0 || packing_expect(p, 0, ((uint64_t)count + 1) * 8) != 0 ||
	    packing_reserve(p, ((uint64_t)count + 1) * 8, 8, 0, &offset) != 0)
		return -E2BIG;
	for (uint64_t n = 0; n < (uint64_t)count; n++) {
		uint64_t pointer, reference;

		if (core_copy_in(&pointer, address + n * 8, 8) != 0 || packing_string(p, pointer, STRING_MAX, &reference) != 0)
			return -E2BIG;
		memcpy(p->payload + offset + n * 8, &reference, 8);
	}
	memset(p->payload + offset + (uint64_t)count * 8, 0, 8);
	*ret_reference = reference_data(offset, ((uint64_t)count + 1) * 8);
	return 0;
}

int unpacking_strings(const struct unpacking *u, unsigned n)
{
	uint64_t reference = u->frame->arg[n], length = reference_length(reference), count = length / 8, entry;
	uint8_t *copy;
	int error;

	if ((reference & REFERENCE_KIND) == REFERENCE_DATA && (length == 0 || length % 8 != 0))
		return -EBADMSG;
	error = unpacking_copy(u, reference, length, &u->dc->arg[n], &copy);
	if (error != 0 || copy == NULL)
		return error;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t address = 0;

		memcpy(&entry, copy + i * 8, 8);
		if ((entry == REFERENCE_NULL) != (i == count - 1))
			return -EBADMSG;
		if (entry != REFERENCE_NULL) {
			error = unpacking_in(u, entry, reference_length(entry), &address);
			if (error != 0 ||
			    ((entry & REFERENCE_KIND) == REFERENCE_DATA &&
			     (reference_length(entry) == 0 || ((const char *)address)[reference_length(entry) - 1] != '\0')))
				return -EBADMSG;
		}
		memcpy(copy + i * 8, &address, 8);
	}
	return 0;
}
