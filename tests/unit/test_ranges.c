/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sets of address ranges, against one bit a page: exact while there is room, too large where there is none, never too small. */
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "ranges.h"

enum { PAGES = 1200, STEPS = 5000, ROOM = sizeof(((struct core_ranges *)0)->range) / sizeof(struct core_range) };

static struct core_ranges set;
static bool page[PAGES];

static uint64_t at(int n)
{
	return 0x7f0000000000ull + (uint64_t)n * 4096;
}

static void change(int from, int pages, bool in)
{
	if (in)
		ranges_add(&set, at(from), at(from + pages));
	else
		ranges_cut(&set, at(from), at(from + pages));
	memset(page + from, in, (size_t)pages);
}

static void compare(bool exactly)
{
	for (int n = 0; n < PAGES; n++) {
		int touched = ranges_touch(&set, at(n), at(n + 1));

		ck_assert_msg(touched || !page[n], "page %d is missing", n);
		ck_assert_msg(!exactly || !touched || page[n], "page %d is too much", n);
	}
	ck_assert_uint_le(set.count, ROOM);
	ck_assert_uint_eq(set.lock, 0);
}

static void walk(unsigned seed, int longest, bool exactly)
{
	memset(&set, 0, sizeof(set));
	memset(page, 0, sizeof(page));
	srandom(seed);
	for (int step = 0; step < STEPS; step++) {
		int from = (int)(random() % PAGES), pages = 1 + (int)(random() % longest);

		change(from, pages < PAGES - from ? pages : PAGES - from, random() % 2);
		if (step % 200 == 0)
			compare(exactly);
	}
	compare(exactly);
}

START_TEST(long_ranges_are_exact) { walk(1, 80, true); } END_TEST
START_TEST(short_ranges_fill_it) { walk(2, 2, false); } END_TEST

START_TEST(empty_ranges_are_none)
{
	memset(&set, 0, sizeof(set));
	ranges_add(&set, at(5), at(5));
	ranges_add(&set, at(6), at(5));
	ck_assert_uint_eq(set.count, 0);
	ranges_add(&set, at(1), at(9));
	ranges_cut(&set, at(4), at(4));
	ranges_cut(&set, at(6), at(2));
	ck_assert_uint_eq(set.count, 1);
	ck_assert(!ranges_touch(&set, at(9), at(20)) && !ranges_touch(&set, at(0), at(1)) && ranges_touch(&set, at(8), at(20)));
	ranges_cut(&set, at(0), at(20));
	ck_assert_uint_eq(set.count, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ranges");
	TCase *t = tcase_create("ranges");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, long_ranges_are_exact);
	tcase_add_test(t, short_ranges_fill_it);
	tcase_add_test(t, empty_ranges_are_none);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
