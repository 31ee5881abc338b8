/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What homed reads: messages of a node, requests of tools, words of a process, registrations. All of homed is real but TLS and
 * what homed_double.c stands in for; the one process is this program itself. Streams of a script:
 *   0  a message of the node        4  a word of the process, with the right magic, version and pid
 *   1  raw bytes of the node        5  raw bytes to orders
 *   2  a request of a tool          6  a registration, with the right magic, version and pid
 *   3  raw bytes of a tool          7  a raw datagram to register
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <mosix/order.h>
#include <mosix/paths.h>
#include <mosix/wire.h>

#include "common/frame.h"
#include "common/log.h"
#include "common/relay.h"
#include "common/runtime.h"
#include "homed/book.h"
#include "homed/control.h"
#include "homed/ending.h"
#include "homed/move.h"
#include "homed/orders.h"
#include "homed/past.h"
#include "homed/place.h"
#include "homed/register.h"
#include "homed/stops.h"
#include "tests/fuzz/homed_double.h"
#include "tests/fuzz/mutate.h"

#define TOOLS 16
#define FAR   1024
#define THREADS 300	/* more channels than one packet of orders can carry */

enum { MESSAGE, RAW, REQUEST, RAW_REQUEST, WORD, RAW_WORD, REGISTER, RAW_REGISTER, STREAMS };
enum { MARK_PID, MARK_EPOCH, MARK_ID, MARKS };

static void settle(void);

const struct fuzz_driver fuzz_driver = { .name = "homed", .rounds = 1500, .script = true, .msgpack = true, .settle = settle };

static uv_loop_t loop;
static struct homed homed = { .loop = &loop };
static struct process *process;
static struct node *node;
static int listener, session = -1, orders = -1, far[FAR], tool[TOOLS];
static unsigned far_count, tool_count;
static char directory[64];

/* ---- seeds ---- */

static void add(uint8_t stream, struct msg *m)
{
	const void *data;
	size_t size;

	FUZZ_MUST(msg_finish(m, &data, &size) == 0);
	fuzz_record(stream, data, size);
	msg_free(m);
}

static void hello(void)
{
	struct msg m;

	msg_begin(&m, "hello");
	msg_add_str(&m, "node", "n2");
	msg_add_uint(&m, "v", MOSIX_PROTOCOL);
	msg_add_uint(&m, "cpus", 2);
	msg_add_uint(&m, "guests", 0);
	msg_add_uint(&m, "load", 100);
	msg_add_uint(&m, "pid_max", 4194304);
	msg_add_uint(&m, "mem_total", 1 << 30);
	msg_add_uint(&m, "mem_free", 1 << 30);
	msg_add_uint(&m, "mono", 1000);
	msg_add_uint(&m, "boot", 1000);
	msg_add_str(&m, "lacks", "");
	add(MESSAGE, &m);
}

static void about_move(const char *type)
{
	struct msg m;

	msg_begin(&m, type);
	msg_add_uint(&m, "id", FUZZ_MARK + MARK_ID);
	add(MESSAGE, &m);
}

static void need(unsigned files)
{
	struct msg m;

	msg_begin(&m, "need");
	msg_add_uint(&m, "id", FUZZ_MARK + MARK_ID);
	msg_open_array(&m, "files");
	for (unsigned i = 0; i < files; i++)
		msg_add_uint(&m, NULL, i);
	add(MESSAGE, &m);
}

static void news(const char *type, uint32_t reason, const char *text)
{
	struct msg m;

	msg_begin(&m, type);
	msg_add_uint(&m, "id", FUZZ_MARK + MARK_ID);
	msg_add_uint(&m, "pid", FUZZ_MARK + MARK_PID);
	msg_add_uint(&m, "epoch", FUZZ_MARK + MARK_EPOCH);
	msg_add_int(&m, "status", 9);
	msg_add_uint(&m, "reason", reason);
	msg_add_int(&m, "detail", -12);
	msg_add_str(&m, "text", text);
	add(MESSAGE, &m);
}

static void request(const char *type, const char *where)
{
	struct msg m;

	msg_begin(&m, type);
	if (where) {
		msg_add_uint(&m, "pid", FUZZ_MARK + MARK_PID);
		msg_add_str(&m, "node", where);
		msg_add_bool(&m, "wait", true);
		msg_add_bool(&m, "stay", false);
		msg_add_bool(&m, "noauto", true);
	}
	add(REQUEST, &m);
}

/* What follows pid in a word: stream 4 brings the rest. */
static void word(uint32_t kind, uint32_t state, uint32_t reason)
{
	const struct mosix_word w = { .kind = kind, .state = state, .reason = reason, .pages = 5, .bytes = 20480 };

	fuzz_record(WORD, &w.kind, sizeof(w) - offsetof(struct mosix_word, kind));
}

static void piece(size_t more)
{
	struct { struct mosix_word word; uint8_t more[64]; } w = { { .kind = MOSIX_WORD_STACK }, "a piece of a snapshot" };

	fuzz_record(WORD, &w.word.kind, sizeof(w.word) - offsetof(struct mosix_word, kind) + more);
}

static void stacked(bool last)
{
	struct msg m;

	msg_begin(&m, "stacked");
	msg_add_uint(&m, "id", FUZZ_MARK + MARK_ID);
	msg_add_bin(&m, "data", "a part of a snapshot", 20);
	msg_add_bool(&m, "last", last);
	add(MESSAGE, &m);
}

static void registration(void)
{
	const struct mosix_register r = { .secret = 0x1234567, .arena = 0x7000000000 };

	fuzz_record(REGISTER, &r.flags, sizeof(r) - offsetof(struct mosix_register, flags));
}

static void make_seeds(void)
{
	static const char *const requests[] = { "status", "nodes", "ps", "block", "unblock", "stop", "none" };
	struct msg m;

	/* there and back */
	hello();
	request("migrate", "n2");
	need(2);
	about_move("accept");
	about_move("linked");
	word(MOSIX_WORD_HERE, 0, 0);
	word(MOSIX_WORD_MOVED, 0, 0);
	request("migrate", "home");
	word(MOSIX_WORD_HERE, 1, 0);
	word(MOSIX_WORD_HOME, 0, 0);
	fuzz_seed_script();

	hello();
	request("migrate", "best");
	about_move("accept");
	about_move("linked");
	word(MOSIX_WORD_HERE, 0, 0);
	word(MOSIX_WORD_REFUSED, 0, MOSIX_WHY_LOADER);
	news("ended", MOSIX_WHY_LOADER, "a text");
	request("migrate", "n2");
	news("refuse", MOSIX_WHY_PID_TAKEN, "");
	news("refuse", MOSIX_WHY_NO_MEMORY, "it needs more");
	fuzz_seed_script();

	hello();
	request("migrate", "n2");
	about_move("accept");
	about_move("linked");
	word(MOSIX_WORD_HERE, 0, 0);
	word(MOSIX_WORD_MOVED, 0, 0);
	news("ended", 0, "");
	word(MOSIX_WORD_LOST, 1, MOSIX_WHY_NODE_GONE);
	registration();
	request("why", "");
	request("place", "n2");
	registration();
	fuzz_seed_script();

	hello();
	request("stack", "");
	word(MOSIX_WORD_HERE, 0, 0);
	piece(32);
	piece(64);
	piece(0);
	request("migrate", "n2");
	about_move("accept");
	about_move("linked");
	word(MOSIX_WORD_HERE, 0, 0);
	word(MOSIX_WORD_MOVED, 0, 0);
	request("stack", "");
	stacked(false);
	stacked(true);
	request("stack", "");
	word(MOSIX_WORD_HOME, 0, 0);
	word(MOSIX_WORD_HERE, 1, 0);
	fuzz_seed_script();

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		request(requests[i], NULL);
	request("why", "");
	fuzz_record(RAW_REQUEST, "\x05\x00\x00\x00\xdf\xff\xff\xff\xff", 9);
	fuzz_record(RAW_WORD, "1mso", 4);
	fuzz_record(RAW_REGISTER, "1mso\x01\x00\x00\x00", 8);
	fuzz_record(RAW, "\xff\xff\xff\xff", 4);
	fuzz_seed_script();

	hello();
	msg_begin(&m, "pong");
	msg_add_uint(&m, "id", 1);
	msg_add_uint(&m, "guests", 3);
	msg_add_uint(&m, "mono", UINT64_MAX);
	msg_add_uint(&m, "boot", 0);
	add(MESSAGE, &m);
	fuzz_seed_script();
}

/* ---- turns ---- */

static bool swallow(int fd)
{
	static uint8_t data[1 << 16];
	bool any = false;

	while (fd >= 0 && recv(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		any = true;
	return any;
}

/* One packet of homed's to the process: its length, 0 there is none. Counts and closes the descriptors that came with it. */
static size_t hear_packet(struct mosix_order *order, unsigned *fds)
{
	union { struct cmsghdr head; char space[CMSG_SPACE(MOSIX_ORDER_BATCH * sizeof(int))]; } control;
	struct iovec iov = { order, sizeof(*order) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(orders, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	if (n <= 0)
		return 0;
	FUZZ_MUST(!(msg.msg_flags & MSG_CTRUNC));
	for (unsigned i = 0; c && i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++, (*fds)++)
		close(((int *)CMSG_DATA(c))[i]);
	return (size_t)n;
}

/* As the core: an order to leave comes with all its channels, in as many packets as they need. */
static bool hear_orders(void)
{
	struct mosix_order order, rest;
	unsigned fds = 0, before;

	if (orders < 0 || !hear_packet(&order, &fds))
		return false;
	FUZZ_MUST(order.kind == MOSIX_ORDER_LEAVE ? order.channels >= MOSIX_CHANNELS && order.channels <= MOSIX_CHANNELS_MAX :
						    order.channels == 0 && fds == 0);
	while (fds < order.channels) {
		before = fds;
		FUZZ_MUST(before % MOSIX_ORDER_BATCH == 0 && hear_packet(&rest, &fds) == 1 && fds > before);
	}
	FUZZ_MUST(fds == order.channels);
	return true;
}

/* Until nothing comes of it any more. What is done in libuv's pool comes back when it is done. */
static void turn(void)
{
	int fd;

	for (unsigned quiet = 0, i = 0; quiet < 4 && i < 200; quiet++, i++) {
		bool busy = process->move && process->move->state == MOVE_CHECKING;

		uv_run(&loop, busy ? UV_RUN_ONCE : UV_RUN_NOWAIT);
		if (!node->session)
			uv_timer_stop(&node->timer);	/* arrive() connects again */
		while (far_count < FAR && (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
			far[far_count++] = fd;
			busy = true;
		}
		busy |= swallow(session);
		busy |= hear_orders();
		if (busy)
			quiet = 0;
	}
}

static void settle(void)
{
	for (unsigned i = 0; i < 50; i++)
		turn();
}

static void arrive(void)
{
	FUZZ_MUST(!node->session);
	uv_timer_stop(&node->timer);
	node->timer.timer_cb(&node->timer);
	for (unsigned i = 0; i < 1000 && !far_count; i++)
		turn();
	FUZZ_MUST(far_count == 1);
	session = far[--far_count];
}

static void leave(void)
{
	close(session);
	session = -1;
	if (orders >= 0)
		close(orders);
	orders = -1;
	while (tool_count)
		close(tool[--tool_count]);
	for (unsigned i = 0; i < 1000 && (node->session || !i); i++)
		turn();
	FUZZ_MUST(!node->session);
	moves_process_ended(process);
	FUZZ_MUST(!process->move && !process->wish);
	if (process_away(process))
		process_set_where(process, "");
	process->stay = process->noauto = homed.blocked = false;
	turn();
	while (far_count)
		close(far[--far_count]);
	turn();
}

/* ---- one input ---- */

static void say_message(int fd, const uint8_t *data, size_t size)
{
	const uint32_t length = (uint32_t)size;

	if (fd >= 0 && send(fd, &length, sizeof(length), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int tool_comes(void)
{
	if (tool_count == TOOLS)
		close(tool[--tool_count]);
	FUZZ_MUST(runtime_connect(MOSIX_PATH_CONTROL, SOCK_STREAM | SOCK_CLOEXEC, &tool[tool_count]) == 0);
	return tool[tool_count++];
}

static void say_word(const uint8_t *data, size_t size, bool whole)
{
	struct { struct mosix_word word; uint8_t more[UINT16_MAX]; } w = {
		{ MOSIX_ORDER_MAGIC, MOSIX_ORDER_VERSION, .pid = (uint32_t)getpid() }, { 0 },
	};
	const size_t head = offsetof(struct mosix_word, kind);
	char byte;

	if (orders >= 0 && recv(orders, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0) {
		close(orders);
		orders = -1;
	}
	if (orders < 0)
		FUZZ_MUST(runtime_connect(MOSIX_PATH_ORDERS, SOCK_SEQPACKET | SOCK_CLOEXEC, &orders) == 0);
	if (whole) {
		send(orders, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		return;
	}
	memcpy((uint8_t *)&w + head, data, size);
	if (w.word.epoch == 0)
		w.word.epoch = process->epoch;
	size = size + head < sizeof(w.word) || w.word.kind != MOSIX_WORD_STACK ? sizeof(w.word) : size + head;
	send(orders, &w, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void say_register(const uint8_t *data, size_t size, bool whole)
{
	struct mosix_register r = { MOSIX_ORDER_MAGIC, MOSIX_ORDER_VERSION, .pid = (uint32_t)getpid() };
	const size_t head = offsetof(struct mosix_register, flags);
	int fd;

	FUZZ_MUST(runtime_connect(MOSIX_PATH_REGISTER, SOCK_DGRAM | SOCK_CLOEXEC, &fd) == 0);
	memcpy(&r.flags, data, size < sizeof(r) - head ? size : sizeof(r) - head);
	if (whole)
		send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		send(fd, &r, sizeof(r), MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void take(uint8_t stream, const uint8_t *data, size_t size)
{
	switch (stream % STREAMS) {
	case MESSAGE:
		say_message(session, data, size);
		break;
	case RAW:
		send(session, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case REQUEST:
		say_message(tool_comes(), data, size);
		break;
	case RAW_REQUEST:
		send(tool_comes(), data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case WORD:
	case RAW_WORD:
		say_word(data, size, stream % STREAMS == RAW_WORD);
		break;
	case REGISTER:
	case RAW_REGISTER:
		say_register(data, size, stream % STREAMS == RAW_REGISTER);
		break;
	}
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_record r;

	process->threads_most = size % 4 ? 0 : THREADS;
	arrive();
	while (fuzz_next(&data, &size, &r)) {
		const uint64_t value[MARKS] = {
			[MARK_PID] = (uint64_t)getpid(), [MARK_EPOCH] = process->epoch,
			[MARK_ID] = process->move ? process->move->id : 0,
		};
		uint8_t *filled = fuzz_fill_in(r.data, r.size, value, MARKS);

		take(r.stream, filled, r.size);
		free(filled);
		turn();
	}
	leave();
}

/* ---- making it ---- */

static void tidy(void)
{
	static const char *const names[] = { MOSIX_PATH_REGISTER, MOSIX_PATH_ORDERS, MOSIX_PATH_CONTROL, MOSIX_PATH_BOOK };
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		unlink(path);
	}
	rmdir(directory);
}

static void make_directory(void)
{
	const char *where = getenv("TMPDIR");

	snprintf(directory, sizeof(directory), "%.40s/fuzz-homed.XXXXXX", where && *where ? where : "/tmp");
	FUZZ_MUST(mkdtemp(directory));
	setenv("MOSIX_RUNTIME_DIR", directory, 1);
	atexit(tidy);
}

static void make_node(void)
{
	listener = homed_double_listen();
	FUZZ_MUST(listener >= 0);
	homed.conf.node = calloc(1, sizeof(*homed.conf.node));
	homed.conf.nodes = 1;
	strcpy(homed.conf.name, "n1");
	strcpy(homed.conf.node[0].name, "n2");
	strcpy(homed.conf.node[0].address.host, "127.0.0.1");
	homed.conf.node[0].address.port = 7000;
	homed.conf.trusted_network = true;
}

void fuzz_begin(void)
{
	log_set_level(LOG_LEVEL_ERROR);
	log_open("fuzz", NULL);
	make_directory();
	make_node();
	FUZZ_MUST(uv_loop_init(&loop) == 0);
	cpu_read(&homed.cpu);
	homed.digests = digest_cache_new(16);
	homed.processes = processes_new(&homed);
	homed.past = past_new();
	homed.places = places_new();
	homed.stops = stops_new(&homed);
	homed.relays = relays_new(&loop);
	homed.ending = ending_new(&homed);
	FUZZ_MUST(nodes_start(&homed, &homed.nodes) == 0 && processes_recall(&homed) == 0);
	FUZZ_MUST(orders_start(&homed, &homed.orders) == 0 && registrar_start(&homed, &homed.registrar) == 0);
	FUZZ_MUST(control_start(&homed, &homed.control) == 0);
	FUZZ_MUST(process_register(&homed, getpid(), 0x1234, 0x7000000000, &process) == 0);
	node = node_at(&homed, 0);
	make_seeds();
}
