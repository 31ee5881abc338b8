/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of calls as data. No pointer in it, so no relocation: it is right wherever libmosix lies. */
#include "core.h"
#include <mosix/call.h>

static const struct call unknown = { "unknown", CALL_RETURN, CALL_NEVER, RESULT_VALUE, SPECIAL_NONE, { { 0 } } };

/* A number without a row stays CALL_UNCLASSIFIED. Two rows with one number: -Woverride-init, and test_table.c. */
static const struct call calls[CALL_NUMBERS] = {
#define CALL(number, label, where, blocking, result, special, ...) \
	[number] = { #label, CALL_##where, CALL_##blocking, RESULT_##result, SPECIAL_##special, { __VA_ARGS__ } },
#include <mosix/calls.def>
};

/* The second tables, one after the other. */
static const struct second {
	uint64_t mask, value;
	struct call call;
} seconds[] = {
#define SUB(parent, mask, value, command, where, blocking, result, special, ...) \
	{ mask, value, { #command, CALL_##where, CALL_##blocking, RESULT_##result, SPECIAL_##special, { __VA_ARGS__ } } },
#include <mosix/calls.def>
};

/* FIRST_x: index of the first row of x. */
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
enum {
#define SUBS(label, number, key) FIRST_##label, BACK_##label = FIRST_##label - 1,
#define SUB(...) JOIN(ROW_, __LINE__),
#include <mosix/calls.def>
	ROWS
};
_Static_assert(ROWS == sizeof(seconds) / sizeof(seconds[0]), "a row of a second table stands before its SUBS");

enum key { ARG0, ARG1, ARG2, ARG3, OPTION, LIMIT };

static const struct list { uint16_t first; uint16_t key; } lists[] = {
#define SUBS(label, number, key) { FIRST_##label, key },
#include <mosix/calls.def>
	{ ROWS, 0 },
};

enum {
#define SUBS(label, number, key) LIST_##label,
#include <mosix/calls.def>
	LISTS
};

/* Number of the call's list + 1. */
static const uint8_t list_of[CALL_NUMBERS] = {
#define SUBS(label, number, key) [number] = LIST_##label + 1,
#include <mosix/calls.def>
};

static uint64_t key_of(unsigned key, const uint64_t arg[6])
{
	if (key == OPTION)
		return arg[1] << 32 | (uint32_t)arg[2];
	if (key == LIMIT)
		return (uint32_t)arg[1] | (arg[2] ? 1ull << 32 : 0);
	return (uint32_t)arg[key];
}

const struct call *call_base(uint64_t nr)
{
	if (nr >= CALL_NUMBERS || calls[nr].where == CALL_UNCLASSIFIED)
		return &unknown;
	return &calls[nr];
}

const struct call *call_find(uint64_t nr, const uint64_t arg[6])
{
	const struct list *l;
	uint64_t key;

	if (nr >= CALL_NUMBERS || calls[nr].where == CALL_UNCLASSIFIED)
		return &unknown;
	if (list_of[nr] == 0)
		return &calls[nr];
	l = &lists[list_of[nr] - 1];
	key = key_of(l->key, arg);
	for (unsigned i = l[0].first; i < l[1].first; i++)
		if ((key & seconds[i].mask) == seconds[i].value)
			return &seconds[i].call;
	return &calls[nr];
}
