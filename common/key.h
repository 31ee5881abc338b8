/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The key that makes a user's daemons trust each other: 32 random bytes, kept as one line of 64 hexadecimal digits in a
 * file of mode 0600. Whoever has it is the user; there is nothing else to prove.
 */
#ifndef MOSIX_KEY_H
#define MOSIX_KEY_H

#include <stddef.h>
#include <stdint.h>

#define KEY_SIZE 32
#define KEY_WHY_MAX 512

struct key {
	uint8_t bytes[KEY_SIZE];
};

/*
 * Reads the key at `path`; NULL or "" means ~/.config/mosix/key. If there is no such file it is made, with its directories
 * (0700), in one atomic step: of several daemons that start together all get the same key, and nobody sees half a key.
 * A key that others may read or write, that belongs to somebody else, or that is malformed is refused.
 * Returns 0, or -errno and a sentence in `why` (always terminated; "" on success). Any thread.
 */
int key_load(const char *path, struct key *ret_key, char why[KEY_WHY_MAX]);

/* Overwrites a key that is no longer needed, in a way the compiler keeps. */
void key_wipe(struct key *key);

#endif
