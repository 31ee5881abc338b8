/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that block in calls of all kinds while others compute, and pipelines of threads. Runs in an empty directory. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "thread.h"

enum { MEGABYTE = 1 << 20, STREAM = 3 << 20, STAGES = 4, WORKERS = 2 };

static unsigned char byte_at(long position)
{
	return (unsigned char)(position * 7 % 253);
}

/* ---- blocked in a call, and what ends it ---- */

static int one[2], two[2], three[2], full[2], pair[2], listener, event, timer, watch, locked;
static atomic_int ready, ended, finished;

static long block_read(void)
{
	char c = 0;
	return read(one[0], &c, 1) == 1 ? c : -1;
}

static long block_end(void)
{
	char c;
	return read(two[0], &c, 1); /* the end of the file comes when another thread closes the other end */
}

static long block_accept(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	char text[8] = "";
	long length = fd < 0 ? -1 : read(fd, text, sizeof text);
	if (fd >= 0)
		close(fd);
	return length == 5 && memcmp(text, "hello", 5) == 0 ? 5 : -1;
}

static long block_poll(void)
{
	struct pollfd p[2] = { { .fd = three[0], .events = POLLIN }, { .fd = listener, .events = POLLOUT } };
	return poll(p, 2, -1) == 1 && p[0].revents == POLLIN && p[1].revents == 0;
}

static long block_select(void)
{
	fd_set set;
	FD_ZERO(&set);
	FD_SET(three[0], &set);
	return select(three[0] + 1, &set, NULL, NULL, NULL) == 1 && FD_ISSET(three[0], &set);
}

static long block_epoll(void)
{
	struct epoll_event wanted = { .events = EPOLLIN, .data = { .u64 = 77 } }, got[4];
	int fd = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(fd, EPOLL_CTL_ADD, three[0], &wanted);
	int n = epoll_wait(fd, got, 4, -1);
	close(fd);
	return n == 1 && got[0].data.u64 == 77;
}

static long block_flock(void)
{
	int fd = open("locked", O_RDWR | O_CLOEXEC);
	long result = flock(fd, LOCK_EX);
	close(fd);
	return result;
}

static long block_lock(void)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5 };
	int fd = open("locked", O_RDWR | O_CLOEXEC);
	long result = fcntl(fd, F_OFD_SETLKW, &all);
	close(fd);
	return result;
}

static long block_sleep(void)
{
	int64_t begin = check_now(CLOCK_MONOTONIC);
	long result = nanosleep(&(struct timespec){ 0, 700000000 }, NULL);
	return check_now(CLOCK_MONOTONIC) - begin >= 700000000 ? result : -1;
}

static long block_write(void)
{
	static unsigned char block[MEGABYTE];
	for (long i = 0; i < MEGABYTE; i++)
		block[i] = byte_at(i);
	return write(full[1], block, MEGABYTE);
}

static long block_receive(void)
{
	char text[100];
	return recv(pair[0], text, sizeof text, MSG_WAITALL); /* 100 bytes, in two pieces */
}

static long block_event(void)
{
	uint64_t value = 0;
	return read(event, &value, sizeof value) == sizeof value ? (long)value : -1;
}

static long block_timer(void)
{
	struct itimerspec once = { .it_value = { 0, 500000000 } };
	uint64_t value = 0;
	timerfd_settime(timer, 0, &once, NULL);
	return read(timer, &value, sizeof value) == sizeof value ? (long)value : -1;
}

static long block_fifo(void)
{
	int fd = open("fifo", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -1 : close(fd);
}

static long block_watch(void)
{
	char buffer[512];
	long length = read(watch, buffer, sizeof buffer);
	const struct inotify_event *seen = (const struct inotify_event *)buffer;
	return length > 0 && seen->mask == IN_CREATE && strcmp(seen->name, "created") == 0;
}

/* clang-format off */
static const struct { const char *name; long (*block)(void), result; } calls[] = {
	{ "read", block_read, 'x' },	{ "end of file", block_end, 0 },	{ "accept", block_accept, 5 },
	{ "poll", block_poll, 1 },	{ "select", block_select, 1 },		{ "epoll_wait", block_epoll, 1 },
	{ "flock", block_flock, 0 },	{ "fcntl", block_lock, 0 },		{ "nanosleep", block_sleep, 0 },
	{ "write", block_write, MEGABYTE }, { "recv", block_receive, 100 },	{ "eventfd", block_event, 9 },
	{ "timerfd", block_timer, 1 },	{ "open", block_fifo, 0 },		{ "inotify", block_watch, 1 },
};
/* clang-format on */
enum { CALLS = sizeof calls / sizeof calls[0] };

static void *blocked(void *number)
{
	intptr_t i = (intptr_t)number;
	atomic_fetch_add(&ready, 1);
	errno = 0;
	long result = calls[i].block();
	check(result == calls[i].result, "%s: %ld instead of %ld, %s", calls[i].name, result, calls[i].result, strerror(errno));
	if (calls[i].block != block_sleep && calls[i].block != block_timer)
		atomic_fetch_add(&ended, 1);
	return NULL;
}

static void *computing(void *unused)
{
	(void)unused;
	uint64_t x = 3;
	while (!finished)
		x = check_work(x, 10000);
	return (void *)x;
}

static void prepare(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "socket" };
	struct flock all = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(bind(listener, (struct sockaddr *)&name, sizeof name) == 0 && listen(listener, 5) == 0, "a listener");
	check(pipe(one) == 0 && pipe(two) == 0 && pipe(three) == 0 && pipe(full) == 0, "pipes");
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && mkfifo("fifo", 0600) == 0, "a socket pair, a FIFO");
	event = eventfd(0, EFD_CLOEXEC);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	watch = inotify_init1(IN_CLOEXEC);
	check(mkdir("watched", 0700) == 0 && inotify_add_watch(watch, "watched", IN_CREATE) >= 0, "a watch");
	locked = open("locked", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	check(flock(locked, LOCK_EX) == 0 && fcntl(locked, F_OFD_SETLK, &all) == 0, "a lock");
}

static void release(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "socket" };
	char text[50] = "";
	uint64_t value = 9;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(send(pair[1], text, sizeof text, 0) == sizeof text, "the first half");
	check(connect(fd, (struct sockaddr *)&name, sizeof name) == 0, "connect");
	check_compute(100);
	check(ended == 0, "%d calls ended too early", ended);
	check(write(fd, "hello", 5) == 5 && write(one[1], "x", 1) == 1 && write(three[1], "y", 1) == 1, "write");
	check(write(event, &value, sizeof value) == sizeof value && send(pair[1], text, sizeof text, 0) == sizeof text, "write");
	close(two[1]);
	close(locked); /* both locks go with it */
	close(open("watched/created", O_WRONLY | O_CREAT, 0600));
	close(open("fifo", O_WRONLY | O_CLOEXEC));
	static unsigned char block[70000];
	long position = 0, length;
	while (position < MEGABYTE && (length = read(full[0], block, sizeof block)) > 0) {
		for (long i = 0; i < length; i++)
			if (block[i] != byte_at(position + i)) {
				check(false, "byte %ld through the pipe", position + i);
				break;
			}
		position += length;
		check_work(1, 30000);
	}
	check(position == MEGABYTE, "%ld bytes through the pipe", position);
	close(fd);
}

static void block_all(void)
{
	pthread_t threads[CALLS], workers[WORKERS];
	prepare();
	for (int i = 0; i < WORKERS; i++)
		workers[i] = thread_start(computing, NULL, 0);
	for (intptr_t i = 0; i < CALLS; i++)
		threads[i] = thread_start(blocked, (void *)i, 0);
	thread_reached(&ready, CALLS, "threads");
	check_compute(300);
	check(ended == 0, "%d calls ended too early", ended);
	release();
	for (int i = 0; i < CALLS; i++)
		thread_end(threads[i]);
	atomic_store(&finished, 1);
	for (int i = 0; i < WORKERS; i++)
		check(thread_end(workers[i]) != NULL, "worker");
	printf("%d calls blocked and ended\n", CALLS);
}

/* ---- a pipeline: pipe, socket pair, pipe, ... each stage adds to every byte ---- */

static int links[STAGES + 1][2];

static void *stage(void *argument)
{
	intptr_t number = (intptr_t)argument;
	size_t size = 1000 + 7777 * (size_t)number;
	unsigned char *block = malloc(size);
	for (ssize_t length; (length = read(links[number][0], block, size)) > 0;) {
		for (ssize_t i = 0; i < length; i++)
			block[i] = (unsigned char)(block[i] + number + 1);
		struct iovec parts[2] = { { block, (size_t)length / 3 }, { block + length / 3, (size_t)(length - length / 3) } };
		for (ssize_t sent = 0, now; sent < length; sent += now) {
			now = sent == 0 ? writev(links[number + 1][1], parts, 2)
					: write(links[number + 1][1], block + sent, (size_t)(length - sent));
			if (!check(now > 0, "stage %ld: write: %s", number, strerror(errno)))
				return NULL;
		}
	}
	free(block);
	close(links[number][0]);
	close(links[number + 1][1]);
	return NULL;
}

static void *source(void *unused)
{
	static unsigned char block[12345];
	for (long position = 0; position < STREAM;) {
		long length = STREAM - position < (long)sizeof block ? STREAM - position : (long)sizeof block;
		for (long i = 0; i < length; i++)
			block[i] = byte_at(position + i);
		length = write(links[0][1], block, (size_t)length);
		if (!check(length > 0, "the source: %s", strerror(errno)))
			break;
		position += length;
	}
	close(links[0][1]);
	return unused;
}

static void pipeline(void)
{
	pthread_t threads[STAGES + 1];
	static unsigned char block[50000];
	int wrong = 0;
	long position = 0;
	for (int i = 0; i <= STAGES; i++)
		check((i % 2 ? socketpair(AF_UNIX, SOCK_STREAM, 0, links[i]) : pipe(links[i])) == 0, "a link");
	for (intptr_t i = 0; i < STAGES; i++)
		threads[i] = thread_start(stage, (void *)i, 0);
	threads[STAGES] = thread_start(source, NULL, 0);
	for (ssize_t length; (length = read(links[STAGES][0], block, sizeof block)) > 0; position += length)
		for (ssize_t i = 0; i < length; i++)
			wrong += block[i] != (unsigned char)(byte_at(position + i) + STAGES * (STAGES + 1) / 2);
	for (int i = 0; i <= STAGES; i++)
		thread_end(threads[i]);
	close(links[STAGES][0]);
	printf("pipeline: %ld bytes, %d wrong\n", position, wrong);
	check(position == STREAM && wrong == 0, "the pipeline");
}

int main(void)
{
	block_all();
	pipeline();
	return check_result();
}
