/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remoted's door: whoever comes gets not a single byte, only what begins like TLS goes on to a session, and a channel hello is
 * handed on only when it is whole. What becomes of hellos and sessions is fuzz_remoted's. Streams of a script, modulo 4:
 *   0  a new caller, with these first bytes      2  the current caller finishes, and is heard to the end
 *   1  more from the current caller              3  the current caller is gone without a word (a reset)
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <mosix/wire.h>

#include "common/log.h"
#include "remoted/door.h"
#include "remoted/guest.h"
#include "remoted/node.h"
#include "remoted/visitor.h"
#include "tests/fuzz/mutate.h"

#define CALLERS 140		/* more than there is room for */

static void settle(void);

const struct fuzz_driver fuzz_driver = { .name = "door", .rounds = 2000, .script = true, .settle = settle };

static uv_loop_t loop;
static struct node node = { .loop = &loop, .name = "n2" };
static struct sockaddr_in address = { .sin_family = AF_INET };
static int caller[CALLERS], count;

/* ---- what is behind the door ---- */

void visitor_accept(struct node *n, int fd)
{
	uint8_t first = 0;

	FUZZ_MUST(n == &node && recv(fd, &first, 1, MSG_PEEK) == 1 && first == 0x16);
	close(fd);
}

bool guest_link(struct node *n, int fd, const struct mosix_channel_hello *hello)
{
	FUZZ_MUST(n == &node && ((const uint8_t *)hello)[0] != 0x16);
	if (hello->magic != MOSIX_HELLO_MAGIC || hello->version != MOSIX_PROTOCOL || hello->channel >= MOSIX_CHANNELS_MAX)
		return false;
	close(fd);
	return true;
}

/* ---- callers ---- */

static void turn(void)
{
	for (unsigned i = 0; i < 2; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
}

static void listen_to(int fd)
{
	uint8_t byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

	FUZZ_MUST(n <= 0);
}

/* With a reset: thousands of these must not keep thousands of ports. */
static void leave(int fd)
{
	const struct linger now = { .l_onoff = 1 };

	listen_to(fd);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static void come(const struct fuzz_record *r)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (count == CALLERS)
		leave(caller[--count]);
	FUZZ_MUST(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	send(fd, r->data, r->size, MSG_DONTWAIT | MSG_NOSIGNAL);
	caller[count++] = fd;
}

static void take(const struct fuzz_record *r)
{
	if (r->stream % 4 == 0 || !count) {
		come(r);
	} else if (r->stream % 4 == 1) {
		send(caller[count - 1], r->data, r->size, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else if (r->stream % 4 == 2) {
		shutdown(caller[count - 1], SHUT_WR);
		turn();
		listen_to(caller[count - 1]);
	} else {
		leave(caller[--count]);
	}
}

static void settle(void)
{
	for (unsigned i = 0; i < 20; i++)
		turn();
}

static void make_seeds(void)
{
	struct mosix_channel_hello h = { MOSIX_HELLO_MAGIC, MOSIX_PROTOCOL, 0, 4711, "a token of thirty-two letters 1" };

	for (h.channel = 0; h.channel <= MOSIX_CHANNELS_MAX; h.channel += 103)
		fuzz_record(0, &h, sizeof(h));
	fuzz_seed_script();
	fuzz_record(0, &h, 20);
	fuzz_record(1, (uint8_t *)&h + 20, sizeof(h) - 20);
	fuzz_record(2, NULL, 0);
	fuzz_seed_script();
	fuzz_record(0, "\x16\x03\x01\x02\x00", 5);
	fuzz_record(1, "\x01\x00\x01\xfc\x03\x03", 6);
	fuzz_record(0, "", 0);
	fuzz_record(1, "\x16", 1);
	fuzz_record(0, "GET / HTTP/1.0\r\n\r\n", 18);
	fuzz_record(3, NULL, 0);
	fuzz_seed_script();
	for (unsigned i = 0; i < 40; i++)
		fuzz_record(0, &h, i);
	fuzz_seed_script();
}

void fuzz_begin(void)
{
	struct door *door;
	uint16_t port;

	log_set_level(LOG_LEVEL_ERROR);
	log_open("fuzz", NULL);
	FUZZ_MUST(uv_loop_init(&loop) == 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	FUZZ_MUST(door_open(&node, (struct sockaddr *)&address, &door, &port) == 0);
	address.sin_port = htons(port);
	make_seeds();
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_record r;

	while (fuzz_next(&data, &size, &r)) {
		take(&r);
		turn();
	}
	while (count)
		leave(caller[--count]);
	turn();
}
