/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sockets: streams and datagrams of both families, ancillary data, passed descriptors, credentials, options, flags. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"

static void pause_a_little(void)
{
	check_compute(25);
}

static void passing(void)
{
	int pair[2], ends[2], got[2] = { -1, -1 };
	check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0 && pipe(ends) == 0, "socketpair");
	int one = 1;
	setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
	for (int round = 0; round < 20; round++) {
		char text[32] = "message", control[256] = { 0 };
		struct iovec parts[2] = { { text, 3 }, { text + 3, 4 } };
		struct msghdr m = { .msg_iov = parts, .msg_iovlen = 2, .msg_control = control, .msg_controllen = CMSG_SPACE(2 * sizeof(int)) };
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(2 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(c), ends, sizeof ends);
		check(sendmsg(pair[0], &m, 0) == 7, "sendmsg: %s", strerror(errno));
		pause_a_little();
		char a[5], b[20];
		struct iovec to[2] = { { a, sizeof a }, { b, sizeof b } };
		m = (struct msghdr){ .msg_iov = to, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof control };
		ssize_t n = recvmsg(pair[1], &m, MSG_CMSG_CLOEXEC);
		check(n == 7 && memcmp(a, "messa", 5) == 0 && memcmp(b, "ge", 2) == 0, "recvmsg: %zd", n);
		bool credentials = false, rights = false;
		for (c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c))
			if (c->cmsg_type == SCM_CREDENTIALS) {
				struct ucred u;
				memcpy(&u, CMSG_DATA(c), sizeof u);
				credentials = u.pid == getpid() && u.uid == getuid() && u.gid == getgid();
			} else if (c->cmsg_type == SCM_RIGHTS) {
				rights = c->cmsg_len == CMSG_LEN(2 * sizeof(int));
				memcpy(got, CMSG_DATA(c), sizeof got);
			}
		check(credentials && rights, "credentials %d, rights %d", credentials, rights);
		if (round == 0)
			printf("passed as %d %d, flags %x\n", got[0], got[1], m.msg_flags);
		char c1 = 'x', c2 = 0;
		check(write(got[1], &c1, 1) == 1 && read(ends[0], &c2, 1) == 1 && c2 == 'x', "the passed pipe");
		check(fcntl(got[0], F_GETFD) == FD_CLOEXEC, "close on exec");
		close(got[0]);
		close(got[1]);
	}
	char small[4];
	check(send(pair[0], "a longer message", 16, 0) == 16, "send");
	struct iovec part = { small, sizeof small };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n = recvmsg(pair[1], &m, MSG_TRUNC);
	printf("truncated: %zd, flags %x\n", n, m.msg_flags);
	struct ucred peer;
	socklen_t length = sizeof peer;
	check(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.pid == getpid(), "SO_PEERCRED: pid %d", peer.pid);
	close(pair[0]);
	n = recv(pair[1], small, sizeof small, 0);
	printf("after the end: %zd, %s\n", n, send(pair[1], "x", 1, MSG_NOSIGNAL) < 0 ? strerror(errno) : "sent");
	close(pair[1]);
	close(ends[0]);
	close(ends[1]);
}

static void streams(int family)
{
	struct sockaddr_storage at = { .ss_family = (sa_family_t)family }, who;
	socklen_t length = sizeof(struct sockaddr_in);
	if (family == AF_UNIX) {
		strcpy(((struct sockaddr_un *)&at)->sun_path, "socket");
		length = offsetof(struct sockaddr_un, sun_path) + 7;
	} else if (family == AF_INET6) {
		((struct sockaddr_in6 *)&at)->sin6_addr = in6addr_loopback;
		length = sizeof(struct sockaddr_in6);
	} else {
		((struct sockaddr_in *)&at)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
	int l = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l < 0 || bind(l, (struct sockaddr *)&at, length) < 0) {
		printf("family %d: %s\n", family, strerror(errno));
		return;
	}
	check(listen(l, 8) == 0, "listen");
	length = sizeof at;
	check(getsockname(l, (struct sockaddr *)&at, &length) == 0, "getsockname");
	printf("family %d: address of %u bytes, ", family, length);
	for (int round = 0; round < 12; round++) {
		int c = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
		int result = connect(c, (struct sockaddr *)&at, length);
		check(result == 0 || errno == EINPROGRESS, "connect: %s", strerror(errno));
		struct pollfd p = { .fd = c, .events = POLLOUT };
		check(poll(&p, 1, 5000) == 1, "poll");
		int error = 1;
		socklen_t size = sizeof error;
		check(getsockopt(c, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0, "SO_ERROR %d", error);
		socklen_t who_length = sizeof who;
		int s = accept4(l, (struct sockaddr *)&who, &who_length, SOCK_CLOEXEC);
		check(s >= 0, "accept: %s", strerror(errno));
		check(write(c, "0123456789", 10) == 10, "write");
		pause_a_little();
		char text[32] = "";
		int waiting = 0;
		check(recv(s, text, 4, MSG_PEEK) == 4 && ioctl(s, FIONREAD, &waiting) == 0 && waiting == 10, "peek, %d waiting", waiting);
		check(recv(s, text, 20, MSG_DONTWAIT) == 10 && memcmp(text, "0123456789", 10) == 0, "recv");
		check(recv(s, text, 20, MSG_DONTWAIT) == -1 && errno == EAGAIN, "recv of nothing");
		struct iovec parts[3] = { { (char *)"ab", 2 }, { (char *)"", 0 }, { (char *)"cde", 3 } };
		check(writev(s, parts, 3) == 5, "writev");
		char x[2], y[8];
		struct iovec into[2] = { { x, 2 }, { y, 8 } };
		check(readv(c, into, 2) == 5 && memcmp(x, "ab", 2) == 0 && memcmp(y, "cde", 3) == 0, "readv");
		struct mmsghdr many[3] = { 0 };
		struct iovec piece = { (char *)"piece", 5 };
		for (int i = 0; i < 3; i++)
			many[i].msg_hdr = (struct msghdr){ .msg_iov = &piece, .msg_iovlen = 1 };
		check(sendmmsg(s, many, 3, 0) == 3 && many[2].msg_len == 5, "sendmmsg");
		fcntl(c, F_SETFL, 0);
		check(recv(c, text, 15, MSG_WAITALL) == 15, "MSG_WAITALL");
		shutdown(s, SHUT_WR);
		check(read(c, text, 5) == 0 && write(c, "x", 1) == 1, "half closed");
		close(s);
		close(c);
	}
	puts("twelve connections");
	close(l);
	unlink("socket");
}

static void datagrams(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } }, from;
	socklen_t length = sizeof at;
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
	bind(a, (struct sockaddr *)&at, sizeof at);
	getsockname(a, (struct sockaddr *)&at, &length);
	setsockopt(a, IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
	setsockopt(a, SOL_SOCKET, SO_TIMESTAMP, &one, sizeof one);
	for (int i = 0; i < 40; i++) {
		char text[64], control[256];
		int n = snprintf(text, sizeof text, "datagram %d", i);
		check(sendto(b, text, (size_t)n, 0, (struct sockaddr *)&at, sizeof at) == n, "sendto");
		if (i % 4 == 0)
			pause_a_little();
		struct iovec part = { text, sizeof text };
		struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
		check(recvmsg(a, &m, 0) == n && m.msg_namelen == sizeof from, "recvmsg");
		int kinds = 0;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c))
			kinds += c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO ? 1 : c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMP ? 10 : 100;
		check(kinds == 11, "ancillary data: %d", kinds);
	}
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	check(connect(b, (struct sockaddr *)&at, sizeof at) == 0 && send(b, "x", 1, 0) == 1, "connected datagram");
	check(connect(b, &none, sizeof none) == 0, "disconnect");
	printf("not connected: %s\n", send(b, "x", 1, 0) < 0 ? strerror(errno) : "sent");
	close(a);
	connect(b, (struct sockaddr *)&at, sizeof at);
	send(b, "x", 1, 0);
	check_compute(100);
	printf("nobody there: %s\n", send(b, "x", 1, 0) < 0 ? strerror(errno) : "sent");
	close(b);
}

static void options(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), value = 1;
	static const struct { int level, name, value; const char *text; } list[] = {
		{ SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR" }, { SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE" }, { SOL_SOCKET, SO_SNDBUF, 30000, "SO_SNDBUF" },
		{ SOL_SOCKET, SO_RCVBUF, 20000, "SO_RCVBUF" }, { IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY" }, { IPPROTO_TCP, TCP_KEEPIDLE, 77, "TCP_KEEPIDLE" },
		{ IPPROTO_IP, IP_TTL, 33, "IP_TTL" }, { SOL_SOCKET, 9999, 1, "unknown" },
	};
	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
		int error = setsockopt(s, list[i].level, list[i].name, &list[i].value, sizeof(int)) < 0 ? errno : 0;
		check_compute(20);
		socklen_t length = sizeof value;
		if (getsockopt(s, list[i].level, list[i].name, &value, &length) < 0)
			printf("%s: %s, %s\n", list[i].text, strerror(error), strerror(errno));
		else
			printf("%s: %d\n", list[i].text, value);
	}
	struct linger linger = { 1, 5 }, got = { 0, 0 };
	struct timeval limit = { 2, 500000 }, got_limit = { 0, 0 };
	socklen_t length = sizeof got;
	setsockopt(s, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	getsockopt(s, SOL_SOCKET, SO_LINGER, &got, &length);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	length = sizeof got_limit;
	getsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &got_limit, &length);
	printf("linger %d %d, time-out %ld %ld\n", got.l_onoff, got.l_linger, got_limit.tv_sec, got_limit.tv_usec);
	printf("bind to a foreign address: %s\n",
	       bind(s, (struct sockaddr *)&(struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(0x08080808) } }, sizeof(struct sockaddr_in)) < 0 ? strerror(errno) : "done");
	close(s);
	printf("a family that is none: %s\n", socket(77, SOCK_STREAM, 0) < 0 ? strerror(errno) : "done");
}

static void abstract(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX }, name;
	snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "mosix-test-%d", getpid());
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(at.sun_path + 1)), got = sizeof name;
	int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0);
	check(bind(a, (struct sockaddr *)&at, length) == 0, "bind");
	check(getsockname(a, (struct sockaddr *)&name, &got) == 0 && got == length && memcmp(&at, &name, length) == 0, "abstract name");
	check_compute(100);
	check(connect(b, (struct sockaddr *)&at, length) == 0 && send(b, "text", 4, 0) == 4, "abstract connect");
	char text[8];
	got = sizeof name;
	check(recvfrom(a, text, sizeof text, 0, (struct sockaddr *)&name, &got) == 4, "recvfrom");
	printf("a sender without a name: %u\n", got);
	close(a);
	printf("nobody there: %s\n", send(b, "x", 1, 0) < 0 ? strerror(errno) : "sent");
	close(b);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	passing();
	streams(AF_UNIX);
	streams(AF_INET);
	streams(AF_INET6);
	datagrams();
	options();
	abstract();
	return check_result();
}
