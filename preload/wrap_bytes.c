/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Output that a handler cuts short though it would have gone on: the core finishes the rest, the wrapper adds it up. pwrite
 * and its kin are not here, because files cannot be interrupted; nor are splice, tee and vmsplice, whose results are short by
 * nature, so that no rest can be told from what the call would have left anyway.
 */
#define _GNU_SOURCE
#include "gather.h"
#include <sys/sendfile.h>

WRAP_EXPORT ssize_t write(int fd, const void *bytes, size_t count)
{
	struct mosix_record record;
	ssize_t result;

	fd = WRAP_INT(fd);
	if (!wrap_on)
		return REAL_OF(write)(fd, bytes, count);
	record.arg[0] = (uint32_t)fd;
	record.arg[1] = (uintptr_t)bytes;
	record.arg[2] = count;
	record.asked = count;
	wrap_record(&record, SYS_write, MOSIX_REST_COUNT, 0, UINT64_MAX, 7);
	result = REAL_OF(write)(fd, bytes, count);
	wrap_done(&record);
	return wrap_total(result, &record);
}

ssize_t __write(int fd, const void *bytes, size_t count) WRAP_ALIAS(write);

WRAP_EXPORT ssize_t writev(int fd, const struct iovec *list, int count)
{
	struct mosix_record record;
	struct gather gather;
	ssize_t result;

	fd = WRAP_INT(fd);
	if (!wrap_on || gather_copy(&gather, list, count) != 0)
		return REAL_OF(writev)(fd, list, count);
	record.arg[0] = (uint32_t)fd;
	record.arg[1] = (uintptr_t)gather.list;
	record.arg[2] = (uint32_t)count;
	record.asked = gather.bytes;
	wrap_record(&record, SYS_writev, MOSIX_REST_IOV, 0, UINT64_MAX, 7);
	result = REAL_OF(writev)(fd, gather.list, WRAP_INT(count));
	wrap_done(&record);
	return wrap_total(result, &record);
}

/* At the file's own position it is writev, and may go to a pipe or socket. */
WRAP_EXPORT ssize_t pwritev2(int fd, const struct iovec *list, int count, off_t offset, int flags)
{
	struct mosix_record record;
	struct gather gather;
	ssize_t result;

	fd = WRAP_INT(fd);
	if (!wrap_on || offset != -1 || gather_copy(&gather, list, count) != 0)
		return REAL_OF(pwritev2)(fd, list, count, offset, flags);
	record.arg[0] = (uint32_t)fd;
	record.arg[1] = (uintptr_t)gather.list;
	record.arg[2] = (uint32_t)count;
	record.arg[3] = (uint64_t)offset;
	record.asked = gather.bytes;
	wrap_record(&record, SYS_pwritev2, MOSIX_REST_IOV, 0, UINT64_MAX, 15);
	result = REAL_OF(pwritev2)(fd, gather.list, WRAP_INT(count), offset, flags);
	wrap_done(&record);
	return wrap_total(result, &record);
}

ssize_t pwritev64v2(int fd, const struct iovec *list, int count, off_t offset, int flags) WRAP_ALIAS(pwritev2);

/* The kernel itself advances the offsets that these two point to. */
WRAP_EXPORT ssize_t sendfile(int to, int from, off_t *offset, size_t count)
{
	struct mosix_record record;
	ssize_t result;

	to = WRAP_INT(to);
	from = WRAP_INT(from);
	if (!wrap_on)
		return REAL_OF(sendfile)(to, from, offset, count);
	record.arg[0] = (uint32_t)to;
	record.arg[1] = (uint32_t)from;
	record.arg[2] = (uintptr_t)offset;
	record.arg[3] = count;
	record.asked = count;
	wrap_record(&record, SYS_sendfile, MOSIX_REST_SPLICE, 3, UINT64_MAX, 15);
	result = REAL_OF(sendfile)(to, from, offset, count);
	wrap_done(&record);
	return wrap_total(result, &record);
}

ssize_t sendfile64(int to, int from, off_t *offset, size_t count) WRAP_ALIAS(sendfile);

WRAP_EXPORT ssize_t copy_file_range(int from, off_t *from_offset, int to, off_t *to_offset, size_t count, unsigned int flags)
{
	struct mosix_record record;
	ssize_t result;

	from = WRAP_INT(from);
	to = WRAP_INT(to);
	if (!wrap_on)
		return REAL_OF(copy_file_range)(from, from_offset, to, to_offset, count, flags);
	record.arg[0] = (uint32_t)from;
	record.arg[1] = (uintptr_t)from_offset;
	record.arg[2] = (uint32_t)to;
	record.arg[3] = (uintptr_t)to_offset;
	record.arg[4] = count;
	record.asked = count;
	wrap_record(&record, SYS_copy_file_range, MOSIX_REST_SPLICE, 4, UINT64_MAX, 31);
	result = REAL_OF(copy_file_range)(from, from_offset, to, to_offset, count, flags);
	wrap_done(&record);
	return wrap_total(result, &record);
}
