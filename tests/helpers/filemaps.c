/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Private mappings of files that were written a moment ago, some removed at once: dropped pages show the file again, always. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

enum { PAGE = 4096, PAGES = 16, ROUNDS = 60 };

static unsigned char *map_new(const char *name, int round)
{
	unsigned char block[PAGE], *map;
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	for (int i = 0; i < PAGES; i++) {
		memset(block, round + i + 1, sizeof block);
		check(write(fd, block, sizeof block) == PAGE, "write");
	}
	map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	check(map != MAP_FAILED, "mmap");
	close(fd);
	return map;
}

int main(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		int p = round % PAGES, dropped = (p + 3) % PAGES;
		unsigned char *map = map_new("mapped", round);

		memset(map + p * PAGE, 0, PAGE);
		check_compute(round % 7 * 10);
		check(map[p * PAGE] == 0, "round %d: what was written is %d", round, map[p * PAGE]);
		check(map[dropped * PAGE + 9] == (unsigned char)(round + dropped + 1), "round %d: the file's own page", round);
		check_compute(10);
		check(madvise(map + p * PAGE, PAGE, MADV_DONTNEED) == 0, "madvise");
		check(map[p * PAGE + 5] == (unsigned char)(round + p + 1), "round %d: after MADV_DONTNEED %d", round, map[p * PAGE + 5]);
		check(munmap(map, PAGES * PAGE) == 0, "munmap");
		unlink("mapped");
	}
	/* Removed while mapped: nobody can open it again, its pages are all there is. */
	unsigned char *map = map_new("removed", 0);
	unlink("removed");
	for (int round = 0; round < 20; round++) {
		check_compute(20);
		for (int p = 0; p < PAGES; p++)
			check(map[p * PAGE + round] == p + 1, "a removed file's page %d", p);
	}
	return check_result();
}
