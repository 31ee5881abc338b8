/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that map files, and others that map memory, all at once: nobody's mapping is made over another's. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>

#include "thread.h"

enum { PAGE = 4096, MAPPERS = 3, OTHERS = 2, ROUNDS = 400, FILES = 3, HELD = 6 };

static const int pages_of[FILES] = { 3, 40, 700 };
static atomic_int done;

static unsigned char byte_of(int file, int page)
{
	return (unsigned char)(file * 50 + page % 49 + 1);
}

static void make_files(void)
{
	unsigned char block[PAGE];
	char name[12];

	for (int f = 0; f < FILES; f++) {
		snprintf(name, sizeof name, "file%d", f);
		int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		for (int p = 0; p < pages_of[f]; p++) {
			memset(block, byte_of(f, p), sizeof block);
			check(write(fd, block, sizeof block) == PAGE, "write");
		}
		close(fd);
	}
}

static void one_mapping(int number, int round)
{
	int f = (number + round) % FILES, from = round * 7 % pages_of[f], pages = pages_of[f] - from;
	char name[12];

	snprintf(name, sizeof name, "file%d", f);
	int fd = open(name, O_RDONLY);
	unsigned char *map = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, (off_t)from * PAGE);

	close(fd);
	if (!check(map != MAP_FAILED, "mmap: %s", strerror(errno)))
		return;
	for (int p = 0; p < pages; p++)
		check(map[p * PAGE + round] == byte_of(f, from + p), "file %d, page %d is %d", f, from + p,
		      map[p * PAGE + round]);
	memset(map + (pages - 1) * PAGE, 0xee, PAGE);
	check_work(1, 300000);
	check(map[(pages - 1) * PAGE + 9] == 0xee && map[0] == (pages == 1 ? 0xee : byte_of(f, from)), "file %d after a while", f);
	check(munmap(map, (size_t)pages * PAGE) == 0, "munmap");
}

static void *mapping(void *argument)
{
	for (int round = 0; round < ROUNDS; round++)
		one_mapping((int)(intptr_t)argument, round);
	atomic_fetch_add(&done, 1);
	return NULL;
}

static void *others(void *argument)
{
	unsigned char *held[HELD] = { 0 }, own = (unsigned char)(0xa0 + (intptr_t)argument);

	for (int round = 0; atomic_load(&done) < MAPPERS; round++) {
		int slot = round % HELD;

		if (held[slot]) {
			for (int i = 0; i < 5 * PAGE; i += 512)
				check(held[slot][i] == own, "another's memory: %d", held[slot][i]);
			munmap(held[slot], 5 * PAGE);
		}
		held[slot] = mmap(NULL, 5 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(held[slot], own, 5 * PAGE);
		check_work(1, 30000);
	}
	return NULL;
}

int main(void)
{
	pthread_t thread[MAPPERS + OTHERS];

	make_files();
	for (int i = 0; i < MAPPERS + OTHERS; i++)
		thread[i] = thread_start(i < MAPPERS ? mapping : others, (void *)(intptr_t)i, 0);
	for (int i = 0; i < MAPPERS + OTHERS; i++)
		thread_end(thread[i]);
	return check_result();
}
