/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rows_io: reading, writing and waiting, with the descriptors made for it. See rows.h. */
#include "rows.h"

#include <mqueue.h>

struct vector {
	long base;
	size_t length;
};

static const struct timespec moment = { 0, 3000000 }, negative = { -1, 0 }, crooked = { 0, 1000000000 };
static const uint64_t no_mask;

static void to_begin(void)
{
	lseek(D_DATA, 0, SEEK_SET);
	lseek(D_READ, 0, SEEK_SET);
	lseek(D_WRITE, 0, SEEK_SET);
}

static void whole(void)
{
	to_begin();
	files_make();
}

/* Positions of the descriptors, and what a pipe holds: a call that failed halfway must not have moved them. */
static void say_positions(const char *name)
{
	int waiting = -1;

	ioctl(D_PIPE_R, FIONREAD, &waiting);
	say("%s: at %ld, %ld, %ld, %d in the pipe\n", name, (long)lseek(D_DATA, 0, SEEK_CUR), (long)lseek(D_READ, 0, SEEK_CUR),
	    (long)lseek(D_WRITE, 0, SEEK_CUR), waiting);
}

static void plain(void)
{
	ROW(read, { FD(D_DATA), OUT(100), LEN(100) }, BLOCKS, to_begin);
	say_positions("read");
	ROW(read, { FD(D_PIPE_R), OUT(5), LEN(5) }, BLOCKS | FRESH, .about = "pipe");
	ROW(read, { FD(D_EVENT), OUT(8), LEN(8) }, BLOCKS | FRESH, .about = "eventfd");
	GOOD(read, { FD(D_DIR), OUT(8), LEN(8) });
	ROW(write, { FD(D_WRITE), IN("some text", 9), LEN(9) }, BLOCKS, to_begin);
	say_positions("write");
	ROW(write, { FD(D_PIPE_W), IN("some text", 9), LEN(9) }, BLOCKS | FRESH, .about = "pipe");
	const uint64_t one = 1, most = UINT64_MAX;
	ROW(write, { FD(D_EVENT), IN(&one, 8), LEN(8) }, BLOCKS | FRESH, .about = "eventfd");
	GOOD(write, { FD(D_EVENT), IN(&most, 8), LEN(8) });
	ROW(pread64, { FD(D_DATA), OUT(100), LEN(100), V(50, 0, 9990, 10000, 20000, -1, LONG_MAX) }, BLOCKS, to_begin);
	ROW(pwrite64, { FD(D_WRITE), IN("some text", 9), LEN(9), V(50, 0, -1, LONG_MIN) }, BLOCKS, to_begin);
}

/* Lengths at which a kernel or a frame changes its mind. */
static void sizes(void)
{
	static const size_t lengths[] = { 511,   512,    4095,    4096,    4097,    65535,   65536,
					  65537, 131072, 1040383, 1040384, 1040385, 1048576, 4194304 };
	size_t room = 8 << 20;
	uint8_t *m = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t n = lengths[i];
		uint32_t hash = 1;
		long result;

		for (int way = 0; way < 2; way++) {
			lseek(D_WRITE, 0, SEEK_SET);
			for (size_t at = 0; at < n; at++)
				m[at + 1] = (uint8_t)(at * 31 + i);
			row_ready();
			result = RAW(NR_write, D_WRITE, (long)m + 1, (long)n);
			line("write", result, "%zu bytes", n);
			memset(m, 0xee, room);
			row_ready();
			result = way ? RAW(NR_pread64, D_ZERO, (long)m + 1, (long)n, 0)
				     : RAW(NR_read, D_ZERO, (long)m + 1, (long)n);
			for (size_t at = 0; at < room; at++)
				hash = (hash ^ m[at]) * 16777619u;
			line(way ? "pread64" : "read", result, "%zu bytes, all memory then #%08x", n, hash);
		}
		int file = open("written", O_RDONLY);
		row_ready();
		result = RAW(NR_read, file, (long)m + 1, (long)n + 1);
		for (size_t at = 0; at < room; at++)
			hash = (hash ^ m[at]) * 16777619u;
		line("read", result, "back, all memory then #%08x", hash);
		close(file);
	}
	munmap(m, room);
}

/* Vectors whose entries are wrong. */
static void one_vector(const char *name, long nr, long fd, const struct vector *vector, long count, const char *label)
{
	long arg[6] = { fd, (long)area[1] + MIDDLE, count, 0, 0, 0 }, result;

	descriptors_make();
	row_ready();
	areas_fill();
	memcpy(area[1] + MIDDLE, vector, (count < 0 || count > 4 ? 4 : (size_t)count) * sizeof(*vector));
	areas_note();
	timer_set(30);
	result = raw6(nr, arg);
	timer_set(0);
	say("%s: %s = ", name, label);
	say_result(result, false);
	for (int i = 0; i < AREAS; i++)
		say_changes(i, (long)area[i] + MIDDLE, NULL);
	say(", at %ld\n", (long)lseek((int)fd, 0, SEEK_CUR));
}

static void vectors_of(const char *name, long nr, long fd)
{
	const long x = (long)area[6] + MIDDLE, y = (long)area[7] + MIDDLE, end = (long)area[6] + AREA;
	const struct {
		const char *label;
		struct vector v[4];
		long count;
	} cases[] = {
		{ "two", { { x, 10 }, { y, 20 } }, 2 },
		{ "one of length 0 that is nowhere", { { nowhere, 0 }, { y, 20 } }, 2 },
		{ "NULL of length 0", { { 0, 0 }, { y, 20 } }, 2 },
		{ "NULL", { { 0, 8 }, { y, 20 } }, 2 },
		{ "second nowhere", { { x, 10 }, { nowhere, 20 } }, 2 },
		{ "second NULL", { { x, 10 }, { 0, 20 } }, 2 },
		{ "first nowhere", { { nowhere, 10 }, { y, 20 } }, 2 },
		{ "first in the kernel", { { (long)0xffffffff81000000, 10 }, { y, 20 } }, 2 },
		{ "second in the kernel", { { x, 10 }, { (long)0xffffffff81000000, 20 } }, 2 },
		{ "cut", { { x, 10 }, { end - 5, 20 } }, 2 },
		{ "cut at once", { { end - 5, 20 }, { x, 10 } }, 2 },
		{ "up to the end", { { end - 20, 20 }, { x, 10 } }, 2 },
		{ "read-only", { { x, 10 }, { (long)read_only, 10 } }, 2 },
		{ "negative", { { x, 10 }, { y, (size_t)-1 } }, 2 },
		{ "together too much", { { x, 10 }, { y, LONG_MAX } }, 2 },
		{ "very long", { { x, 10 }, { y, 1 << 21 } }, 2 },
		{ "the same twice", { { x, 10 }, { x + 5, 10 }, { x, 3 } }, 3 },
		{ "none", { { x, 10 } }, 0 },
		{ "all empty", { { x, 0 }, { y, 0 } }, 2 },
		{ "1025", { { x, 10 } }, 1025 },
		{ "-1", { { x, 10 } }, -1 },
		{ "-1 of 32 bits", { { x, 10 } }, 0xffffffff },
		{ "many", { { x, 10 } }, 1L << 32 | 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		one_vector(name, nr, fd, cases[i].v, cases[i].count, cases[i].label);
}

static void vectors(void)
{
	const struct vector two[2] = { { (long)area[6] + MIDDLE, 10 }, { (long)area[7] + MIDDLE, 20 } };

	ROW(readv, { FD(D_DATA), IN(two, 32), V(2, 0, 1, 1025, -1) }, BLOCKS, to_begin);
	ROW(writev, { FD(D_WRITE), IN(two, 32), V(2, 0, 1, 1025, -1) }, BLOCKS, to_begin);
	ROW(preadv, { FD(D_DATA), IN(two, 32), V(2, 0, -1), V(7, -1), V(0, 1, -1) }, BLOCKS, to_begin);
	ROW(pwritev, { FD(D_WRITE), IN(two, 32), V(2, 0, -1), V(7, -1), V(0, 1, -1) }, BLOCKS, to_begin);
	ROW(preadv2, { FD(D_DATA), IN(two, 32), V(2, 0, -1), V(7, -1), V(0), V(0, 8, 0x10000, -1) }, BLOCKS, to_begin);
	ROW(pwritev2, { FD(D_WRITE), IN(two, 32), V(2, 0, -1), V(7, -1), V(0), V(0, 0x10, 2, 0x10000, -1) }, BLOCKS, to_begin);
	GOOD(preadv2, { FD(D_DATA), IN(two, 32), V(2), V(-1), V(-1), V(0) });
	GOOD(pwritev2, { FD(D_WRITE), IN(two, 32), V(2), V(-1), V(-1), V(0) });
	GOOD(preadv2, { FD(D_PIPE_R), IN(two, 32), V(2), V(-1), V(0), V(0) });
	vectors_of("readv", NR_readv, D_DATA);
	vectors_of("writev", NR_writev, D_WRITE);
	vectors_of("preadv", NR_preadv, D_DATA);
	vectors_of("pwritev", NR_pwritev, D_WRITE);
	vectors_of("preadv2", NR_preadv2, D_DATA);
	vectors_of("pwritev2", NR_pwritev2, D_WRITE);
	vectors_of("readv", NR_readv, D_PIPE_R);
	vectors_of("writev", NR_writev, D_PIPE_W);
}

static void between(void)
{
	const int64_t offset = 100, below = -1, far = 20000;

	ROW(sendfile, { FD(D_WRITE), FD(D_DATA), IO(&offset, 8), V(300, 0, 1, 20000, -1) }, BLOCKS, whole);
	ROW(sendfile, { FD(D_STREAM), FD(D_DATA), V(0), V(300, 0) }, BLOCKS | FRESH, to_begin);
	GOOD(sendfile, { FD(D_WRITE), FD(D_DATA), IO(&below, 8), V(300) });
	GOOD(sendfile, { FD(D_WRITE), FD(D_DATA), IO(&far, 8), V(300) });
	say_positions("sendfile");
	ROW(copy_file_range, { FD(D_DATA), IO(&offset, 8), FD(D_WRITE), IO(&offset, 8), V(300, 0, 20000, -1), V(0, 1, -1) },
	    BLOCKS, whole);
	GOOD(copy_file_range, { FD(D_DATA), V(0), FD(D_WRITE), V(0), V(300), V(0) });
	say_positions("copy_file_range");
	ROW(splice, { FD(D_DATA), IO(&offset, 8), FD(D_PIPE_W), V(0, nowhere), V(300, 0, 20000, -1), V(0, 2, 16, -1) },
	    BLOCKS | FRESH, whole);
	ROW(splice, { FD(D_PIPE_R), V(0, nowhere), FD(D_WRITE), IO(&offset, 8), V(3, 0, 300, -1), V(0, 2, 16, -1) },
	    BLOCKS | FRESH, whole);
	ROW(tee, { FD(D_PIPE_R), FD(D_PIPE_W), V(3, 0, -1), V(0, 2, 16, -1) }, BLOCKS | FRESH);
	ROW(pipe, { OUT(8) }, FRESH);
	ROW(pipe2, { OUT(8), V(0, O_CLOEXEC, O_NONBLOCK, O_DIRECT, 1, -1) }, FRESH);
}

static void polling(void)
{
	const struct pollfd set[3] = { { D_PIPE_R, POLLIN, 0x55 }, { -1, POLLIN, 0x55 }, { D_CLOSED, POLLOUT, 0x55 } };
	const struct pollfd idle[2] = { { D_STREAM, POLLIN, 0x55 }, { D_LIMIT + 2, 0, 0x55 } };
	const struct pollfd quiet = { D_STREAM, POLLIN, 0x55 };
	const uint64_t most = ~(1ull << (SIGALRM - 1));

	ROW(poll, { IN(set, 24), V(3, 0, 1, 4, 2000, -1, 1L << 32 | 3), V(2, 0) });
	GOOD(poll, { IN(idle, 16), V(2), V(2) });
	ROW(poll, { IN(&quiet, 8), V(1, 0), V(2, 0, -5) }, BLOCKS);
	ROW(ppoll, { IN(set, 24), V(3, 0, 1, -1), IO(&moment, 16), IN(&no_mask, 8), V(8, 0, 4, -1) }, BLOCKS,
	    .hide = { { 2, 0, 16 } });
	ROW(ppoll, { IN(&quiet, 8), V(1, 0), IO(&moment, 16), IN(&most, 8), V(8, 0, 4, -1) }, BLOCKS, .hide = { { 2, 0, 16 } });
	GOOD(ppoll, { IN(set, 24), V(3), IO(&negative, 16), V(0), V(8) });
	GOOD(ppoll, { IN(set, 24), V(3), IO(&crooked, 16), V(0), V(0) });
	ROW(ppoll, { IN(&quiet, 8), V(1), V(0), V(0), V(0) }, BLOCKS);
}

static void selecting(void)
{
	uint64_t readable[16] = { 0 }, closed[16] = { 0 };
	static const uint64_t many[1100] = { 1ull << D_PIPE_R };
	const struct timeval time = { 0, 3000 }, below = { -1, 0 };
	const struct {
		long mask, size;
	} pair = { (long)area[6] + MIDDLE, 8 }, empty = { 0, 8 }, wrong = { (long)area[6] + MIDDLE, 4 }, bad = { nowhere, 8 };

	readable[D_PIPE_R / 64] |= 1ull << D_PIPE_R % 64;
	readable[D_STREAM / 64] |= 1ull << D_STREAM % 64;
	closed[D_CLOSED / 64] |= 1ull << D_CLOSED % 64;
	ROW(select,
	    { V(64, 0, 1, 21, 1024, 65, -1, 1L << 32 | 64), IO(readable, 128), IO(readable, 128), IO(readable, 128),
	      IO(&time, 16) },
	    .hide = { { 4, 0, 16 } });
	GOOD(select, { V(D_CLOSED + 1), IO(closed, 128), V(0), V(0), IO(&time, 16) }, .hide = { { 4, 0, 16 } });
	GOOD(select, { V(70000), IO(many, 8800), V(0), V(0), IO(&time, 16) }, .hide = { { 4, 0, 16 } });
	GOOD(select, { V(64), V(0), V(0), V(0), IO(&below, 16) });
	ROW(select, { V(25), IO(closed, 4), V(0), V(0), IO(&time, 16) }, BLOCKS, .hide = { { 4, 0, 16 } },
	    .about = "nothing happens");
	ROW(select, { V(0), V(0), V(0), V(0), V(0) }, BLOCKS);
	ROW(pselect6, { V(64, 0, 21, 1024, -1), IO(readable, 128), V(0), IO(readable, 128), IO(&moment, 16), IN(&pair, 16) },
	    BLOCKS, .hide = { { 4, 0, 16 } });
	GOOD(pselect6, { V(64), IO(readable, 128), V(0), V(0), IO(&moment, 16), IN(&empty, 16) }, .hide = { { 4, 0, 16 } });
	GOOD(pselect6, { V(64), IO(readable, 128), V(0), V(0), IO(&moment, 16), IN(&wrong, 16) }, .hide = { { 4, 0, 16 } });
	GOOD(pselect6, { V(64), IO(readable, 128), V(0), V(0), IO(&moment, 16), IN(&bad, 16) }, .hide = { { 4, 0, 16 } });
}

static void ready_pipe(void)
{
	struct epoll_event e = { EPOLLIN, { .u64 = 0x1122334455667788 } };

	epoll_ctl(D_EPOLL, EPOLL_CTL_ADD, D_PIPE_R, &e);
}

static void epolling(void)
{
	const struct epoll_event e = { EPOLLIN | EPOLLET, { .u64 = 77 } };

	ROW(epoll_create, { V(1, 0, -1) }, MAKES);
	ROW(epoll_create1, { V(0, EPOLL_CLOEXEC, 1, -1) }, MAKES);
	ROW(epoll_ctl, { FD(D_EPOLL), V(EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, 0, 9, -1), FD(D_STREAM), IN(&e, 12) },
	    FRESH);
	ROW(epoll_wait, { FD(D_EPOLL), OUT(36), V(3, 0, 1, -1, 200000000, 0x7fffffff), V(2, 0) }, FRESH, ready_pipe);
	ROW(epoll_pwait, { FD(D_EPOLL), OUT(36), V(3, 0, -1), V(2, 0), IN(&no_mask, 8), V(8, 0, 4, -1) }, FRESH, ready_pipe);
	ROW(epoll_pwait2, { FD(D_EPOLL), OUT(36), V(3, 0, -1), IN(&moment, 16), IN(&no_mask, 8), V(8, 0, 4, -1) }, FRESH,
	    ready_pipe);
	GOOD(epoll_pwait2, { FD(D_EPOLL), OUT(36), V(3), IN(&negative, 16), V(0), V(8) });
	GOOD(epoll_wait, { FD(D_EPOLL), OUT(36), V(3), V(2) });
	ROW(epoll_wait, { FD(D_EPOLL), OUT(36), V(3, 0), V(-1) }, BLOCKS | FRESH);
}

static void counters(void)
{
	const uint64_t set = 1ull << (SIGUSR2 - 1), with_urgent = set | 1ull << (SIGURG - 1) | 1ull << (SIGKILL - 1);
	const struct itimerspec soon = { { 0, 0 }, { 1000, 0 } }, wrong = { { 0, 0 }, { 0, -1 } };

	ROW(eventfd, { V(5, 0, -1) }, MAKES);
	ROW(eventfd2, { V(5, -1), V(0, EFD_SEMAPHORE, EFD_CLOEXEC | EFD_NONBLOCK, 2, -1) }, MAKES);
	ROW(signalfd, { FD(-1), IN(&set, 8), V(8, 0, 4, 128, -1) }, MAKES | FRESH);
	ROW(signalfd4, { FD(-1), IN(&with_urgent, 8), V(8, 0, 4, 128, -1), V(0, SFD_CLOEXEC, SFD_NONBLOCK, 1, -1) },
	    MAKES | FRESH);
	GOOD(signalfd4, { FD(D_SIGNAL), IN(&set, 8), V(8), V(0) });
	ROW(timerfd_create, { V(CLOCK_MONOTONIC, CLOCK_REALTIME, 2, 99, -1), V(0, TFD_CLOEXEC, TFD_NONBLOCK, 1, -1) }, MAKES);
	ROW(timerfd_settime, { FD(D_TIMER), V(0, TFD_TIMER_ABSTIME, 8, -1), IN(&soon, 32), OUT(32) }, FRESH,
	    .hide = { { 3, 16, 16 } });
	GOOD(timerfd_settime, { FD(D_TIMER), V(0), IN(&wrong, 32), OUT(32) });
	ROW(timerfd_gettime, { FD(D_TIMER), OUT(32) }, FRESH);
}

static void fresh_queue(void)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 100 };
	int fd;

	mq_unlink("/mosix-rows");
	close(D_CLOSED + 2);
	fd = (int)mq_open("/mosix-rows", O_RDWR | O_CREAT, 0600, &attr);
	put_at(D_CLOSED + 2, fd);
	mq_send(D_CLOSED + 2, "waiting", 7, 3);
}

static void queues(void)
{
	const struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 100 };
	const unsigned priority = 0;
	const struct timespec past = { 1, 0 };

	ROW(mq_open, { PATH("mosix-rows"), V(O_RDWR, O_RDONLY, O_CREAT | O_EXCL, O_CREAT, -1), V(0600), IN(&attr, 64) }, MAKES,
	    fresh_queue);
	ROW(mq_open, { PATH("mosix-rows-new"), V(O_RDWR | O_CREAT), V(0600, 0), IN(&attr, 64) }, MAKES);
	mq_unlink("/mosix-rows-new");
	mq_unlink("/missing");
	ROW(mq_unlink, { PATH("mosix-rows") }, 0, fresh_queue);
	ROW(mq_timedsend, { FD(D_CLOSED + 2), IN("a message", 9), LEN(9), V(5, 0, 32768, -1), IN(&past, 16) }, BLOCKS,
	    fresh_queue);
	ROW(mq_timedreceive, { FD(D_CLOSED + 2), OUT(100), LEN(100), IO(&priority, 4), IN(&past, 16) }, BLOCKS, fresh_queue);
	ROW(mq_getsetattr, { FD(D_CLOSED + 2), IN(&attr, 64), OUT(64) }, 0, fresh_queue);
	mq_unlink("/mosix-rows");
	close(D_CLOSED + 2);
}

int main(int argc, char **argv)
{
	static char program[PATH_MAX];

	if (rows_executed(argc, argv))
		return 8;
	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		return 3;
	rows_begin();
	plain();
	sizes();
	vectors();
	between();
	polling();
	selecting();
	epolling();
	counters();
	queues();
	rows_become(program, true);
}
