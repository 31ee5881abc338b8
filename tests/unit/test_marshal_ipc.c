/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Marshalling of sockets, of waiting, of signals, children, timers and System V and POSIX messages: away as natively. */
#define _GNU_SOURCE
#include "marshal_pair.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void scene_names(pair_call call, struct notes *n)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, name;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	uint8_t buffer[300], *edge = pair_edge();
	socklen_t length = sizeof(name);
	struct timeval time = { 3, 4 };
	int s = (int)DO(call, SYS_socket, AF_INET, SOCK_STREAM, 0), c, value = 1;

	NOTED(n, call, SYS_bind, s, &here, sizeof(here));
	NOTED(n, call, SYS_bind, s, &here, 2);
	NOTED(n, call, SYS_bind, s, &here, 200);
	NOTED(n, call, SYS_listen, s, 5);
	memset(&name, 1, sizeof(name));
	NOTED(n, call, SYS_getsockname, s, &name, &length);
	note_value(n, length);
	note(n, &name.sin_addr, 4);
	note(n, &name.sin_zero, 8);
	here.sin_port = name.sin_port;
	for (int l = -1; l < 18; l += 5) {
		memset(buffer, 1, sizeof(buffer));
		length = (socklen_t)l;
		NOTED(n, call, SYS_getsockname, s, buffer, &length);
		note_value(n, length);
		note(n, buffer, 2);
		note(n, buffer + 4, 60);
	}
	NOTED(n, call, SYS_getsockname, s, NULL, NULL);
	NOTED(n, call, SYS_getsockname, s, buffer, NULL);
	length = 300;
	NOTED(n, call, SYS_getsockname, s, edge, &length);
	NOTED(n, call, SYS_getsockname, 999, edge, &length);
	NOTED(n, call, SYS_getpeername, s, buffer, &length);
	c = (int)DO(call, SYS_socket, AF_INET, SOCK_STREAM, 0);
	NOTED(n, call, SYS_connect, c, &here, sizeof(here));
	length = sizeof(name);
	memset(&name, 1, sizeof(name));
	value = (int)DO(call, SYS_accept4, s, &name, &length, SOCK_CLOEXEC);
	note_value(n, value);
	note_value(n, length);
	note(n, &name.sin_addr, 4);
	length = 50;
	NOTED(n, call, SYS_write, value, "text", 4);
	NOTED(n, call, SYS_recvfrom, c, buffer, 100, 0, edge - 60, &length);
	note_value(n, length);
	NOTED(n, call, SYS_accept, c, NULL, NULL);
	close(value);
	value = 1;
	NOTED(n, call, SYS_setsockopt, s, SOL_SOCKET, SO_REUSEADDR, &value, 4);
	NOTED(n, call, SYS_setsockopt, s, SOL_SOCKET, SO_REUSEADDR, &value, 3);
	NOTED(n, call, SYS_setsockopt, s, SOL_SOCKET, SO_REUSEADDR, NULL, 4);
	NOTED(n, call, SYS_setsockopt, c, IPPROTO_TCP, TCP_NODELAY, &value, 4);
	NOTED(n, call, SYS_setsockopt, c, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
	NOTED(n, call, SYS_setsockopt, c, SOL_SOCKET, 55, &value, 4);
	for (int l = -1; l < 20; l += 3) {
		length = (socklen_t)l;
		memset(buffer, 1, sizeof(buffer));
		NOTED(n, call, SYS_getsockopt, c, IPPROTO_TCP, TCP_NODELAY, buffer, &length);
		note_value(n, length);
		length = (socklen_t)l;
		NOTED(n, call, SYS_getsockopt, c, SOL_SOCKET, SO_RCVTIMEO, buffer + 100, &length);
		note_value(n, length);
		note(n, buffer, 200);
	}
	NOTED(n, call, SYS_getsockopt, c, SOL_SOCKET, SO_TYPE, NULL, &length);
	NOTED(n, call, SYS_getsockopt, c, SOL_SOCKET, SO_TYPE, buffer, NULL);
	NOTED(n, call, SYS_shutdown, c, SHUT_RDWR);
	close(s);
	close(c);
	strcpy(un.sun_path + 1, "mosix-test-marshal");
	s = (int)DO(call, SYS_socket, AF_UNIX, SOCK_DGRAM, 0);
	NOTED(n, call, SYS_bind, s, &un, 2 + 1 + 18);
	NOTED(n, call, SYS_sendto, s, "to myself", 9, 0, &un, 2 + 1 + 18);
	memset(buffer, 1, sizeof(buffer));
	length = 100;
	NOTED(n, call, SYS_recvfrom, s, buffer, 5, MSG_TRUNC, buffer + 100, &length);
	note_value(n, length);
	NOTED(n, call, SYS_sendto, s, "", 0, 0, &un, 2 + 1 + 18);
	NOTED(n, call, SYS_recvfrom, s, buffer + 50, 5, 0, NULL, NULL);
	note(n, buffer, sizeof(buffer));
	close(s);
}

static struct msghdr header(void *name, socklen_t name_length, struct iovec *iov, size_t count, void *control, size_t length)
{
	return (struct msghdr){ .msg_name = name, .msg_namelen = name_length, .msg_iov = iov, .msg_iovlen = count,
				.msg_control = control, .msg_controllen = length, .msg_flags = 0x1234 };
}

static void receive(pair_call call, struct notes *n, int s, size_t control, int with_name, int flags)
{
	union { struct cmsghdr h; uint8_t bytes[256]; } c;
	uint8_t a[20], b[200], name[130];
	struct iovec iov[3] = { { a, 3 }, { NULL, 0 }, { b, sizeof(b) } };
	struct msghdr m = header(with_name ? name : NULL, 130, iov, 3, control ? c.bytes : NULL, control);

	memset(&c, 0, sizeof(c));
	memset(a, 1, sizeof(a));
	memset(b, 1, sizeof(b));
	memset(name, 1, sizeof(name));
	NOTED(n, call, SYS_recvmsg, s, &m, flags);
	note_value(n, m.msg_namelen);
	note_value(n, m.msg_flags);
	note_value(n, (int64_t)m.msg_controllen);
	note_value(n, m.msg_iov == iov && m.msg_iovlen == 3 && (m.msg_name == name) == with_name);
	note(n, a, sizeof(a));
	note(n, b, sizeof(b));
	note(n, name, sizeof(name));
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
		for (size_t i = 0; h->cmsg_type == SCM_RIGHTS && i < (h->cmsg_len - CMSG_LEN(0)) / 4; i++)
			close(((int *)CMSG_DATA(h))[i]);
	note(n, &c, sizeof(c));
}

static void scene_messages(pair_call call, struct notes *n)
{
	union { struct cmsghdr h; uint8_t bytes[CMSG_SPACE(8) + CMSG_SPACE(12)]; } c = {
		.h = { CMSG_LEN(8), SOL_SOCKET, SCM_RIGHTS },
	};
	struct iovec iov[3] = { { "first", 5 }, { "", 0 }, { "second", 6 } };
	struct msghdr m = header(NULL, 0, iov, 3, c.bytes, CMSG_SPACE(8)), bad;
	uint8_t *edge = pair_edge();
	int s[2], one = 1;

	NOTED(n, call, SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, s);
	memcpy(CMSG_DATA(&c.h), (int[2]){ s[0], 0 }, 8);
	NOTED(n, call, SYS_sendmsg, s[0], &m, 0);
	receive(call, n, s[1], 256, 1, 0);
	NOTED(n, call, SYS_sendmsg, s[0], &m, 0);
	receive(call, n, s[1], CMSG_SPACE(4), 0, MSG_CMSG_CLOEXEC);
	NOTED(n, call, SYS_sendmsg, s[0], &m, 0);
	receive(call, n, s[1], CMSG_LEN(8) - 1, 0, 0);
	NOTED(n, call, SYS_sendmsg, s[0], &m, 0);
	receive(call, n, s[1], 0, 1, MSG_PEEK);
	receive(call, n, s[1], 5, 1, 0);
	ck_assert_int_eq(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, 4), 0);
	NOTED(n, call, SYS_sendmsg, s[0], &m, 0);
	receive(call, n, s[1], 256, 1, 0);
	receive(call, n, s[1], 256, 1, MSG_DONTWAIT);
	memcpy(CMSG_DATA(&c.h), (int[2]){ s[0], 999 }, 8);
	NOTED(n, call, SYS_sendmsg, s[0], &m, 0);
	c.h.cmsg_len = 3;
	NOTED(n, call, SYS_sendmsg, s[0], &m, 0);
	for (int part = 0; part < 7; part++) {
		bad = header(NULL, 0, iov, 3, NULL, 0);
		switch (part) {
		case 0: bad.msg_iov = (struct iovec *)edge; break;
		case 1: bad.msg_iovlen = 1025; break;
		case 2: bad.msg_name = edge; bad.msg_namelen = 16; break;
		case 3: bad.msg_name = edge; bad.msg_namelen = (socklen_t)-1; break;
		case 4: bad.msg_control = edge; bad.msg_controllen = 24; break;
		case 5: bad.msg_iov = NULL; break;
		case 6: bad.msg_control = NULL; bad.msg_controllen = 24; break;
		}
		NOTED(n, call, SYS_sendmsg, s[0], &bad, MSG_DONTWAIT);
		NOTED(n, call, SYS_recvmsg, s[1], &bad, MSG_DONTWAIT);
	}
	NOTED(n, call, SYS_sendmsg, s[0], edge, 0);
	NOTED(n, call, SYS_recvmsg, s[0], NULL, 0);
	close(s[0]);
	close(s[1]);
	/* On a stream, parts arrive together. */
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	NOTED(n, call, SYS_sendto, s[0], "abcdef", 6, MSG_NOSIGNAL, NULL, 0);
	NOTED(n, call, SYS_recvfrom, s[1], edge - 3, 3, MSG_WAITALL, NULL, NULL);
	note(n, edge - 3, 3);
	receive(call, n, s[1], 100, 1, 0);
	close(s[0]);
	close(s[1]);
}

static void scene_many_messages(pair_call call, struct notes *n)
{
	struct iovec out[2] = { { "one", 3 }, { "twotwo", 6 } }, in[3];
	struct mmsghdr m[3];
	struct timespec timeout = { 5, 0 };
	uint8_t room[3][10], names[3][20];
	int s[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, s), 0);
	memset(m, 0, sizeof(m));
	for (int i = 0; i < 2; i++)
		m[i] = (struct mmsghdr){ header(NULL, 0, &out[i], 1, NULL, 0), 0 };
	NOTED(n, call, SYS_sendmmsg, s[0], m, 2, 0);
	note_value(n, m[0].msg_len);
	note_value(n, m[1].msg_len);
	memset(room, 1, sizeof(room));
	memset(names, 1, sizeof(names));
	for (int i = 0; i < 3; i++) {
		in[i] = (struct iovec){ room[i], i == 1 ? 4 : 10 };
		m[i] = (struct mmsghdr){ header(names[i], 20, &in[i], 1, NULL, 0), 77 };
	}
	NOTED(n, call, SYS_recvmmsg, s[1], m, 3, MSG_DONTWAIT, &timeout);
	NOTED(n, call, SYS_recvmmsg, s[1], m, 0, MSG_DONTWAIT, NULL);
	NOTED(n, call, SYS_recvmmsg, s[1], NULL, 2, MSG_DONTWAIT, NULL);
	note_value(n, timeout.tv_sec >= 4);
	for (int i = 0; i < 3; i++) {
		note_value(n, m[i].msg_len);
		note_value(n, m[i].msg_hdr.msg_namelen);
		note_value(n, m[i].msg_hdr.msg_flags);
	}
	note(n, room, sizeof(room));
	note(n, names, sizeof(names));
	close(s[0]);
	close(s[1]);
}

static void scene_waiting(pair_call call, struct notes *n)
{
	struct timespec soon = { 0, 1000 }, none = { 0, 0 }, odd = { 0, -1 }, left = { 7, 7 };
	struct timeval soon_us = { 0, 1000 };
	struct epoll_event event = { EPOLLIN, { .u64 = 0x123456789abcdef0 } }, events[3];
	struct { const sigset_t *set; size_t size; } pair;
	struct pollfd fds[3];
	uint64_t mask = 1ull << (SIGURG - 1) | 1ull << (SIGUSR1 - 1);
	fd_set in, out;
	uint8_t *edge = pair_edge();
	int p[2], e;

	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	for (int form = 0; form < 3; form++) {
		fds[0] = (struct pollfd){ p[0], POLLIN, 99 };
		fds[1] = (struct pollfd){ -1, POLLIN, 99 };
		fds[2] = (struct pollfd){ 999, POLLIN, 99 };
		if (form == 0)
			NOTED(n, call, SYS_poll, fds, 3, 10);
		else
			NOTED(n, call, SYS_ppoll, fds, 3, &soon, form == 1 ? NULL : &mask, 8);
		note(n, fds, sizeof(fds));
		note_value(n, soon.tv_sec);
	}
	NOTED(n, call, SYS_poll, fds + 1, 1, 0);
	NOTED(n, call, SYS_poll, NULL, 0, 1);
	NOTED(n, call, SYS_ppoll, fds, 1, &odd, NULL, 8);
	NOTED(n, call, SYS_ppoll, fds, 1, &none, &mask, 7);
	NOTED(n, call, SYS_ppoll, fds, 1, &none, edge, 8);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(p[0], &in);
	FD_SET(p[1], &out);
	FD_SET(p[0], &out);
	NOTED(n, call, SYS_select, p[1] + 1, &in, &out, NULL, &soon_us);
	note(n, &in, sizeof(in));
	note(n, &out, sizeof(out));
	FD_SET(900, &in);
	NOTED(n, call, SYS_select, 901, &in, NULL, NULL, &soon_us);
	NOTED(n, call, SYS_select, -1, &in, NULL, NULL, &soon_us);
	NOTED(n, call, SYS_select, 0, NULL, NULL, NULL, &soon_us);
	note(n, &soon_us, sizeof(soon_us));
	note(n, &in, sizeof(in));
	pair.set = (sigset_t *)&mask;
	pair.size = 8;
	FD_CLR(900, &in);
	NOTED(n, call, SYS_pselect6, p[1] + 1, &in, NULL, &out, &none, &pair);
	note(n, &out, sizeof(out));
	pair.size = 9;
	NOTED(n, call, SYS_pselect6, 0, NULL, NULL, NULL, &none, &pair);
	pair.set = (sigset_t *)edge;
	pair.size = 8;
	NOTED(n, call, SYS_pselect6, 0, NULL, NULL, NULL, &none, &pair);
	NOTED(n, call, SYS_pselect6, 0, NULL, NULL, NULL, &none, edge);
	pair.set = NULL;
	NOTED(n, call, SYS_pselect6, 0, NULL, NULL, NULL, &none, &pair);
	e = (int)DO(call, SYS_epoll_create1, EPOLL_CLOEXEC);
	NOTED(n, call, SYS_epoll_ctl, e, EPOLL_CTL_ADD, p[0], &event);
	NOTED(n, call, SYS_epoll_ctl, e, EPOLL_CTL_ADD, p[0], &event);
	NOTED(n, call, SYS_epoll_ctl, e, EPOLL_CTL_DEL, 999, NULL);
	memset(events, 1, sizeof(events));
	NOTED(n, call, SYS_epoll_wait, e, events, 3, 100);
	NOTED(n, call, SYS_epoll_pwait, e, events + 1, 1, 100, &mask, 8);
	NOTED(n, call, SYS_epoll_pwait2, e, events, 3, &none, NULL, 8);
	NOTED(n, call, SYS_epoll_wait, e, events, 0, 0);
	note(n, events, sizeof(events));
	NOTED(n, call, SYS_nanosleep, &soon, &left);
	NOTED(n, call, SYS_nanosleep, &odd, &left);
	NOTED(n, call, SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &soon, NULL);
	NOTED(n, call, SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &soon, &left);
	note(n, &left, sizeof(left));
	close(e);
	close(p[0]);
	close(p[1]);
}

static void scene_signals(pair_call call, struct notes *n)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 42 };
	struct itimerspec spec = { { 0, 0 }, { 100, 0 } }, old;
	struct itimerval interval = { { 0, 0 }, { 100, 0 } };
	struct timespec none = { 0, 0 };
	uint64_t set = 1ull << (SIGUSR1 - 1) | 1ull << (SIGRTMIN - 1), pending = 0;
	siginfo_t info = { .si_signo = SIGRTMIN, .si_code = SI_QUEUE };
	sigset_t blocked, before;
	uint8_t buffer[128];
	int timer = -1, fd;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigaddset(&blocked, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	info.si_value.sival_int = 4711;
	NOTED(n, call, SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, &info);
	NOTED(n, call, SYS_rt_sigpending, &pending, 8);
	NOTED(n, call, SYS_rt_sigpending, &pending, 9);
	note_value(n, (int64_t)pending);
	memset(&info, 1, sizeof(info));
	NOTED(n, call, SYS_rt_sigtimedwait, &set, &info, &none, 8);
	note_value(n, info.si_value.sival_int);
	NOTED(n, call, SYS_rt_sigtimedwait, &set, &info, &none, 8);
	note(n, &info, sizeof(info));
	NOTED(n, call, SYS_tgkill, getpid(), getpid(), SIGUSR1);
	fd = (int)DO(call, SYS_signalfd4, -1, &set, 8, O_NONBLOCK);
	NOTED(n, call, SYS_read, fd, buffer, sizeof(buffer));
	note(n, buffer, 4);
	NOTED(n, call, SYS_read, fd, buffer, sizeof(buffer));
	close(fd);
	sigprocmask(SIG_SETMASK, &before, NULL);
	NOTED(n, call, SYS_timer_create, CLOCK_MONOTONIC, &event, &timer);
	memset(&old, 1, sizeof(old));
	NOTED(n, call, SYS_timer_settime, timer, 0, &spec, &old);
	NOTED(n, call, SYS_timer_settime, timer, 0, &spec, NULL);
	note(n, &old, sizeof(old));
	NOTED(n, call, SYS_timer_gettime, timer, &old);
	note_value(n, old.it_value.tv_sec >= 90);
	NOTED(n, call, SYS_timer_getoverrun, timer);
	NOTED(n, call, SYS_timer_delete, timer);
	NOTED(n, call, SYS_timer_delete, timer);
	fd = (int)DO(call, SYS_timerfd_create, CLOCK_MONOTONIC, O_NONBLOCK);
	NOTED(n, call, SYS_timerfd_settime, fd, 0, &spec, NULL);
	NOTED(n, call, SYS_read, fd, buffer, 8);
	close(fd);
	NOTED(n, call, SYS_setitimer, ITIMER_REAL, &interval, NULL);
	NOTED(n, call, SYS_getitimer, ITIMER_REAL, &interval);
	note_value(n, interval.it_value.tv_sec >= 90);
	NOTED(n, call, SYS_alarm, 0);
	fd = (int)DO(call, SYS_eventfd2, 5, O_NONBLOCK);
	NOTED(n, call, SYS_read, fd, buffer, 8);
	NOTED(n, call, SYS_read, fd, buffer, 4);
	note(n, buffer, 8);
	close(fd);
}

static void scene_children(pair_call call, struct notes *n)
{
	struct rusage usage;
	siginfo_t info;
	int status = 0x1234;
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	memset(&usage, 1, sizeof(usage));
	memset(&info, 1, sizeof(info));
	NOTED(n, call, SYS_wait4, child, &status, WNOHANG, &usage);
	note_value(n, status);
	note(n, &usage, sizeof(usage));
	NOTED(n, call, SYS_waitid, P_PID, child, &info, WEXITED | WNOHANG, NULL);
	note(n, &info, sizeof(info));
	NOTED(n, call, SYS_kill, child, SIGKILL);
	memset(&info, 1, sizeof(info));
	NOTED(n, call, SYS_waitid, P_PID, child, &info, WEXITED | WNOWAIT, &usage);
	note_value(n, info.si_status);
	note_value(n, info.si_pid == child);
	note(n, (uint8_t *)&info + 28, 100);
	ck_assert_int_eq(DO(call, SYS_wait4, child, &status, 0, NULL), child);
	note_value(n, status);
	NOTED(n, call, SYS_wait4, child, &status, 0, NULL);
	NOTED(n, call, SYS_getrusage, RUSAGE_CHILDREN, NULL);
}

static void scene_queues(pair_call call, struct notes *n)
{
	struct { long type; char text[32]; } message = { 5, "message text" };
	struct { long flags, most, size, now, pad[4]; } attributes = { 0, 4, 64, 0, { 0 } };
	struct sembuf up = { 0, 2, 0 }, down = { 0, -3, IPC_NOWAIT };
	struct timespec past = { 1, 0 };
	uint8_t stat[120];
	unsigned priority = 9;
	int q = (int)DO(call, SYS_msgget, IPC_PRIVATE, IPC_CREAT | 0600);
	int s = (int)DO(call, SYS_semget, IPC_PRIVATE, 1, IPC_CREAT | 0600), m;
	char text[64];

	if (q >= 0) {
		NOTED(n, call, SYS_msgsnd, q, &message, 13, 0);
		NOTED(n, call, SYS_msgsnd, q, NULL, 13, 0);
		NOTED(n, call, SYS_msgctl, q, IPC_STAT, stat);
		note(n, stat + 80, 8);		/* msg_qnum */
		memset(&message, 1, sizeof(message));
		NOTED(n, call, SYS_msgrcv, q, &message, 5, 0, IPC_NOWAIT);
		NOTED(n, call, SYS_msgrcv, q, &message, 20, 0, IPC_NOWAIT);
		NOTED(n, call, SYS_msgrcv, q, &message, 20, 0, IPC_NOWAIT);
		note(n, &message, sizeof(message));
		NOTED(n, call, SYS_msgctl, q, IPC_RMID, NULL);
	}
	if (s >= 0) {
		NOTED(n, call, SYS_semop, s, &up, 1);
		NOTED(n, call, SYS_semop, s, &down, 1);
		NOTED(n, call, SYS_semtimedop, s, &up, 1, &past);
		NOTED(n, call, SYS_semtimedop, s, NULL, 1, &past);
		NOTED(n, call, SYS_semctl, s, 0, GETVAL);
		NOTED(n, call, SYS_semctl, s, 0, SETVAL, 9);
		NOTED(n, call, SYS_semctl, s, 0, IPC_STAT, stat);
		note(n, stat + 80, 8);		/* sem_nsems */
		NOTED(n, call, SYS_semctl, s, 0, IPC_RMID);
	}
	m = (int)DO(call, SYS_mq_open, "mosix-test-marshal", O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attributes);
	note_value(n, m >= 0);
	if (m < 0)
		return;
	NOTED(n, call, SYS_mq_unlink, "mosix-test-marshal");
	NOTED(n, call, SYS_mq_timedsend, m, "hello", 6, 3, &past);
	memset(text, 1, sizeof(text));
	NOTED(n, call, SYS_mq_timedreceive, m, text, 10, &priority, NULL);
	NOTED(n, call, SYS_mq_timedreceive, m, text, 64, &priority, NULL);
	NOTED(n, call, SYS_mq_timedreceive, m, text, 64, &priority, &past);
	note_value(n, priority);
	note(n, text, sizeof(text));
	memset(&attributes, 1, sizeof(attributes));
	NOTED(n, call, SYS_mq_getsetattr, m, NULL, &attributes);
	note(n, &attributes, 32);
	close(m);
}

START_TEST(names)         { pair_compare(scene_names); }         END_TEST
START_TEST(messages)      { pair_compare(scene_messages); }      END_TEST
START_TEST(many_messages) { pair_compare(scene_many_messages); } END_TEST
START_TEST(waiting)       { pair_compare(scene_waiting); }       END_TEST
START_TEST(signals)       { pair_compare(scene_signals); }       END_TEST
START_TEST(children)      { pair_compare(scene_children); }      END_TEST
START_TEST(queues)        { pair_compare(scene_queues); }        END_TEST

/* select writes what is left only if it can; an offset has to be written, and home's kernel knows when. */
START_TEST(constant_timeout)
{
	struct timeval *time = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	loff_t *offset = (loff_t *)time;

	*time = (struct timeval){ 0, 1000 };
	ck_assert_int_eq(mprotect(time, 4096, PROT_READ), 0);
	ck_assert_int_eq(DO(pair_away, SYS_select, 0, NULL, NULL, NULL, time), 0);
	ck_assert_int_eq(DO(pair_away, SYS_sendfile, 999, 998, offset, 1), GO_HOME);
	munmap(time, 4096);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("marshal-ipc");
	TCase *t = tcase_create("marshal-ipc");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, names);
	tcase_add_test(t, messages);
	tcase_add_test(t, many_messages);
	tcase_add_test(t, waiting);
	tcase_add_test(t, signals);
	tcase_add_test(t, children);
	tcase_add_test(t, queues);
	tcase_add_test(t, constant_timeout);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
