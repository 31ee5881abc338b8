/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the rows_*.c programs share: each makes the calls of one family, by bare instructions, with good and bad arguments, and
 * prints a line for each call: row of the table of calls, what was special about it, result, and what it did to memory. Run
 * natively and away, the lines must be the same.
 *
 * A row says how a good call looks; row() makes it, and then again with one argument (or two) replaced by everything that can be
 * wrong with an argument of its kind. Before each call the program writes "?" to stdout and waits for a byte on stdin: so whoever
 * runs it can see to it that it is away.
 *
 * Every pointer points into an area of its own, between pages that are not mapped. What a call has changed there is printed as
 * extents relative to the pointer, so a byte before or behind a buffer is seen as well.
 *
 * Long, because a program of this folder is a single file, and these have nothing else in common than all of this.
 */
#ifndef TESTS_HELPERS_ROWS_H
#define TESTS_HELPERS_ROWS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

/* A row says what is special about it; the rest is 0. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* Numbers by the table, not by the headers of the system, which may be older. */
enum {
#define CALL(number, name, ...) NR_##name = number,
#include <mosix/calls.def>
};

/* Descriptors that every row finds open; each has a fixed number, so that a call may close or replace it. */
enum {
	D_DATA = 20,
	D_READ,
	D_WRITE,
	D_DIR,
	D_PIPE_R,
	D_PIPE_W,
	D_STREAM,
	D_STREAM2,
	D_DGRAM,
	D_DGRAM2,
	D_LISTEN,
	D_EPOLL,
	D_EVENT,
	D_TIMER,
	D_SIGNAL,
	D_INOTIFY,
	D_MEMFD,
	D_PATH,
	D_MASTER,
	D_TTY,
	D_NULL,
	D_ZERO,
	D_RANDOM,
	D_TCP,
	D_UDP,
	D_END,
	D_CLOSED = 300,
	D_HIGH = 1000,
	D_LIMIT = 1024,
};

enum arg_kind { K_NOTHING, K_VALUE, K_LENGTH, K_FD, K_PATH, K_IN, K_OUT, K_INOUT, K_SOCKLEN };

struct arg {
	enum arg_kind kind;
	long value;         /* of a value, a length, a descriptor, or the number at the pointer of a K_SOCKLEN */
	const void *data;   /* what lies at the pointer; NULL: nothing special */
	size_t size;        /* of what it points to */
	const long *others; /* further values, ended by LAST */
};

#define LAST 0x5a5a5a5a5a5aL
#define FD(n)                              \
	{                                  \
		.kind = K_FD, .value = (n) \
	}
#define PATH(text)                             \
	{                                      \
		.kind = K_PATH, .data = (text) \
	}
#define V(n, ...)                                                             \
	{                                                                     \
		.kind = K_VALUE, .value = (long)(n), .others = (const long[]) \
		{                                                             \
			__VA_ARGS__ __VA_OPT__(, ) LAST                       \
		}                                                             \
	}
#define LEN(n)                                 \
	{                                      \
		.kind = K_LENGTH, .value = (n) \
	}
#define IN(from, bytes)                                       \
	{                                                     \
		.kind = K_IN, .data = (from), .size = (bytes) \
	}
#define OUT(bytes)                             \
	{                                      \
		.kind = K_OUT, .size = (bytes) \
	}
#define IO(from, bytes)                                          \
	{                                                        \
		.kind = K_INOUT, .data = (from), .size = (bytes) \
	}
#define SLEN(n)                                            \
	{                                                  \
		.kind = K_SOCKLEN, .value = (n), .size = 4 \
	}

enum row_flags {
	BLOCKS = 1,     /* a timer ends it */
	FRESH = 2,      /* all descriptors anew before each call */
	MAKES = 4,      /* the result is a descriptor: printed, then closed */
	HIDES = 8,      /* of a result that is no error only sign and relation to the process are printed */
	GOOD_ONLY = 16, /* nothing is replaced */
	BRIEF = 32,     /* one of many of a kind: what is the same for all is left out */
};

struct hide {
	int8_t arg;
	uint16_t at, length;
}; /* differs from run to run: only whether it was written */

struct row {
	const char *name;
	long nr;
	struct arg arg[6];
	unsigned flags;
	void (*before)(void); /* before each call */
	struct hide hide[8];  /* ended by length 0 */
	const char *about;
};

/* All variations of a row, of a row of a second table, and the good call alone. The script looks the names up in calls.def. */
#define ROW(call, ...)              row(&(struct row){ #call, NR_##call, __VA_ARGS__ })
#define COMMAND(call, command, ...) row(&(struct row){ #call " " #command, NR_##call, __VA_ARGS__ })
#define GOOD(call, ...)             row(&(struct row){ #call, NR_##call, __VA_ARGS__, .flags = GOOD_ONLY })

/* ---- the call ---- */

static __attribute__((noinline)) long raw6(long number, const long a[6])
{
	register long r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#define RAW(number, ...) raw6(number, (const long[6]){ __VA_ARGS__ })

/* ---- areas ---- */

enum { AREAS = 8, AREA = 16384, PAGE = 4096, MIDDLE = 4096 + 256 };

static uint8_t *area[AREAS]; /* 0-5 for the arguments, 6 and 7 for what structures point to */
static uint8_t *before_call[AREAS];
static uint8_t *read_only;            /* a page for each argument */
static const long nowhere = 1L << 45; /* nothing is mapped there, nor will the kernel choose it */

static uint8_t pattern(size_t at)
{
	return (uint8_t)(0x80 | (at * 13 & 0x7f));
}

static void areas_make(void)
{
	for (int i = 0; i < AREAS; i++) {
		uint8_t *m = mmap(NULL, AREA + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		area[i] = m + PAGE;
		mprotect(area[i], AREA, PROT_READ | PROT_WRITE);
		before_call[i] = malloc(AREA);
	}
	read_only = mmap(NULL, 6 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void areas_fill(void)
{
	for (int i = 0; i < AREAS; i++)
		for (size_t at = 0; at < AREA; at++)
			area[i][at] = pattern(at);
}

static void areas_note(void)
{
	for (int i = 0; i < AREAS; i++)
		memcpy(before_call[i], area[i], AREA);
}

/* ---- what is printed ---- */

static char said[65536];
static size_t said_length;

static __attribute__((format(printf, 1, 2))) void say(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	said_length += (size_t)vsnprintf(said + said_length, sizeof(said) - said_length, format, list);
	va_end(list);
	if (said_length > sizeof(said) - 1)
		said_length = sizeof(said) - 1;
}

static void said_flush(void)
{
	for (size_t at = 0; at < said_length;) {
		ssize_t n = write(1, said + at, said_length - at);

		if (n < 0)
			exit(3);
		at += (size_t)n;
	}
	said_length = 0;
}

/* From here on the program is where it shall be, until a call brings it home. */
static void row_ready(void)
{
	char byte;

	say("?\n");
	said_flush();
	if (read(0, &byte, 1) != 1)
		exit(3);
}

static long own_pid, parent_pid;

static void say_result(long result, bool hides)
{
	if (result < 0 && result > -4096) {
		const char *name = strerrorname_np((int)-result);

		if (name != NULL)
			say("%s", name);
		else
			say("error %ld", -result);
	} else if (hides) {
		say("%s", result == 0 ? "0" : result == own_pid ? "own pid" : result == parent_pid ? "parent's pid" : "positive");
	} else {
		say("%ld", result);
	}
}

static void say_bytes(const uint8_t *at, size_t n)
{
	uint32_t hash = 2166136261u;

	if (n <= 16) {
		for (size_t i = 0; i < n; i++)
			say("%02x", at[i]);
		return;
	}
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ at[i]) * 16777619u;
	say("#%08x", hash);
}

/* Extents of the area that a call has changed, relative to where the pointer pointed. */
static void say_changes(int n, long origin, const struct hide *hide)
{
	uint8_t *now = area[n];
	long base = origin - (long)now;

	if (base < 0 || base > AREA)
		base = 0;
	for (const struct hide *h = hide; h != NULL && h->length > 0; h++) {
		if (h->arg != n || base + h->at >= AREA)
			continue;
		size_t length = (size_t)base + h->at + h->length > AREA ? AREA - (size_t)base - h->at : h->length;

		if (memcmp(now + base + h->at, before_call[n] + base + h->at, length) != 0)
			say(" %d[%d+%d]", n, h->at, h->length);
		memcpy(now + base + h->at, before_call[n] + base + h->at, length);
	}
	for (size_t at = 0; at < AREA;) {
		size_t end = at;

		if (now[at] == before_call[n][at]) {
			at++;
			continue;
		}
		/* single bytes that happen to be as they were do not end it */
		for (size_t i = at; i < AREA && i < end + 8; i++)
			if (now[i] != before_call[n][i])
				end = i + 1;
		say(" %d[%ld+%zu]=", n, (long)at - base, end - at);
		say_bytes(now + at, end - at);
		at = end;
	}
}

/* ---- descriptors and files ---- */

static void put_at(int number, int fd)
{
	if (fd < 0 || fd == number)
		return;
	dup3(fd, number, 0);
	close(fd);
}

static void put_pair(int first, int second, const int fd[2])
{
	put_at(first, fd[0]);
	put_at(second, fd[1]);
}

static void descriptors_make(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "listening" };
	sigset_t none;
	int fd[2];

	sigemptyset(&none);
	syscall(SYS_close_range, 3, 19, 0);
	syscall(SYS_close_range, D_END, D_LIMIT - 1, 0);
	put_at(D_DATA, open("data", O_RDWR | O_CREAT, 0644));
	put_at(D_READ, open("data", O_RDONLY));
	put_at(D_WRITE, open("written", O_WRONLY | O_CREAT, 0644));
	put_at(D_DIR, open("directory", O_RDONLY | O_DIRECTORY));
	if (pipe(fd) == 0) {
		put_pair(D_PIPE_R, D_PIPE_W, fd);
		if (write(D_PIPE_W, "pipe!", 5) != 5)
			exit(3);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0)
		put_pair(D_STREAM, D_STREAM2, fd);
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fd) == 0)
		put_pair(D_DGRAM, D_DGRAM2, fd);
	put_at(D_LISTEN, socket(AF_UNIX, SOCK_STREAM, 0));
	unlink("listening");
	bind(D_LISTEN, (struct sockaddr *)&name, sizeof(name));
	listen(D_LISTEN, 8);
	put_at(D_EPOLL, epoll_create1(0));
	put_at(D_EVENT, eventfd(3, 0));
	put_at(D_TIMER, timerfd_create(CLOCK_MONOTONIC, 0));
	put_at(D_SIGNAL, signalfd(-1, &none, 0));
	put_at(D_INOTIFY, inotify_init1(0));
	put_at(D_MEMFD, memfd_create("rows", MFD_ALLOW_SEALING));
	put_at(D_PATH, open("data", O_PATH));
	put_at(D_MASTER, open("/dev/ptmx", O_RDWR | O_NOCTTY));
	int unlocked = 0;
	ioctl(D_MASTER, TIOCSPTLCK, &unlocked);
	put_at(D_TTY, ioctl(D_MASTER, TIOCGPTPEER, O_RDWR | O_NOCTTY));
	put_at(D_NULL, open("/dev/null", O_RDWR));
	put_at(D_ZERO, open("/dev/zero", O_RDWR));
	put_at(D_RANDOM, open("/dev/urandom", O_RDONLY));
	put_at(D_TCP, socket(AF_INET, SOCK_STREAM, 0));
	put_at(D_UDP, socket(AF_INET, SOCK_DGRAM, 0));
	dup2(D_DATA, D_HIGH);
}

/* In an empty directory. */
static __attribute__((unused)) void files_make(void)
{
	char text[10000];
	int fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0644);

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i * 7 % 26);
	if (pwrite(fd, text, sizeof(text), 0) != sizeof(text))
		exit(3);
	close(fd);
	close(open("small", O_RDWR | O_CREAT | O_TRUNC, 0644));
	if (truncate("small", 26) != 0)
		exit(3);
	mkdir("directory", 0755);
	close(open("directory/a", O_RDWR | O_CREAT, 0644));
	close(open("directory/b", O_RDWR | O_CREAT, 0644));
	mkdir("empty", 0755);
	if (symlink("small", "link") != 0 && errno != EEXIST)
		exit(3);
	if (symlink("loop", "loop") != 0 && errno != EEXIST)
		exit(3);
	mkfifo("fifo", 0644);
}

/* ---- one call ---- */

static volatile int rung;

static void on_alarm(int signo)
{
	(void)signo;
	rung++;
}

static void timer_set(long milliseconds)
{
	const struct itimerval t = { { 0, milliseconds * 1000 }, { 0, milliseconds * 1000 } };

	setitimer(ITIMER_REAL, &t, NULL);
}

/* Where the pointer of an argument points. */
enum where { AT_MIDDLE, AT_ODD, AT_END, AT_CUT, AT_CUT_1, AT_READ_ONLY, AT_NULL, AT_NOWHERE, AT_KERNEL, AT_ONE, WHERES };

static const char *const where_names[] = {
	"", "odd", "up to the end", "all but a byte", "one byte", "read-only", "NULL", "nowhere", "kernel", "1",
};

struct choice {
	enum where where;
	bool replaced;
	struct arg with;
	char label[64];
};

static bool is_pointer(enum arg_kind kind)
{
	return kind >= K_PATH;
}

static long place(int n, const struct arg *a, enum where where)
{
	uint8_t *at;
	size_t size = a->kind == K_PATH && a->data != NULL ? strlen(a->data) + 1 : a->size;
	const void *data = a->kind == K_SOCKLEN ? &a->value : a->data;

	switch (where) {
	case AT_ODD:
		at = area[n] + MIDDLE + 1;
		break;
	case AT_END:
		at = area[n] + AREA - size;
		break;
	case AT_CUT:
		at = area[n] + AREA - (size ? size - 1 : 0);
		break;
	case AT_CUT_1:
		at = area[n] + AREA - 1;
		break;
	case AT_READ_ONLY:
		at = read_only + n * PAGE;
		break;
	case AT_NULL:
		return 0;
	case AT_NOWHERE:
		return nowhere;
	case AT_KERNEL:
		return (long)0xffffffff81000000;
	case AT_ONE:
		return 1;
	default:
		at = area[n] + MIDDLE;
		break;
	}
	if (where == AT_READ_ONLY)
		mprotect(at, PAGE, PROT_READ | PROT_WRITE);
	if (data != NULL) {
		size_t room = where == AT_READ_ONLY ? PAGE : (size_t)(area[n] + AREA - at);

		memcpy(at, data, size < room ? size : room);
	}
	if (where == AT_READ_ONLY)
		mprotect(at, PAGE, PROT_READ);
	return (long)at;
}

static void attempt(const struct row *r, const struct choice choice[6])
{
	long arg[6] = { 0 }, result;
	bool plain = true;

	if (r->flags & FRESH)
		descriptors_make();
	if (r->before != NULL)
		r->before();
	row_ready();
	areas_fill();
	say("%s:", r->name);
	if (r->about != NULL)
		say(" (%s)", r->about);
	for (int i = 0; i < 6; i++) {
		const struct arg *a = choice[i].replaced ? &choice[i].with : &r->arg[i];

		arg[i] = is_pointer(a->kind) ? place(i, a, choice[i].where) : a->value;
		if (choice[i].label[0] != '\0') {
			say(" %d %s,", i, choice[i].label);
			plain = false;
		}
	}
	say(plain ? " good = " : " = ");
	areas_note();
	if (r->flags & BLOCKS)
		timer_set(30);
	result = raw6(r->nr, arg);
	if (r->flags & BLOCKS)
		timer_set(0);
	say_result(result, r->flags & HIDES);
	for (int i = 0; i < AREAS; i++)
		say_changes(i, i < 6 ? arg[i] : (long)area[i] + MIDDLE, r->hide);
	say("\n");
	if (r->flags & MAKES && result > 2)
		close((int)result);
}

static void choose_where(struct choice *c, enum where where)
{
	c->where = where;
	snprintf(c->label, sizeof(c->label), "%s", where_names[where]);
}

static void choose_value(struct choice *c, const struct arg *a, long value, const char *label)
{
	c->replaced = true;
	c->with = *a;
	c->with.value = value;
	if (label != NULL || value == nowhere)
		snprintf(c->label, sizeof(c->label), "%s", label != NULL ? label : "nowhere");
	else
		snprintf(c->label, sizeof(c->label), value < 0 || value > 99999 ? "is %#lx" : "is %ld", value);
}

static const struct {
	long fd;
	const char *label;
} other_descriptors[] = {
	{ -1, "-1" },
	{ D_CLOSED, "closed" },
	{ D_LIMIT - 1, "last" },
	{ D_LIMIT, "first beyond" },
	{ D_LIMIT + 4, "beyond" },
	{ 0x7fffffff, "largest" },
	{ 0x7fffffffL << 32 | 0xffffffff, "-1 with more" },
	{ D_HIGH, "high" },
	{ D_DIR, "directory" },
	{ D_PIPE_R, "pipe" },
	{ D_PIPE_W, "pipe's other end" },
	{ D_STREAM, "socket" },
	{ D_LISTEN, "listening" },
	{ D_EPOLL, "epoll" },
	{ D_PATH, "O_PATH" },
	{ D_TTY, "tty" },
	{ D_READ, "read-only" },
};

static const struct {
	const char *path, *label;
} other_paths[] = {
	{ "", "empty" },       { "missing", "missing" },     { "data/x", "below a file" },
	{ "loop", "loop" },    { "directory", "directory" }, { "link", "link" },
	{ "small/", "slash" }, { "fifo", "fifo" },
};

/* A path of length bytes without its NUL. */
static char *long_path(size_t length)
{
	static char text[8192];

	memset(text, '/', length);
	memcpy(text + length - 5, "small", 5);
	text[0] = '.';
	text[length] = '\0';
	return text;
}

static void vary_pointer(const struct row *r, struct choice *choice, int i)
{
	for (enum where w = AT_ODD; w < WHERES; w++) {
		bool path = r->arg[i].kind == K_PATH;

		if ((w == AT_CUT && !path && r->arg[i].size <= 2) || ((w == AT_ODD || w == AT_ONE) && path))
			continue;
		if (r->flags & BRIEF && (w == AT_ODD || w == AT_CUT || w == AT_KERNEL || w == AT_ONE))
			continue;
		choose_where(&choice[i], w);
		attempt(r, choice);
		choice[i] = (struct choice){ 0 };
	}
}

static void vary_path(const struct row *r, struct choice *choice, int i)
{
	for (size_t n = 0; n < sizeof(other_paths) / sizeof(other_paths[0]) + 2; n++) {
		static const size_t lengths[] = { 4095, 4096 };
		size_t known = sizeof(other_paths) / sizeof(other_paths[0]);
		struct choice *c = &choice[i];

		c->replaced = true;
		c->with = r->arg[i];
		if (n < known) {
			c->with.data = other_paths[n].path;
			snprintf(c->label, sizeof(c->label), "%s", other_paths[n].label);
		} else {
			c->with.data = long_path(lengths[n - known]);
			snprintf(c->label, sizeof(c->label), "%zu bytes", lengths[n - known]);
		}
		attempt(r, choice);
		choice[i] = (struct choice){ 0 };
	}
}

static void vary_number(const struct row *r, struct choice *choice, int i)
{
	const struct arg *a = &r->arg[i];
	const long lengths[] = { 0,          1,          a->value - 1,        a->value + 1, 3000,    1 << 20,
				 0x7fffffff, 0x80000000, 1L << 32 | a->value, -1,           LONG_MIN };
	const long room[] = { 0, 1, 2, a->value - 1, a->value + 1, 128, 129, 5000, 0x7fffffff, 0x80000000, 0xffffffff };

	if (a->kind == K_FD && !(r->flags & BRIEF))
		for (size_t n = 0; n < sizeof(other_descriptors) / sizeof(other_descriptors[0]); n++) {
			choose_value(&choice[i], a, other_descriptors[n].fd, other_descriptors[n].label);
			attempt(r, choice);
		}
	if (a->kind == K_LENGTH)
		for (size_t n = 0; n < sizeof(lengths) / sizeof(lengths[0]); n++) {
			choose_value(&choice[i], a, lengths[n], NULL);
			attempt(r, choice);
		}
	if (a->kind == K_SOCKLEN)
		for (size_t n = 0; n < sizeof(room) / sizeof(room[0]); n++) {
			choose_value(&choice[i], a, room[n], NULL);
			attempt(r, choice);
		}
	for (const long *v = a->others; v != NULL && *v != LAST; v++) {
		choose_value(&choice[i], a, *v, NULL);
		attempt(r, choice);
	}
	choice[i] = (struct choice){ 0 };
}

/* Two things wrong at once: which of them counts, the kernel's order of checks decides. */
static void vary_both(const struct row *r, struct choice *choice)
{
	for (int i = 0; i < 6; i++) {
		if (!is_pointer(r->arg[i].kind))
			continue;
		for (int j = 0; j < 6; j++) {
			if (r->arg[j].kind == K_FD) {
				choose_value(&choice[j], &r->arg[j], D_CLOSED, "closed");
				choose_where(&choice[i], AT_NOWHERE);
				attempt(r, choice);
			} else if (r->arg[j].kind == K_LENGTH) {
				choose_value(&choice[j], &r->arg[j], 0, "is 0");
				choose_where(&choice[i], AT_NULL);
				attempt(r, choice);
				choose_where(&choice[i], AT_NOWHERE);
				attempt(r, choice);
				choose_where(&choice[i], AT_KERNEL);
				attempt(r, choice);
				choose_value(&choice[j], &r->arg[j], -1, "is -1");
				choose_where(&choice[i], AT_NULL);
				attempt(r, choice);
			} else if (j > i && is_pointer(r->arg[j].kind)) {
				choose_where(&choice[i], AT_NULL);
				choose_where(&choice[j], AT_NULL);
				attempt(r, choice);
				choose_where(&choice[i], AT_NOWHERE);
				choose_where(&choice[j], AT_NOWHERE);
				attempt(r, choice);
			} else {
				continue;
			}
			choice[i] = choice[j] = (struct choice){ 0 };
		}
	}
}

/* With the descriptors as they are. */
static __attribute__((unused)) void row_on(const struct row *r)
{
	struct choice choice[6] = { 0 };

	attempt(r, choice);
	if (r->flags & GOOD_ONLY)
		return;
	for (int i = 0; i < 6; i++) {
		if (is_pointer(r->arg[i].kind))
			vary_pointer(r, choice, i);
		if (r->arg[i].kind == K_PATH)
			vary_path(r, choice, i);
		vary_number(r, choice, i);
	}
	vary_both(r, choice);
}

static __attribute__((unused)) void row(const struct row *r)
{
	if (!(r->flags & FRESH))
		descriptors_make();
	row_on(r);
}

/* A line of a scenario that is written by hand. */
static __attribute__((unused, format(printf, 3, 4))) void line(const char *name, long result, const char *format, ...)
{
	va_list list;

	say("%s: ", name);
	va_start(list, format);
	said_length += (size_t)vsnprintf(said + said_length, sizeof(said) - said_length, format, list);
	va_end(list);
	say(" = ");
	say_result(result, false);
	say("\n");
}

/* In an empty directory; stdin and stdout as above. */
static void rows_begin(void)
{
	struct sigaction action = { .sa_handler = on_alarm };

	/* What an ordinary user is refused root would get, on the whole machine. */
	if (geteuid() == 0) {
		fputs("root may not run this\n", stderr);
		exit(2);
	}
	sigaction(SIGALRM, &action, NULL);
	own_pid = getpid();
	parent_pid = getppid();
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	areas_make();
	files_make();
	descriptors_make();
}

/* Lets go; what the program does then is the last thing that is compared: its exit status. */
static __attribute__((unused)) void rows_end(void)
{
	say("!\n");
	said_flush();
}

/* The program ends by a call that is a row itself. */
static __attribute__((unused, noreturn)) void rows_end_by(const char *name, long nr, long status)
{
	row_ready();
	say("%s: with %ld\n", name, status);
	rows_end();
	for (;;)
		RAW(nr, status);
}

/* Or becomes another one, which is this one again: what it got it prints. */
static __attribute__((unused, noreturn)) void rows_become(const char *program, bool at)
{
	const char *name = at ? "execveat" : "execve", *list[] = { name, "executed", "", "with an argument", NULL },
		   *environment[256];
	int n = 0;

	for (; environ[n] != NULL && n < 254; n++)
		environment[n] = environ[n];
	environment[n] = "ROWS_NEW=new variable";
	environment[n + 1] = NULL;
	row_ready();
	said_flush();
	line(name,
	     at ? RAW(NR_execveat, AT_FDCWD, (long)program, (long)list, (long)environment, 0)
		: RAW(NR_execve, (long)program, (long)list, (long)environment),
	     "good");
	rows_end();
	exit(1);
}

static __attribute__((unused)) bool rows_executed(int argc, char **argv)
{
	const char *variable = getenv("ROWS_NEW");

	if (argc < 2 || strcmp(argv[1], "executed") != 0)
		return false;
	for (int i = 1; i < argc; i++)
		say("%s: \"%s\"\n", argv[0], argv[i]);
	say("%s: %s\n", argv[0], variable != NULL ? variable : "nothing");
	rows_end();
	return true;
}

#endif
