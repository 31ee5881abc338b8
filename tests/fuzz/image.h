/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A small good image, as a seed. */
#ifndef MOSIX_FUZZ_IMAGE_H
#define MOSIX_FUZZ_IMAGE_H

#include <string.h>
#include <sys/mman.h>
#include <mosix/manifest.h>
#include <mosix/wire.h>

#define IMAGE_MAPPINGS 5
#define IMAGE_XSAVE    832
#define IMAGE_CODE     0x555500000000ull
#define IMAGE_ARENA    0x600000000000ull
#define IMAGE_SLOTS    0x610000000000ull

struct image {
	struct mosix_manifest m;
	uint8_t xsave[IMAGE_XSAVE];
	union { struct mosix_thread thread; uint8_t bytes[MOSIX_THREAD_SIZE + IMAGE_XSAVE]; } second;
	struct mosix_mapping map[IMAGE_MAPPINGS];
};

static inline void image_make(struct image *im, uint32_t pid, uint32_t epoch)
{
	const uint64_t code = IMAGE_CODE, top = IMAGE_ARENA + MOSIX_ARENA_SIZE;

	memset(im, 0, sizeof(*im));
	im->m = (struct mosix_manifest){
		.magic = MOSIX_MANIFEST_MAGIC, .version = MOSIX_PROTOCOL, .epoch = epoch, .pid = pid, .mappings = IMAGE_MAPPINGS,
		.pages = 5, .arena = IMAGE_ARENA, .slots = IMAGE_SLOTS, .slot_count = 2, .threads = 2,
		.guest_entry = code + 16, .gate_handler = code + 32,
		.gate_restorer = IMAGE_ARENA + 64, .guest_stack = top, .gate_stack = IMAGE_ARENA + 4096, .gate_stack_size = 65536,
		.brk_start = code + 0x100000, .brk = code + 0x100000, .name = "fuzz", .xsave_size = IMAGE_XSAVE,
		.thread = { .fs_base = code, .rseq = code, .rseq_size = 32, .tid = pid },
		.xlayout = { .xfeatures = 7, .size = IMAGE_XSAVE, .part = { [2] = { 576, 256 } } },
	};
	im->second.thread = (struct mosix_thread){ .fs_base = code, .tid = pid + 1, .slot = 1, .channel = MOSIX_CHANNELS };
	im->map[0] = (struct mosix_mapping){ code, code + 0x2000, 0x1000, PROT_READ | PROT_EXEC, MOSIX_MAP_FILE, 0, 0 };
	im->map[1] = (struct mosix_mapping){ code + 0x100000, code + 0x101000, 0, PROT_READ | PROT_WRITE,
					     MOSIX_MAP_ANON | MOSIX_MAP_HEAP, MOSIX_NO_FILE, 0 };
	im->map[2] = (struct mosix_mapping){ top, top + 4096, 0, PROT_READ | PROT_WRITE, MOSIX_MAP_ANON, MOSIX_NO_FILE, 0 };
	im->map[3] = (struct mosix_mapping){ 0x7ffe00000000, 0x7ffe00010000, 0, PROT_READ | PROT_WRITE,
					     MOSIX_MAP_ANON | MOSIX_MAP_STACK, MOSIX_NO_FILE, 0 };
	im->map[4] = (struct mosix_mapping){ 0x7fff00000000, 0x7fff00002000, 0, PROT_READ | PROT_EXEC,
					     MOSIX_MAP_RESERVED | MOSIX_MAP_VDSO, MOSIX_NO_FILE, 0 };
}

#endif
