/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that wait inside libc, or that a handler cuts short though nobody expects it of them. Not here, because the kernel
 * begins their calls again or libc does: wait and its kin, system, popen, flock, lockf, mq_*, sem_wait, mutexes, conditions,
 * barriers, thread joins, getaddrinfo, and stdio, which writes the rest of what was cut.
 */
#define _GNU_SOURCE
#include "wrap.h"
#include <aio.h>
#include <fcntl.h>
#include <sys/random.h>
#include <termios.h>

/* All its calls that can end with EINTR are waits for a futex until an absolute time; which futex is libc's secret. */
WRAP_EXPORT int aio_suspend(const struct aiocb *const list[], int count, const struct timespec *timeout)
{
	struct mosix_record record;
	int result;

	if (!wrap_on)
		return REAL_OF(aio_suspend)(list, count, timeout);
	wrap_record(&record, SYS_futex, MOSIX_REST_ABSOLUTE, 0, UINT64_MAX, 0);
	result = REAL_OF(aio_suspend)(list, count, timeout);
	wrap_done(&record);
	return result;
}

int aio_suspend64(const struct aiocb64 *const list[], int count, const struct timespec *timeout)
	__attribute__((visibility("default"), alias("aio_suspend")));

/* The kernel looks for signals after each page. Those who ask for more hardly ever ask for the rest. */
WRAP_EXPORT ssize_t getrandom(void *bytes, size_t count, unsigned int flags)
{
	size_t done = 0;
	ssize_t result;

	for (;;) {
		result = REAL_OF(getrandom)((char *)bytes + done, count - done, flags);
		if (result > 0)
			done += (size_t)result;
		if (result <= 0 || done >= count || !wrap_on)
			return done > 0 ? (ssize_t)done : result;
	}
}

/* On tmpfs, kernels up to 5.18 undo it all at a signal. */
WRAP_EXPORT int fallocate(int fd, int mode, off_t offset, off_t length)
{
	struct mosix_record record;
	int result;

	fd = WRAP_INT(fd);
	if (!wrap_on)
		return REAL_OF(fallocate)(fd, mode, offset, length);
	record.arg[0] = (uint32_t)fd;
	record.arg[2] = (uint64_t)offset;
	record.arg[3] = (uint64_t)length;
	wrap_record(&record, SYS_fallocate, MOSIX_REST_NONE, 0, UINT64_MAX, 13);
	result = REAL_OF(fallocate)(fd, mode, offset, length);
	wrap_done(&record);
	return result;
}

int fallocate64(int fd, int mode, off_t offset, off_t length) WRAP_ALIAS(fallocate);

WRAP_EXPORT int posix_fallocate(int fd, off_t offset, off_t length)
{
	struct mosix_record record;
	int result;

	fd = WRAP_INT(fd);
	if (!wrap_on)
		return REAL_OF(posix_fallocate)(fd, offset, length);
	record.arg[0] = (uint32_t)fd;
	record.arg[2] = (uint64_t)offset;
	record.arg[3] = (uint64_t)length;
	wrap_record(&record, SYS_fallocate, MOSIX_REST_NONE, 0, UINT64_MAX, 13);
	result = REAL_OF(posix_fallocate)(fd, offset, length);
	wrap_done(&record);
	return result;
}

int posix_fallocate64(int fd, off_t offset, off_t length) WRAP_ALIAS(posix_fallocate);

/* TCSADRAIN and TCSAFLUSH wait for the output. */
WRAP_EXPORT int tcsetattr(int fd, int when, const struct termios *attributes)
{
	struct mosix_record record;
	int result;

	fd = WRAP_INT(fd);
	if (!wrap_on || when == TCSANOW)
		return REAL_OF(tcsetattr)(fd, when, attributes);
	record.arg[0] = (uint32_t)fd;
	wrap_record(&record, SYS_ioctl, MOSIX_REST_NONE, 0, UINT64_MAX, 1);
	result = REAL_OF(tcsetattr)(fd, when, attributes);
	wrap_done(&record);
	return result;
}
