/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What remoted reads behind its door: messages of a session, channel hellos, an image on the page channel, the answer of a
 * loader. All of remoted is real but TLS, the cage and the filter. Streams of a script:
 *   0  a message of the session         3  bytes for the page channel
 *   1  raw bytes of the session         4  the loader's answer
 *   2  a new channel, from its hello    5  a new connection for a channel through TLS, from its hello
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <mosix/plan.h>
#include <mosix/reason.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/relay.h"
#include "remoted/guest.h"
#include "remoted/home.h"
#include "remoted/node.h"
#include "remoted/visitor.h"
#include "tests/fuzz/cage_double.h"
#include "tests/fuzz/image.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/plain_tls.h"

#define PID       4711
#define TURNS     3
#define CHANNELS  16

enum { MESSAGE, RAW, CHANNEL, PAGE, LOADER, RELAY, STREAMS };

static void settle(void);

const struct fuzz_driver fuzz_driver = { .name = "remoted", .rounds = 5000, .script = true, .msgpack = true, .settle = settle };

static uv_loop_t loop;
static struct node node = { .loop = &loop, .name = "n2", .trusted_network = true };
static int far[CHANNELS], far_count, page = -1, session = -1;

/* ---- seeds ---- */

static void add(struct msg *m)
{
	const void *data;
	size_t size;

	FUZZ_MUST(msg_finish(m, &data, &size) == 0);
	fuzz_record(MESSAGE, data, size);
	msg_free(m);
}

static void hello(void)
{
	struct msg m;

	msg_begin(&m, "hello");
	msg_add_str(&m, "node", "n1");
	msg_add_uint(&m, "v", MOSIX_PROTOCOL);
	add(&m);
}

static void offer(unsigned files, unsigned channels)
{
	static const uint8_t token[MOSIX_TOKEN_SIZE] = "a token of thirty-two letters 12";
	uint8_t digest[DIGEST_SIZE];
	struct msg m;

	msg_begin(&m, "offer");
	msg_add_uint(&m, "id", 1);
	msg_add_uint(&m, "pid", PID);
	msg_add_uint(&m, "epoch", 1);
	msg_add_bin(&m, "token", token, sizeof(token));
	msg_add_uint(&m, "uid", 1000);
	msg_add_str(&m, "comm", "fuzz");
	msg_add_uint(&m, "mono", 1000000000);
	msg_add_uint(&m, "boot", 1000000000);
	msg_add_str(&m, "kernel", "");
	msg_add_int(&m, "mono_ahead", -1000);
	msg_add_int(&m, "boot_ahead", 1000);
	msg_add_bin(&m, "cpu", &node.machine.features, sizeof(node.machine.features));
	msg_add_uint(&m, "bytes", 1 << 20);
	msg_add_uint(&m, "stack", 8 << 20);
	msg_add_uint(&m, "channels", channels);
	msg_open_array(&m, "files");
	for (unsigned i = 0; i < files; i++) {
		char text = (char)('a' + i);

		digest_bytes(&text, 1, digest);
		msg_open_array(&m, NULL);
		msg_add_str(&m, NULL, i ? "/dev/null" : "/nowhere/a/file");
		msg_add_uint(&m, NULL, 1);
		msg_add_bin(&m, NULL, digest, sizeof(digest));
		msg_close(&m);
	}
	add(&m);
}

static void content(unsigned file, const char *data, bool last)
{
	struct msg m;

	msg_begin(&m, "content");
	msg_add_uint(&m, "id", 1);
	msg_add_uint(&m, "file", file);
	msg_add_uint(&m, "off", 0);
	msg_add_bin(&m, "data", data, strlen(data));
	msg_add_bool(&m, "last", last);
	add(&m);
}

static void about_guest(const char *type, unsigned sig)
{
	struct msg m;

	msg_begin(&m, type);
	msg_add_uint(&m, "pid", PID);
	msg_add_uint(&m, "epoch", 1);
	if (sig)
		msg_add_uint(&m, "sig", sig);
	add(&m);
}

static void look(void)
{
	struct msg m;

	msg_begin(&m, "stack");
	msg_add_uint(&m, "id", 9);
	msg_add_uint(&m, "pid", PID);
	msg_add_uint(&m, "epoch", 1);
	add(&m);
}

static void channels(uint8_t stream, unsigned count)
{
	struct mosix_channel_hello h = { MOSIX_HELLO_MAGIC, MOSIX_PROTOCOL, 0, PID, "a token of thirty-two letters 1" };

	h.token[31] = '2';
	for (h.channel = 0; h.channel < count; h.channel++)
		fuzz_record(stream, &h, sizeof(h));
}

static void image(uint32_t files, uint64_t clock)
{
	struct image im;

	image_make(&im, PID, 1);
	im.m.monotonic_ns = im.m.boottime_ns = clock;
	for (unsigned i = 0; !files && i < IMAGE_MAPPINGS; i++)
		if (im.map[i].flags & MOSIX_MAP_FILE)
			im.map[i].file = MOSIX_NO_FILE;
	fuzz_record(PAGE, &im, sizeof(im.m));
	fuzz_record(PAGE, im.xsave, sizeof(im) - sizeof(im.m));
}

static void answer(uint32_t reason, int32_t error, uint64_t detail)
{
	const struct mosix_plan_failure failure = { reason, error, detail };

	fuzz_record(LOADER, &failure, sizeof(failure));
}

static void make_seeds(void)
{
	struct msg m;

	hello();
	offer(2, 6);
	content(0, "a", true);
	content(1, "b", true);
	channels(CHANNEL, 6);
	image(2, 1000);
	answer(0, 0, 0);
	about_guest("signal", 19);
	about_guest("cancel", 0);
	fuzz_seed_script();

	hello();
	offer(0, 4);
	channels(RELAY, 4);
	image(0, 1000);
	answer(MOSIX_WHY_LOADER, 12, 0x7000);
	fuzz_seed_script();

	hello();
	offer(0, 4);
	channels(CHANNEL, 4);
	image(0, 1000);
	answer(MOSIX_WHY_BAD_IMAGE, INT32_MIN, 0);
	about_guest("cancel", 0);
	offer(1, 3);
	content(0, "x", true);
	fuzz_seed_script();

	hello();
	offer(0, MOSIX_CHANNELS_MAX + 1);
	offer(0, 4);
	channels(CHANNEL, 5);
	image(0, 1ull << 63);
	fuzz_seed_script();

	hello();
	msg_begin(&m, "ping");
	msg_add_uint(&m, "id", 1);
	add(&m);
	fuzz_record(RAW, "\xff\xff\xff\x7f", 4);
	fuzz_seed_script();

	hello();
	offer(0, 4);
	channels(CHANNEL, 4);
	image(0, 3);
	answer(0, 0, 0);
	look();
	look();
	fuzz_seed_script();
}

/* ---- one input ---- */

static void turn(void)
{
	for (unsigned i = 0; i < TURNS; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
}

static void swallow(int fd)
{
	uint8_t data[4096];

	while (fd >= 0 && recv(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
}

static void say(int fd, const void *data, size_t size)
{
	if (fd >= 0 && size)
		send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int arrive(enum tls_role role)
{
	int pair[2];

	FUZZ_MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	plain_tls_client = role;
	visitor_accept(&node, pair[1]);
	return pair[0];
}

static void keep(int fd, const struct fuzz_record *r)
{
	if (far_count == CHANNELS) {
		close(fd);
		return;
	}
	far[far_count++] = fd;
	if (r->size > 10 && r->data[10] == MOSIX_CHANNEL_PAGE)
		page = fd;
}

static void channel(const struct fuzz_record *r)
{
	struct mosix_channel_hello h = { 0 };
	int pair[2];

	memcpy(&h, r->data, r->size < sizeof(h) ? r->size : sizeof(h));
	FUZZ_MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	if (!guest_link(&node, pair[1], &h)) {
		close(pair[1]);
		close(pair[0]);
	} else {
		keep(pair[0], r);
	}
}

static void take(const struct fuzz_record *r)
{
	const uint32_t length = r->size;

	switch (r->stream % STREAMS) {
	case MESSAGE:
		say(session, &length, sizeof(length));
		say(session, r->data, r->size);
		break;
	case RAW:
		say(session, r->data, r->size);
		break;
	case CHANNEL:
		channel(r);
		break;
	case PAGE:
		say(page, r->data, r->size);
		break;
	case LOADER:
		say(cage_double_loader, r->data, r->size);
		break;
	case RELAY: {
		int fd = arrive(TLS_CHANNEL);

		say(fd, r->data, r->size);
		keep(fd, r);
		break;
	}
	}
}

static void settle(void)
{
	for (unsigned i = 0; i < 20; i++)
		turn();
}

static void leave(void)
{
	close(session);
	while (far_count)
		close(far[--far_count]);
	page = -1;
	turn();
	if (cage_double_loader >= 0)
		close(cage_double_loader);
	cage_double_loader = -1;
	turn();
	while (!LIST_EMPTY(&node.visitors))
		visitor_end(LIST_FIRST(&node.visitors));
	while (!LIST_EMPTY(&node.homes))
		home_end(LIST_FIRST(&node.homes));
	turn();
	/* each input finds it empty */
	cache_free(node.cache);
	node.cache = cache_new(64 << 20, 16);
	FUZZ_MUST(node.cache);
}

void fuzz_begin(void)
{
	log_set_level(LOG_LEVEL_ERROR);
	log_open("fuzz", NULL);	/* MOSIX_LOG=debug shows how far an input gets */
	FUZZ_MUST(uv_loop_init(&loop) == 0);
	memset(&node.key, 7, sizeof(node.key));
	cpu_read(&node.machine.features);
	node.machine.cpus = 2;
	node.machine.pid_max = 4194304;
	node.machine.descriptors = 4096;
	node.machine.mem_total = machine_available();
	FUZZ_MUST(node_start(&node) == 0);
	make_seeds();
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_record r;

	session = arrive(TLS_SESSION);
	while (fuzz_next(&data, &size, &r)) {
		take(&r);
		turn();
		swallow(session);
		for (int i = 0; i < far_count; i++)
			swallow(far[i]);
	}
	FUZZ_MUST(node_guests(&node) <= 64);
	leave();
	FUZZ_MUST(LIST_EMPTY(&node.homes) && LIST_EMPTY(&node.visitors));
}
