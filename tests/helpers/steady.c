/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A counter that notices what it loses. Each round it reads on in a file, looks at a stretch of its memory and changes it, and
 * writes one line, which depends on all rounds before. Further threads do the same with memory of their own, and write nothing.
 * usage: steady FILE [ROUNDS [THREADS]]; without ROUNDS (or 0) until standard input is readable, some hundred rounds a second.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "check.h"

enum { PAGES = 2048, WORDS = 512, STEP = 37, PIECE = 700, PACE_MS = 2, THREADS = 8, OWN_WORDS = 20000 };

static uint64_t memory[PAGES][WORDS], visits[PAGES];
static uint64_t own[THREADS][OWN_WORDS];
static atomic_bool over;

static uint64_t expected(int page, int word)
{
	return (uint64_t)(page * WORDS + word) * UINT64_C(0x9e3779b97f4a7c15) + visits[page];
}

static void look(int page)
{
	int word = 0;

	while (word < WORDS && memory[page][word] == expected(page, word))
		word++;
	check(word == WORDS, "page %d, word %d after %ld visits", page, word, (long)visits[page]);
}

static void visit(int page)
{
	look(page);
	visits[page]++;
	for (int word = 0; word < WORDS; word++)
		memory[page][word]++;
}

/* The next piece of the file, from its beginning when it is at an end. */
static uint64_t read_on(int fd, uint64_t sum)
{
	unsigned char piece[PIECE];
	ssize_t n = read(fd, piece, sizeof(piece));

	if (n == 0) {
		check(lseek(fd, 0, SEEK_SET) == 0, "the file cannot be wound back");
		n = read(fd, piece, sizeof(piece));
	}
	check(n > 0, "the file cannot be read");
	for (ssize_t i = 0; i < n; i++)
		sum = (sum ^ piece[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static bool goes_on(long round, long rounds)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };

	if (rounds > 0)
		return round < rounds;
	int ready = poll(&input, 1, PACE_MS);

	check(ready >= 0, "poll: %m");
	return ready == 0;
}

/* A thread's whole memory is as old as its last round. */
static void *beside(void *argument)
{
	uint64_t *mine = argument, round = 0;

	while (!over) {
		for (int word = 0; word < OWN_WORDS; word++)
			if (!check(mine[word]++ == round, "word %d of a thread after %ld rounds", word, (long)round))
				return argument;
		round++;
		poll(NULL, 0, PACE_MS);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int threads = argc > 3 ? atoi(argv[3]) : 0;
	pthread_t thread[THREADS];
	void *wrong;
	int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
	long round = 0, rounds = argc > 2 ? atol(argv[2]) : 0;
	uint64_t sum = 1;

	if (!check(fd >= 0, "no file"))
		return check_result();
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int page = 0; page < PAGES; page++)
		for (int word = 0; word < WORDS; word++)
			memory[page][word] = expected(page, word);
	for (int i = 0; i < threads && i < THREADS; i++)
		check(pthread_create(&thread[i], NULL, beside, own[i]) == 0, "no thread");
	do {
		visit((int)(round * STEP % PAGES));
		sum = read_on(fd, sum);
		printf("%ld %016lx\n", ++round, sum);
	} while (goes_on(round, rounds));
	over = true;
	for (int i = 0; i < threads && i < THREADS; i++)
		check(pthread_join(thread[i], &wrong) == 0 && !wrong, "a thread ended wrong");
	for (int page = 0; page < PAGES; page++)
		look(page);
	return check_result();
}
