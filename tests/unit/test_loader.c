/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plan and loader, in a cage: what becomes of an image, and of one that is wrong. */
#include "cage_image.h"

#include <errno.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <mosix/reason.h>

static void check_report(const struct cage_report *r)
{
	struct timespec now;

	ck_assert_uint_eq(r->pid, PID);
	ck_assert_uint_eq(r->tid, PID);
	ck_assert_uint_gt(r->unlisted, 400);
	ck_assert_uint_eq(r->unlisted_traps, r->unlisted);
	ck_assert_uint_eq(r->listed_traps, r->listed);
	ck_assert_int_eq(r->brk_moved, 1);
	ck_assert_int_eq(r->call_result, -1000);
	ck_assert_int_eq(r->file, 'f');
	ck_assert_int_eq(r->sparse, 's');
	ck_assert_int_eq(r->fresh, 0);
	ck_assert_uint_eq(r->big, (6ull << 20 | 8192) * 'b');
	ck_assert_uint_eq(r->fs_base, 0x7157);
	ck_assert_uint_eq(r->manifest_pid, PID);
	ck_assert_uint_eq(r->xsave_size % 64, 0);
	ck_assert_uint_gt(r->xsave_size, 512);
	ck_assert_uint_eq(r->last_tid, PID + THREADS - 1);
	ck_assert_uint_eq(r->last_xmm, THREADS - 1);
	ck_assert_uint_eq(r->first_mapping, CAGE_CODE);
	ck_assert_int_eq(r->thread, CAGE_THREAD);
	ck_assert_uint_eq(r->thread_tid, CAGE_THREAD);
	ck_assert_int_eq(r->child, CAGE_CHILD);
	ck_assert_uint_ne(r->spaces, 0);
	ck_assert_uint_eq(r->spaces_made, 0);
	ck_assert_uint_eq(r->own_rings, 1);
	ck_assert_uint_eq(r->kill_traps, r->kills);
	clock_gettime(CLOCK_MONOTONIC, &now);
	ck_assert_int_ge(r->mono_s, now.tv_sec + OFFSET - 30);
	ck_assert_int_le(r->mono_s, now.tv_sec + OFFSET);
}

static void run_guest(unsigned channels, unsigned files)
{
	struct guest g = { .channels = channels };
	struct cage_report r;
	struct cage_event e;
	char byte;

	guest_start(&g, files);
	r = guest_hear(&g);
	check_report(&r);
	ck_assert_uint_eq(r.descriptors, 2 + channels + 1);	/* maps, pagemap, channels, link */
	ck_assert_int_eq(recv(g.ours[channels - 1], &byte, 1, MSG_DONTWAIT), 1);
	ck_assert_uint_eq(r.rings, 0);
	send_all(g.control, "", 1);
	send_all(g.call, "", 1);
	r = guest_hear(&g);
	ck_assert_uint_eq(r.rings, 1);
	close(g.call);
	e = cage_await(g.cage);
	ck_assert_int_eq(e.kind, CAGE_ENDED);
	ck_assert_uint_eq(e.pid, PID);
	ck_assert_uint_eq(e.epoch, EPOCH);
	ck_assert_msg(WIFEXITED(e.status) && WEXITSTATUS(e.status) == 7, "status %#x", (unsigned)e.status);
	ck_assert_int_eq(cage_read(g.cage, &e), -EAGAIN);
	cage_close(g.cage);
}

START_TEST(guest_runs) { run_guest(6, 1); } END_TEST
START_TEST(many_files_come) { run_guest(4, 1000); } END_TEST
START_TEST(many_channels_come) { run_guest(MOSIX_CHANNELS_MAX, MOSIX_ORDER_FILES); } END_TEST

/* Then vdso and arena collide for certain. */
START_TEST(guest_runs_unrandomised)
{
	ck_assert_int_ne(personality(ADDR_NO_RANDOMIZE), -1);
	run_guest(4, 1);
}
END_TEST

static void fails_by(const struct mosix_run *bad, unsigned count, uint32_t reason)
{
	struct mosix_plan_failure f;
	struct cage_event e;
	struct guest g = { .channels = 4 };
	bool done = true;

	ck_assert_int_eq(cage_open("test", &g.cage), 0);
	guest_spawn(&g);
	guest_plan(&g, 1);
	for (unsigned i = 0; i < count; i++) {
		char page[4096] = { 0 };

		send_all(g.page, &bad[i], sizeof(bad[i]));
		if (i + 1 < count)
			send_all(g.page, page, sizeof(page));
	}
	if (reason == MOSIX_WHY_CUT)
		close(g.page);
	guest_answer(&g, &done, &f);
	ck_assert(!done);
	ck_assert_uint_eq(f.reason, reason);
	e = cage_await(g.cage);
	ck_assert_int_eq(e.kind, CAGE_ENDED);
	ck_assert(WIFEXITED(e.status) && WEXITSTATUS(e.status) == 1);
	cage_close(g.cage);
}

static const struct { struct mosix_run run; uint32_t reason; } bad[] = {
	{ { CAGE_DATA + 4096, 1 },      MOSIX_WHY_BAD_IMAGE },
	{ { CAGE_DATA, 2 },             MOSIX_WHY_BAD_IMAGE },
	{ { CAGE_DATA, 1ull << 52 },    MOSIX_WHY_BAD_IMAGE },
	{ { CAGE_DATA + 1, 1 },         MOSIX_WHY_BAD_IMAGE },
	{ { CAGE_FILE - 4096, 2 },      MOSIX_WHY_BAD_IMAGE },
	{ { CAGE_ARENA, 1 },            MOSIX_WHY_BAD_IMAGE },
	{ { MOSIX_LOADER_START, 1 },    MOSIX_WHY_BAD_IMAGE },
	{ { 0x7ff000000000, 1 },        MOSIX_WHY_BAD_IMAGE },	/* reserved */
	{ { CAGE_FRESH, PAGES + 1 },    MOSIX_WHY_BAD_IMAGE },
	{ { CAGE_DATA, 1 },             MOSIX_WHY_CUT },
};

START_TEST(bad_runs_fail) { fails_by(&bad[_i].run, 1, bad[_i].reason); } END_TEST

START_TEST(descending_runs_fail)
{
	fails_by((struct mosix_run[]){ { CAGE_BRK, 1 }, { CAGE_DATA, 1 } }, 2, MOSIX_WHY_BAD_IMAGE);
}
END_TEST

START_TEST(missing_file_fails)
{
	struct mosix_plan_failure f;
	struct guest g = { .channels = 4 };
	bool done = true;

	ck_assert_int_eq(cage_open("test", &g.cage), 0);
	guest_spawn(&g);
	g.image.mapping[4].file = 0;	/* of two files only the second comes */
	guest_plan(&g, 2);
	guest_answer(&g, &done, &f);
	ck_assert(!done);
	ck_assert_uint_eq(f.reason, MOSIX_WHY_BAD_IMAGE);
	ck_assert_uint_eq(f.detail, CAGE_SPARSE);
	cage_close(g.cage);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		guest_runs, guest_runs_unrandomised, many_files_come, many_channels_come, descending_runs_fail,
		missing_file_fails,
	};
	TCase *tcase = tcase_create("loader");

	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		tcase_add_test(tcase, tests[i]);
	tcase_add_loop_test(tcase, bad_runs_fail, 0, sizeof(bad) / sizeof(*bad));
	return cage_suite("loader", tcase);
}
