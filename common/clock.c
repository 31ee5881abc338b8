/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/clock.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void clock_kernel(char ret_name[CLOCK_KERNEL_SIZE])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, ret_name, CLOCK_KERNEL_SIZE - 1);

	if (fd >= 0)
		close(fd);
	ret_name[n > 0 ? n : 0] = 0;
	ret_name[strcspn(ret_name, "\n")] = 0;
}
