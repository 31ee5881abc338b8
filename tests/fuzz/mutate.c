/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fuzz/mutate.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEEDS_MOST   64
#define RECORDS_MOST 64

struct bytes { size_t size; uint8_t data[FUZZ_MOST]; };

static struct { uint8_t *data; size_t size; } seeds[SEEDS_MOST];
static unsigned seed_count;
static uint64_t state;

/* ---- chance: xorshift64*, so that a seed means the same everywhere ---- */

static uint64_t chance(uint64_t below)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return below ? (state * 0x2545f4914f6cdd1dull >> 11) % below : 0;
}

/* A good start from any two numbers, also small ones that are close to each other (splitmix64). */
static void chance_begin(uint64_t seed, uint64_t round)
{
	uint64_t z = seed * 0x9e3779b97f4a7c15ull + round * 0xbf58476d1ce4e5b9ull + 1;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	state = (z ^ z >> 31) | 1;
}

/* ---- seeds ---- */

static struct bytes making;

void fuzz_seed(const void *data, size_t size)
{
	if (seed_count == SEEDS_MOST || size > FUZZ_MOST)
		fuzz_wrong("there are too many seeds, or one is too long", __FILE__, __LINE__);
	seeds[seed_count].data = malloc(size + 1);
	seeds[seed_count].size = size;
	if (size)
		memcpy(seeds[seed_count].data, data, size);
	seed_count++;
}

static void add_record(struct bytes *b, uint8_t stream, const void *data, size_t size)
{
	if (b->size + 3 + size > FUZZ_MOST || size > UINT16_MAX)
		return;
	b->data[b->size++] = stream;
	b->data[b->size++] = (uint8_t)size;
	b->data[b->size++] = (uint8_t)(size >> 8);
	if (size)
		memcpy(b->data + b->size, data, size);
	b->size += size;
}

void fuzz_record(uint8_t stream, const void *data, size_t size)
{
	add_record(&making, stream, data, size);
}

void fuzz_seed_script(void)
{
	fuzz_seed(making.data, making.size);
	making.size = 0;
}

bool fuzz_next(const uint8_t **at, size_t *left, struct fuzz_record *ret_record)
{
	size_t size;

	if (*left < 3)
		return false;
	size = (*at)[1] | (size_t)(*at)[2] << 8;
	if (size > *left - 3)
		size = *left - 3;
	ret_record->stream = (*at)[0];
	ret_record->size = (uint16_t)size;
	ret_record->data = *at + 3;
	*at += 3 + size;
	*left -= 3 + size;
	return true;
}

uint8_t *fuzz_fill_in(const uint8_t *data, size_t size, const uint64_t *value, unsigned values)
{
	uint8_t *copy = malloc(size + 1);

	if (size)
		memcpy(copy, data, size);
	for (size_t i = 0; i + 8 <= size; i++) {
		uint64_t mark;

		memcpy(&mark, copy + i, 8);
		mark = __builtin_bswap64(mark) - FUZZ_MARK;
		if (mark < values) {
			mark = __builtin_bswap64(value[mark]);
			memcpy(copy + i, &mark, 8);
		}
	}
	return copy;
}

/* ---- mutations of plain bytes: each leaves at most FUZZ_MOST ---- */

static const uint64_t numbers[] = {
	0, 1, 2, 3, 4, 8, 16, 47, 48, 64, 127, 128, 255, 256, 1023, 1024, 4095, 4096, 20000, 20001, 32767, 32768, 65535, 65536,
	0xfffff, 0x100000, 0x100001, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x7fffffffefff, 0x7fffffffffff,
	0x7ffffffffffffffe, 0x7fffffffffffffff, 0x8000000000000000, 0xfffffffffffff000, 0xfffffffffffffffe, 0xffffffffffffffff,
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void put_number(uint8_t *to, uint64_t value, unsigned width, bool big)
{
	for (unsigned i = 0; i < width; i++)
		to[big ? width - 1 - i : i] = (uint8_t)(value >> 8 * i);
}

static void replace(struct bytes *b, size_t at, size_t old, const uint8_t *data, size_t size)
{
	if (b->size - old + size > FUZZ_MOST)
		return;
	memmove(b->data + at + size, b->data + at + old, b->size - at - old);
	if (size)
		memcpy(b->data + at, data, size);
	b->size += size - old;
}

static void change_bytes(struct bytes *b)
{
	static const uint8_t width[] = { 1, 2, 4, 4, 8, 8 };
	static uint8_t piece[FUZZ_MOST];
	size_t at = chance(b->size), n = 1 + chance(chance(8) ? 16 : 512);
	unsigned w = width[chance(COUNT(width))];

	if (n > b->size - at)
		n = b->size - at;
	switch (chance(9)) {
	case 0:
		if (b->size)
			b->data[at] ^= (uint8_t)(1u << chance(8));
		break;
	case 1:
		if (b->size)
			b->data[at] = (uint8_t)chance(256);
		break;
	case 2:		/* a number that means something */
	case 3:
		if (b->size >= w)
			put_number(b->data + chance(b->size - w + 1), numbers[chance(COUNT(numbers))], w, chance(2));
		break;
	case 4:		/* a number that is nearly right */
		if (b->size >= 4) {
			uint32_t value;

			at = chance(b->size - 3);
			memcpy(&value, b->data + at, 4);
			value += (uint32_t)chance(17) - 8;
			memcpy(b->data + at, &value, 4);
		}
		break;
	case 5:
		replace(b, at, n, NULL, 0);
		break;
	case 6:		/* once more */
		memcpy(piece, b->data + at, n);
		replace(b, chance(b->size + 1), 0, piece, n);
		break;
	case 7:
		for (size_t i = 0; i < n; i++)
			piece[i] = (uint8_t)chance(256);
		replace(b, at, chance(2) ? n : 0, piece, n);
		break;
	case 8:
		b->size = at;
		break;
	}
}

/* ---- mutations of msgpack: one whole value is exchanged, so that what is around it stays well-formed ---- */

/* Steps over the head of a value: returns its bytes with a body of text or bytes, 0 if it is cut off. */
static size_t value_size(const uint8_t *at, size_t left)
{
	static const uint8_t length[32] = { [4] = 1, 2, 4, [25] = 1, 2, 4 };
	static const uint8_t body[32] = { [10] = 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, [28] = 2, 4, 2, 4 };
	size_t size = 1;

	if (!left)
		return 0;
	if (*at >= 0xa0 && *at <= 0xbf) {
		size += *at & 0x1f;
	} else if (*at >= 0xc0 && *at <= 0xdf) {
		unsigned n = length[*at - 0xc0];

		if (left < 1 + n)
			return 0;
		size += n + body[*at - 0xc0];
		for (unsigned i = 0, all = 0; i < n; i++) {
			all = all << 8 | at[1 + i];
			if (i == n - 1)
				size += all;
		}
	}
	return size <= left ? size : 0;
}

static size_t make_value(uint8_t to[600])
{
	static const char *const words[] = {
		"", "home", "best", "n2", "offer", "accept", "t", "\xff\xfe", "%n%s%s", "/etc/passwd", "\x1b[2J\n",
	};
	size_t n;

	switch (chance(8)) {
	case 0:
	case 1:
	case 2:
		to[0] = chance(3) ? 0xcf : 0xd3;
		put_number(to + 1, numbers[chance(COUNT(numbers))], 8, true);
		return 9;
	case 3:
		n = chance(200);
		to[0] = 0xd9;
		to[1] = (uint8_t)n;
		memset(to + 2, 'x', n);
		return 2 + n;
	case 4: {
		const char *word = words[chance(COUNT(words))];

		to[0] = 0xd9;
		to[1] = (uint8_t)strlen(word);
		memcpy(to + 2, word, strlen(word));
		return 2 + strlen(word);
	}
	case 5:
		n = chance(4) ? chance(70) : chance(500);
		to[0] = chance(2) ? 0xc5 : 0xda;
		put_number(to + 1, n, 2, true);
		memset(to + 3, (int)chance(256), n);
		return 3 + n;
	case 6:
		to[0] = (uint8_t)(0xc0 + (chance(4) ? 2 + chance(2) : 0));
		return 1;
	default:	/* arrays in arrays, or an empty map */
		n = chance(12);
		memset(to, 0x91, n);
		to[n] = chance(2) ? 0x90 : 0x80;
		return n + 1;
	}
}

static void change_value(struct bytes *b)
{
	size_t at[256], size[256], offset = 0;
	uint8_t made[600];
	unsigned count = 0, which;

	while (count < COUNT(at) && offset < b->size && (size[count] = value_size(b->data + offset, b->size - offset))) {
		at[count] = offset;
		offset += size[count++];
	}
	if (!count)
		return;
	which = (unsigned)chance(count);
	replace(b, at[which], size[which], made, make_value(made));
}

static void change(struct bytes *b)
{
	if (fuzz_driver.msgpack && chance(3))
		change_value(b);
	else
		change_bytes(b);
}

/* ---- mutations of scripts ---- */

static void change_script(struct bytes *b)
{
	static struct bytes old, piece;
	struct fuzz_record record[RECORDS_MOST], moved;
	size_t left, n, from, to;
	const uint8_t *at;

	old = *b;
	at = old.data;
	left = old.size;
	for (n = 0; n < RECORDS_MOST && fuzz_next(&at, &left, &record[n]); n++)
		;
	if (!n)
		return;
	from = chance(n);
	to = chance(n);
	piece.size = record[from].size;
	memcpy(piece.data, record[from].data, piece.size);
	switch (chance(8)) {
	case 0:		/* another order */
		moved = record[from];
		record[from] = record[to];
		record[to] = moved;
		break;
	case 1:		/* less */
		memmove(&record[from], &record[from + 1], (n - from - 1) * sizeof(record[0]));
		n--;
		break;
	case 2:		/* once more */
		if (n < RECORDS_MOST)
			record[n++] = record[from];
		break;
	case 3:
		record[from].stream = chance(2) ? record[to].stream : (uint8_t)chance(256);
		break;
	default:
		change(&piece);
		record[from].data = piece.data;
		record[from].size = piece.size > UINT16_MAX ? UINT16_MAX : (uint16_t)piece.size;
		break;
	}
	b->size = 0;
	for (size_t i = 0; i < n; i++)
		add_record(b, record[i].stream, record[i].data, record[i].size);
}

static void make_input(struct bytes *b)
{
	unsigned first = (unsigned)chance(seed_count), second = (unsigned)chance(seed_count);
	unsigned changes = (unsigned)(1 + chance(chance(4) ? 4 : 24));

	b->size = seeds[first].size;
	memcpy(b->data, seeds[first].data, b->size);
	/* the first half of one and the second of another; scripts are simply put one behind the other */
	if (!chance(8) && seeds[second].size) {
		size_t cut = fuzz_driver.script ? 0 : chance(seeds[second].size);
		size_t keep = fuzz_driver.script ? b->size : chance(b->size + 1);

		b->size = keep;
		replace(b, keep, 0, seeds[second].data + cut, seeds[second].size - cut);
	}
	while (changes--) {
		if (fuzz_driver.script)
			change_script(b);
		else
			change(b);
	}
}

/* ---- dying ---- */

static const uint8_t *current;
static size_t current_size;
static unsigned long current_round;

static void leave_input(void)
{
	char path[64];
	int fd;

	if (!current)
		return;
	snprintf(path, sizeof(path), "fuzz_%s.crash", fuzz_driver.name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0 && write(fd, current, current_size) == (ssize_t)current_size)
		dprintf(2, "fuzz_%s: round %lu: the input is in %s\n", fuzz_driver.name, current_round, path);
	current = NULL;
}

_Noreturn void fuzz_wrong(const char *what, const char *file, int line)
{
	fprintf(stderr, "fuzz_%s: %s:%d: this does not hold: %s\n", fuzz_driver.name, file, line, what);
	abort();
}

#ifdef FUZZ_LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool begun;

	if (!begun) {
		signal(SIGPIPE, SIG_IGN);
		fuzz_begin();
		begun = true;
	}
	(void)leave_input;
	(void)make_input;
	(void)chance_begin;
	fuzz_one(data, size);
	return 0;
}

#else

/* Of the sanitizers, if they are linked. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void died(int signo)
{
	leave_input();
	signal(signo, SIG_DFL);
	raise(signo);
}

static unsigned descriptors(void)
{
	DIR *dir;
	unsigned count = 0;

	if (fuzz_driver.settle)
		fuzz_driver.settle();
	dir = opendir("/proc/self/fd");
	while (dir && readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* From a copy that ends with the input, so that the address sanitizer sees whoever reads on. */
static void try(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (size)
		memcpy(copy, data, size);
	current = copy;
	current_size = size;
	fuzz_one(copy, size);
	current = NULL;
	free(copy);
}

static int try_file(const char *path)
{
	static struct bytes b;
	FILE *file = fopen(path, "re");

	if (!file) {
		perror(path);
		return 1;
	}
	b.size = fread(b.data, 1, sizeof(b.data), file);
	fclose(file);
	try(b.data, b.size);
	return 0;
}

static int write_seeds(const char *directory)
{
	for (unsigned i = 0; i < seed_count; i++) {
		char path[4096];
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s-%02u", directory, fuzz_driver.name, i);
		file = fopen(path, "we");
		if (!file || fwrite(seeds[i].data, 1, seeds[i].size, file) != seeds[i].size || fclose(file)) {
			perror(path);
			return 1;
		}
	}
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: fuzz_%s [-n ITERATIONS] [-s SEED] [-w DIRECTORY] [FILE...]\n", fuzz_driver.name);
	return 2;
}

int main(int argc, char **argv)
{
	unsigned long rounds = fuzz_driver.rounds, seed = 1;
	const char *directory = NULL;
	static struct bytes input;
	unsigned before;
	int option, failed = 0;

	while ((option = getopt(argc, argv, "n:s:w:")) != -1) {
		if (option == 'n')
			rounds = strtoul(optarg, NULL, 10);
		else if (option == 's')
			seed = strtoul(optarg, NULL, 10);
		else if (option == 'w')
			directory = optarg;
		else
			return usage();
	}
	signal(SIGPIPE, SIG_IGN);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(leave_input);
	else
		signal(SIGSEGV, died);
	signal(SIGABRT, died);
	fuzz_begin();
	if (directory)
		return write_seeds(directory);
	if (optind < argc) {
		while (optind < argc)
			failed |= try_file(argv[optind++]);
		return failed;
	}
	for (unsigned i = 0; i < seed_count; i++)
		try(seeds[i].data, seeds[i].size);
	before = descriptors();
	for (current_round = 1; current_round <= rounds; current_round++) {
		chance_begin(seed, current_round);
		make_input(&input);
		try(input.data, input.size);
	}
	if (descriptors() > before)
		fuzz_wrong("no descriptor is left open", __FILE__, __LINE__);
	for (unsigned i = 0; i < seed_count; i++)
		free(seeds[i].data);
	printf("fuzz_%s: %u seeds, %lu rounds from seed %lu\n", fuzz_driver.name, seed_count, rounds, seed);
	return 0;
}

#endif
