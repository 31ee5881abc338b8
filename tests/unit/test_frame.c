/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames and messages. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/frame.h"
#include "common/msg.h"

static const struct { const char *bytes; size_t size; int result; } frames[] = {
#define F(text, result) { text, sizeof(text) - 1, result }
	F("\x80",                                         0),		/* {} */
	F("\x81\xa1t\xa1x",                               0),
	F("\x81\xa1t\x81\xa1u\x93\x01\xc0\xc3",           0),
	F("",                                             -EPROTO),
	F("\x90",                                         -EPROTO),	/* no map */
	F("\xc0",                                         -EPROTO),
	F("\x80\x80",                                     -EPROTO),	/* more than one */
	F("\x81\xa1t",                                    -EPROTO),	/* no value */
	F("\x81\x01\x01",                                 -EPROTO),	/* the key is no text */
	F("\x81\xa1t\xa5x",                               -EPROTO),	/* text ends early */
	F("\x81\xa1t\xdb\xff\xff\xff\xff",                -EPROTO),
	F("\x81\xa1t\xc6\xff\xff\xff\xff",                -EPROTO),
	F("\x81\xa1t\xdd\xff\xff\xff\xff",                -EPROTO),	/* an array of 4 G */
	F("\x81\xa1t\xdf\xff\xff\xff\xff",                -EPROTO),
	F("\xdf\x80\x00\x00\x00",                         -EPROTO),
	F("\x81\xa1t\xc1",                                -EPROTO),	/* never used */
	F("\x81\xa1t\xd4\x01\x01",                        -EPROTO),	/* an extension */
	F("\x81\xa1t\xcf\x01",                            -EPROTO),
	F("\x81\xa1t\x91\x91\x91\x91\x91\x91\x90",        0),
	F("\x81\xa1t\x91\x91\x91\x91\x91\x91\x91\x91\x90", -EPROTO),	/* too deep */
#undef F
};

START_TEST(frame_proves_its_bytes)
{
	msgpack_unpacked message;

	ck_assert_int_eq(frame_check(frames[_i].bytes, frames[_i].size), frames[_i].result);
	ck_assert_int_eq(frame_unpack(frames[_i].bytes, frames[_i].size, &message), frames[_i].result);
	if (!frames[_i].result)
		msgpack_unpacked_destroy(&message);
}
END_TEST

START_TEST(frame_survives_garbage)
{
	uint8_t bytes[64];
	unsigned seed = 1;

	for (int round = 0; round < 200000; round++) {
		size_t size = (size_t)rand_r(&seed) % sizeof(bytes);
		msgpack_unpacked message;

		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)rand_r(&seed);
		if (size)
			bytes[0] = 0x81 + bytes[0] % 3;
		if (frame_unpack(bytes, size, &message) == 0)
			msgpack_unpacked_destroy(&message);
	}
}
END_TEST

START_TEST(frame_too_long)
{
	const uint8_t head[4] = { 1, 0, 0x10, 0 };	/* FRAME_MAX + 1 */
	msgpack_unpacked message;
	struct frame_buffer b;

	frame_buffer_init(&b);
	ck_assert_int_eq(frame_push(&b, head, sizeof(head)), 0);
	ck_assert_int_eq(frame_next(&b, &message), -EMSGSIZE);
	frame_buffer_free(&b);
}
END_TEST

/* Two frames byte by byte: each comes out once, when its last byte is in. */
START_TEST(frame_by_bytes)
{
	struct frame_buffer b;
	msgpack_unpacked message;
	unsigned got = 0;
	uint8_t bytes[256];
	size_t fill = 0;

	for (unsigned i = 0; i < 2; i++) {
		const void *data;
		struct msg m;
		size_t size;

		msg_begin(&m, i ? "two" : "one");
		msg_add_uint(&m, "n", i);
		ck_assert_int_eq(msg_finish(&m, &data, &size), 0);
		memcpy(bytes + fill, &(uint32_t){ (uint32_t)size }, 4);
		memcpy(bytes + fill + 4, data, size);
		fill += 4 + size;
		msg_free(&m);
	}
	frame_buffer_init(&b);
	for (size_t i = 0; i < fill; i++) {
		int r;

		ck_assert_int_eq(frame_push(&b, bytes + i, 1), 0);
		while ((r = frame_next(&b, &message)) == 1) {
			uint64_t n = 99;

			ck_assert(msg_is(&message.data, got ? "two" : "one"));
			ck_assert_int_eq(msg_get_uint(&message.data, "n", &n), 0);
			ck_assert_uint_eq(n, got++);
			msgpack_unpacked_destroy(&message);
		}
		ck_assert_int_eq(r, 0);
	}
	ck_assert_uint_eq(got, 2);
	frame_buffer_free(&b);
}
END_TEST

START_TEST(msg_there_and_back)
{
	msgpack_unpacked message;
	const msgpack_object *items, *map;
	const void *data, *bin;
	uint64_t u = 5;
	uint32_t count, small = 5;
	int64_t i = 5;
	size_t size, bin_size;
	char text[8] = "old";
	bool b = false;
	struct msg m;

	msg_begin(&m, "test");
	msg_add_uint(&m, "u", UINT64_MAX);
	msg_add_int(&m, "i", -7);
	msg_add_bool(&m, "b", true);
	msg_add_str(&m, "s", "seven77");
	msg_add_str(&m, "s8", "eight888");
	msg_add_bin(&m, "x", "\0\1", 2);
	msg_open_array(&m, "a");
	msg_add_uint(&m, NULL, 1);
	msg_open_map(&m, NULL);
	msg_add_str(&m, "in", "side");
	msg_close(&m);
	msg_close(&m);
	ck_assert_int_eq(msg_finish(&m, &data, &size), 0);
	ck_assert_int_eq(frame_unpack(data, size, &message), 0);
	msg_free(&m);
	msg_free(&m);
	map = &message.data;
	ck_assert(msg_is(map, "test") && !msg_is(map, "tes") && !msg_is(map, "test1"));
	ck_assert_int_eq(msg_get_uint(map, "u", &u), 0);
	ck_assert_uint_eq(u, UINT64_MAX);
	ck_assert_int_eq(msg_get_u32(map, "u", &small), -EPROTO);
	ck_assert_int_eq(msg_get_int(map, "u", &i), -EPROTO);
	ck_assert_int_eq(i, 5);
	ck_assert_int_eq(msg_get_int(map, "i", &i), 0);
	ck_assert_int_eq(i, -7);
	ck_assert_int_eq(msg_get_uint(map, "i", &u), -EPROTO);
	ck_assert_int_eq(msg_get_uint(map, "none", &u), -ENOENT);
	ck_assert_int_eq(msg_get_bool(map, "b", &b), 0);
	ck_assert(b);
	ck_assert_int_eq(msg_get_str(map, "s8", text, sizeof(text)), -EMSGSIZE);
	ck_assert_str_eq(text, "old");
	ck_assert_int_eq(msg_get_str(map, "x", text, sizeof(text)), -EPROTO);
	ck_assert_int_eq(msg_get_str(map, "s", text, sizeof(text)), 0);
	ck_assert_str_eq(text, "seven77");
	ck_assert_int_eq(msg_get_bin(map, "x", &bin, &bin_size), 0);
	ck_assert_mem_eq(bin, "\0\1", 2);
	ck_assert_int_eq(msg_get_array(map, "s", &items, &count), -EPROTO);
	ck_assert_int_eq(msg_get_array(map, "a", &items, &count), 0);
	ck_assert_uint_eq(count, 2);
	ck_assert_int_eq(msg_get_str(&items[1], "in", text, sizeof(text)), 0);
	ck_assert_str_eq(text, "side");
	ck_assert_int_eq(msg_get_str(&items[0], "in", text, sizeof(text)), -ENOENT);
	msgpack_unpacked_destroy(&message);
}
END_TEST

START_TEST(msg_text_with_nul)
{
	msgpack_unpacked message;
	char text[8] = "old";

	ck_assert_int_eq(frame_unpack("\x81\xa1s\xa3x\0y", 7, &message), 0);
	ck_assert_int_eq(msg_get_str(&message.data, "s", text, sizeof(text)), -EPROTO);
	ck_assert_str_eq(text, "old");
	msgpack_unpacked_destroy(&message);
}
END_TEST

START_TEST(frame_over_descriptors)
{
	msgpack_unpacked message;
	const void *data;
	struct msg m;
	size_t size;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(frame_read_fd(pair[1], &message, 10), -ETIMEDOUT);
	msg_begin(&m, "hello");
	ck_assert_int_eq(msg_finish(&m, &data, &size), 0);
	ck_assert_int_eq(frame_write_fd(pair[0], data, size, 1000), 0);
	msg_free(&m);
	close(pair[0]);
	ck_assert_int_eq(frame_read_fd(pair[1], &message, 1000), 0);
	ck_assert(msg_is(&message.data, "hello"));
	msgpack_unpacked_destroy(&message);
	ck_assert_int_eq(frame_read_fd(pair[1], &message, 1000), -ECONNRESET);
	close(pair[1]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("frame");
	TCase *t = tcase_create("frame");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, frame_proves_its_bytes, 0, sizeof(frames) / sizeof(frames[0]));
	tcase_add_test(t, frame_survives_garbage);
	tcase_add_test(t, frame_too_long);
	tcase_add_test(t, frame_by_bytes);
	tcase_add_test(t, msg_there_and_back);
	tcase_add_test(t, msg_text_with_nul);
	tcase_add_test(t, frame_over_descriptors);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
