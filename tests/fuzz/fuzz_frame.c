/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames and messages by themselves: bytes in pieces, as every stream socket gives them, and each way of looking into a map. */
#include <stdlib.h>
#include <string.h>

#include "common/frame.h"
#include "common/msg.h"
#include "tests/fuzz/mutate.h"

const struct fuzz_driver fuzz_driver = { .name = "frame", .rounds = 60000, .msgpack = true };

static void seed(struct msg *m, unsigned times)
{
	static uint8_t frame[FUZZ_MOST];
	const void *data;
	size_t size, at = 0;

	FUZZ_MUST(msg_finish(m, &data, &size) == 0);
	frame[at++] = 7;	/* bytes a piece */
	while (times--) {
		uint32_t length = (uint32_t)size;

		memcpy(frame + at, &length, 4);
		memcpy(frame + at + 4, data, size);
		at += 4 + size;
	}
	fuzz_seed(frame, at);
	msg_free(m);
}

void fuzz_begin(void)
{
	struct msg m;

	msg_begin(&m, "ping");
	msg_add_uint(&m, "id", 7);
	seed(&m, 3);
	msg_begin(&m, "offer");
	msg_add_uint(&m, "n", UINT64_MAX);
	msg_add_int(&m, "i", INT64_MIN);
	msg_add_bool(&m, "b", true);
	msg_add_str(&m, "s", "a text");
	msg_add_bin(&m, "x", "\0\1\2", 3);
	msg_open_array(&m, "a");
	for (unsigned i = 0; i < 20; i++)
		msg_add_uint(&m, NULL, i);
	msg_open_array(&m, NULL);
	msg_add_str(&m, NULL, "inner");
	msg_close(&m);
	msg_close(&m);
	msg_open_map(&m, "m");
	msg_add_str(&m, "t", "inner");
	seed(&m, 1);
	fuzz_seed("\x01\x01\x00\x10\x00", 5);
	fuzz_seed("\x00\x05\x00\x00\x00\x81\xa1t\xdd\xff\xff\xff\xff", 13);
}

static void look(const msgpack_object *map)
{
	static const char *const keys[] = { "t", "id", "n", "i", "b", "s", "x", "a", "m" };
	const msgpack_object *items, *inner;
	uint32_t count, small;
	const void *bytes;
	char text[8];
	uint64_t u;
	int64_t n;
	size_t size;
	bool b;

	FUZZ_MUST(map->type == MSGPACK_OBJECT_MAP);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		msg_get_uint(map, keys[i], &u);
		msg_get_u32(map, keys[i], &small);
		msg_get_int(map, keys[i], &n);
		msg_get_bool(map, keys[i], &b);
		if (msg_get_str(map, keys[i], text, sizeof(text)) == 0)
			FUZZ_MUST(strlen(text) < sizeof(text));
		if (msg_get_bin(map, keys[i], &bytes, &size) == 0 && size)
			FUZZ_MUST(((const volatile uint8_t *)bytes)[size - 1] <= 255);
		if (msg_get_map(map, keys[i], &inner) == 0)
			msg_is(inner, "inner");
		if (msg_get_array(map, keys[i], &items, &count) == 0)
			for (uint32_t k = 0; k < count; k++) {
				msg_item_uint(&items[k], &u);
				msg_item_str(&items[k], text, sizeof(text));
				msg_item_bin(&items[k], &bytes, &size);
			}
	}
}

void fuzz_one(const uint8_t *data, size_t size)
{
	size_t piece = size ? data[0] + 1u : 1, at = 1;
	struct frame_buffer buffer;
	int r = 0;

	frame_buffer_init(&buffer);
	for (; at < size && r >= 0; at += piece) {
		msgpack_unpacked message;

		if (frame_push(&buffer, data + at, piece < size - at ? piece : size - at) < 0)
			break;
		while ((r = frame_next(&buffer, &message)) > 0) {
			look(&message.data);
			msgpack_unpacked_destroy(&message);
		}
		FUZZ_MUST(buffer.fill - buffer.taken <= FRAME_MAX + 4 + 256);
	}
	frame_buffer_free(&buffer);
}
