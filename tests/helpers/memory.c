/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A random walk of mmap, munmap, mremap, mprotect, madvise and brk; what each area must contain is known at every step. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

enum { AREAS = 24, STEPS = 9000, PAGE = 4096, PAGES = 40 };

static struct area {
	unsigned char *at;
	int pages;
	unsigned char fill[PAGES];	/* each page holds this byte everywhere; 0: fresh */
	bool locked, patched;	/* the kernel may keep what was patched as several mappings, which mremap refuses */
} areas[AREAS];
static uint64_t seed = 3;
static int operations[8];

static int pick(int below)
{
	seed = check_work(seed, 1);
	return (int)((seed >> 33) % (uint64_t)below);
}

static void verify(const struct area *a, int step)
{
	for (int p = 0; p < a->pages; p++) {
		const unsigned char *page = a->at + (size_t)p * PAGE;
		if (!check(page[0] == a->fill[p] && page[pick(PAGE)] == a->fill[p] && page[PAGE - 1] == a->fill[p], "step %d: page %d has %d, not %d", step,
			   p, page[0], a->fill[p]))
			exit(check_result());
	}
}

static void unlock(struct area *a)
{
	if (a->locked)
		check(mprotect(a->at, (size_t)a->pages * PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
	a->locked = false;
}

static void walk(struct area *a, int step)
{
	int operation = a->at == NULL ? 0 : 1 + pick(6), p;
	operations[operation]++;
	switch (operation) {
	case 0:
		a->pages = 1 + pick(PAGES);
		a->at = mmap(NULL, (size_t)a->pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		check(a->at != MAP_FAILED, "mmap");
		memset(a->fill, 0, sizeof a->fill);
		a->locked = a->patched = false;
		break;
	case 1:
		unlock(a);
		for (p = 0; p < a->pages; p += 1 + pick(3))
			memset(a->at + (size_t)p * PAGE, a->fill[p] = (unsigned char)(1 + pick(255)), PAGE);
		break;
	case 2: {
		if (a->patched)
			break;
		unlock(a);
		int pages = 1 + pick(PAGES);
		unsigned char *to = mremap(a->at, (size_t)a->pages * PAGE, (size_t)pages * PAGE, MREMAP_MAYMOVE);
		if (!check(to != MAP_FAILED, "mremap: %s", strerror(errno)))
			break;
		for (p = a->pages; p < pages; p++)
			a->fill[p] = 0;
		a->at = to;
		a->pages = pages;
		break;
	}
	case 3:
		check(munmap(a->at, (size_t)a->pages * PAGE) == 0, "munmap");
		a->at = NULL;
		break;
	case 4:
		check(mprotect(a->at, (size_t)a->pages * PAGE, PROT_READ) == 0, "mprotect");
		a->locked = true;
		break;
	case 5:
		unlock(a);
		p = pick(a->pages);
		check(madvise(a->at + (size_t)p * PAGE, PAGE, MADV_DONTNEED) == 0, "madvise");
		a->fill[p] = 0;
		break;
	case 6:
		if (a->pages > 2) {	/* a hole in the middle, filled again at the same place */
			unlock(a);
			p = 1 + pick(a->pages - 2);
			unsigned char *hole = a->at + (size_t)p * PAGE;
			check(munmap(hole, PAGE) == 0, "munmap");
			check(mmap(hole, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == hole, "mmap");
			a->fill[p] = 0;
			a->patched = true;
		}
		break;
	}
	if (a->at != NULL)
		verify(a, step);
}

static void file_mapping(void)
{
	char *name = strdup("mapped");
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	unsigned char block[PAGE];
	for (int i = 0; i < 64; i++) {
		memset(block, i + 1, sizeof block);
		check(write(fd, block, sizeof block) == PAGE, "write");
	}
	unsigned char *map = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	close(fd);
	for (int round = 0; round < 200; round++) {
		int p = pick(64);
		if (round % 2 == 0)
			map[p * PAGE + 5] = 200;
		check_compute(2);
		check(map[p * PAGE] == p + 1 && (map[p * PAGE + 5] == p + 1 || map[p * PAGE + 5] == 200), "a private mapping of a file");
		if (round % 10 == 9) {
			madvise(map + p * PAGE, PAGE, MADV_DONTNEED);
			check(map[p * PAGE + 5] == p + 1, "a private page of a file after MADV_DONTNEED has %d", map[p * PAGE + 5]);
		}
	}
	munmap(map, 64 * PAGE);
	unlink(name);
	free(name);
}

static void program_break(void)
{
	unsigned char *begin = sbrk(0);
	for (int round = 1; round <= 100; round++) {
		unsigned char *at = sbrk(3 * PAGE);
		check(at == begin + (size_t)(round - 1) * 3 * PAGE, "sbrk has moved");
		memset(at, round, 3 * PAGE);
		check_compute(1);
	}
	for (int round = 1; round <= 100; round++)
		check(begin[(size_t)(round - 1) * 3 * PAGE + 77] == round, "heap of round %d", round);
	check(sbrk(-300 * PAGE) == begin + 300 * PAGE && sbrk(0) == begin, "the heap does not shrink");
	check(sbrk(PAGE) == begin && begin[77] == 0, "the heap is not fresh after shrinking");
	sbrk(-PAGE);
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	for (int step = 0; step < STEPS && check_wrong < 20; step++) {
		walk(&areas[pick(AREAS)], step);
		check_work(1, 70000);
	}
	for (int i = 0; i < 7; i++)
		printf("%d ", operations[i]);
	puts("operations");
	void *volatile nowhere = (void *)64;
	void *none = mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	printf("mmap of nothing: %s\n", none == MAP_FAILED ? strerror(errno) : "done");
	none = mmap((void *)(UINTPTR_MAX & ~UINT64_C(4095)), PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	printf("mmap far out: %s\n", none == MAP_FAILED ? strerror(errno) : "done");
	printf("munmap, not aligned: %s\n", munmap((void *)123, PAGE) < 0 ? strerror(errno) : "done");
	printf("write from nowhere: %s\n", write(STDOUT_FILENO, nowhere, 10) < 0 ? strerror(errno) : "done");
	printf("read to a constant: %s\n", read(open("/dev/zero", O_RDONLY), (void *)(uintptr_t)"text", 2) < 0 ? strerror(errno) : "done");
	file_mapping();
	program_break();
	return check_result();
}
