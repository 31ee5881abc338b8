/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The user's key: made once and for all daemons the same, refused when it may have been read by others. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/key.h"

static char directory[] = "/tmp/test_key.XXXXXX";
static char path[PATH_MAX];
static char why[KEY_WHY_MAX];

static void setup(void)
{
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/a/b/key", directory);
}

static void teardown(void)
{
	char command[PATH_MAX];

	snprintf(command, sizeof command, "rm -rf '%s'", directory);
	ck_assert_int_eq(system(command), 0);
}

static void write_key(const char *text, mode_t mode)
{
	snprintf(path, sizeof path, "%s/key", directory);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

START_TEST(is_made_on_first_use)
{
	struct key first, second;
	struct stat st;

	ck_assert_int_eq(key_load(path, &first, why), 0);
	ck_assert_str_eq(why, "");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(st.st_size, 2 * KEY_SIZE + 1);
	ck_assert_uint_eq(st.st_nlink, 1);
	ck_assert_int_eq(key_load(path, &second, why), 0);
	ck_assert_mem_eq(&first, &second, sizeof first);
}
END_TEST

START_TEST(is_found_below_home)
{
	struct key key;
	char expected[PATH_MAX];

	setenv("HOME", directory, 1);
	ck_assert_int_eq(key_load(NULL, &key, why), 0);
	snprintf(expected, sizeof expected, "%s/.config/mosix/key", directory);
	ck_assert_int_eq(access(expected, R_OK), 0);
	ck_assert_int_eq(key_load("", &key, why), 0);
}
END_TEST

START_TEST(is_the_same_for_all_who_start_together)
{
	enum { DAEMONS = 16 };
	int keys[2], barrier[2];
	struct key first, other;
	char c;

	ck_assert_int_eq(pipe(keys), 0);
	ck_assert_int_eq(pipe(barrier), 0);
	for (int i = 0; i < DAEMONS; i++) {
		pid_t child = fork();

		ck_assert_int_ge(child, 0);
		if (child == 0) {
			close(barrier[1]);
			bool ok = read(barrier[0], &c, 1) == 0 && key_load(path, &first, why) == 0;

			_exit(ok && write(keys[1], &first, sizeof first) == sizeof first ? 0 : 1);
		}
	}
	close(barrier[1]);
	ck_assert_int_eq(read(keys[0], &first, sizeof first), sizeof first);
	for (int i = 1; i < DAEMONS; i++) {
		ck_assert_int_eq(read(keys[0], &other, sizeof other), sizeof other);
		ck_assert_mem_eq(&first, &other, sizeof first);
	}
	for (int i = 0; i < DAEMONS; i++) {
		int status;

		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
}
END_TEST

static const struct {
	const char *text;
	mode_t mode;
	int error;
	const char *says;
} bad[] = {
	{ "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n",   0640, -EPERM,  "open to other users" },
	{ "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n",   0602, -EPERM,  "open to other users" },
	{ "00112233445566778899aabbccddeeff00112233445566778899aabbccddeef\n",    0600, -EINVAL, "malformed" },
	{ "00112233445566778899aabbccddeeff00112233445566778899aabbccddeefff\n",  0600, -EINVAL, "malformed" },
	{ "00112233445566778899aabbccddeeff00112233445566778899aabbccddeefg\n",   0600, -EINVAL, "malformed" },
	{ "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n\n", 0600, -EINVAL, "malformed" },
	{ "",                                                                     0600, -EINVAL, "malformed" },
};

START_TEST(is_refused)
{
	struct key key, before;

	memset(&key, 0x5a, sizeof key);
	before = key;
	write_key(bad[_i].text, bad[_i].mode);
	ck_assert_int_eq(key_load(path, &key, why), bad[_i].error);
	ck_assert_ptr_nonnull(strstr(why, bad[_i].says));
	ck_assert_ptr_nonnull(strstr(why, path));
	ck_assert_mem_eq(&key, &before, sizeof key);
}
END_TEST

START_TEST(is_read_as_it_is_written)
{
	struct key key;

	write_key("00112233445566778899aAbBcCdDeEfF00112233445566778899aabbccddee01", 0400);
	ck_assert_int_eq(key_load(path, &key, why), 0);
	ck_assert_uint_eq(key.bytes[1], 0x11);
	ck_assert_uint_eq(key.bytes[15], 0xff);
	ck_assert_uint_eq(key.bytes[31], 0x01);
}
END_TEST

START_TEST(is_no_directory_and_no_fifo)
{
	struct key key;

	ck_assert_int_eq(key_load(directory, &key, why), -EINVAL);
	snprintf(path, sizeof path, "%s/fifo", directory);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(key_load(path, &key, why), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("key");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, is_made_on_first_use);
	tcase_add_test(all, is_found_below_home);
	tcase_add_test(all, is_the_same_for_all_who_start_together);
	tcase_add_loop_test(all, is_refused, 0, sizeof bad / sizeof bad[0]);
	tcase_add_test(all, is_read_as_it_is_written);
	tcase_add_test(all, is_no_directory_and_no_fifo);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
