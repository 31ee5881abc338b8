/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The key file: exactly one line of hexadecimal digits is a key. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/key.h"
#include "tests/fuzz/mutate.h"

#define DIGITS (2 * KEY_SIZE)

const struct fuzz_driver fuzz_driver = { .name = "key", .rounds = 30000 };

static int file;
static char path[32];

void fuzz_begin(void)
{
	static const char line[] = "000102030405060708090a0b0c0d0e0fF0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF\n";

	file = memfd_create("key", MFD_CLOEXEC);
	FUZZ_MUST(file >= 0 && fchmod(file, 0600) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	fuzz_seed(line, DIGITS + 1);
	fuzz_seed(line, DIGITS);
	fuzz_seed(line, DIGITS - 1);
	fuzz_seed("\n", 1);
	fuzz_seed("", 0);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct key key, untouched;
	char why[KEY_WHY_MAX];
	bool good = size == DIGITS || (size == DIGITS + 1 && data[DIGITS] == '\n');

	for (size_t i = 0; good && i < DIGITS; i++)
		good = data[i] < 128 && isxdigit(data[i]);
	memset(&key, 0x5a, sizeof(key));
	untouched = key;
	FUZZ_MUST(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
	FUZZ_MUST((key_load(path, &key, why) == 0) == good);
	FUZZ_MUST(good ? !why[0] : why[0] && !memcmp(&key, &untouched, sizeof(key)));
}
