/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A snapshot of stacks as a node may send it: it is parsed and unwound with the files of this program. */
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "common/proc.h"
#include "tests/fuzz/mutate.h"
#include "tools/unwind.h"

#define STACK 1024	/* of main()'s callees, arguments and environment lie behind it: there is as much */

const struct fuzz_driver fuzz_driver = { .name = "stack", .rounds = 20000 };

static char *maps;
static uint8_t seed[FUZZ_MOST];
static size_t seed_size;

/* Also of what the sanitizers have put between variables. */
__attribute__((noinline, no_sanitize_address))
static void copy_raw(volatile uint8_t *to, const volatile uint8_t *from, size_t size)
{
	while (size-- > 0)
		*to++ = *from++;
}

static void piece(uint32_t kind, uint64_t address, const void *bytes, size_t size)
{
	struct mosix_stack_piece p = { kind, (uint32_t)size, address };

	memcpy(seed + seed_size, &p, sizeof(p));
	copy_raw(seed + seed_size + sizeof(p), bytes, size);
	seed_size += sizeof(p) + ((size + 7) & ~7u);
}

/* The stack that this is called on, as far as it is there. */
void fuzz_begin(void)
{
	struct mosix_stack_thread thread = { .tid = 4711, .call = 1 };
	size_t size;
	ucontext_t uc;

	FUZZ_MUST(proc_read_text("/proc/self/maps", 64 << 20, &maps, &size) == 0);
	getcontext(&uc);
	thread.regs.rip = (uint64_t)uc.uc_mcontext.gregs[REG_RIP];
	thread.regs.rsp = (uint64_t)uc.uc_mcontext.gregs[REG_RSP];
	thread.regs.rbp = (uint64_t)uc.uc_mcontext.gregs[REG_RBP];
	piece(MOSIX_STACK_THREAD, 0, &thread, sizeof(thread));
	piece(MOSIX_STACK_MEMORY, thread.regs.rsp, (const void *)thread.regs.rsp, STACK);
	fuzz_seed(seed, seed_size);
	seed_size = 0;
	thread.tid = 1;
	piece(MOSIX_STACK_THREAD, 0, &thread, sizeof(thread));
	thread.tid = 2;
	thread.regs.rsp += 64;
	piece(MOSIX_STACK_THREAD, 0, &thread, sizeof(thread));
	piece(MOSIX_STACK_MEMORY, 0x1000, "abcdefgh", 8);
	piece(MOSIX_STACK_MEMORY, 0x1004, "abcdefgh", 8);
	fuzz_seed(seed, seed_size);
}

static void each(const struct unwind_frame *frame, void *data)
{
	unsigned *count = data;

	FUZZ_MUST(++*count <= UNWIND_FRAMES && (!frame->function || frame->file));
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct snapshot s;
	struct images *images;
	struct mosix_stack_frame frame;
	uint8_t *copy = malloc(size + 1);

	memcpy(copy, data, size);
	stack_find_frame(copy, 0x7000, size, &frame);
	if (snapshot_parse(copy, size, &s) == 0) {
		FUZZ_MUST(images_new(maps, &s, &images) == 0);
		for (size_t i = 0; i < s.threads; i++) {
			unsigned count = 0;

			unwind_thread(&s, images, &s.thread[i], each, &count);
			FUZZ_MUST(count > 0);
		}
		for (size_t i = 1; i < s.memories; i++)
			FUZZ_MUST(s.memory[i].start >= s.memory[i - 1].end);
		images_free(images);
	}
	snapshot_free(&s);
	free(copy);
}
