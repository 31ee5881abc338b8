/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Channels through TLS: what goes in at one near end comes out at the other, in both directions, and so does the end. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/relay.h"
#include "common/session.h"

static uv_loop_t loop;
static struct relays *relays;
static struct key key, other_key;
static struct sockaddr_in address;
static struct mosix_channel_hello hello = { .magic = MOSIX_HELLO_MAGIC, .version = MOSIX_PROTOCOL, .channel = 2, .pid = 4711 };
static struct session *session;

static int listener, home, remote;	/* near ends, -1 until they are there */
static int done_error;			/* 1: not done */
static unsigned welcomes, downs;
static bool is_welcome;

static void done(void *data, int error, int fd)
{
	ck_assert_ptr_eq(data, &hello);
	ck_assert_int_eq(done_error, 1);
	done_error = error;
	home = fd;
}

static bool welcome(void *data, int fd, const struct mosix_channel_hello *came)
{
	(void)data;
	welcomes++;
	ck_assert_mem_eq(came, &hello, sizeof hello);
	if (is_welcome)
		remote = fd;
	return is_welcome;
}

static void channel(struct session *s, void *data, struct tls *tls, int fd)
{
	(void)data;
	ck_assert_ptr_eq(s, session);
	session = NULL;
	relay_accept(relays, tls, fd, welcome, NULL);
}

static void up(struct session *s, void *data, const char *node, const msgpack_object *map)
{
	(void)s, (void)data, (void)node, (void)map;
	ck_abort_msg("a channel became a session");
}

static void message(struct session *s, void *data, const char *type, const msgpack_object *map)
{
	up(s, data, type, map);
}

static void down(struct session *s, void *data, enum mosix_why reason, const char *why)
{
	(void)s, (void)data, (void)reason, (void)why;
	session = NULL;
	downs++;
}

static const struct session_events events = { .up = up, .message = message, .down = down, .channel = channel };

static void setup(void)
{
	socklen_t size = sizeof address;

	home = remote = -1;
	done_error = 1;
	welcomes = downs = 0;
	is_welcome = true;
	memset(&key, 7, sizeof key);
	memset(&other_key, 8, sizeof other_key);
	memset(hello.token, 9, sizeof hello.token);
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	relays = relays_new(&loop);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(listener, 8), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
}

static void teardown(void)
{
	session_close(session);
	session = NULL;
	relays_free(relays);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	close(listener);
	close(home);
	close(remote);
}

static struct relay *begin(const struct key *with)
{
	const struct session_hello own = { .node = "n2" };
	struct relay *relay;

	ck_assert_int_eq(relay_connect(relays, (struct sockaddr *)&address, with, &hello, done, &hello, &relay), 0);
	session = session_accept(&loop, accept(listener, NULL, NULL), &key, &own, &events, NULL);
	ck_assert_ptr_nonnull(session);
	return relay;
}

static void both_stand(void)
{
	begin(&key);
	while (remote < 0)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert_int_eq(done_error, 0);
}

/* One byte from an end, running the loop until it comes; -1 at the end of file. */
static int get(int fd)
{
	unsigned char c;

	for (;;) {
		ssize_t n = recv(fd, &c, 1, MSG_DONTWAIT);

		if (n >= 0)
			return n ? c : -1;
		ck_assert_int_eq(errno, EAGAIN);
		uv_run(&loop, UV_RUN_ONCE);
	}
}

START_TEST(bytes_go_both_ways)
{
	both_stand();
	ck_assert_int_eq(send(home, "abc", 3, 0), 3);
	ck_assert_int_eq(get(remote), 'a');
	ck_assert_int_eq(send(remote, "x", 1, 0), 1);
	ck_assert_int_eq(get(home), 'x');
	ck_assert_int_eq(get(remote), 'b');
	ck_assert_int_eq(get(remote), 'c');
}
END_TEST

START_TEST(end_follows_the_last_byte)
{
	int *from = _i ? &remote : &home, *to = _i ? &home : &remote;

	both_stand();
	ck_assert_int_eq(send(*from, "abc", 3, 0), 3);
	close(*from);
	*from = -1;
	ck_assert_int_eq(get(*to), 'a');
	ck_assert_int_eq(get(*to), 'b');
	ck_assert_int_eq(get(*to), 'c');
	ck_assert_int_eq(get(*to), -1);
	while (uv_run(&loop, UV_RUN_ONCE))
		;	/* both relays have ended: nothing keeps the loop alive */
}
END_TEST

static void pattern(uint8_t *bytes, size_t offset, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)((offset + i) * 7 >> 3);
}

/* Megabytes against a reader that comes late: bounded on the way, complete and in order at the end, both ways at once. */
START_TEST(much_at_once)
{
	enum { TOTAL = 24 << 20, PIECE = 50000 };
	static uint8_t piece[PIECE], expected[PIECE];
	size_t sent[2] = { 0 }, got[2] = { 0 };
	unsigned idle = 0;

	both_stand();
	const int fd[2] = { home, remote };

	while (got[0] < TOTAL || got[1] < TOTAL) {
		bool moved = false;

		for (int i = 0; i < 2; i++) {
			size_t size = TOTAL - sent[i] < PIECE ? TOTAL - sent[i] : PIECE;

			pattern(piece, sent[i], size);
			ssize_t n = size ? send(fd[i], piece, size, MSG_DONTWAIT) : 0;

			sent[i] += n > 0 ? (size_t)n : 0;
			moved |= n > 0;
		}
		uv_run(&loop, UV_RUN_NOWAIT);
		/* Nobody reads until nobody can write any more. */
		idle = moved ? 0 : idle + 1;
		if (got[0] == 0 && idle < 100)
			continue;
		if (got[0] == 0)
			ck_assert_uint_lt(sent[0], TOTAL);
		for (int i = 0; i < 2; i++) {
			ssize_t n = recv(fd[i], piece, PIECE, MSG_DONTWAIT);

			if (n <= 0)
				continue;
			pattern(expected, got[i], (size_t)n);
			ck_assert_mem_eq(piece, expected, (size_t)n);
			got[i] += (size_t)n;
		}
	}
	ck_assert_uint_eq(got[0], TOTAL);
	ck_assert_uint_eq(got[1], TOTAL);
}
END_TEST

START_TEST(wrong_key)
{
	begin(&other_key);
	while (done_error == 1 || downs == 0)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert_int_eq(done_error, -EACCES);
	ck_assert_int_eq(home, -1);
	ck_assert_uint_eq(welcomes, 0);
}
END_TEST

START_TEST(nobody_listens)
{
	struct relay *relay;

	close(listener);
	listener = -1;
	int r = relay_connect(relays, (struct sockaddr *)&address, &key, &hello, done, &hello, &relay);

	if (r == 0)
		while (done_error == 1)
			uv_run(&loop, UV_RUN_ONCE);
	ck_assert_int_eq(r ? r : done_error, -ECONNREFUSED);
}
END_TEST

START_TEST(not_welcome)
{
	is_welcome = false;
	begin(&key);
	while (welcomes == 0)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert_int_eq(done_error, 0);
	ck_assert_int_eq(get(home), -1);
}
END_TEST

START_TEST(cancelled)
{
	struct relay *relay = begin(&key);

	relay_cancel(relay);
	while (uv_run(&loop, UV_RUN_ONCE))
		;
	ck_assert_int_eq(done_error, 1);
	ck_assert_uint_eq(downs, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("relay");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 10);
	tcase_add_test(all, bytes_go_both_ways);
	tcase_add_loop_test(all, end_follows_the_last_byte, 0, 2);
	tcase_add_test(all, much_at_once);
	tcase_add_test(all, wrong_key);
	tcase_add_test(all, nobody_listens);
	tcase_add_test(all, not_welcome);
	tcase_add_test(all, cancelled);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
