/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A random walk of private mappings of files: made, over each other and over anonymous memory, written to, dropped, cut, moved,
 * inherited. What each page must hold is known at every step, and /proc/self/maps must tell of each. With an argument only what
 * can be done away from home, after a line on stdin and before another one; at the end it asks for /proc/self/maps.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { PAGE = 4096, AREAS = 8, PAGES = 24, FILES = 7, STEPS = 1600, NOTHING = -2, ANONYMOUS = -1 };

/* Odd sizes; the last is more than what is fetched at once. */
static const long size_of[FILES] = { 0, 1, 4095, 4096, 4097, 60000, 3000017 };
static const char name_of[FILES][12] = { "file0", "file1", "file4095", "file4096", "file4097", "file60000", "filelarge" };

struct page {
	int file;		/* or ANONYMOUS, NOTHING */
	long index;		/* in its file */
	unsigned char fill;	/* the program's own byte all over it; 0: as in the file */
};

static struct area {
	unsigned char *at;
	int pages;
	struct page page[PAGES];
	bool locked;		/* read-only now */
	bool whole;		/* made by one call, and never cut */
} areas[AREAS];

static uint64_t seed = 11;
static int operations[12];
static sigjmp_buf back;
static void *volatile fault_at;
static volatile int fault_code;

static int pick(int below)
{
	seed = check_work(seed, 1);
	return (int)((seed >> 33) % (uint64_t)below);
}

static unsigned char content(int file, long at)
{
	return (unsigned char)(check_work((uint64_t)(at + 1) * 31 + (uint64_t)file, 2) >> 40);
}

static void make_files(void)
{
	for (int f = 0; f < FILES; f++) {
		unsigned char *text = malloc((size_t)size_of[f] + 1);
		int fd = open(name_of[f], O_WRONLY | O_CREAT | O_TRUNC, 0600);

		for (long i = 0; i < size_of[f]; i++)
			text[i] = content(f, i);
		check(write(fd, text, (size_t)size_of[f]) == size_of[f], "write");
		close(fd);
		free(text);
	}
}

static void on_bus(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	fault_at = info->si_addr;
	fault_code = info->si_code;
	siglongjmp(back, 1);
}

static bool is_beyond(const struct page *p)
{
	return p->file >= 0 && p->index * PAGE >= size_of[p->file];
}

static unsigned char expected(const struct page *p, int i)
{
	if (p->fill || p->file == ANONYMOUS)
		return p->fill;
	return p->index * PAGE + i < size_of[p->file] ? content(p->file, p->index * PAGE + i) : 0;
}

static void verify_beyond(volatile unsigned char *at, int step)
{
	if (sigsetjmp(back, 1) == 0) {
		fault_code = 0;
		(void)*at;
	}
	check(fault_code == BUS_ADRERR && fault_at == at, "step %d: behind the end: code %d", step, fault_code);
}

static void verify(const struct area *a, int step)
{
	for (int n = 0; n < a->pages && check_wrong < 5; n++) {
		const struct page *p = &a->page[n];
		unsigned char *at = a->at + (size_t)n * PAGE;
		const int places[] = { 0, pick(PAGE), pick(PAGE), PAGE - 1 };

		if (p->file == NOTHING)
			continue;
		if (is_beyond(p)) {
			verify_beyond(at + places[1], step);
			continue;
		}
		for (int i = 0; i < 4; i++)
			check(at[places[i]] == expected(p, places[i]), "step %d: page %d of %d (file %d, %ld, own %d) at %d has %d, not %d", step, n,
			      a->pages, p->file, p->index, p->fill, places[i], at[places[i]], expected(p, places[i]));
	}
}

static void unlock(struct area *a)
{
	if (a->locked)
		for (int n = 0; n < a->pages; n++)
			if (a->page[n].file != NOTHING)
				check(mprotect(a->at + (size_t)n * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
	a->locked = false;
}

/* Maps pages of a file at `at` as flags say. */
static void *map_file(void *at, int file, long index, int pages, int flags)
{
	int fd = open(name_of[file], O_RDONLY), late = pick(3) == 0, prot = late ? PROT_NONE : PROT_READ | PROT_WRITE;
	void *map = mmap(at, (size_t)pages * PAGE - (size_t)pick(PAGE), prot, MAP_PRIVATE | flags, fd, index * PAGE);

	check(map != MAP_FAILED, "mmap of %s: %s", name_of[file], strerror(errno));
	close(fd);
	if (late)
		check(mprotect(map, (size_t)pages * PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect of what had none");
	return map;
}

static void describe(struct area *a, int from, int file, long index, int pages)
{
	for (int n = 0; n < pages; n++)
		a->page[from + n] = (struct page){ file, file == ANONYMOUS ? 0 : index + n, 0 };
}

static unsigned char *place_of(const struct area *a)
{
	return (unsigned char *)0x210000000000 + (a - areas) * (1l << 26);
}

static void make(struct area *a)
{
	static const int ways[] = { 0,		  MAP_FIXED,	MAP_FIXED_NOREPLACE, MAP_FIXED | MAP_POPULATE,
				    MAP_POPULATE, MAP_FIXED | MAP_NORESERVE };
	int file = pick(FILES), flags = ways[pick(6)];
	long index = pick((int)(size_of[file] / PAGE) + 3);
	bool chosen = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) || pick(2);

	a->pages = 1 + pick(PAGES);
	a->at = map_file(chosen ? place_of(a) : NULL, file, index, a->pages, flags);
	describe(a, 0, file, index, a->pages);
	a->locked = false;
	a->whole = true;
}

static void write_some(struct area *a)
{
	unlock(a);
	for (int n = 0; n < a->pages; n += 1 + pick(4))
		if (a->page[n].file != NOTHING && !is_beyond(&a->page[n]))
			memset(a->at + (size_t)n * PAGE, a->page[n].fill = (unsigned char)(1 + pick(255)), PAGE);
}

static void drop_some(struct area *a)
{
	int n = pick(a->pages);

	if (a->page[n].file == NOTHING)
		return;
	check(madvise(a->at + (size_t)n * PAGE, PAGE, MADV_DONTNEED) == 0, "madvise");
	a->page[n].fill = 0;
}

static void cut(struct area *a)
{
	int from = pick(a->pages), pages = 1 + pick(a->pages - from);

	if (a->at != place_of(a))	/* the kernel could put another one into the hole */
		return;
	check(munmap(a->at + (size_t)from * PAGE, (size_t)pages * PAGE) == 0, "munmap");
	describe(a, from, NOTHING, 0, pages);
	a->whole = false;
}

static void replace(struct area *a)
{
	int from = pick(a->pages), pages = 1 + pick(a->pages - from), file = pick(FILES + 2) - 1;
	unsigned char *at = a->at + (size_t)from * PAGE;
	long index;

	unlock(a);
	if (file == FILES)
		file = ANONYMOUS;
	index = file == ANONYMOUS ? 0 : pick((int)(size_of[file] / PAGE) + 1);
	if (file == ANONYMOUS)
		check(mmap(at, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at, "mmap");
	else
		check(map_file(at, file, index, pages, MAP_FIXED) == at, "mmap over something");
	describe(a, from, file, index, pages);
	a->whole = false;
}

static void resize(struct area *a)
{
	int pages = 1 + pick(PAGES);
	void *to;

	if (!a->whole)
		return;
	unlock(a);
	to = mremap(a->at, (size_t)a->pages * PAGE, (size_t)pages * PAGE, MREMAP_MAYMOVE);
	if (!check(to != MAP_FAILED, "mremap: %s", strerror(errno)))
		return;
	a->at = to;
	if (pages > a->pages)
		describe(a, a->pages, a->page[0].file, a->page[0].index + a->pages, pages - a->pages);
	a->pages = pages;
}

static void inherit(struct area *a, int step)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		for (int i = 0; i < AREAS; i++)
			verify(&areas[i], step);
		write_some(a);
		if (areas[0].at)
			munmap(areas[0].at, (size_t)areas[0].pages * PAGE);
		make(&areas[0]);
		for (int i = 0; i < AREAS; i++)
			verify(&areas[i], step);
		fflush(stdout);
		_exit(check_wrong != 0);
	}
	check(waitpid(child, &status, 0) == child, "waitpid");
	check(status == 0, "step %d: a child ends with %x", step, (unsigned)status);
}

/* The kernel reads and writes there, too. */
static void pass_on(const struct area *a, int step, bool stays)
{
	unsigned char byte;
	int fd[2], n = pick(a->pages);
	const struct page *p = &a->page[n];
	unsigned char *at = a->at + (size_t)n * PAGE + 7;

	if (p->file == NOTHING || pipe(fd) != 0)
		return;
	if (is_beyond(p))
		check(write(fd[1], at, 1) == -1 && errno == EFAULT, "step %d: write from behind the end", step);
	else
		check(write(fd[1], at, 1) == 1 && read(fd[0], &byte, 1) == 1 && byte == expected(p, 7), "step %d: write", step);
	if (!stays && (a->locked || is_beyond(p)))
		check(write(fd[1], "x", 1) == 1 && read(fd[0], at, 1) == -1 && errno == EFAULT, "step %d: read into it", step);
	close(fd[0]);
	close(fd[1]);
}

struct line { unsigned long from, to, offset, inode; char access[5], name[200]; };

static bool adjoin(const struct line *a, const struct line *b)
{
	return a->to == b->from && strcmp(a->access, b->access) == 0 && strcmp(a->name, b->name) == 0 &&
	       (a->inode == 0 || a->offset + (a->to - a->from) == b->offset);
}

/* What /proc/self/maps says of an area, relative to it; how many mappings the kernel makes of it is its own affair. */
static void tell(const struct area *a, int step)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	struct line now = { 0 }, last = { 0 };
	char text[400];

	printf("step %d, area %d, %d pages\n", step, (int)(a - areas), a->pages);
	while (fgets(text, sizeof text, maps)) {
		now.name[0] = 0;
		sscanf(text, "%lx-%lx %4s %lx %*s %lu %199s", &now.from, &now.to, now.access, &now.offset, &now.inode, now.name);
		if (now.from < (unsigned long)a->at || now.to > (unsigned long)a->at + (unsigned long)a->pages * PAGE)
			continue;
		if (strrchr(now.name, '/'))
			memmove(now.name, strrchr(now.name, '/'), strlen(strrchr(now.name, '/')) + 1);
		if (last.to && !adjoin(&last, &now))
			printf("  %lx +%lx %s %lx %s\n", last.from - (unsigned long)a->at, last.to - last.from, last.access, last.offset, last.name);
		if (last.to && adjoin(&last, &now))
			last.to = now.to;
		else
			last = now;
	}
	fclose(maps);
	if (last.to)
		printf("  %lx +%lx %s %lx %s\n", last.from - (unsigned long)a->at, last.to - last.from, last.access, last.offset, last.name);
}

static void walk(struct area *a, int step, bool stays)
{
	int operation = a->at ? 1 + pick(11) : 0;

	if ((operation == 11 && pick(4)) || (stays && (operation == 6 || operation == 11)))
		operation = 5;
	operations[operation]++;
	switch (operation) {
	case 0: make(a); break;
	case 1: case 2: write_some(a); break;
	case 3: drop_some(a); break;
	case 4: cut(a); break;
	case 5: replace(a); break;
	case 6: resize(a); break;
	case 7: inherit(a, step); break;
	case 8: pass_on(a, step, stays); break;
	case 9:
		for (int n = 0; n < a->pages; n++)
			if (a->page[n].file != NOTHING)
				check(mprotect(a->at + (size_t)n * PAGE, PAGE, PROT_READ) == 0, "mprotect");
		a->locked = true;
		break;
	case 10:
		check(munmap(a->at, (size_t)a->pages * PAGE) == 0, "munmap");
		a->at = NULL;
		a->pages = 0;
		break;
	case 11:
		if (a->at == place_of(a))
			tell(a, step);
		break;
	}
	verify(a, step);
}

static void try(const char *what, void *at, size_t length, int prot, int flags, int fd, off_t offset)
{
	void *map = mmap(at, length, prot, flags, fd, offset);

	printf("%s: %s\n", what, map == MAP_FAILED ? strerror(errno) : "done");
	if (map != MAP_FAILED)
		munmap(map, length);
}

/* A file with the same name, number and size, and within the same tick of a clock, but with other bytes each time. */
static void rewritten(void)
{
	unsigned char block[2 * PAGE], *map;

	for (int round = 1; round <= 80; round++) {
		int fd = open("again", O_WRONLY | O_CREAT, 0600);

		memset(block, round, sizeof block);
		check(write(fd, block, sizeof block) == sizeof block, "write");
		close(fd);
		fd = open("again", O_RDONLY);
		map = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
		check(map[0] == round && map[2 * PAGE - 1] == round, "a file that was written again, round %d: %d", round, map[0]);
		munmap(map, 2 * PAGE);
		map = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
		close(fd);
		check(map[0] == round, "its second page, round %d: %d", round, map[0]);
		munmap(map, PAGE);
	}
}

/* What the kernel says to others. */
static void errors(void)
{
	int file = open(name_of[5], O_RDONLY), writer = open(name_of[5], O_WRONLY), both = open(name_of[5], O_RDWR);
	int directory = open(".", O_RDONLY), path = open(name_of[5], O_PATH), zero = open("/dev/zero", O_RDONLY);
	int huge = open("/proc/self/status", O_RDONLY);

	try("a closed descriptor", NULL, PAGE, PROT_READ, MAP_PRIVATE, 99, 0);
	try("a descriptor of nobody", NULL, PAGE, PROT_READ, MAP_PRIVATE, -5, 0);
	try("only to write to", NULL, PAGE, PROT_READ, MAP_PRIVATE, writer, 0);
	try("to read and write", NULL, PAGE, PROT_READ, MAP_PRIVATE, both, 0);
	try("a directory", NULL, PAGE, PROT_READ, MAP_PRIVATE, directory, 0);
	try("a path", NULL, PAGE, PROT_READ, MAP_PRIVATE, path, 0);
	try("a device", NULL, PAGE, PROT_READ, MAP_PRIVATE, zero, 0);
	try("a file of proc", NULL, PAGE, PROT_READ, MAP_PRIVATE, huge, 0);
	try("nothing of it", NULL, 0, PROT_READ, MAP_PRIVATE, file, 0);
	try("nothing of nobody", NULL, 0, PROT_READ, MAP_PRIVATE, 99, 0);
	try("an odd offset", NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 5);
	try("far behind the end", NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 1l << 40);
	try("an offset that is too large", NULL, PAGE, PROT_READ, MAP_PRIVATE, file, -PAGE);
	try("more than there is room for", NULL, 1l << 47, PROT_READ, MAP_PRIVATE, file, 0);
	try("at an odd place", (void *)0x210ff0000123, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0);
	try("beyond all places", (void *)(1l << 47), PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0);
	try("where something is", (void *)((uintptr_t)size_of & ~4095ul), PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED_NOREPLACE, file, 0);
	try("below 2 GB", NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_32BIT, file, 0);
	try("as code", NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
	try("locked", NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_LOCKED, file, 0);
	try("shared", NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
	try("neither shared nor private", NULL, PAGE, PROT_READ, 0, file, 0);
	try("sync", NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, file, 0);
	for (int fd = file; fd <= huge; fd++)
		close(fd);
}

static void wait_for_line(bool waits)
{
	char line[80];

	if (waits && !fgets(line, sizeof line, stdin))
		puts("nobody asks");
}

int main(int argc, char **argv)
{
	const bool stays = argc > 1;
	const struct sigaction action = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO | SA_NODEFER };

	setvbuf(stdout, NULL, _IONBF, 0);
	sigaction(SIGBUS, &action, NULL);
	make_files();
	puts(stays ? argv[1] : "anywhere");
	wait_for_line(stays);
	for (int step = 0; step < STEPS && check_wrong < 5; step++) {
		walk(&areas[pick(AREAS)], step, stays);
		check_work(1, 200000);
	}
	rewritten();
	puts("walked");
	wait_for_line(stays);
	for (int i = 0; i < AREAS; i++)
		if (areas[i].at == place_of(&areas[i]))
			tell(&areas[i], STEPS);
	for (int i = 0; i < 12; i++)
		printf("%d ", operations[i]);
	puts("operations");
	errors();
	return check_result();
}
