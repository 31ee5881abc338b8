/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sockets. Sending, and receiving with MSG_WAITALL, goes on after an interruption where it broke off. A socket with a time-out
 * of its own (SO_RCVTIMEO, SO_SNDTIMEO) makes every interruption an EINTR: from the first such option that this process sets,
 * reading functions ask a socket for its time-out and leave a record (read and readv too, nearly free until then).
 * Weaker than the real thing: time-outs inherited across execve are not known of; sendmmsg may send fewer messages.
 */
#define _GNU_SOURCE
#include "gather.h"
#include "socket.h"
#include <sys/time.h>

int socket_timed;

void socket_option(int level, int option)
{
	if (level == SOL_SOCKET && (option == SO_RCVTIMEO || option == SO_SNDTIMEO))
		socket_timed = 1;
}

WRAP_EXPORT int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
	socket_option(level, option);
	return REAL_OF(setsockopt)(fd, level, option, value, size);
}

static int option_of(int fd, int option, void *value, socklen_t size)
{
	return wrap_raw_(SYS_getsockopt, fd, SOL_SOCKET, option, value, &size) == 0;
}

int socket_timeout(int fd, int option, uint64_t *ret_deadline)
{
	struct timeval span;

	if (!socket_timed || !option_of(fd, option, &span, sizeof(span)) || (span.tv_sec == 0 && span.tv_usec == 0))
		return 0;
	*ret_deadline = wrap_deadline(span.tv_sec, span.tv_usec * 1000);
	return 1;
}

int socket_waits_for_all(int fd, int flags)
{
	int type;

	return (flags & MSG_WAITALL) && !(flags & ~(MSG_WAITALL | MSG_NOSIGNAL | MSG_CMSG_CLOEXEC)) &&
	       option_of(fd, SO_TYPE, &type, sizeof(type)) && type == SOCK_STREAM;
}

#define RECORDED(nr, rest, deadline, mask, type, call) __extension__ ({ \
	type result_; \
	wrap_record(&record, nr, rest, 0, deadline, mask); \
	result_ = call; \
	wrap_done(&record); \
	result_; })

WRAP_EXPORT ssize_t send(int fd, const void *bytes, size_t count, int flags)
{
	struct mosix_record record;

	fd = WRAP_INT(fd);
	if (!wrap_on)
		return REAL_OF(send)(fd, bytes, count, flags);
	record.arg[0] = (uint32_t)fd;
	record.arg[1] = (uintptr_t)bytes;
	record.arg[2] = count;
	record.asked = count;
	return wrap_total(RECORDED(SYS_sendto, MOSIX_REST_COUNT, UINT64_MAX, 7, ssize_t,
				   REAL_OF(send)(fd, bytes, count, flags)), &record);
}

ssize_t __send(int fd, const void *bytes, size_t count, int flags) WRAP_ALIAS(send);

WRAP_EXPORT ssize_t sendto(int fd, const void *bytes, size_t count, int flags, const struct sockaddr *to, socklen_t to_size)
{
	struct mosix_record record;

	fd = WRAP_INT(fd);
	if (!wrap_on)
		return REAL_OF(sendto)(fd, bytes, count, flags, to, to_size);
	record.arg[0] = (uint32_t)fd;
	record.arg[1] = (uintptr_t)bytes;
	record.arg[2] = count;
	record.arg[4] = (uintptr_t)to;
	record.asked = count;
	return wrap_total(RECORDED(SYS_sendto, MOSIX_REST_COUNT, UINT64_MAX, 23, ssize_t,
				   REAL_OF(sendto)(fd, bytes, count, flags, to, to_size)), &record);
}

WRAP_EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct mosix_record record;
	struct gather gather;
	struct msghdr copy;

	fd = WRAP_INT(fd);
	if (!wrap_on || !wrap_readable(message, sizeof(*message)) ||
	    gather_copy(&gather, message->msg_iov, (long)message->msg_iovlen) != 0)
		return REAL_OF(sendmsg)(fd, message, flags);
	copy = *message;
	copy.msg_iov = gather.list;
	record.arg[0] = (uint32_t)fd;
	record.arg[1] = (uintptr_t)&copy;
	record.asked = gather.bytes;
	return wrap_total(RECORDED(SYS_sendmsg, MOSIX_REST_MSG, UINT64_MAX, 3, ssize_t,
				   REAL_OF(sendmsg)(fd, &copy, flags)), &record);
}

/* recv and recvfrom: what both reach the kernel as. Returns 0 when no record is wanted. */
static int receives_long(struct mosix_record *record, int fd, void *bytes, size_t count, int flags, enum mosix_rest *ret_rest,
			 uint64_t *ret_deadline)
{
	*ret_deadline = UINT64_MAX;
	if (socket_waits_for_all(fd, flags))
		*ret_rest = MOSIX_REST_COUNT;
	else if (!(flags & MSG_DONTWAIT) && socket_timeout(fd, SO_RCVTIMEO, ret_deadline))
		*ret_rest = MOSIX_REST_SOCKET;
	else
		return 0;
	record->arg[0] = (uint32_t)fd;
	record->arg[1] = (uintptr_t)bytes;
	record->arg[2] = count;
	record->asked = count;
	return 1;
}

static __attribute__((noinline)) ssize_t recv_long(int fd, void *bytes, size_t count, int flags)
{
	struct mosix_record record;
	enum mosix_rest rest;
	uint64_t deadline;

	fd = WRAP_INT(fd);
	if (!wrap_on || (!socket_timed && !(flags & MSG_WAITALL)) ||
	    !receives_long(&record, fd, bytes, count, flags, &rest, &deadline))
		return REAL_OF(recv)(fd, bytes, count, flags);
	return wrap_total(RECORDED(SYS_recvfrom, rest, deadline, 7, ssize_t, REAL_OF(recv)(fd, bytes, count, flags)), &record);
}

WRAP_EXPORT ssize_t recv(int fd, void *bytes, size_t count, int flags)
{
	if (__builtin_expect(!socket_timed && !(flags & MSG_WAITALL) && wrap_reals.recv, 1))
		return wrap_reals.recv(fd, bytes, count, flags);
	return recv_long(fd, bytes, count, flags);
}

WRAP_EXPORT ssize_t recvfrom(int fd, void *bytes, size_t count, int flags, struct sockaddr *from, socklen_t *from_size)
{
	struct mosix_record record;
	enum mosix_rest rest;
	uint64_t deadline;

	fd = WRAP_INT(fd);
	if (!wrap_on || (!socket_timed && !(flags & MSG_WAITALL)) ||
	    !receives_long(&record, fd, bytes, count, flags, &rest, &deadline))
		return REAL_OF(recvfrom)(fd, bytes, count, flags, from, from_size);
	return wrap_total(RECORDED(SYS_recvfrom, rest, deadline, 7, ssize_t,
				   REAL_OF(recvfrom)(fd, bytes, count, flags, from, from_size)), &record);
}

WRAP_EXPORT ssize_t __recv_chk(int fd, void *bytes, size_t count, size_t size, int flags);
WRAP_EXPORT ssize_t __recvfrom_chk(int fd, void *bytes, size_t count, size_t size, int flags, struct sockaddr *from,
				   socklen_t *from_size);
WRAP_EXPORT ssize_t __read_chk(int fd, void *bytes, size_t count, size_t size);

ssize_t __recv_chk(int fd, void *bytes, size_t count, size_t size, int flags)
{
	if (count > size)
		return REAL_OF(__recv_chk)(fd, bytes, count, size, flags);
	return recv(fd, bytes, count, flags);
}

ssize_t __recvfrom_chk(int fd, void *bytes, size_t count, size_t size, int flags, struct sockaddr *from, socklen_t *from_size)
{
	if (count > size)
		return REAL_OF(__recvfrom_chk)(fd, bytes, count, size, flags, from, from_size);
	return recvfrom(fd, bytes, count, flags, from, from_size);
}

WRAP_EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	struct mosix_record record;
	struct gather gather;
	struct msghdr copy;
	uint64_t deadline;
	ssize_t result;

	fd = WRAP_INT(fd);
	if (!wrap_on || (!socket_timed && !(flags & MSG_WAITALL)))
		return REAL_OF(recvmsg)(fd, message, flags);
	/* Control messages end a wait for all bytes, so a call that asks for them is not carried on. */
	if (socket_waits_for_all(fd, flags) && wrap_readable(message, sizeof(*message)) && message->msg_controllen == 0 &&
	    gather_copy(&gather, message->msg_iov, (long)message->msg_iovlen) == 0) {
		copy = *message;
		copy.msg_iov = gather.list;
		record.arg[0] = (uint32_t)fd;
		record.arg[1] = (uintptr_t)&copy;
		record.asked = gather.bytes;
		result = wrap_total(RECORDED(SYS_recvmsg, MOSIX_REST_MSG, UINT64_MAX, 3, ssize_t,
					     REAL_OF(recvmsg)(fd, &copy, flags)), &record);
		if (result >= 0) {
			message->msg_namelen = copy.msg_namelen;
			message->msg_controllen = copy.msg_controllen;
			message->msg_flags = copy.msg_flags;
		}
		return result;
	}
	if (flags & MSG_DONTWAIT || !socket_timeout(fd, SO_RCVTIMEO, &deadline))
		return REAL_OF(recvmsg)(fd, message, flags);
	record.arg[0] = (uint32_t)fd;
	record.arg[1] = (uintptr_t)message;
	return RECORDED(SYS_recvmsg, MOSIX_REST_SOCKET, deadline, 3, ssize_t, REAL_OF(recvmsg)(fd, message, flags));
}

/* Apart, so that read() itself is two tests and a jump: 2 ns less on the call that programs make most. */
static __attribute__((noinline)) ssize_t read_timed(int fd, void *bytes, size_t count)
{
	struct mosix_record record;
	uint64_t deadline;

	if (!wrap_on || !socket_timeout(fd, SO_RCVTIMEO, &deadline))
		return REAL_OF(read)(fd, bytes, count);
	fd = WRAP_INT(fd);
	record.arg[0] = (uint32_t)fd;
	record.arg[1] = (uintptr_t)bytes;
	record.arg[2] = count;
	return RECORDED(SYS_read, MOSIX_REST_SOCKET, deadline, 7, ssize_t, REAL_OF(read)(fd, bytes, count));
}

WRAP_EXPORT ssize_t read(int fd, void *bytes, size_t count)
{
	if (__builtin_expect(!socket_timed && wrap_reals.read, 1))
		return wrap_reals.read(fd, bytes, count);
	return read_timed(fd, bytes, count);
}

ssize_t __read(int fd, void *bytes, size_t count) WRAP_ALIAS(read);

ssize_t __read_chk(int fd, void *bytes, size_t count, size_t size)
{
	if (count > size)
		return REAL_OF(__read_chk)(fd, bytes, count, size);
	return read(fd, bytes, count);
}

WRAP_EXPORT ssize_t readv(int fd, const struct iovec *list, int count)
{
	struct mosix_record record;
	uint64_t deadline;

	if (__builtin_expect(!socket_timed, 1) || !wrap_on || !socket_timeout(fd, SO_RCVTIMEO, &deadline))
		return REAL_OF(readv)(fd, list, count);
	fd = WRAP_INT(fd);
	record.arg[0] = (uint32_t)fd;
	record.arg[1] = (uintptr_t)list;
	return RECORDED(SYS_readv, MOSIX_REST_SOCKET, deadline, 3, ssize_t, REAL_OF(readv)(fd, list, count));
}

WRAP_EXPORT int accept(int fd, struct sockaddr *from, socklen_t *size)
{
	struct mosix_record record;
	uint64_t deadline;

	if (!socket_timed || !wrap_on || !socket_timeout(fd, SO_RCVTIMEO, &deadline))
		return REAL_OF(accept)(fd, from, size);
	fd = WRAP_INT(fd);
	record.arg[0] = (uint32_t)fd;
	record.arg[1] = (uintptr_t)from;
	record.arg[2] = (uintptr_t)size;
	return RECORDED(SYS_accept, MOSIX_REST_SOCKET, deadline, 7, int, REAL_OF(accept)(fd, from, size));
}

WRAP_EXPORT int accept4(int fd, struct sockaddr *from, socklen_t *size, int flags)
{
	struct mosix_record record;
	uint64_t deadline;

	if (!socket_timed || !wrap_on || !socket_timeout(fd, SO_RCVTIMEO, &deadline))
		return REAL_OF(accept4)(fd, from, size, flags);
	fd = WRAP_INT(fd);
	record.arg[0] = (uint32_t)fd;
	record.arg[1] = (uintptr_t)from;
	record.arg[2] = (uintptr_t)size;
	return RECORDED(SYS_accept4, MOSIX_REST_SOCKET, deadline, 7, int, REAL_OF(accept4)(fd, from, size, flags));
}

/* A connection under way is joined by calling connect again. The time-out that counts is the sending one. */
WRAP_EXPORT int connect(int fd, const struct sockaddr *to, socklen_t size)
{
	struct mosix_record record;
	uint64_t deadline;

	if (!socket_timed || !wrap_on || !socket_timeout(fd, SO_SNDTIMEO, &deadline))
		return REAL_OF(connect)(fd, to, size);
	fd = WRAP_INT(fd);
	record.arg[0] = (uint32_t)fd;
	record.arg[1] = (uintptr_t)to;
	record.arg[2] = size;
	return RECORDED(SYS_connect, MOSIX_REST_SOCKET, deadline, 7, int, REAL_OF(connect)(fd, to, WRAP_INT(size)));
}
