/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "marshal_pair.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CORPUS 512

long core_syscall6(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);

int pair_fd_low = 1, pair_fd_high = 0;

static struct pair_request corpus[CORPUS];
static size_t corpus_size;

void note(struct notes *n, const void *bytes, size_t size)
{
	ck_assert_uint_le(n->used + size, sizeof(n->bytes));
	memcpy(n->bytes + n->used, bytes, size);
	n->used += size;
	n->count++;
}

void note_value(struct notes *n, int64_t value)
{
	note(n, &value, sizeof(value));
}

static size_t went_home;

/* As the gate does it: what cannot be carried is made at home, as it is. */
static int64_t away_or_home(long nr, const uint64_t arg[6])
{
	int64_t result = pair_away(nr, arg);

	if (result != GO_HOME)
		return result;
	went_home++;
	return pair_native(nr, arg);
}

void pair_compare(pair_scene scene)
{
	struct notes *native = calloc(1, sizeof(*native)), *away = calloc(1, sizeof(*away));

	scene(pair_native, native);
	went_home = 0;
	scene(away_or_home, away);
	ck_assert_msg(went_home * 2 <= away->count, "%zu calls went home, %zu notes", went_home, away->count);
	ck_assert_uint_eq(native->used, away->used);
	for (size_t i = 0; i < native->used; i++)
		ck_assert_msg(native->bytes[i] == away->bytes[i],
			      "notes differ at byte %zu of %zu: native %02x (%lld), away %02x (%lld)",
			      i, native->used, native->bytes[i], (long long)*(int64_t *)(native->bytes + i / 8 * 8),
			      away->bytes[i], (long long)*(int64_t *)(away->bytes + i / 8 * 8));
	free(native);
	free(away);
}

int64_t pair_native(long nr, const uint64_t arg[6])
{
	return core_syscall6(nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

static void *region(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ck_assert_ptr_ne(at, MAP_FAILED);
	return at;
}

uint8_t *pair_edge(void)
{
	uint8_t *pages = region(3 * 4096);

	ck_assert_int_eq(mprotect(pages + 4096, 8192, PROT_NONE), 0);
	return pages + 4096;
}

static void keep(const struct mosix_frame *f, const uint8_t *payload)
{
	struct pair_request *r = &corpus[corpus_size];

	if (corpus_size == CORPUS || f->length > 65536)
		return;
	r->frame = *f;
	r->payload = malloc(f->length + 1);
	memcpy(r->payload, payload, f->length);
	corpus_size++;
}

size_t pair_corpus(const struct pair_request **ret)
{
	*ret = corpus;
	return corpus_size;
}

static int is_pointer(const struct call_arg *a)
{
	return a->kind != ARG_NONE && a->kind != ARG_VALUE && a->kind != ARG_FD;
}

int64_t pair_away(long nr, const uint64_t arg[6])
{
	static uint8_t *payload, *scratch, *bad;
	const struct call *c = call_find((uint64_t)nr, arg);
	struct mosix_frame f = { .nr = (int32_t)nr }, reply = { .type = MOSIX_REPLY };
	struct deputy_call dc = { .nr = (uint64_t)nr, .capacity = MARSHAL_ROOM, .fd_low = pair_fd_low, .fd_high = pair_fd_high };
	int64_t result;
	uint32_t length, there;
	uint8_t *start;
	int error;

	if (payload == NULL) {
		payload = region(MOSIX_PAYLOAD_MAX);
		scratch = region(MOSIX_PAYLOAD_MAX);
		bad = pair_edge();
	}
	memset(payload, 0x5a, 4096);
	memset(scratch, 0xa5, 8192);
	dc.scratch = scratch + 4096;	/* a reply can begin before it */
	dc.bad = (uint64_t)bad;
	ck_assert_msg(c->where == CALL_HOME, "%s is not HOME", c->name);
	error = gate_pack(c, arg, &f, payload, MOSIX_PAYLOAD_MAX - 4096);
	if (error == -E2BIG)
		return GO_HOME;
	ck_assert_int_eq(error, 0);
	keep(&f, payload);
	ck_assert_ptr_eq(call_find((uint64_t)nr, f.arg), c);
	error = deputy_unpack(c, &f, payload, &dc);
	ck_assert_msg(error != -EBADMSG, "%s: the deputy finds the gate's own request malformed", c->name);
	for (int i = 0; i < 6 && error == 0; i++)
		if (is_pointer(&c->arg[i])) {
			uint8_t *at = (uint8_t *)dc.arg[i];

			ck_assert_msg(!at || at == bad || (at >= payload && at < payload + MOSIX_PAYLOAD_MAX) ||
				      (at >= dc.scratch && at < dc.scratch + MARSHAL_ROOM),
				      "%s: argument %d is not the deputy's", c->name, i);
		}
	result = error ? error : pair_native(nr, dc.arg);
	ck_assert_int_eq(deputy_pack(c, &dc, result, payload + 128, &length), 0);
	there = deputy_pack_there(c, &dc, result, &start);
	ck_assert_msg(there != 0 || result <= 0 || (nr != SYS_read && nr != SYS_pread64), "what is read is copied");
	if (there != 0) {
		ck_assert_uint_eq(there, length);
		ck_assert_mem_eq(start, payload + 128, length);
	}
	reply.arg[0] = (uint64_t)result;
	return gate_unpack(c, arg, &reply, payload + 128, length);
}
