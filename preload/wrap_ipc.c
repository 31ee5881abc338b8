/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Semaphores, System V queues, AIO, terminals: calls that end with EINTR whatever SA_RESTART says. sem_wait and mq_timed* are
 * not here: the kernel begins their calls again by itself.
 */
#define _GNU_SOURCE
#include "wrap.h"
#include <sys/ioctl.h>
#include <sys/msg.h>
#include <termios.h>

#define RECORDED(nr, rest, mask, type, call) __extension__ ({ \
	type result_; \
	wrap_record(&record, nr, rest, 0, UINT64_MAX, mask); \
	result_ = call; \
	wrap_done(&record); \
	result_; })

/* glibc waits in futex(FUTEX_WAIT_BITSET) until an absolute time; its first argument is the semaphore's first word. */
WRAP_EXPORT int sem_timedwait(sem_t *sem, const struct timespec *until)
{
	struct mosix_record record;

	if (!wrap_on)
		return REAL_OF(sem_timedwait)(sem, until);
	record.arg[0] = (uintptr_t)sem;
	return RECORDED(SYS_futex, MOSIX_REST_ABSOLUTE, 1, int, REAL_OF(sem_timedwait)(sem, until));
}

WRAP_EXPORT int sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *until)
{
	struct mosix_record record;

	if (!wrap_on)
		return REAL_OF(sem_clockwait)(sem, clock, until);
	record.arg[0] = (uintptr_t)sem;
	return RECORDED(SYS_futex, MOSIX_REST_ABSOLUTE, 1, int, REAL_OF(sem_clockwait)(sem, clock, until));
}

/* semop() of glibc is semtimedop() without a time-out. */
WRAP_EXPORT int semtimedop(int set, struct sembuf *operations, size_t count, const struct timespec *timeout)
{
	struct mosix_record record;
	uint64_t deadline = UINT64_MAX;
	enum mosix_rest rest = MOSIX_REST_NONE;
	int result;

	set = WRAP_INT(set);
	if (!wrap_on || (timeout && (!wrap_readable(timeout, sizeof(*timeout)) || !wrap_timespec_valid(timeout))))
		return REAL_OF(semtimedop)(set, operations, count, timeout);
	if (timeout) {
		record.left.ts = *timeout;
		deadline = wrap_deadline(timeout->tv_sec, timeout->tv_nsec);
		rest = MOSIX_REST_TIMESPEC;
		timeout = &record.left.ts;
	}
	record.arg[0] = (uint32_t)set;
	record.arg[1] = (uintptr_t)operations;
	record.arg[2] = count;
	record.arg[3] = (uintptr_t)timeout;
	wrap_record(&record, SYS_semtimedop, rest, 3, deadline, 15);
	result = REAL_OF(semtimedop)(set, operations, count, timeout);
	wrap_done(&record);
	return result;
}

WRAP_EXPORT int semop(int set, struct sembuf *operations, size_t count)
{
	return semtimedop(set, operations, count, NULL);
}

WRAP_EXPORT ssize_t msgrcv(int queue, void *message, size_t size, long type, int flags)
{
	struct mosix_record record;

	queue = WRAP_INT(queue);
	flags = WRAP_INT(flags);
	if (!wrap_on)
		return REAL_OF(msgrcv)(queue, message, size, type, flags);
	record.arg[0] = (uint32_t)queue;
	record.arg[1] = (uintptr_t)message;
	record.arg[2] = size;
	record.arg[3] = (uint64_t)type;
	record.arg[4] = (uint32_t)flags;
	return RECORDED(SYS_msgrcv, MOSIX_REST_NONE, 31, ssize_t, REAL_OF(msgrcv)(queue, message, size, type, flags));
}

WRAP_EXPORT int msgsnd(int queue, const void *message, size_t size, int flags)
{
	struct mosix_record record;

	queue = WRAP_INT(queue);
	flags = WRAP_INT(flags);
	if (!wrap_on)
		return REAL_OF(msgsnd)(queue, message, size, flags);
	record.arg[0] = (uint32_t)queue;
	record.arg[1] = (uintptr_t)message;
	record.arg[2] = size;
	record.arg[3] = (uint32_t)flags;
	return RECORDED(SYS_msgsnd, MOSIX_REST_NONE, 15, int, REAL_OF(msgsnd)(queue, message, size, flags));
}

/* libaio's: returns -errno. May be answered from its ring without a system call. */
WRAP_EXPORT int io_getevents(void *context, long least, long most, void *events, struct timespec *timeout);

int io_getevents(void *context, long least, long most, void *events, struct timespec *timeout)
{
	struct mosix_record record;
	uint64_t deadline = UINT64_MAX;
	enum mosix_rest rest = MOSIX_REST_NONE;
	int result;

	if (!REAL_OF(io_getevents))
		return (int)wrap_raw_(SYS_io_getevents, context, least, most, events, timeout);
	if (!wrap_on || (timeout && (!wrap_readable(timeout, sizeof(*timeout)) || !wrap_timespec_valid(timeout))))
		return wrap_reals.io_getevents(context, least, most, events, timeout);
	if (timeout) {
		record.left.ts = *timeout;
		deadline = wrap_deadline(timeout->tv_sec, timeout->tv_nsec);
		rest = MOSIX_REST_TIMESPEC;
		timeout = &record.left.ts;
	}
	record.arg[0] = (uintptr_t)context;
	record.arg[1] = (uint64_t)least;
	record.arg[2] = (uint64_t)most;
	record.arg[3] = (uintptr_t)events;
	record.arg[4] = (uintptr_t)timeout;
	wrap_record(&record, SYS_io_getevents, rest, 4, deadline, 31);
	result = wrap_reals.io_getevents(context, least, most, events, timeout);
	wrap_done(&record);
	return result;
}

/* glibc: ioctl(fd, TCSBRK, 1) */
WRAP_EXPORT int tcdrain(int fd)
{
	struct mosix_record record;

	fd = WRAP_INT(fd);
	if (!wrap_on)
		return REAL_OF(tcdrain)(fd);
	record.arg[0] = (uint32_t)fd;
	record.arg[1] = TCSBRK;
	record.arg[2] = 1;
	return RECORDED(SYS_ioctl, MOSIX_REST_NONE, 7, int, REAL_OF(tcdrain)(fd));
}
