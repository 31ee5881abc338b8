/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of calls: complete, without contradictions, and with the numbers of the system's own headers. */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <asm/termbits.h>
#include <asm/unistd_64.h>
#include <check.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/if_packet.h>
#include <linux/in6.h>
#include <linux/membarrier.h>
#include <linux/msg.h>
#include <linux/prctl.h>
#include <linux/random.h>
#include <linux/sem.h>
#include <linux/sockios.h>
#include <asm/ioctls.h>
#include <stdlib.h>
#include <string.h>
#include <linux/fcntl.h>
#include <asm/fcntl.h>
#include <mosix/call.h>

/* Newer than the headers of the oldest supported system. */
#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY (F_LINUX_SPECIFIC_BASE + 3)
#endif
#ifndef F_CREATED_QUERY
#define F_CREATED_QUERY (F_LINUX_SPECIFIC_BASE + 4)
#endif

/* Two rows with one number do not compile. */
static int is_listed(unsigned nr)
{
	switch (nr) {
#define CALL(number, ...) case number: return 1;
#include <mosix/calls.def>
	default: return 0;
	}
}

static const uint64_t nothing[6];

START_TEST(rows_are_classified)
{
	for (unsigned nr = 0; nr < CALL_NUMBERS; nr++) {
		const struct call *c = call_find(nr, nothing), *base = call_base(nr);

		ck_assert_int_ne(c->where, CALL_UNCLASSIFIED);
		if (!is_listed(nr))
			ck_assert_str_eq(base->name, "unknown");
		else
			ck_assert_str_ne(base->name, "unknown");
	}
	for (unsigned nr = 0; nr <= 471; nr++)
		ck_assert_msg(is_listed(nr) || (nr > 336 && nr < 424), "no row for call %u", nr);
	ck_assert_int_eq(call_find(~0ull, nothing)->where, CALL_RETURN);
	ck_assert_int_eq(call_find(0x40000000, nothing)->where, CALL_RETURN);
}
END_TEST

START_TEST(unknown_commands_go_home)
{
	const uint64_t arg[6] = { 0x7eeeeeee, 0x7eeeeeee, 0x7eeeeeee };
	static const int of[] = { __NR_ioctl, __NR_fcntl, __NR_prctl, __NR_setsockopt, __NR_getsockopt, __NR_semctl, __NR_msgctl,
				  __NR_getitimer, __NR_setitimer, __NR_timer_create,
				  __NR_clock_nanosleep, __NR_getrusage, __NR_futex, __NR_arch_prctl, __NR_membarrier,
				  __NR_personality };

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
		ck_assert_msg(call_find((uint64_t)of[i], arg)->where == CALL_RETURN, "call %d", of[i]);
}
END_TEST

/* What an argument refers to must be able to give a length. */
static void check_arguments(const struct call *c)
{
	for (unsigned i = 0; i < 6; i++) {
		const struct call_arg *a = &c->arg[i], *of = &c->arg[a->ref];

		switch (a->kind) {
		case ARG_IN_LENGTH: case ARG_OUT_LENGTH: case ARG_INOUT_LENGTH: case ARG_OUT_RESULT: case ARG_OUT_DATA:
			ck_assert_uint_gt(a->size, 0);
			ck_assert_msg(of->kind == ARG_VALUE && a->ref != i, "%s: argument %u", c->name, i);
			break;
		case ARG_QUEUE_IN: case ARG_QUEUE_OUT: case ARG_POLL: case ARG_MMSG_IN: case ARG_MMSG_OUT:
			ck_assert_msg(of->kind == ARG_VALUE, "%s: argument %u", c->name, i);
			break;
		case ARG_IOV_IN: case ARG_IOV_OUT:
			ck_assert_msg(a->ref == 2 && i == 1 && of->kind == ARG_VALUE, "%s: argument %u", c->name, i);
			break;
		case ARG_MSG_IN: case ARG_MSG_OUT:
			ck_assert_uint_eq(i, 1);
			break;
		case ARG_OUT_SOCKLEN: case ARG_INOUT_SOCKLEN:
			ck_assert_msg(of->kind == ARG_SOCKLEN && a->ref > i, "%s: argument %u", c->name, i);
			break;
		case ARG_IN: case ARG_OUT: case ARG_INOUT: case ARG_STRING:
			ck_assert_uint_gt(a->size, 0);
			break;
		default:
			break;
		}
	}
}

START_TEST(arguments_fit_together)
{
	for (unsigned nr = 0; nr < CALL_NUMBERS; nr++)
		check_arguments(call_base(nr));
#define SUB(parent, mask, value, command, ...) \
	check_arguments(call_find(__NR_##parent, (const uint64_t[6]){ value, value, value }));
#include <mosix/calls.def>
}
END_TEST

/* A row of a second table has the number its name has in the headers. */
#define SAME_ioctl(command, value)     ck_assert_msg((uint32_t)(command) == (value), #command)
#define SAME_fcntl(command, value)     SAME_ioctl(command, value)
#define SAME_prctl(command, value)     SAME_ioctl(command, value)
#define SAME_semctl(command, value)    SAME_ioctl(command, value)
#define SAME_msgctl(command, value)    SAME_ioctl(command, value)
#define SAME_arch_prctl(command, value) SAME_ioctl(command, value)
#define SAME_futex(command, value)     SAME_ioctl(command, value)
#define SAME_membarrier(command, value) SAME_ioctl(command, value)
#define SAME_setsockopt(command, value)
#define SAME_getsockopt(command, value)
#define SAME_getitimer(command, value)
#define SAME_setitimer(command, value)
#define SAME_timer_create(command, value)
#define SAME_clock_gettime(command, value)
#define SAME_clock_getres(command, value)
#define SAME_clock_nanosleep(command, value)
#define SAME_getrusage(command, value)
#define SAME_setrlimit(command, value)
#define SAME_prlimit64(command, value)
#define SAME_personality(command, value)

START_TEST(commands_have_their_numbers)
{
#define SUB(parent, mask, value, command, ...) SAME_##parent(command, value);
#include <mosix/calls.def>
}
END_TEST

static const struct call *find(uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
	const uint64_t arg[6] = { a, b, c };

	return call_find(nr, arg);
}

START_TEST(second_tables_decide)
{
	ck_assert_str_eq(find(__NR_ioctl, 0, TCGETS, 0)->name, "TCGETS");
	ck_assert_str_eq(find(__NR_ioctl, 0, 0xffffffff00000000 | TCGETS, 0)->name, "TCGETS");
	ck_assert_str_eq(call_base(__NR_ioctl)->name, "ioctl");
	ck_assert_int_eq(find(__NR_fcntl, 0, F_SETLKW, 0)->blocking, CALL_RESTART);
	ck_assert_int_eq(find(__NR_fcntl, 0, F_SETLK, 0)->blocking, CALL_NEVER);
	ck_assert_int_eq(find(__NR_futex, 0, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0)->where, CALL_LOCAL);
	ck_assert_int_eq(find(__NR_futex, 0, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, 0)->where,
			 CALL_LOCAL);
	ck_assert_int_eq(find(__NR_futex, 0, FUTEX_LOCK_PI, 0)->where, CALL_RETURN);
	ck_assert_int_eq(find(__NR_prlimit64, 0, 3, 0)->where, CALL_HOME);
	ck_assert_int_eq(find(__NR_prlimit64, 0, 3, 0x1000)->where, CALL_RETURN);
	ck_assert_int_eq(find(__NR_prlimit64, 0, 7, 0x1000)->where, CALL_HOME);
	ck_assert_int_eq(find(__NR_setsockopt, 0, 1, 26)->where, CALL_RETURN);
	ck_assert_int_eq(find(__NR_setsockopt, 0, 1, 2)->where, CALL_HOME);
	ck_assert_int_eq(find(__NR_setsockopt, 0, 6, 35)->where, CALL_RETURN);
	ck_assert_int_eq(find(__NR_setsockopt, 0, 0, 64)->where, CALL_RETURN);
	ck_assert_int_eq(find(__NR_setsockopt, 0, 263, 5)->where, CALL_RETURN);
	ck_assert_int_eq(find(__NR_getrusage, (uint64_t)-1, 0, 0)->where, CALL_HOME);
	ck_assert_int_eq(find(__NR_personality, 0xffffffff, 0, 0)->where, CALL_HOME);
	ck_assert_int_eq(find(__NR_personality, 0, 0, 0)->where, CALL_RETURN);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("table");
	TCase *t = tcase_create("table");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, rows_are_classified);
	tcase_add_test(t, unknown_commands_go_home);
	tcase_add_test(t, arguments_fit_together);
	tcase_add_test(t, commands_have_their_numbers);
	tcase_add_test(t, second_tables_decide);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
