/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guarded access to program memory, whole transfers, clocks. */
#include "arena.h"
#include "core.h"
#include "entry.h"

#define MSG_NOSIGNAL 0x4000	/* bits/socket.h */

struct vector { uint64_t base, length; };

static int cross_copy(long nr, void *here, uint64_t there, size_t size)
{
	struct vector local = { (uint64_t)here, size }, remote = { there, size };
	long done;

	if (size == 0)
		return 0;
	done = core_syscall6(nr, core_here->pid, (uint64_t)&local, 1, (uint64_t)&remote, 1, 0);
	return done == (long)size ? 0 : -EFAULT;
}

int core_copy_in(void *dst, uint64_t address, size_t size)
{
	if (core_here->place == PLACE_GUEST) {
		if (address > MOSIX_TASK_SIZE || size > MOSIX_TASK_SIZE - address)
			return -EFAULT;
		return core_guarded_copy(dst, (const void *)address, size);
	}
	return cross_copy(__NR_process_vm_readv, dst, address, size);
}

int core_copy_out(uint64_t address, const void *src, size_t size)
{
	if (core_here->place == PLACE_GUEST) {
		if (address > MOSIX_TASK_SIZE || size > MOSIX_TASK_SIZE - address)
			return -EFAULT;
		return core_guarded_copy((void *)address, src, size);
	}
	return cross_copy(__NR_process_vm_writev, (void *)src, address, size);
}

int core_probe_write(uint64_t address, size_t size)
{
	if (size == 0)
		return 0;
	if (address > MOSIX_TASK_SIZE || size > MOSIX_TASK_SIZE - address)
		return -EFAULT;
	for (uint64_t at = address; at < address + size; at = (at | (MOSIX_PAGE - 1)) + 1)
		if (core_guarded_touch((void *)at) != 0)
			return -EFAULT;
	return 0;
}

/* By pieces that do not cross a page, so that a string at the end of a mapping is found. */
long core_string_in(char *dst, uint64_t address, size_t cap)
{
	size_t have = 0;

	while (have < cap) {
		size_t piece = MOSIX_PAGE - ((address + have) & (MOSIX_PAGE - 1));

		if (piece > 256)
			piece = 256;
		if (piece > cap - have)
			piece = cap - have;
		if (core_copy_in(dst + have, address + have, piece) != 0)
			return -EFAULT;
		for (size_t i = 0; i < piece; i++)
			if (dst[have + i] == '\0')
				return (long)(have + i);
		have += piece;
	}
	return -ENAMETOOLONG;
}

int core_read_all(int fd, void *buffer, uint64_t size)
{
	uint8_t *at = buffer;

	while (size > 0) {
		long n = SYS3(__NR_read, fd, at, size);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? -EPIPE : (int)n;
		at += n;
		size -= (uint64_t)n;
	}
	return 0;
}

/* At home a broken channel must not leave a SIGPIPE pending for the program; in a guest SIGPIPE is blocked for good. */
static long send_some(int fd, const void *data, uint64_t size)
{
	if (core_here->place == PLACE_GUEST)
		return SYS3(__NR_write, fd, data, size);
	return core_syscall6(__NR_sendto, (uint64_t)fd, (uint64_t)data, size, MSG_NOSIGNAL, 0, 0);
}

int core_write_all(int fd, const void *buffer, uint64_t size)
{
	const uint8_t *at = buffer;

	while (size > 0) {
		long n = send_some(fd, at, size);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? -EPIPE : (int)n;
		at += n;
		size -= (uint64_t)n;
	}
	return 0;
}

uint64_t core_clock(int clock)
{
	struct { int64_t sec, nsec; } now = { 0, 0 };

	SYS2(__NR_clock_gettime, clock, &now);
	return (uint64_t)now.sec * 1000000000ull + (uint64_t)now.nsec;
}

void core_say(const char *text, const char *name)
{
	char line[256] = "mosix: ";
	size_t n = 7;

	for (; *text && n < sizeof(line) - 2; text++)
		line[n++] = *text;
	for (; *name && n < sizeof(line) - 2; name++)
		line[n++] = *name;
	line[n++] = '\n';
	SYS3(__NR_write, 2, line, n);
}
