/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "gather.h"
#include "socket.h"
#include "syscall.h"

static __attribute__((noinline)) long gathered(long nr, long a[6])
{
	struct mosix_record record;
	struct gather gather;

	if ((nr == SYS_pwritev2 && a[3] != -1) || gather_copy(&gather, (const struct iovec *)a[1], a[2]) != 0)
		return syscall_plain(nr, a);
	a[1] = (long)gather.list;
	record.asked = gather.bytes;
	return wrap_total(syscall_recorded(&record, nr, a, MOSIX_REST_IOV, 0, UINT64_MAX), &record);
}

/* sendmsg, and recvmsg that waits for all: with a copy of the message whose list the core may advance. */
static __attribute__((noinline)) long message(long nr, long a[6])
{
	struct msghdr *program = (struct msghdr *)a[1], copy;
	struct mosix_record record;
	struct gather gather;
	long result;

	if (!wrap_readable(program, sizeof(*program)) || (nr == SYS_recvmsg && program->msg_controllen != 0) ||
	    gather_copy(&gather, program->msg_iov, (long)program->msg_iovlen) != 0)
		return syscall_plain(nr, a);
	copy = *program;
	copy.msg_iov = gather.list;
	a[1] = (long)&copy;
	record.asked = gather.bytes;
	result = wrap_total(syscall_recorded(&record, nr, a, MOSIX_REST_MSG, 0, UINT64_MAX), &record);
	if (nr == SYS_recvmsg && result >= 0) {
		copy.msg_iov = program->msg_iov;
		copy.msg_iovlen = program->msg_iovlen;
		if (syscall_store((long)program, &copy, sizeof(copy)) != 0)
			return -EFAULT;
	}
	return result;
}

/* A socket's own time-out, if it has one. */
static __attribute__((noinline)) long timed(long nr, long a[6], int option)
{
	struct mosix_record record;
	uint64_t deadline;

	if (!socket_timeout((int)a[0], option, &deadline))
		return syscall_plain(nr, a);
	return syscall_recorded(&record, nr, a, MOSIX_REST_SOCKET, 0, deadline);
}

static long counted(long nr, const long a[6], enum mosix_rest rest, int place)
{
	struct mosix_record record;

	record.asked = (uint64_t)a[place];
	return wrap_total(syscall_recorded(&record, nr, a, rest, place, UINT64_MAX), &record);
}

long syscall_bytes(long nr, long a[6])
{
	switch (nr) {
	case SYS_write:
	case SYS_sendto:
		return counted(nr, a, MOSIX_REST_COUNT, 2);
	case SYS_sendfile:
		return counted(nr, a, MOSIX_REST_SPLICE, 3);
	case SYS_copy_file_range:
		return counted(nr, a, MOSIX_REST_SPLICE, 4);
	case SYS_writev:
	case SYS_pwritev2:
		return gathered(nr, a);
	case SYS_sendmsg:
		return message(nr, a);
	case SYS_recvfrom:
		if (socket_waits_for_all((int)a[0], (int)a[3]))
			return counted(nr, a, MOSIX_REST_COUNT, 2);
		return a[3] & MSG_DONTWAIT ? syscall_plain(nr, a) : timed(nr, a, SO_RCVTIMEO);
	case SYS_recvmsg:
		if (socket_waits_for_all((int)a[0], (int)a[2]))
			return message(nr, a);
		return a[2] & MSG_DONTWAIT ? syscall_plain(nr, a) : timed(nr, a, SO_RCVTIMEO);
	case SYS_connect:
		return timed(nr, a, SO_SNDTIMEO);
	case SYS_setsockopt:
		socket_option((int)a[1], (int)a[2]);
		return syscall_plain(nr, a);
	default:	/* read, readv, accept, accept4 */
		return timed(nr, a, SO_RCVTIMEO);
	}
}
