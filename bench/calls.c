/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls FILE ROUNDS BATCH [SECONDS]: after computing for so many seconds (time to be moved), prints the median time in microseconds of a getppid, of a
 * pread of 4 KiB from FILE, of a poll of nothing and of a getppid by syscall(2), each measured in ROUNDS batches of BATCH calls.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "measure.h"

static char buffer[4096];
static int file;

static long do_getppid(void)
{
	return getppid();
}

static long do_number(void)
{
	return syscall(SYS_getppid);
}

static long do_read(void)
{
	return pread(file, buffer, sizeof buffer, 0);
}

static long do_poll(void)
{
	struct pollfd p = { .fd = file, .events = POLLIN };
	return poll(&p, 1, 0);
}

int main(int argc, char **argv)
{
	static long (*const calls[])(void) = { do_getppid, do_read, do_poll, do_number };
	if (argc < 4)
		return 2;
	size_t rounds = (size_t)atol(argv[2]);
	long batch = atol(argv[3]);
	double *times = malloc(rounds * sizeof *times);
	file = open(argv[1], O_RDONLY);
	if (rounds == 0 || batch <= 0 || times == NULL || file < 0)
		return 2;
	for (double until = measure_now() + (argc > 4 ? atof(argv[4]) : 0) * 1e6; measure_now() < until;)
		for (volatile int i = 0; i < 100000; i++)
			;
	for (size_t c = 0; c < sizeof calls / sizeof calls[0]; c++) {
		for (size_t i = 0; i < rounds; i++) {
			double begun = measure_now();
			for (long n = 0; n < batch; n++)
				if (calls[c]() < 0)
					return 1;
			times[i] = (measure_now() - begun) / (double)batch;
		}
		printf("%.4f ", measure_median(times, rounds));
	}
	puts("");
	free(times);
	return 0;
}
