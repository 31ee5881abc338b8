/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rows_sockets: sockets and messages; their options are in rows_commands. See rows.h. */
#include "rows.h"

#include <arpa/inet.h>
#include <netinet/in.h>

enum { D_CLIENT = D_CLOSED + 10 };

static const struct timespec moment = { 0, 3000000 };

static struct sockaddr_un name_of(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	return name;
}

/* Something waits in each direction; a client waits at the listening socket. */
static void filled(void)
{
	const struct sockaddr_un to = name_of("listening"), from = name_of("sender");

	descriptors_make();
	unlink("sender");
	unlink("bound");
	bind(D_DGRAM2, (const struct sockaddr *)&from, sizeof(from));
	if (send(D_STREAM2, "on a stream", 11, 0) < 0 || send(D_DGRAM2, "datagram one", 12, 0) < 0 ||
	    send(D_DGRAM2, "two", 3, 0) < 0)
		exit(3);
	put_at(D_CLIENT, socket(AF_UNIX, SOCK_STREAM, 0));
	connect(D_CLIENT, (const struct sockaddr *)&to, sizeof(to));
}

static void addresses(void)
{
	const struct sockaddr_un to = name_of("listening"), bound = name_of("bound"), nobody = name_of("nobody");
	const struct sockaddr_in local = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };

	ROW(socket, { V(AF_UNIX, AF_INET, 99, -1), V(SOCK_STREAM, SOCK_DGRAM | SOCK_CLOEXEC, SOCK_RAW, 99, -1), V(0, 1, -1) },
	    MAKES);
	ROW(socketpair,
	    { V(AF_UNIX, AF_INET, 99, -1), V(SOCK_STREAM, SOCK_SEQPACKET | SOCK_NONBLOCK, 99, -1), V(0, 1, -1), OUT(8) }, FRESH);
	ROW(bind, { FD(D_CLOSED + 1), IN(&bound, sizeof(bound)), LEN(sizeof(bound)) }, 0, filled, .about = "closed");
	ROW(bind, { FD(D_UDP), IN(&local, 16), LEN(16) }, 0, filled);
	ROW(connect, { FD(D_UDP), IN(&local, 16), LEN(16) }, 0, filled);
	ROW(connect, { FD(D_DGRAM), IN(&nobody, 30), LEN(30) }, 0, filled);
	GOOD(connect, { FD(D_STREAM), IN(&to, sizeof(to)), LEN(sizeof(to)) });
	ROW(listen, { FD(D_LISTEN), V(5, 0, -1) }, 0, filled);
	ROW(shutdown, { FD(D_STREAM), V(SHUT_WR, SHUT_RD, SHUT_RDWR, 3, -1) }, 0, filled);
	ROW(accept, { FD(D_LISTEN), OUT(110), SLEN(110) }, MAKES | BLOCKS, filled);
	ROW(accept4, { FD(D_LISTEN), OUT(110), SLEN(110), V(0, SOCK_CLOEXEC, 1, -1) }, MAKES | BLOCKS, filled);
	ROW(getsockname, { FD(D_LISTEN), OUT(110), SLEN(110) }, 0, filled);
	ROW(getpeername, { FD(D_CLIENT), OUT(110), SLEN(110) }, 0, filled);
	ROW(getpeername, { FD(D_UDP), OUT(16), SLEN(16) }, 0, filled);
}

static void plain(void)
{
	const struct sockaddr_un to = name_of("sender"), nobody = name_of("nobody");

	ROW(sendto, { FD(D_STREAM), IN("some bytes", 10), LEN(10), V(0, MSG_DONTWAIT, MSG_OOB, -1), V(0), V(0, 5) }, BLOCKS,
	    filled);
	ROW(sendto, { FD(D_DGRAM), IN("some bytes", 10), LEN(10), V(0, MSG_EOR), IN(&to, sizeof(to)), LEN(sizeof(to)) }, BLOCKS,
	    filled);
	GOOD(sendto, { FD(D_DGRAM), IN("some bytes", 10), LEN(10), V(0), IN(&nobody, sizeof(nobody)), LEN(sizeof(nobody)) });
	ROW(recvfrom,
	    { FD(D_STREAM), OUT(100), LEN(100), V(0, MSG_PEEK, MSG_DONTWAIT, MSG_OOB, MSG_TRUNC, -1), OUT(110), SLEN(110) },
	    BLOCKS, filled);
	ROW(recvfrom, { FD(D_DGRAM), OUT(100), LEN(100), V(0, MSG_PEEK, MSG_TRUNC), OUT(110), SLEN(110) }, BLOCKS, filled,
	    .about = "datagram");
	ROW(recvfrom, { FD(D_DGRAM), OUT(5), LEN(5), V(0, MSG_TRUNC), OUT(110), SLEN(3) }, BLOCKS, filled, .about = "short");
}

static void messages(void)
{
	struct iovec two[2] = { { area[6] + MIDDLE, 4 }, { area[7] + MIDDLE, 40 } };
	struct sockaddr_un to = name_of("sender");
	struct msghdr send = { .msg_iov = two, .msg_iovlen = 2 }, receive = send;
	struct mmsghdr many[3] = { { send, 77 }, { send, 77 }, { send, 77 } };

	/* nothing of it lies in an area but what is sent */
	ROW(sendmsg, { FD(D_STREAM), IN(&send, 56), V(0, MSG_DONTWAIT, MSG_OOB, -1) }, BLOCKS, filled);
	send.msg_name = &to;
	send.msg_namelen = sizeof(to);
	ROW(sendmsg, { FD(D_DGRAM), IN(&send, 56), V(0) }, BLOCKS, filled);
	ROW(recvmsg, { FD(D_STREAM), IO(&receive, 56), V(0, MSG_PEEK, MSG_DONTWAIT, MSG_TRUNC, MSG_WAITALL, -1) }, BLOCKS,
	    filled);
	ROW(recvmsg, { FD(D_DGRAM), IO(&receive, 56), V(0, MSG_PEEK, MSG_TRUNC, MSG_CMSG_CLOEXEC) }, BLOCKS, filled);
	ROW(sendmmsg, { FD(D_DGRAM), IO(many, 192), V(3, 0, 1, 1025, -1), V(0, MSG_DONTWAIT, -1) }, BLOCKS, filled);
	ROW(recvmmsg,
	    { FD(D_DGRAM), IO(many, 192), V(2, 0, 1, 1025, -1), V(0, MSG_WAITFORONE, MSG_DONTWAIT, -1), IO(&moment, 16) }, BLOCKS,
	    filled, .hide = { { 4, 0, 16 } });
	ROW(recvmmsg, { FD(D_DGRAM), IO(many, 128), V(2), V(0), V(0) }, BLOCKS, filled, .about = "for ever");
}

/* A message with one thing wrong in it. Its parts: data in area 6, control in area 7, name in area 5. */
static void one_message(bool sends, const char *label, const struct msghdr *m, const struct iovec *vector, size_t entries,
			bool multiple)
{
	static const char *const names[] = { "recvmsg", "sendmsg", "recvmmsg", "sendmmsg" };
	static const long numbers[] = { NR_recvmsg, NR_sendmsg, NR_recvmmsg, NR_sendmmsg };
	struct mmsghdr many[2] = { { *m, 77 }, { *m, 77 } };
	long at = (long)area[1] + MIDDLE;
	int which = sends + 2 * multiple;
	char rest[200];

	filled();
	row_ready();
	areas_fill();
	memcpy(area[2] + MIDDLE, vector, entries * sizeof(*vector));
	memcpy(area[1] + MIDDLE, many, multiple ? sizeof(many) : sizeof(*m));
	if (sends) {
		const struct {
			struct cmsghdr head;
			int fd[2];
		} rights = { { 24, SOL_SOCKET, SCM_RIGHTS }, { D_DATA, D_NULL } };
		struct sockaddr_un to = name_of("sender");

		memcpy(area[7] + MIDDLE, &rights, sizeof(rights));
		memcpy(area[5] + MIDDLE, &to, sizeof(to));
	}
	areas_note();
	timer_set(30);
	long result = multiple ? RAW(numbers[which], D_DGRAM, at, 2, 0, 0) : RAW(numbers[which], D_DGRAM, at, 0);
	timer_set(0);
	say("%s: %s = ", names[which], label);
	say_result(result, false);
	for (int i = 0; i < AREAS; i++)
		say_changes(i, (long)area[i] + MIDDLE, NULL);
	if (sends) /* what has come */
		for (ssize_t n; (n = recv(D_DGRAM2, rest, sizeof(rest), MSG_DONTWAIT)) >= 0;) {
			say(" %zd:", n);
			say_bytes((uint8_t *)rest, (size_t)n);
		}
	say("\n");
}

static void wrong_messages(bool sends, bool multiple)
{
	struct iovec plain[2] = { { area[6] + MIDDLE, 7 }, { area[6] + MIDDLE + 100, 30 } };
	struct iovec odd[][2] = {
		{ { (void *)nowhere, 0 }, { area[6] + MIDDLE, 30 } },
		{ { NULL, 7 }, { area[6] + MIDDLE, 30 } },
		{ { area[6] + MIDDLE, 7 }, { (void *)nowhere, 30 } },
		{ { area[6] + MIDDLE, 7 }, { area[6] + AREA - 3, 30 } },
		{ { area[6] + MIDDLE, 7 }, { (void *)0xffffffff81000000, 30 } },
		{ { area[6] + MIDDLE, (size_t)-1 }, { NULL, 0 } },
		{ { area[6] + MIDDLE, 1 << 21 }, { NULL, 0 } },
		{ { area[6] + MIDDLE, 0 }, { NULL, 0 } },
		{ { read_only, 7 }, { read_only, 9 } },
	};
	const struct msghdr m = { .msg_iov = (struct iovec *)(area[2] + MIDDLE),
				  .msg_iovlen = 2,
				  .msg_flags = 0x55,
				  .msg_name = sends ? NULL : area[5] + MIDDLE,
				  .msg_namelen = sends ? 0 : 110 };
	const void *const pointers[] = { NULL, (void *)nowhere, (void *)0xffffffff81000000, area[4] + AREA - 5, read_only };
	static const size_t lengths[] = { 0,   1,   2,    15,    16,         17,         20,         24,      40,
					  128, 129, 5000, 70000, 0x7fffffff, 0x80000000, 0xffffffff, SIZE_MAX };
	struct msghdr n = m;
	char label[100];

	one_message(sends, "good", &m, plain, 2, multiple);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		snprintf(label, sizeof(label), "vector %zu", i);
		one_message(sends, label, &m, odd[i], 2, multiple);
	}
	for (size_t i = 0; i < 5; i++) {
		n = m;
		n.msg_iov = (struct iovec *)pointers[i];
		snprintf(label, sizeof(label), "vectors at %zu", i);
		one_message(sends, label, &n, plain, 2, multiple);
		n = m;
		n.msg_name = (void *)pointers[i];
		n.msg_namelen = 110;
		snprintf(label, sizeof(label), "name at %zu", i);
		one_message(sends, label, &n, plain, 2, multiple);
		n = m;
		n.msg_control = (void *)pointers[i];
		n.msg_controllen = 24;
		snprintf(label, sizeof(label), "control at %zu", i);
		one_message(sends, label, &n, plain, 2, multiple);
	}
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		n = m;
		n.msg_name = area[5] + MIDDLE;
		n.msg_namelen = (socklen_t)lengths[i];
		snprintf(label, sizeof(label), "name of %u", n.msg_namelen);
		one_message(sends, label, &n, plain, 2, multiple);
		n = m;
		n.msg_control = area[7] + MIDDLE;
		n.msg_controllen = lengths[i];
		snprintf(label, sizeof(label), "control of %zu", lengths[i]);
		one_message(sends, label, &n, plain, 2, multiple);
		n = m;
		n.msg_iovlen = lengths[i];
		if (lengths[i] > 2 && lengths[i] < 1025)
			continue; /* what lies there is no vector */
		snprintf(label, sizeof(label), "vectors: %zu", lengths[i]);
		one_message(sends, label, &n, plain, 2, multiple);
	}
}

int main(void)
{
	rows_begin();
	addresses();
	plain();
	messages();
	for (int sends = 0; sends < 2; sends++)
		for (int multiple = 0; multiple < 2; multiple++)
			wrong_messages(sends, multiple);
	rows_end();
	return 0;
}
