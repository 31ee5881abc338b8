/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors and files that all threads share: one table, one offset, locks that exclude. Runs in an empty directory. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>

#include "thread.h"

enum { WRITERS = 4, RECORDS = 600, RECORD = 64, HELD = 8, DESCRIPTORS = 256, LOCKED = 250, SHARE = 6000 };

static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;
static bool used[DESCRIPTORS];
static int counter_file, log_file, shared_file;

/* The rule that the lowest free number is taken holds for all threads together. */
static void opened(int fd, const char *how)
{
	int lowest = 0;
	while (used[lowest])
		lowest++;
	check(fd == lowest, "%s: descriptor %d, though %d is free", how, fd, lowest);
	used[fd] = true;
}

static void closed(int fd)
{
	pthread_mutex_lock(&table);
	check(close(fd) == 0, "close");
	used[fd] = false;
	pthread_mutex_unlock(&table);
}

static void *opening(void *argument)
{
	int number = (int)(intptr_t)argument, held[HELD] = { 0 };
	char record[RECORD + 1];
	for (int i = 0; i < RECORDS; i++) {
		int slot = (i * 5 + number) % HELD;
		if (held[slot] != 0)
			closed(held[slot]);
		pthread_mutex_lock(&table);
		int kind = (i + number) % 4;
		held[slot] = kind == 0   ? open("log", O_RDONLY)
			     : kind == 1 ? dup(log_file)
			     : kind == 2 ? eventfd(0, 0)
					 : socket(AF_UNIX, SOCK_DGRAM, 0);
		opened(held[slot], kind == 0 ? "open" : kind == 1 ? "dup" : kind == 2 ? "eventfd" : "socket");
		pthread_mutex_unlock(&table);
		snprintf(record, sizeof record, "%d %0*d\n", number, RECORD - 3, i);
		check(write(log_file, record, RECORD) == RECORD, "write");
		int count = 0;
		pthread_mutex_lock(&table);
		check(pread(counter_file, &count, sizeof count, 0) == sizeof count, "pread");
		count++;
		check(pwrite(counter_file, &count, sizeof count, 0) == sizeof count, "pwrite");
		pthread_mutex_unlock(&table);
		check_work(1, 250000);
	}
	for (int i = 0; i < HELD; i++)
		if (held[i] != 0)
			closed(held[i]);
	return NULL;
}

static void *locking(void *argument)
{
	int fd = open("counter", O_RDWR | O_CLOEXEC), count = 0;
	for (int i = 0; i < LOCKED; i++) {
		struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		check((argument != NULL ? fcntl(fd, F_OFD_SETLKW, &all) : flock(fd, LOCK_EX)) == 0, "a lock: %s",
		      strerror(errno));
		check(pread(fd, &count, sizeof count, 0) == sizeof count, "pread");
		count++;
		check_work(1, 50000);
		check(pwrite(fd, &count, sizeof count, 0) == sizeof count, "pwrite");
		all.l_type = F_UNLCK;
		check((argument != NULL ? fcntl(fd, F_OFD_SETLK, &all) : flock(fd, LOCK_UN)) == 0, "unlock");
	}
	close(fd);
	return NULL;
}

/* One offset for all: between them the readers see every number once. */
static void *reading(void *sum)
{
	for (int value; read(shared_file, &value, sizeof value) == sizeof value;) {
		atomic_fetch_add((atomic_long *)sum, value);
		check_work(1, 200);
	}
	return NULL;
}

static void one_offset(void)
{
	static int values[SHARE];
	pthread_t threads[WRITERS];
	atomic_long sum = 0;
	for (int i = 0; i < SHARE; i++)
		values[i] = i;
	shared_file = open("numbers", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	check(write(shared_file, values, sizeof values) == sizeof values && lseek(shared_file, 0, SEEK_SET) == 0, "numbers");
	for (int i = 0; i < WRITERS; i++)
		threads[i] = thread_start(reading, &sum, 0);
	for (int i = 0; i < WRITERS; i++)
		thread_end(threads[i]);
	printf("one offset: %ld\n", sum);
	check(sum == (long)SHARE * (SHARE - 1) / 2 && lseek(shared_file, 0, SEEK_CUR) == sizeof values, "the offset");
	close(shared_file);
}

static int count_with(void *(*run)(void *), int how)
{
	pthread_t threads[WRITERS];
	int count = 0;
	check(pwrite(counter_file, &count, sizeof count, 0) == sizeof count, "pwrite");
	for (intptr_t i = 0; i < WRITERS; i++)
		threads[i] = thread_start(run, (void *)(how < 0 ? i : how), 0);
	for (int i = 0; i < WRITERS; i++)
		thread_end(threads[i]);
	check(pread(counter_file, &count, sizeof count, 0) == sizeof count, "pread");
	return count;
}

int main(void)
{
	int per[WRITERS] = { 0 }, next, number;
	one_offset();
	counter_file = open("counter", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	log_file = open("log", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	for (int fd = 0; fd < DESCRIPTORS; fd++)
		used[fd] = fcntl(fd, F_GETFD) >= 0;
	int opens = count_with(opening, -1), flocks = count_with(locking, 0), locks = count_with(locking, 1);
	printf("counted: %d %d %d\n", opens, flocks, locks);
	check(opens == WRITERS * RECORDS && flocks == WRITERS * LOCKED && locks == flocks, "counts");
	FILE *file = fopen("log", "r");
	while (file != NULL && fscanf(file, "%d %d", &number, &next) == 2)
		check(number >= 0 && number < WRITERS && per[number]++ == next, "the log: record %d of %d", next, number);
	if (file != NULL)
		fclose(file);
	for (int i = 0; i < WRITERS; i++)
		check(per[i] == RECORDS, "the log: %d records of %d", per[i], i);
	unlink("log"); /* its order differs from run to run */
	return check_result();
}
