/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of marshalling run a scene twice: with calls made natively, and with calls that go gate → deputy → this kernel → gate
 * inside one process. What a scene notes (results, memory) must be the same.
 */
#ifndef MOSIX_TEST_MARSHAL_PAIR_H
#define MOSIX_TEST_MARSHAL_PAIR_H

#include <stddef.h>
#include <stdint.h>
#include "marshal.h"
#include "marshal_wire.h"

#define GO_HOME (-100000)	/* the gate's -E2BIG */

typedef int64_t (*pair_call)(long nr, const uint64_t arg[6]);

/* DO(call, nr, up to six arguments) */
#define DO_U(x) ((uint64_t)(x))
#define DO_SIX(call, nr, a, b, c, d, e, f, ...) \
	call(nr, (const uint64_t[6]){ DO_U(a), DO_U(b), DO_U(c), DO_U(d), DO_U(e), DO_U(f) })
#define DO(call, nr, ...) DO_SIX(call, nr, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

struct notes { size_t used, count; uint8_t bytes[1 << 20]; };

void note(struct notes *n, const void *bytes, size_t size);
void note_value(struct notes *n, int64_t value);
/* A call and its result, noted. */
#define NOTED(n, call, ...) note_value(n, DO(call, __VA_ARGS__))

typedef void (*pair_scene)(pair_call call, struct notes *n);

/* Runs scene natively and by way of the deputy, and compares the notes. */
void pair_compare(pair_scene scene);

int64_t pair_native(long nr, const uint64_t arg[6]);
int64_t pair_away(long nr, const uint64_t arg[6]);

/* Descriptors the deputy keeps to itself: low > high for none. */
extern int pair_fd_low, pair_fd_high;

/* A page that cannot be read, right behind a page that can: returns the start of the bad one. */
uint8_t *pair_edge(void);

/* Requests that have gone by, for mutation. */
struct pair_request { struct mosix_frame frame; uint8_t *payload; };
size_t pair_corpus(const struct pair_request **ret);

#endif
