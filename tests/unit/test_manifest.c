/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* manifest_check(): a good image passes, each rule refuses, and nothing beyond the image is read (address sanitizer). */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <mosix/manifest.h>
#include <mosix/wire.h>

#define MAPPINGS 6
#define XSAVE    832
#define CODE     0x555500000000ull
#define ARENA    0x600000000000ull
#define SLOTS    0x610000000000ull
#define THREADS  3

struct image {
	struct mosix_manifest m;
	uint8_t xsave[XSAVE];
	union { struct mosix_thread thread; uint8_t bytes[MOSIX_THREAD_SIZE + XSAVE]; } more[THREADS - 1];
	struct mosix_mapping map[MAPPINGS];
};

static void make(struct image *im)
{
	memset(im, 0, sizeof(*im));
	im->m = (struct mosix_manifest){
		.magic = MOSIX_MANIFEST_MAGIC, .version = MOSIX_PROTOCOL, .epoch = 1, .pid = 4711, .mappings = MAPPINGS,
		.pages = 5,
		.arena = ARENA, .slots = SLOTS, .slot_count = THREADS, .threads = THREADS,
		.guest_entry = CODE + 16, .gate_handler = CODE + 32, .gate_restorer = ARENA + 64,
		.guest_stack = ARENA + MOSIX_ARENA_SIZE, .gate_stack = ARENA + 4096, .gate_stack_size = 65536,
		.brk_start = CODE + 0x100000, .brk = CODE + 0x100000, .name = "fifteen letters",
		.thread = { .fs_base = CODE, .rseq = CODE, .rseq_size = 32, .tid = 4711 },
		.xlayout = { .xfeatures = 7, .size = XSAVE, .part = { [2] = { 576, 256 } } }, .xsave_size = XSAVE,
	};
	for (uint32_t i = 1; i < THREADS; i++)
		im->more[i - 1].thread = (struct mosix_thread){ .tid = 4711 + i, .slot = i + 1, .channel = MOSIX_CHANNELS };
	im->map[0] = (struct mosix_mapping){ CODE, CODE + 0x2000, 0x1000, PROT_READ | PROT_EXEC, MOSIX_MAP_FILE, 0, 0 };
	im->map[1] = (struct mosix_mapping){ CODE + 0x2000, CODE + 0x3000, 0, PROT_READ,
					     MOSIX_MAP_FILE | MOSIX_MAP_SHARED, 1, 0 };
	im->map[2] = (struct mosix_mapping){ CODE + 0x100000, CODE + 0x101000, 0, PROT_READ | PROT_WRITE,
					     MOSIX_MAP_ANON | MOSIX_MAP_HEAP, MOSIX_NO_FILE, 0 };
	im->map[3] = (struct mosix_mapping){ ARENA + MOSIX_ARENA_SIZE, ARENA + MOSIX_ARENA_SIZE + 4096, 0, PROT_READ | PROT_WRITE,
					     MOSIX_MAP_ANON | MOSIX_MAP_NORESERVE, MOSIX_NO_FILE, 0 };
	im->map[4] = (struct mosix_mapping){ 0x7ffe00000000, 0x7ffe00010000, 0, PROT_READ | PROT_WRITE,
					     MOSIX_MAP_ANON | MOSIX_MAP_STACK, MOSIX_NO_FILE, 0 };
	im->map[5] = (struct mosix_mapping){ 0x7fff00000000, 0x7fff00002000, 0, PROT_READ | PROT_EXEC,
					     MOSIX_MAP_RESERVED | MOSIX_MAP_VDSO, MOSIX_NO_FILE, 0 };
}

static int check(const struct image *im, const char **ret_why)
{
	*ret_why = NULL;
	return manifest_check(&im->m, sizeof(*im) - sizeof(im->m), ret_why);
}

START_TEST(a_good_image_passes)
{
	struct image im;
	const char *why;

	make(&im);
	ck_assert_msg(check(&im, &why) == 0, "%s", why);
	ck_assert_ptr_eq(why, NULL);
	/* libmosix's text stays out of images that come home. */
	im.m.guest_entry = 0x500000000000;
	ck_assert_int_eq(check(&im, &why), 0);
	ck_assert_ptr_eq(manifest_thread(&im.m, 0), &im.m.thread);
	ck_assert_ptr_eq(manifest_thread(&im.m, 2), &im.more[1].thread);
	ck_assert_ptr_eq(manifest_xsave(&im.m, 0), im.xsave);
	ck_assert_ptr_eq(manifest_xsave(&im.m, 2), im.more[1].bytes + MOSIX_THREAD_SIZE);
	ck_assert_ptr_eq(manifest_mappings(&im.m), im.map);
}
END_TEST

/* One statement that breaks a good image. */
#define BREAKS(statement) do { \
		struct image im; \
		const char *why; \
		make(&im); \
		statement; \
		ck_assert_msg(check(&im, &why) == -EINVAL, "passes: " #statement); \
		ck_assert_ptr_ne(why, NULL); \
	} while (0)

START_TEST(heads_are_refused)
{
	BREAKS(im.m.magic++);
	BREAKS(im.m.version++);
	BREAKS(im.m.mappings = 0);
	BREAKS(im.m.mappings++);
	BREAKS(im.m.mappings = MOSIX_MAPPINGS_MAX + 1);
	BREAKS(im.m.mappings = 0xffffffff);
	BREAKS(im.m.xsave_size += 64);
	BREAKS(im.m.xsave_size -= 1);
	BREAKS(im.m.xsave_size = 0);
	BREAKS(im.m.xsave_size = MOSIX_XSAVE_MAX + 64);
	BREAKS(im.m.pid = 0);
	BREAKS(im.m.pid = 0x80000000);
	BREAKS(im.m.name[15] = 'x');
	BREAKS(im.m.pages = 1 << 20);
	BREAKS(im.m.xlayout.size = MOSIX_XSAVE_MAX + 1);
	BREAKS(im.m.xlayout.part[2].offset = 577);
	BREAKS(im.m.xlayout.part[2].offset = 0xffffffff);
	BREAKS(im.m.xlayout.part[2].size = 0xffffffff);
	BREAKS(im.m.home_xlayout.size = 0xffffffff);
}
END_TEST

START_TEST(places_are_refused)
{
	BREAKS(im.m.arena += 1);
	BREAKS(im.m.arena += MOSIX_PAGE);
	BREAKS(im.m.arena = 0);
	BREAKS(im.m.arena = MOSIX_TASK_SIZE - 4096);
	BREAKS(im.m.arena = ~0xfffull);
	BREAKS(im.m.arena = CODE);
	BREAKS(im.m.guest_stack += 16);
	BREAKS(im.m.guest_stack -= 8);
	BREAKS(im.m.guest_stack = ARENA);
	BREAKS(im.m.gate_stack -= 8192);
	BREAKS(im.m.gate_stack_size = MOSIX_ARENA_SIZE);
	BREAKS(im.m.gate_stack_size = 0);
	BREAKS(im.m.gate_stack_size = ~0ull);
	BREAKS(im.m.guest_entry = 0);
	BREAKS(im.m.guest_entry = ~0ull);
	BREAKS(im.m.guest_entry = CODE + 0x100000);
	BREAKS(im.m.gate_handler = 0x7fff00000000);
	BREAKS(im.m.gate_restorer = 0x7ffe00000000);
	BREAKS(im.m.brk--);
	BREAKS(im.m.brk = ~0ull);
	BREAKS(im.m.thread.fs_base = ~0ull);
	BREAKS(im.m.thread.regs.rip = 1ull << 63);
	BREAKS(im.m.thread.rseq = MOSIX_TASK_SIZE);
	BREAKS(im.m.thread.clear_tid = ~0ull);
}
END_TEST

START_TEST(threads_are_refused)
{
	BREAKS(im.m.threads = 0);
	BREAKS(im.m.threads++);
	BREAKS(im.m.threads = MOSIX_THREADS_MAX + 1);
	BREAKS(im.m.threads = 0xffffffff);
	BREAKS(im.m.thread.tid++);
	BREAKS(im.m.thread.slot = 1);
	BREAKS(im.more[0].thread.tid = 0);
	BREAKS(im.more[0].thread.tid = 0x80000000);
	BREAKS(im.more[0].thread.tid = 4711);
	BREAKS(im.more[0].thread.tid = im.more[1].thread.tid);
	BREAKS(im.more[0].thread.slot = 0);
	BREAKS(im.more[0].thread.slot = THREADS + 1);
	BREAKS(im.more[0].thread.slot = im.more[1].thread.slot);
	BREAKS(im.more[1].thread.fs_base = ~0ull);
	BREAKS(im.more[1].thread.regs.rip = 1ull << 63);
	BREAKS(im.more[1].thread.clear_tid = MOSIX_TASK_SIZE);
}
END_TEST

START_TEST(slots_are_refused)
{
	BREAKS(im.m.slots += MOSIX_PAGE);
	BREAKS(im.m.slots = 0);
	BREAKS(im.m.slots = ARENA);
	BREAKS(im.m.slots = ARENA - MOSIX_SLOT_SIZE);
	BREAKS(im.m.slots = 0x7ffe00000000 - MOSIX_SLOT_SIZE);	/* the stack lies in one */
	BREAKS(im.m.slots = 0x800000000000 - MOSIX_SLOT_SIZE);
	BREAKS(im.m.slots = ~(MOSIX_SLOT_SIZE - 1));
	BREAKS(im.m.slot_count = 1);
	BREAKS(im.m.slot_count = MOSIX_THREADS_MAX + 1);
	BREAKS(im.m.slot_count = 0xffffffff);
	BREAKS(im.map[3].start = im.map[3].end = SLOTS; im.map[3].end += MOSIX_PAGE);
}
END_TEST

START_TEST(mappings_are_refused)
{
	BREAKS(im.map[0].start++);
	BREAKS(im.map[0].end--);
	BREAKS(im.map[0].end = im.map[0].start);
	BREAKS(im.map[0].end = 0);
	BREAKS(im.map[0].end += 0x1000);
	BREAKS(im.map[1].start = 0);
	BREAKS(im.map[0].start = MOSIX_LOADER_END - 4096);
	BREAKS(im.map[0].start = MOSIX_LOADER_START);
	BREAKS(im.map[3].start -= 4096);
	BREAKS(im.map[3].start = ARENA - 4096);
	BREAKS(im.map[5].end = MOSIX_TASK_SIZE + 4096);
	BREAKS(im.map[5].end = ~0xfffull);
	BREAKS(im.map[0].prot |= 8);
	BREAKS(im.map[0].flags |= 1u << 31);
	BREAKS(im.map[0].flags |= MOSIX_MAP_ANON);
	BREAKS(im.map[0].flags = 0);
	BREAKS(im.map[0].flags |= MOSIX_MAP_STACK);
	BREAKS(im.map[0].flags |= MOSIX_MAP_VDSO);
	BREAKS(im.map[2].flags |= MOSIX_MAP_SHARED);
	BREAKS(im.map[1].prot |= PROT_WRITE);
	BREAKS(im.map[2].flags |= MOSIX_MAP_STACK);
	BREAKS(im.map[0].offset = 1);
	BREAKS(im.map[0].offset = ~0xfffull);
	BREAKS(im.map[0].offset = INT64_MAX - 4095);
	BREAKS(im.map[0].zero = 1);
}
END_TEST

/* Random bytes changed in an image exactly as long as it says: never a read behind it. */
START_TEST(mutations)
{
	uint64_t seed = 88172645463325252ull;
	unsigned refused = 0;

	for (int round = 0; round < 20000; round++) {
		struct image *im = malloc(sizeof(*im));
		const char *why;

		make(im);
		for (int n = 0; n < 2; n++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			((uint8_t *)im)[seed % sizeof(*im)] = (uint8_t)(seed >> 56);
		}
		refused += check(im, &why) != 0;
		free(im);
	}
	ck_assert_uint_gt(refused, 100);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("manifest");
	TCase *t = tcase_create("manifest");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, a_good_image_passes);
	tcase_add_test(t, heads_are_refused);
	tcase_add_test(t, places_are_refused);
	tcase_add_test(t, threads_are_refused);
	tcase_add_test(t, slots_are_refused);
	tcase_add_test(t, mappings_are_refused);
	tcase_add_test(t, mutations);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
