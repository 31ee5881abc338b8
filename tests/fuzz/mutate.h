/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the fuzz drivers share: a deterministic mutator, and main(). A driver brings fuzz_begin() and fuzz_one(); built with
 * -DFUZZ_LIBFUZZER -fsanitize=fuzzer the same file is a target of libFuzzer.
 *
 * usage: fuzz_NAME [-n ITERATIONS] [-s SEED] [-w DIRECTORY] [FILE…]
 * With files only these are tried; -w writes the seeds as files and ends. What was being tried when the program dies is left
 * in fuzz_NAME.crash, so that it can be tried again as FILE.
 *
 * A script is an input of several records, { u8 stream, u16 length (little-endian), bytes }. A driver that talks over several
 * connections, or in several messages, uses scripts; the mutator then keeps the records whole and changes what is in them,
 * their order and their number.
 */
#ifndef MOSIX_FUZZ_MUTATE_H
#define MOSIX_FUZZ_MUTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUZZ_MOST 65536u	/* bytes of an input */

/* ---- the driver's ---- */

struct fuzz_driver {
	const char *name;
	unsigned rounds;		/* unless -n is given: a few seconds under the sanitizers */
	bool script;			/* inputs are scripts */
	bool msgpack;			/* inputs, or the records of a script, are msgpack: whole values are exchanged, too */
	void (*settle)(void);		/* may be NULL: brings everything to rest, before descriptors are counted */
};

extern const struct fuzz_driver fuzz_driver;

/* Once: makes what the driver needs and gives the seeds. */
void fuzz_begin(void);

/* One input. It is not terminated, and what lies behind it is not to be read. */
void fuzz_one(const uint8_t *data, size_t size);

/* ---- for the driver ---- */

/* From within fuzz_begin(). The bytes are copied. */
void fuzz_seed(const void *data, size_t size);

/* Scripts: fuzz_record() adds one to the seed in the making, fuzz_seed_script() finishes that. */
void fuzz_record(uint8_t stream, const void *data, size_t size);
void fuzz_seed_script(void);

/* The next record of a script; false behind the last. A length that is too large is cut. */
struct fuzz_record { uint8_t stream; uint16_t size; const uint8_t *data; };
bool fuzz_next(const uint8_t **at, size_t *left, struct fuzz_record *ret_record);

/* Copies the bytes and puts real values in the place of markers, which stand in seeds for what is not known beforehand. A
   marker is FUZZ_MARK + n as 64 bits in the order of msgpack. The caller frees. */
#define FUZZ_MARK 0x4d4f534958f0aa00ull
uint8_t *fuzz_fill_in(const uint8_t *data, size_t size, const uint64_t *value, unsigned values);

/* Ends the program with what is wrong: what fuzz_one() says when a promise is not kept. */
#define FUZZ_MUST(condition) ((condition) ? (void)0 : fuzz_wrong(#condition, __FILE__, __LINE__))
_Noreturn void fuzz_wrong(const char *what, const char *file, int line);

#endif
