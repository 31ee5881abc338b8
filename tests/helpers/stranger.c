/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Callers that nobody wants, at a TCP port or a unix socket. Prints how many bytes all of them together were given, and how the
 * connections ended. usage:
 *   stranger ADDRESS COUNT send FILE    each sends FILE, says that this was all, and listens until it is shown out
 *   stranger ADDRESS COUNT slow FILE    the same, but byte by byte, and without saying that it was all
 *   stranger ADDRESS COUNT hold [FILE]  each sends FILE, if any, and stays until the standard input ends; prints "held" first
 *   stranger ADDRESS COUNT drop FILE    each sends FILE and resets the connection
 * ADDRESS: HOST:PORT (numbers), stream:PATH, packet:PATH or datagram:PATH
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CALLERS_MOST 512
#define PATIENCE_MS  20000

static union { struct sockaddr any; struct sockaddr_in in; struct sockaddr_un un; } address;
static socklen_t address_size;
static int type = SOCK_STREAM;
static char content[2 << 20];
static size_t content_size;
static unsigned long given, ended, reset, silent, unreached;

static int fail(const char *what)
{
	fprintf(stderr, "stranger: %s: %s\n", what, strerror(errno));
	return 2;
}

static int parse(const char *text)
{
	static const struct { const char *name; int type; } kinds[] = {
		{ "stream:", SOCK_STREAM }, { "packet:", SOCK_SEQPACKET }, { "datagram:", SOCK_DGRAM },
	};
	const char *colon = strrchr(text, ':');
	char host[64];

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strncmp(text, kinds[i].name, strlen(kinds[i].name))) {
			address.un.sun_family = AF_UNIX;
			snprintf(address.un.sun_path, sizeof(address.un.sun_path), "%s", text + strlen(kinds[i].name));
			address_size = sizeof(address.un);
			type = kinds[i].type;
			return 0;
		}
	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return -1;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	address.in.sin_family = AF_INET;
	address.in.sin_port = htons((uint16_t)atoi(colon + 1));
	address_size = sizeof(address.in);
	return inet_pton(AF_INET, host, &address.in.sin_addr) == 1 ? 0 : -1;
}

static int call(void)
{
	const int on = 1;
	int fd = socket(address.any.sa_family, type | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, &address.any, address_size) == 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		return fd;
	}
	unreached++;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Until the other side ends the connection, or nothing comes for so long; what comes is counted. */
static void listen_to(int fd, int patience_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char data[4096];

	for (;;) {
		ssize_t n;

		if (poll(&p, 1, patience_ms) <= 0) {
			silent++;
			return;
		}
		n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0) {
			if (n == 0)
				ended++;
			else
				reset++;
			return;
		}
		given += (unsigned long)n;
	}
}

/* All that is taken: who is shown out in the middle has said enough. */
static void say(int fd, size_t piece)
{
	for (size_t at = 0; at < content_size; at += piece)
		if (send(fd, content + at, piece < content_size - at ? piece : content_size - at, MSG_NOSIGNAL) < 0)
			return;
}

static void send_all(int count)
{
	for (int i = 0; i < count; i++) {
		int fd = call();

		if (fd < 0)
			continue;
		say(fd, content_size ? content_size : 1);
		if (type != SOCK_DGRAM) {
			shutdown(fd, SHUT_WR);
			listen_to(fd, PATIENCE_MS);
		}
		close(fd);
	}
}

static void send_slowly(int count)
{
	for (int i = 0; i < count; i++) {
		int fd = call();

		if (fd < 0)
			continue;
		say(fd, 1);
		listen_to(fd, PATIENCE_MS);
		close(fd);
	}
}

static void hold(int count)
{
	int fd[CALLERS_MOST];
	char byte;

	for (int i = 0; i < count; i++) {
		fd[i] = call();
		if (fd[i] >= 0 && content_size)
			say(fd[i], content_size);
	}
	puts("held");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	for (int i = 0; i < count; i++) {
		if (fd[i] < 0)
			continue;
		shutdown(fd[i], SHUT_WR);
		listen_to(fd[i], PATIENCE_MS);
		close(fd[i]);
	}
}

static void drop(int count)
{
	const struct linger now = { .l_onoff = 1 };

	for (int i = 0; i < count; i++) {
		int fd = call();

		if (fd < 0)
			continue;
		say(fd, content_size ? content_size : 1);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(fd);
	}
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*act)(int count); } acts[] = {
		{ "send", send_all }, { "slow", send_slowly }, { "hold", hold }, { "drop", drop },
	};
	int count = argc > 2 ? atoi(argv[2]) : 0;
	FILE *file;

	signal(SIGPIPE, SIG_IGN);
	if (argc < 4 || parse(argv[1]) < 0 || count < 1 || count > CALLERS_MOST) {
		fprintf(stderr, "usage: stranger ADDRESS COUNT send|slow|hold|drop [FILE]\n");
		return 2;
	}
	if (argc > 4) {
		file = fopen(argv[4], "re");
		if (!file)
			return fail(argv[4]);
		content_size = fread(content, 1, sizeof(content), file);
		fclose(file);
	}
	for (unsigned i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (!strcmp(argv[3], acts[i].name)) {
			acts[i].act(count);
			printf("given %lu ended %lu reset %lu silent %lu unreached %lu\n", given, ended, reset, silent, unreached);
			return 0;
		}
	return 2;
}
