/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* homed's memory: the book (also torn, foreign and of another boot), places, the past, outcomes; its look at /proc. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/proc.h"
#include "homed/book.h"
#include "homed/channels.h"
#include "homed/check.h"
#include "homed/files.h"
#include "homed/outcome.h"
#include "homed/past.h"
#include "homed/place.h"

#define SLOT 256	/* of the book's file, the head included */

static char path[PATH_MAX];

static void set_up(void)
{
	const char *temporary = getenv("TMPDIR");
	int fd;

	snprintf(path, sizeof(path), "%s/mosix-book-XXXXXX", temporary ? temporary : "/tmp");
	fd = mkostemp(path, O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void tear_down(void)
{
	unlink(path);
}

struct seen { unsigned count; int32_t pid[16]; int slot[16]; int32_t drop; };

static int known(const struct book_record *record, int slot, void *data)
{
	struct seen *seen = data;

	if (record->pid == seen->drop)
		return -ESRCH;
	seen->pid[seen->count] = record->pid;
	seen->slot[seen->count++] = slot;
	return 0;
}

static struct book *open_book(struct seen *seen)
{
	struct book *book;

	memset(seen->pid, 0, sizeof(seen->pid));
	seen->count = 0;
	ck_assert_int_eq(book_open(path, known, seen, &book), 0);
	return book;
}

/* A book of the processes 1 … count in the slots 0 … count - 1. */
static void fill(int count)
{
	struct seen seen = { 0 };
	struct book *book = open_book(&seen);

	for (int i = 1; i <= count; i++) {
		struct book_record record = { .pid = i, .secret = 7, .where = "n2" };
		int slot = -1;

		ck_assert_int_eq(book_write(book, &slot, &record), 0);
		ck_assert_int_eq(slot, i - 1);
	}
	book_close(book);
}

static void spoil(off_t at)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

START_TEST(book_remembers)
{
	struct seen seen = { .drop = 2 };
	struct book_record record = { .pid = 9 };
	struct book *book;
	int slot = -1;

	fill(3);
	book = open_book(&seen);
	ck_assert_uint_eq(seen.count, 2);
	ck_assert_int_eq(seen.pid[0], 1);
	ck_assert_int_eq(seen.pid[1], 3);
	ck_assert_uint_eq(book_count(book), 2);
	/* the place of the one that was given up is taken first */
	ck_assert_int_eq(book_write(book, &slot, &record), 0);
	ck_assert_int_eq(slot, 1);
	book_erase(book, seen.slot[0]);
	book_close(book);
	book = open_book(&seen);
	ck_assert_uint_eq(seen.count, 2);
	ck_assert_int_eq(seen.pid[0], 9);
	ck_assert_int_eq(seen.pid[1], 3);
	book_close(book);
}
END_TEST

START_TEST(book_torn_slot)
{
	struct seen seen = { 0 };
	struct book *book;

	fill(3);
	spoil(2 * SLOT + 20);
	book = open_book(&seen);
	ck_assert_uint_eq(seen.count, 2);
	ck_assert_int_eq(seen.pid[1], 3);
	book_close(book);
	/* a file that ends in the middle of a slot */
	ck_assert_int_eq(truncate(path, 3 * SLOT + 100), 0);
	book = open_book(&seen);
	ck_assert_uint_eq(seen.count, 1);
	book_close(book);
}
END_TEST

START_TEST(book_of_another_boot)
{
	struct seen seen = { 0 };
	struct book *book;

	fill(3);
	spoil(16);
	book = open_book(&seen);
	ck_assert_uint_eq(seen.count, 0);
	ck_assert_uint_eq(book_count(book), 0);
	book_close(book);
}
END_TEST

START_TEST(book_open_to_others)
{
	struct seen seen = { 0 };
	struct book *book = NULL;

	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(book_open(path, known, &seen, &book), -EPERM);
	ck_assert_ptr_null(book);
}
END_TEST

START_TEST(places_are_taken_once)
{
	struct places *places = places_new();
	struct place p = { .pid = 5, .start = 77, .node = "n2", .noauto = true }, got = { 0 };

	places_put(places, &p);
	strcpy(p.node, "n3");
	places_put(places, &p);
	ck_assert(!places_take(places, 5, 78, &got));
	ck_assert(places_take(places, 5, 77, &got));
	ck_assert_str_eq(got.node, "n3");
	ck_assert(got.noauto && !got.stay);
	ck_assert(!places_take(places, 5, 77, &got));
	places_free(places);
}
END_TEST

START_TEST(past_keeps_the_newest)
{
	struct past *past = past_new();

	for (int i = 1; i <= 1000; i++)
		past_put(past, &(struct past_entry){ .pid = i, .start = 1 });
	past_put(past, &(struct past_entry){ .pid = 1000, .start = 2 });
	ck_assert_ptr_null(past_find(past, 1));
	ck_assert_ptr_nonnull(past_find(past, 999));
	ck_assert_uint_eq(past_find(past, 1000)->start, 2);
	past_free(past);
}
END_TEST

START_TEST(outcomes_are_sentences)
{
	struct outcome o;
	char more[2 * OUTCOME_TEXT];

	outcome_set(&o, MOSIX_WHY_THREADS, 4, NULL);
	ck_assert_str_eq(o.text, "it has too many threads");
	outcome_set(&o, MOSIX_WHY_THREADS, 4, "%d", 4);
	ck_assert_str_eq(o.text, "it has too many threads: 4");
	outcome_set(&o, MOSIX_WHY_THREADS, 4, "%s", "");
	ck_assert_str_eq(o.text, "it has too many threads");
	memset(more, 'x', sizeof(more));
	more[sizeof(more) - 1] = 0;
	outcome_set(&o, MOSIX_WHY_THREADS, 4, "%s", more);
	ck_assert_uint_eq(strlen(o.text), OUTCOME_TEXT - 1);
}
END_TEST

static uint64_t start_of(pid_t pid)
{
	struct proc_stat st;

	ck_assert_int_eq(proc_read_stat(pid, &st), 0);
	return st.start;
}

START_TEST(check_sees_strangers_and_the_dead)
{
	struct outcome o;
	pid_t child = fork();
	uint64_t start;

	if (child == 0) {
		pause();
		_exit(0);
	}
	start = start_of(child);
	check_process(child, start, 0, &o);
	ck_assert_uint_eq(o.reason, MOSIX_WHY_NOT_LOADED);
	check_process(child, start + 1, 0, &o);
	ck_assert_uint_eq(o.reason, MOSIX_WHY_ENDED);
	kill(child, SIGSTOP);
	waitpid(child, NULL, WUNTRACED);
	check_process(child, start, CHECK_AWAY, &o);
	ck_assert_uint_eq(o.reason, MOSIX_WHY_STOPPED);
	kill(child, SIGKILL);
	waitid(P_PID, (id_t)child, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
	check_process(child, start, 0, &o);
	ck_assert_uint_eq(o.reason, MOSIX_WHY_ENDED);
	waitpid(child, NULL, 0);
}
END_TEST

START_TEST(files_of_this_process)
{
	char own[PATH_MAX] = "";
	struct files files;
	bool found = false;

	ck_assert_int_gt(readlink("/proc/self/exe", own, sizeof(own) - 1), 0);
	ck_assert_int_eq(files_collect(getpid(), false, NULL, &files), 0);
	for (uint32_t i = 0; i < files.count; i++) {
		int fd;

		found |= !strcmp(files.file[i].path, own);
		ck_assert_int_eq(file_open(&files.file[i], &fd), 0);
		close(fd);
		for (uint32_t k = 0; k < i; k++)
			ck_assert_str_ne(files.file[i].path, files.file[k].path);
	}
	ck_assert(found);
	files.file[0].mtime_ns++;
	ck_assert_int_eq(file_open(&files.file[0], &(int){ 0 }), -ESTALE);
	files_free(&files);
}
END_TEST

START_TEST(channels_for_threads_to_come)
{
	static const struct { uint32_t threads; unsigned channels; } want[] = {
		{ 1, 7 }, { 2, 8 }, { 3, 9 }, { 4, 10 }, { 64, 130 }, { 65, 131 }, { 447, 513 }, { 448, MOSIX_CHANNELS_MAX },
		{ 449, MOSIX_CHANNELS_MAX }, { 512, MOSIX_CHANNELS_MAX }, { UINT32_MAX, MOSIX_CHANNELS_MAX },
	};

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		ck_assert_uint_eq(channels_needed(want[i].threads), want[i].channels);
}
END_TEST

static int done_error;

static void all_stand(void *data, int error)
{
	ck_assert_ptr_eq(data, &done_error);
	ck_assert_int_eq(done_error, 1);
	done_error = error;
}

/* A door as remoted's, where few may wait that have not spoken: takes their hellos, returns how many. */
static unsigned let_in(int listener, int fd[static MOSIX_CHANNELS_MAX], unsigned *strangers)
{
	static int waiting[MOSIX_CHANNELS_MAX];
	struct mosix_channel_hello hello;
	unsigned came = 0;
	int new;

	while ((new = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		waiting[(*strangers)++] = new;
	for (unsigned i = 0; i < *strangers;) {
		if (recv(waiting[i], &hello, sizeof(hello), 0) != sizeof(hello)) {
			i++;
			continue;
		}
		ck_assert_uint_lt(hello.channel, MOSIX_CHANNELS_MAX);
		ck_assert_int_eq(fd[hello.channel], -1);
		ck_assert_uint_eq(hello.pid, 4711);
		fd[hello.channel] = waiting[i];
		waiting[i] = waiting[--*strangers];
		came++;
	}
	ck_assert_uint_le(*strangers, 16);
	return came;
}

START_TEST(all_channels_are_opened)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);
	struct homed homed = { .loop = uv_default_loop() };
	int far[MOSIX_CHANNELS_MAX], near[MOSIX_CHANNELS_MAX], listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	unsigned came = 0, strangers = 0;
	struct channels *channels;
	char byte;

	for (unsigned i = 0; i < MOSIX_CHANNELS_MAX; i++)
		far[i] = -1;
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(listener, 64), 0);
	getsockname(listener, (struct sockaddr *)&address, &size);
	done_error = 1;
	ck_assert_int_eq(channels_open(&homed, (struct sockaddr *)&address, 4711, (const uint8_t[MOSIX_TOKEN_SIZE]){ 1 },
				       MOSIX_CHANNELS_MAX, all_stand, &done_error, &channels), 0);
	while (done_error == 1 || came < MOSIX_CHANNELS_MAX) {
		uv_run(homed.loop, UV_RUN_NOWAIT);
		came += let_in(listener, far, &strangers);
	}
	ck_assert_int_eq(done_error, 0);
	ck_assert(!channels_relayed(channels));
	ck_assert_uint_eq(channels_descriptors(channels, near), MOSIX_CHANNELS_MAX);
	for (unsigned i = 0; i < MOSIX_CHANNELS_MAX; i++) {
		ck_assert_int_eq(fcntl(near[i], F_GETFL) & O_NONBLOCK, 0);
		ck_assert_int_eq(send(near[i], "", 1, 0), 1);
		fcntl(far[i], F_SETFL, 0);
		ck_assert_int_eq(recv(far[i], &byte, 1, 0), 1);
		close(far[i]);
	}
	channels_close(channels);
	uv_run(homed.loop, UV_RUN_NOWAIT);
	close(listener);
}
END_TEST

/* A door that closes after some: one word of failure, and everything is given back. */
START_TEST(channels_fail_once)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);
	struct homed homed = { .loop = uv_default_loop() };
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct channels *channels;

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
	getsockname(listener, (struct sockaddr *)&address, &size);
	done_error = 1;
	ck_assert_int_eq(channels_open(&homed, (struct sockaddr *)&address, 4711, (const uint8_t[MOSIX_TOKEN_SIZE]){ 1 }, 40,
				       all_stand, &done_error, &channels), 0);
	while (done_error == 1)
		uv_run(homed.loop, UV_RUN_ONCE);
	ck_assert_int_eq(done_error, -ECONNREFUSED);
	channels_close(channels);
	uv_run(homed.loop, UV_RUN_DEFAULT);
	close(listener);
}
END_TEST

int main(void)
{
	struct rlimit descriptors;
	Suite *s = suite_create("homed");
	TCase *t = tcase_create("homed");
	SRunner *r;
	int failed;

	getrlimit(RLIMIT_NOFILE, &descriptors);
	descriptors.rlim_cur = descriptors.rlim_max;
	setrlimit(RLIMIT_NOFILE, &descriptors);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, book_remembers);
	tcase_add_test(t, book_torn_slot);
	tcase_add_test(t, book_of_another_boot);
	tcase_add_test(t, book_open_to_others);
	tcase_add_test(t, places_are_taken_once);
	tcase_add_test(t, past_keeps_the_newest);
	tcase_add_test(t, outcomes_are_sentences);
	tcase_add_test(t, check_sees_strangers_and_the_dead);
	tcase_add_test(t, files_of_this_process);
	tcase_add_test(t, channels_for_threads_to_come);
	tcase_add_test(t, all_channels_are_opened);
	tcase_add_test(t, channels_fail_once);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
