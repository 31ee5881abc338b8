/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sessions: two ends in one loop, and a raw TLS client for what a session itself would never send. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mosix/wire.h>

#include "common/msg.h"
#include "common/session.h"
#include "common/tls.h"

struct end {
	struct session *session;
	const char *name;
	unsigned ups, messages, downs, drains;
	char node[SESSION_NODE_MAX];
	char type[32];
	uint64_t number, extra;
	size_t bytes;
	enum mosix_why reason;
	char why[256];
	unsigned stop_after;		/* messages until it closes its session; 0: never */
};

static uv_loop_t loop;
static struct end client, server;
static struct key key, other_key;
static int listener;
static struct sockaddr_in address;

static void up(struct session *session, void *data, const char *node, const msgpack_object *hello)
{
	struct end *end = data;

	ck_assert_ptr_eq(end->session, session);
	end->ups++;
	strcpy(end->node, node);
	msg_get_uint(hello, "cpus", &end->extra);
}

static void message(struct session *session, void *data, const char *type, const msgpack_object *map)
{
	struct end *end = data;
	const void *bytes;

	ck_assert_uint_eq(end->ups, 1);
	end->messages++;
	strcpy(end->type, type);
	msg_get_uint(map, "id", &end->number);
	msg_get_bin(map, "data", &bytes, &end->bytes);
	if (end->messages == end->stop_after) {
		session_close(session);
		end->session = NULL;
	}
}

static void down(struct session *session, void *data, enum mosix_why reason, const char *why)
{
	struct end *end = data;

	(void)session;
	end->downs++;
	end->reason = reason;
	strcpy(end->why, why);
	end->session = NULL;
}

static void drained(struct session *session, void *data)
{
	struct end *end = data;

	(void)session;
	end->drains++;
}

static const struct session_events events = { .up = up, .message = message, .down = down, .drained = drained };

static void setup(void)
{
	socklen_t size = sizeof address;

	memset(&client, 0, sizeof client);
	memset(&server, 0, sizeof server);
	memset(&key, 7, sizeof key);
	memset(&other_key, 8, sizeof other_key);
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(listener, 8), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
}

static void teardown(void)
{
	session_close(client.session);
	session_close(server.session);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);	/* no handle was forgotten */
	close(listener);
}

static void open_client(const struct key *with)
{
	const struct session_hello hello = { .node = "n1" };

	client.session = session_connect(&loop, (struct sockaddr *)&address, with, &hello, &events, &client);
	ck_assert_ptr_nonnull(client.session);
}

static void open_server(void)
{
	static const char more[] = "\xa4" "cpus\x2a";
	const struct session_hello hello = { .node = "n2", .more = more, .more_size = sizeof more - 1, .pairs = 1 };
	int fd = accept(listener, NULL, NULL);

	ck_assert_int_ge(fd, 0);
	server.session = session_accept(&loop, fd, &key, &hello, &events, &server);
	ck_assert_ptr_nonnull(server.session);
}

static void run_until(const unsigned *counter, unsigned value)
{
	while (*counter < value)
		ck_assert_int_ne(uv_run(&loop, UV_RUN_ONCE) == 0 && *counter < value, 1);
}

static void both_up(void)
{
	open_client(&key);
	open_server();
	run_until(&client.ups, 1);
	run_until(&server.ups, 1);
}

static int send_ping(struct session *session, uint64_t id, size_t bytes)
{
	static const uint8_t zeros[SESSION_MESSAGE_MAX];
	MSG_AUTO struct msg m;
	const void *data;
	size_t size;

	msg_begin(&m, "ping");
	msg_add_uint(&m, "id", id);
	msg_add_bin(&m, "data", zeros, bytes);
	ck_assert_int_eq(msg_finish(&m, &data, &size), 0);
	return session_send(session, data, size);
}

START_TEST(greet_and_talk)
{
	open_client(&key);
	ck_assert_int_eq(send_ping(client.session, 1, 0), -ENOTCONN);
	open_server();
	run_until(&client.ups, 1);
	run_until(&server.ups, 1);
	ck_assert_str_eq(client.node, "n2");
	ck_assert_str_eq(server.node, "n1");
	ck_assert_uint_eq(client.extra, 42);
	ck_assert_int_eq(send_ping(client.session, 5, 0), 0);
	ck_assert_int_eq(send_ping(client.session, 6, 1000000), 0);
	ck_assert_int_eq(send_ping(server.session, 7, 3), 0);
	run_until(&server.messages, 2);
	run_until(&client.messages, 1);
	ck_assert_uint_eq(server.number, 6);
	ck_assert_uint_eq(server.bytes, 1000000);
	ck_assert_uint_eq(client.number, 7);
	ck_assert_str_eq(client.type, "ping");
	ck_assert_int_eq(send_ping(client.session, 6, SESSION_MESSAGE_MAX), -EMSGSIZE);
}
END_TEST

START_TEST(end_in_good_order)
{
	both_up();
	ck_assert_int_eq(send_ping(client.session, 9, 100), 0);
	session_close(client.session);	/* what was queued still arrives */
	client.session = NULL;
	run_until(&server.downs, 1);
	ck_assert_uint_eq(server.number, 9);
	ck_assert_uint_eq(client.downs, 0);
	ck_assert_int_eq(server.reason, MOSIX_WHY_CUT);
	ck_assert_ptr_nonnull(strstr(server.why, "ended the session"));
}
END_TEST

START_TEST(close_within_a_callback)
{
	server.stop_after = 1;
	both_up();
	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(send_ping(client.session, i, 100), 0);
	run_until(&client.downs, 1);
	ck_assert_uint_eq(server.messages, 1);
	ck_assert_uint_eq(server.downs, 0);
}
END_TEST

START_TEST(wrong_key)
{
	open_client(&other_key);
	open_server();
	run_until(&client.downs, 1);
	run_until(&server.downs, 1);
	ck_assert_int_eq(client.reason, MOSIX_WHY_WRONG_KEY);
	ck_assert_int_eq(server.reason, MOSIX_WHY_WRONG_KEY);
	ck_assert_uint_eq(client.ups + server.ups, 0);
}
END_TEST

START_TEST(nobody_listens)
{
	close(listener);
	listener = -1;
	open_client(&key);
	ck_assert_uint_eq(client.downs, 0);
	run_until(&client.downs, 1);
	ck_assert_int_eq(client.reason, MOSIX_WHY_NODE_DEAD);
}
END_TEST

START_TEST(nobody_greets)
{
	open_client(&key);
	run_until(&client.downs, 1);
	ck_assert_int_eq(client.reason, MOSIX_WHY_TIMED_OUT);
}
END_TEST

/* ---- the raw client ---- */

static int connect_raw(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	open_server();
	return fd;
}

static struct tls *shake_raw(int fd)
{
	struct tls *tls;
	int r;

	ck_assert_int_eq(tls_open(fd, TLS_SESSION, &key, &tls), 0);
	while ((r = tls_handshake(tls)) == -EAGAIN)
		uv_run(&loop, UV_RUN_NOWAIT);
	ck_assert_int_eq(r, 0);
	return tls;
}

static void send_raw(struct tls *tls, const void *data, size_t size)
{
	const uint8_t *at = data;

	while (size > 0) {
		ssize_t n = tls_send(tls, at, size);

		if (n == -EAGAIN) {
			uv_run(&loop, UV_RUN_NOWAIT);
			continue;
		}
		ck_assert_int_gt(n, 0);
		at += n;
		size -= (size_t)n;
	}
}

#define OUR_VERSION "\x03"	/* MOSIX_PROTOCOL */
#define GREETING "\x13\0\0\0" "\x83\xa1t\xa5hello\xa1v" OUR_VERSION "\xa4node\xa1x"

static const struct {
	const char *bytes;
	size_t size;
	unsigned ups;
	enum mosix_why reason;
	const char *says;
} hostile[] = {
#define BYTES(s) s, sizeof s - 1
	{ BYTES("\xff\xff\xff\xff"),                                  0, MOSIX_WHY_MALFORMED, "too long" },
	{ BYTES("\x01\x00\x10\x00"),                                  0, MOSIX_WHY_MALFORMED, "too long" },
	{ BYTES("\x03\0\0\0" "abc"),                                  0, MOSIX_WHY_MALFORMED, "well-formed" },
	{ BYTES("\x07\0\0\0" "\x81\xa1t\xa3hop"),                     0, MOSIX_WHY_MALFORMED, "hello" },
	{ BYTES("\x13\0\0\0" "\x83\xa1t\xa5hello\xa1v\x63\xa4node\xa1x"), 0, MOSIX_WHY_VERSION, "version 99" },
	{ BYTES("\x11\0\0\0" "\x82\xa1t\xa5hello\xa1v" OUR_VERSION "\xa4nodx"), 0, MOSIX_WHY_MALFORMED, "well-formed" },
	{ BYTES("\x0c\0\0\0" "\x82\xa1t\xa5hello\xa1v" OUR_VERSION), 0, MOSIX_WHY_MALFORMED, "name" },
	{ BYTES(GREETING "\x09\0\0\0" "\x81\xa1t\xdd\xff\xff\xff\xff\x01"), 1, MOSIX_WHY_MALFORMED, "well-formed" },
	{ BYTES(GREETING "\x09\0\0\0" "\x81\xa1t\xdf\xff\xff\xff\xff\x01"), 1, MOSIX_WHY_MALFORMED, "well-formed" },
	{ BYTES(GREETING "\x09\0\0\0" "\x81\xa1t\xc6\xff\xff\xff\xff\x01"), 1, MOSIX_WHY_MALFORMED, "well-formed" },
	{ BYTES(GREETING "\x03\0\0\0" "\x81\x01\x01"),                1, MOSIX_WHY_MALFORMED, "well-formed" },
	{ BYTES(GREETING "\x04\0\0\0" "\x81\xa1x\x01"),               1, MOSIX_WHY_MALFORMED, "type" },
	{ BYTES(GREETING "\x04\0\0\0" "\x81\xa1t\x01"),               1, MOSIX_WHY_MALFORMED, "type" },
	{ BYTES(GREETING "\x01\0\0\0" "\x90"),                        1, MOSIX_WHY_MALFORMED, "well-formed" },
	{ BYTES(GREETING "\0\0\0\0"),                                 1, MOSIX_WHY_MALFORMED, "well-formed" },
	{ BYTES(GREETING GREETING),                                   1, MOSIX_WHY_MALFORMED, "twice" },
};

START_TEST(hostile_message)
{
	int fd = connect_raw();
	struct tls *tls = shake_raw(fd);

	send_raw(tls, hostile[_i].bytes, hostile[_i].size);
	run_until(&server.downs, 1);
	ck_assert_int_eq(server.reason, hostile[_i].reason);
	ck_assert_ptr_nonnull(strstr(server.why, hostile[_i].says));
	ck_assert_uint_eq(server.ups, hostile[_i].ups);
	ck_assert_uint_eq(server.messages, 0);
	tls_close(tls);
	close(fd);
}
END_TEST

START_TEST(hostile_bytes)
{
	static const char bytes[] = "\x16\x03\x01\x00\x04\x02\x00\x00\x00 a ServerHello, and then no record at all";
	int fd = connect_raw();

	ck_assert_int_eq(send(fd, bytes, sizeof bytes, 0), sizeof bytes);
	run_until(&server.downs, 1);
	ck_assert_int_eq(server.reason, MOSIX_WHY_MALFORMED);
	close(fd);
}
END_TEST

START_TEST(byte_by_byte)
{
	static const char bytes[] = GREETING "\x0c\0\0\0" "\x82\xa1t\xa4ping\xa2id\x05";
	int fd = connect_raw();
	struct tls *tls = shake_raw(fd);

	for (size_t i = 0; i < sizeof bytes - 1; i++) {
		send_raw(tls, bytes + i, 1);
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	run_until(&server.messages, 1);
	ck_assert_uint_eq(server.number, 5);
	tls_close(tls);
	close(fd);
	run_until(&server.downs, 1);
	ck_assert_int_eq(server.reason, MOSIX_WHY_CUT);
}
END_TEST

/* A peer that does not read costs a bounded queue, and nothing is lost or torn when it reads after all. */
START_TEST(back_pressure)
{
	static uint8_t record[TLS_RECORD_MAX];
	int fd = connect_raw();
	struct tls *tls = shake_raw(fd);
	size_t taken = 0, received = 0;
	int r;

	send_raw(tls, GREETING, sizeof GREETING - 1);
	run_until(&server.ups, 1);
	while ((r = send_ping(server.session, 1, 100000)) == 0) {
		ck_assert_uint_lt(++taken, 1000);
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	ck_assert_int_eq(r, -ENOBUFS);
	ck_assert_uint_lt(session_room(server.session), 100100);
	while (server.drains == 0) {
		ssize_t n = tls_receive(tls, record, sizeof record);

		ck_assert(n > 0 || n == -EAGAIN);
		if (n > 0)
			received += (size_t)n;
		else
			uv_run(&loop, UV_RUN_NOWAIT);
	}
	ck_assert_uint_eq(session_room(server.session), SESSION_MESSAGE_MAX);
	session_close(server.session);
	server.session = NULL;
	for (;;) {
		ssize_t n = tls_receive(tls, record, sizeof record);

		if (n == 0)
			break;
		ck_assert(n > 0 || n == -EAGAIN);
		received += n > 0 ? (size_t)n : 0;
	}
	ck_assert_uint_gt(received, taken * 100000);
	ck_assert_uint_lt(received, taken * 100100 + 200);
	tls_close(tls);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session");
	TCase *all = tcase_create("all"), *slow = tcase_create("deadline");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, greet_and_talk);
	tcase_add_test(all, end_in_good_order);
	tcase_add_test(all, close_within_a_callback);
	tcase_add_test(all, wrong_key);
	tcase_add_test(all, nobody_listens);
	tcase_add_loop_test(all, hostile_message, 0, sizeof hostile / sizeof hostile[0]);
	tcase_add_test(all, hostile_bytes);
	tcase_add_test(all, byte_by_byte);
	tcase_add_test(all, back_pressure);
	suite_add_tcase(suite, all);
	tcase_add_checked_fixture(slow, setup, teardown);
	tcase_set_timeout(slow, 20);
	tcase_add_test(slow, nobody_greets);
	suite_add_tcase(suite, slow);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
