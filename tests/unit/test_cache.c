/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cache of contents: the node's own files only while they are identical, sent contents only when their digest is right. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "remoted/cache.h"

#define NOWHERE "/nonexistent/file"
#define SIZE    100000

static struct cache *cache;
static char directory[] = "/tmp/test_cache.XXXXXX";
static char path[PATH_MAX];
static uint8_t content[SIZE], digest[DIGEST_SIZE], wrong[DIGEST_SIZE];

static void write_file(const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
	close(fd);
}

static void setup(void)
{
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/file", directory);
	for (size_t i = 0; i < SIZE; i++)
		content[i] = (uint8_t)(i * 31 + i / 256);
	ck_assert_int_eq(digest_bytes(content, SIZE, digest), 0);
	memcpy(wrong, digest, sizeof wrong);
	wrong[31] ^= 1;
	cache = cache_new(3 * SIZE, 4);
	ck_assert_ptr_nonnull(cache);
}

static void teardown(void)
{
	cache_free(cache);
	unlink(path);
	rmdir(directory);
}

/* A content of its own for each number. */
static struct cache_file *fill(uint8_t number, int *ret_error)
{
	uint8_t own[DIGEST_SIZE];
	struct cache_fill *filling;
	struct cache_file *file = NULL;

	content[0] = number;
	ck_assert_int_eq(digest_bytes(content, SIZE, own), 0);
	*ret_error = cache_fill_begin(cache, SIZE, own, &filling);
	if (*ret_error == 0) {
		ck_assert_int_eq(cache_fill_add(filling, 0, content, 1000), 0);
		ck_assert_int_eq(cache_fill_add(filling, 1000, content + 1000, SIZE - 1000), 0);
		*ret_error = cache_fill_end(filling, &file);
	}
	return file;
}

START_TEST(own_file)
{
	struct cache_file *file, *again;
	uint8_t found[SIZE];

	write_file(content, SIZE);
	ck_assert_int_eq(cache_find(cache, path, SIZE, wrong, &file), -ENOENT);
	ck_assert_int_eq(cache_find(cache, path, SIZE - 1, digest, &file), -ENOENT);
	ck_assert_int_eq(cache_find(cache, path, SIZE, digest, &file), 0);
	ck_assert_int_eq(pread(cache_fd(file), found, SIZE, 0), SIZE);
	ck_assert_mem_eq(found, content, SIZE);
	ck_assert_int_eq(fcntl(cache_fd(file), F_GETFL) & O_ACCMODE, O_RDONLY);
	/* By any name, once it is known. */
	ck_assert_int_eq(cache_find(cache, NOWHERE, SIZE, digest, &again), 0);
	ck_assert_ptr_eq(file, again);
	ck_assert_uint_eq(cache_files(cache), 1);
	ck_assert_uint_eq(cache_bytes(cache), 0);
	cache_drop(cache, file);
	cache_drop(cache, again);
}
END_TEST

START_TEST(own_file_that_changes)
{
	struct cache_file *file, *other;
	struct stat before, after;
	const struct timespec old[2] = { { 1, 0 }, { 1, 0 } };
	int fd;

	write_file(content, SIZE);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(futimens(fd, old), 0);
	ck_assert_int_eq(cache_find(cache, path, SIZE, digest, &file), 0);
	ck_assert_int_eq(fstat(fd, &before), 0);
	ck_assert_int_eq(pwrite(fd, "x", 1, 5), 1);
	ck_assert_int_eq(fstat(fd, &after), 0);
	close(fd);
	ck_assert_int_ne(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
	ck_assert_int_eq(cache_find(cache, path, SIZE, digest, &other), -ENOENT);
	ck_assert_uint_eq(cache_files(cache), 0);
	cache_drop(cache, file);	/* was still in use: only now it is closed */
}
END_TEST

START_TEST(own_file_of_another_kind)
{
	struct cache_file *file;
	char relative[] = "file";

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(cache_find(cache, path, 0, digest, &file), -ENOENT);
	ck_assert_int_eq(cache_find(cache, directory, 4096, digest, &file), -ENOENT);
	ck_assert_int_eq(cache_find(cache, "/dev/zero", 0, digest, &file), -ENOENT);
	ck_assert_int_eq(chdir(directory), 0);
	unlink(path);
	write_file(content, SIZE);
	ck_assert_int_eq(cache_find(cache, relative, SIZE, digest, &file), -ENOENT);
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(sent_content)
{
	struct cache_file *file, *again;
	uint8_t found[SIZE];
	int error;

	ck_assert_int_eq(cache_find(cache, NOWHERE, SIZE, digest, &file), -ENOENT);
	file = fill(content[0], &error);
	ck_assert_int_eq(error, 0);
	ck_assert_int_eq(pread(cache_fd(file), found, SIZE, 0), SIZE);
	ck_assert_mem_eq(found, content, SIZE);
	ck_assert_int_eq(cache_find(cache, NOWHERE, SIZE, digest, &again), 0);
	ck_assert_ptr_eq(file, again);
	ck_assert_uint_eq(cache_bytes(cache), SIZE);
	cache_drop(cache, again);
	cache_drop(cache, file);
	ck_assert_int_eq(cache_find(cache, NOWHERE, SIZE, digest, &file), 0);	/* kept for the next */
	cache_drop(cache, file);
}
END_TEST

START_TEST(sent_content_cannot_change)
{
	int error;
	struct cache_file *file = fill(1, &error);
	int fd = cache_fd(file);
	char name[64];

	ck_assert_int_lt(pwrite(fd, "x", 1, 0), 0);
	ck_assert_ptr_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	ck_assert_int_lt(ftruncate(fd, 0), 0);
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	int again = open(name, O_RDWR | O_CLOEXEC);

	ck_assert(again < 0 || pwrite(again, "x", 1, 0) < 0);
	if (again >= 0)
		close(again);
	/* What a guest does with it. */
	void *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	void *shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	ck_assert_ptr_ne(private, MAP_FAILED);
	ck_assert_ptr_ne(code, MAP_FAILED);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	munmap(private, 4096);
	munmap(code, 4096);
	munmap(shared, 4096);
	cache_drop(cache, file);
}
END_TEST

START_TEST(sent_content_that_is_wrong)
{
	struct cache_fill *filling;
	struct cache_file *file;

	ck_assert_int_eq(cache_fill_begin(cache, SIZE, wrong, &filling), 0);
	ck_assert_int_eq(cache_fill_add(filling, 0, content, SIZE), 0);
	ck_assert_int_eq(cache_fill_end(filling, &file), -EBADMSG);

	ck_assert_int_eq(cache_fill_begin(cache, SIZE, digest, &filling), 0);
	ck_assert_int_eq(cache_fill_add(filling, 0, content, SIZE - 1), 0);
	ck_assert_int_eq(cache_fill_end(filling, &file), -EBADMSG);

	ck_assert_int_eq(cache_fill_begin(cache, SIZE, digest, &filling), 0);
	ck_assert_int_eq(cache_fill_add(filling, 1, content, 10), -EPROTO);
	ck_assert_int_eq(cache_fill_add(filling, 0, content, 10), 0);
	ck_assert_int_eq(cache_fill_add(filling, 0, content, 10), -EPROTO);
	ck_assert_int_eq(cache_fill_add(filling, 10, content, SIZE - 9), -EPROTO);
	ck_assert_int_eq(cache_fill_add(filling, UINT64_MAX, content, 10), -EPROTO);
	cache_fill_abort(filling);
	ck_assert_uint_eq(cache_files(cache), 0);
	ck_assert_uint_eq(cache_bytes(cache), 0);
}
END_TEST

START_TEST(memory_is_bounded)
{
	struct cache_file *file[3];
	struct cache_fill *filling;
	int error;

	ck_assert_int_eq(cache_fill_begin(cache, 3 * SIZE + 1, digest, &filling), -ENOSPC);
	ck_assert_int_eq(cache_fill_begin(cache, UINT64_MAX, digest, &filling), -ENOSPC);
	for (uint8_t i = 0; i < 3; i++) {
		file[i] = fill(i, &error);
		ck_assert_int_eq(error, 0);
	}
	ck_assert_ptr_null(fill(3, &error));	/* all in use */
	ck_assert_int_eq(error, -ENOSPC);
	cache_drop(cache, file[1]);
	cache_drop(cache, file[0]);
	cache_drop(cache, fill(3, &error));	/* the oldest unused one went: number 0 */
	ck_assert_int_eq(error, 0);
	ck_assert_uint_eq(cache_bytes(cache), 3 * SIZE);
	content[0] = 1;
	ck_assert_int_eq(digest_bytes(content, SIZE, digest), 0);
	ck_assert_int_eq(cache_find(cache, NOWHERE, SIZE, digest, &file[1]), 0);
	content[0] = 0;
	ck_assert_int_eq(digest_bytes(content, SIZE, digest), 0);
	ck_assert_int_eq(cache_find(cache, NOWHERE, SIZE, digest, &file[0]), -ENOENT);
	cache_drop(cache, file[1]);
	cache_drop(cache, file[2]);
}
END_TEST

START_TEST(descriptors_are_bounded)
{
	struct cache_file *file[6];
	uint8_t own[DIGEST_SIZE];

	for (int i = 0; i < 6; i++) {
		char text[] = { (char)i };

		unlink(path);
		write_file(text, 1);
		ck_assert_int_eq(digest_bytes(text, 1, own), 0);
		ck_assert_int_eq(cache_find(cache, path, 1, own, &file[i]), 0);
	}
	ck_assert_uint_eq(cache_files(cache), 6);	/* in use: more than the limit rather than a refusal */
	for (int i = 0; i < 6; i++)
		cache_drop(cache, file[i]);
	ck_assert_uint_eq(cache_files(cache), 4);
}
END_TEST

START_TEST(empty_content)
{
	struct cache_fill *filling;
	struct cache_file *file;

	ck_assert_int_eq(digest_bytes("", 0, digest), 0);
	ck_assert_int_eq(cache_fill_begin(cache, 0, digest, &filling), 0);
	ck_assert_int_eq(cache_fill_add(filling, 0, "", 0), 0);
	ck_assert_int_eq(cache_fill_end(filling, &file), 0);
	cache_drop(cache, file);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cache");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, own_file);
	tcase_add_test(all, own_file_that_changes);
	tcase_add_test(all, own_file_of_another_kind);
	tcase_add_test(all, sent_content);
	tcase_add_test(all, sent_content_cannot_change);
	tcase_add_test(all, sent_content_that_is_wrong);
	tcase_add_test(all, memory_is_bounded);
	tcase_add_test(all, descriptors_are_bounded);
	tcase_add_test(all, empty_content);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
