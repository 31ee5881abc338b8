/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The deputy against a hostile guest: descriptors it keeps to itself, and mutated requests, which must never make it touch
 * (or hand to the kernel) memory that is not its own. Run under the address sanitizer this is a fuzzer with a fixed seed.
 */
#define _GNU_SOURCE
#include "marshal_pair.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define LOW  40
#define HIGH 42
#define BAD  0x10000ull		/* nothing is ever mapped there */
#define ROUNDS 60

static void guard(void)
{
	for (int fd = LOW; fd <= HIGH; fd++)
		ck_assert_int_eq(dup2(0, fd), fd);
	pair_fd_low = LOW;
	pair_fd_high = HIGH;
}

static int is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

START_TEST(channels_are_out_of_reach)
{
	/* Not descriptor 0: a parallel make gives some of its jobs a broken pipe there, which poll() tells of. */
	struct pollfd fds[2] = { { LOW, POLLIN, 0 }, { open("/dev/null", O_RDONLY), 0, 0 } };
	struct epoll_event event = { 0 };
	struct timeval now = { 0, 0 };
	union { struct cmsghdr h; uint8_t bytes[CMSG_SPACE(4)]; } c = { .h = { CMSG_LEN(4), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec iov = { "x", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = CMSG_SPACE(4) };
	fd_set set;
	int s[2], e;

	guard();
	ck_assert_int_eq(DO(pair_away, SYS_close, LOW), -EBADF);
	ck_assert_int_eq(DO(pair_away, SYS_close, 1ull << 32 | LOW), -EBADF);
	ck_assert_int_eq(DO(pair_away, SYS_write, HIGH, "x", 1), -EBADF);
	ck_assert_int_eq(DO(pair_away, SYS_dup, LOW + 1), -EBADF);
	ck_assert_int_eq(DO(pair_away, SYS_dup2, 0, LOW), -EBADF);
	ck_assert_int_eq(DO(pair_away, SYS_dup3, 0, HIGH, O_CLOEXEC), -EBADF);
	ck_assert_int_eq(DO(pair_away, SYS_fcntl, LOW, F_GETFL), -EBADF);
	ck_assert_int_eq(DO(pair_away, SYS_fcntl, 0, F_DUPFD, LOW), -EINVAL);
	ck_assert_int_eq(DO(pair_away, SYS_openat, LOW, "x", O_RDONLY), -EBADF);
	ck_assert_int_eq(DO(pair_away, SYS_poll, fds, 2, 0), 1);
	ck_assert_int_eq(fds[0].revents, POLLNVAL);
	ck_assert_int_eq(fds[0].fd, LOW);
	FD_ZERO(&set);
	FD_SET(LOW, &set);
	ck_assert_int_eq(DO(pair_away, SYS_select, LOW + 1, NULL, &set, NULL, &now), -EBADF);
	ck_assert_int_eq(DO(pair_away, SYS_select, LOW, NULL, &set, NULL, &now), 0);
	e = epoll_create1(0);
	ck_assert_int_eq(DO(pair_away, SYS_epoll_ctl, e, EPOLL_CTL_ADD, LOW, &event), -EBADF);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	memcpy(CMSG_DATA(&c.h), (int[1]){ HIGH }, 4);
	ck_assert_int_eq(DO(pair_away, SYS_sendmsg, s[0], &m, 0), -EBADF);
	memcpy(CMSG_DATA(&c.h), (int[1]){ 0 }, 4);
	ck_assert_int_eq(DO(pair_away, SYS_sendmsg, s[0], &m, 0), 1);
	for (int fd = LOW; fd <= HIGH; fd++)
		ck_assert(is_open(fd));
}
END_TEST

START_TEST(close_range_leaves_channels)
{
	guard();
	for (int fd = LOW - 2; fd <= HIGH + 2; fd++)
		if (fd < LOW || fd > HIGH)
			ck_assert_int_eq(dup2(0, fd), fd);
	ck_assert_int_eq(DO(pair_away, SYS_close_range, LOW, HIGH, 0), 0);
	ck_assert_int_eq(DO(pair_away, SYS_close_range, LOW + 1, HIGH + 1, 0), 0);
	ck_assert(!is_open(HIGH + 1) && is_open(HIGH + 2));
	ck_assert_int_eq(DO(pair_away, SYS_close_range, LOW - 1, LOW, 0), 0);
	ck_assert(!is_open(LOW - 1) && is_open(LOW - 2));
	ck_assert_int_eq(DO(pair_away, SYS_close_range, LOW - 2, ~0u, 0x40), -EINVAL);
	ck_assert(is_open(HIGH + 2) && is_open(LOW - 2));
	ck_assert_int_eq(DO(pair_away, SYS_close_range, LOW - 2, ~0u, 0), 0);
	ck_assert(!is_open(HIGH + 2) && !is_open(LOW - 2));
	for (int fd = LOW; fd <= HIGH; fd++)
		ck_assert(is_open(fd));
}
END_TEST

/* ---- calls in several attempts ---- */

static uint8_t payload[65536] __attribute__((aligned(4096))), scratch[65536] __attribute__((aligned(4096)));
static struct mosix_frame frame;

static const struct call *unpacked(struct deputy_call *dc, long nr, const uint64_t arg[6])
{
	const struct call *c = call_find((uint64_t)nr, arg);

	*dc = (struct deputy_call){ .nr = (uint64_t)nr, .scratch = scratch, .capacity = sizeof(scratch),
				     .bad = BAD, .fd_high = -1 };
	ck_assert_int_eq(gate_pack(c, arg, &frame, payload, sizeof(payload)), 0);
	ck_assert_int_eq(deputy_unpack(c, &frame, payload, dc), 0);
	return c;
}

static int64_t timeout_of(long nr, const uint64_t arg[6])
{
	struct deputy_call dc;
	const struct call *c = unpacked(&dc, nr, arg);
	int64_t before, after;

	ck_assert_int_eq(deputy_timeout(c, &dc, &before), 0);
	if (before > 0) {
		marshal_set_timeout(c, &dc, 5000000);
		ck_assert_int_eq(deputy_timeout(c, &dc, &after), 0);
		if (nr != SYS_mq_timedsend && !(nr == SYS_clock_nanosleep && arg[1]))
			ck_assert_int_eq(after, 5000000);
	}
	return before;
}

#define TIMEOUT(nr, ...) DO(timeout_of, nr, __VA_ARGS__)

START_TEST(timeouts)
{
	struct timespec t = { 2, 3 }, invalid = { 1, 1000000000 }, far = { 1ll << 60, 0 }, then;
	struct timeval us = { 1, 5 };
	struct pollfd fds = { 0, 0, 0 };
	uint64_t set = 0;
	int64_t left;

	ck_assert_int_eq(TIMEOUT(SYS_poll, &fds, 1, 30), 30000000);
	ck_assert_int_eq(TIMEOUT(SYS_poll, &fds, 1, -5), -1);
	ck_assert_int_eq(TIMEOUT(SYS_poll, &fds, 1, 0xffffffff), -1);
	ck_assert_int_eq(TIMEOUT(SYS_ppoll, &fds, 1, &t, NULL, 8), 2000000003);
	ck_assert_int_eq(TIMEOUT(SYS_ppoll, &fds, 1, NULL, NULL, 8), -1);
	ck_assert_int_eq(TIMEOUT(SYS_ppoll, &fds, 1, &invalid, NULL, 8), -1);
	ck_assert_int_eq(TIMEOUT(SYS_ppoll, &fds, 1, &far, NULL, 8), -1);
	ck_assert_int_eq(TIMEOUT(SYS_ppoll, &fds, 1, 8, NULL, 8), -1);
	ck_assert_int_eq(TIMEOUT(SYS_select, 0, NULL, NULL, NULL, &us), 1000005000);
	ck_assert_int_eq(TIMEOUT(SYS_pselect6, 0, NULL, NULL, NULL, &t, NULL), 2000000003);
	ck_assert_int_eq(TIMEOUT(SYS_nanosleep, &t, NULL), 2000000003);
	ck_assert_int_eq(TIMEOUT(SYS_epoll_wait, 3, &fds, 0, 7), 7000000);
	ck_assert_int_eq(TIMEOUT(SYS_rt_sigtimedwait, &set, NULL, &t, 8), 2000000003);
	ck_assert_int_eq(TIMEOUT(SYS_semtimedop, 0, NULL, 0, &t), 2000000003);
	ck_assert_int_eq(TIMEOUT(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &t, NULL), 2000000003);
	ck_assert_int_eq(TIMEOUT(SYS_read, 0, NULL, 0), -1);
	clock_gettime(CLOCK_MONOTONIC, &then);
	then.tv_sec += 100;
	left = TIMEOUT(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL);
	ck_assert(left > 50000000000 && left <= 100000000000);
	ck_assert_int_eq(TIMEOUT(SYS_mq_timedsend, 0, "x", 1, 0, &t), 0);
}
END_TEST

#define UNPACKED(dc, nr, ...) DO_UNPACKED(dc, nr, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define DO_UNPACKED(dc, nr, a, b, c, d, e, f, ...) \
	unpacked(dc, nr, (const uint64_t[6]){ DO_U(a), DO_U(b), DO_U(c), DO_U(d), DO_U(e), DO_U(f) })

START_TEST(rests)
{
	struct iovec iov[3] = { { "abc", 3 }, { "defg", 4 }, { "hi", 2 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 3 };
	const struct iovec *got;
	struct deputy_call dc;
	const struct call *c = UNPACKED(&dc, SYS_pwrite64, 1, "abcdef", 6, 10);

	ck_assert_uint_eq(marshal_rest(c, &dc, 4), 2);
	ck_assert_uint_eq(marshal_rest(c, &dc, 6), 0);
	marshal_advance(c, &dc, 4);
	ck_assert_mem_eq((void *)dc.arg[1], "ef", 2);
	ck_assert_uint_eq(dc.arg[2], 2);
	ck_assert_uint_eq(dc.arg[3], 14);
	for (int form = 0; form < 2; form++) {
		c = form ? UNPACKED(&dc, SYS_sendmsg, 1, &m, 0) : UNPACKED(&dc, SYS_writev, 1, iov, 3);
		ck_assert_uint_eq(marshal_rest(c, &dc, 5), 4);
		marshal_advance(c, &dc, 5);
		got = form ? ((struct msghdr *)dc.arg[1])->msg_iov : (struct iovec *)dc.arg[1];
		ck_assert_uint_eq(got[0].iov_len, 0);
		ck_assert_mem_eq(got[1].iov_base, "fg", 2);
		ck_assert_uint_eq(got[1].iov_len, 2);
		ck_assert_uint_eq(marshal_rest(c, &dc, 0), 4);
	}
	c = UNPACKED(&dc, SYS_sendfile, 1, 2, NULL, 100);
	ck_assert_uint_eq(marshal_rest(c, &dc, 30), 70);
	marshal_advance(c, &dc, 30);
	ck_assert_uint_eq(dc.arg[3], 70);
	c = UNPACKED(&dc, SYS_read, 1, iov, 5);
	ck_assert_uint_eq(marshal_rest(c, &dc, 1), 0);
}
END_TEST

START_TEST(masks)
{
	uint64_t mask = 1ull << 22 | 1ull << 9, got = 0;
	struct { uint64_t *mask; uint64_t size; } pair = { &mask, 8 };
	struct deputy_call dc;
	const struct call *c = UNPACKED(&dc, SYS_rt_sigsuspend, &mask, 8);

	ck_assert_uint_eq(*(uint64_t *)dc.arg[0], 1ull << 9);
	ck_assert_int_eq(marshal_temporary_mask(c, &dc, &got), 0);
	ck_assert_uint_eq(got, mask);
	c = UNPACKED(&dc, SYS_pselect6, 0, NULL, NULL, NULL, NULL, &pair);
	ck_assert_uint_eq(**(uint64_t **)dc.arg[5], 1ull << 9);
	ck_assert_uint_eq(((uint64_t *)dc.arg[5])[1], 8);
	ck_assert_int_eq(marshal_temporary_mask(c, &dc, &got), 0);
	c = UNPACKED(&dc, SYS_ppoll, NULL, 0, NULL, NULL, 8);
	ck_assert_int_eq(marshal_temporary_mask(c, &dc, &got), -ENOENT);
	c = UNPACKED(&dc, SYS_rt_sigtimedwait, &mask, NULL, NULL, 8);
	ck_assert_uint_eq(*(uint64_t *)dc.arg[0], 1ull << 9);
	ck_assert_int_eq(marshal_temporary_mask(c, &dc, &got), -ENOENT);
}
END_TEST

/* ---- mutations ---- */

static uint64_t seed = 0x2545f4914f6cdd1d;

static uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint64_t interesting(void)
{
	static const uint64_t of[] = { 0, 1, 7, 8, 16, 24, 55, 1024, 1025, 4096, 65536, 0x7fffffff, 0x80000000, 0xffffffff, ~0ull,
				       REFERENCE_BAD, REFERENCE_HERE, REFERENCE_DATA, 1ull << 63,
				       MARSHAL_ROOM, MARSHAL_ROOM + 1 };

	return next() % 4 ? of[next() % (sizeof(of) / sizeof(of[0]))] : next() >> next() % 64;
}

static void mutate(struct mosix_frame *f, uint8_t *bytes)
{
	for (uint64_t n = 1 + next() % 3; n > 0; n--) {
		uint64_t at = f->length >= 8 ? next() % (f->length / 8) * 8 : 0, value;

		switch (next() % 8) {
		case 0: f->arg[next() % 6] = interesting(); break;
		case 1: f->arg[next() % 6] ^= 1ull << next() % 64; break;
		case 2: f->arg[next() % 6] = reference_data(next() % (f->length + 64), next() % (f->length + 64)); break;
		case 3: f->arg[next() % 6] += next() % 3 - 1; break;
		case 4: f->length = (uint32_t)(next() % (f->length + 1)); break;
		default:
			if (f->length < 8)
				break;
			memcpy(&value, bytes + at, 8);
			value = next() % 2 ? interesting() : value ^ 1ull << next() % 64;
			memcpy(bytes + at, &value, 8);
		}
	}
}

struct space { uint8_t *payload, *scratch; uint64_t length, capacity; };

static void check_range(const struct space *s, uint64_t address, uint64_t length, const char *name)
{
	uint64_t p = (uint64_t)s->payload, q = (uint64_t)s->scratch;

	if (address == 0 || address == BAD)
		return;
	ck_assert_msg((address >= p && address - p <= s->length && length <= s->length - (address - p)) ||
		      (address >= q && address - q <= s->capacity && length <= s->capacity - (address - q)),
		      "%s: the kernel would get memory that is not ours", name);
}

static void check_vector(const struct space *s, uint64_t address, uint64_t count, const char *name)
{
	const struct iovec *iov = (const struct iovec *)address;

	if (address == 0 || address == BAD)
		return;
	check_range(s, address, count * sizeof(*iov), name);
	for (uint64_t i = 0; i < count; i++)
		check_range(s, (uint64_t)iov[i].iov_base, iov[i].iov_len, name);
}

static void check_strings(const struct space *s, uint64_t address, const char *name)
{
	uint64_t n = 0, at;

	if (address == 0 || address == BAD)
		return;
	do {
		check_range(s, address + 8 * n, 8, name);
		memcpy(&at, (void *)(address + 8 * n++), 8);
		if (at != 0 && at != BAD)
			check_range(s, at, strlen((char *)at) + 1, name);
	} while (at != 0);
}

static void check_message(const struct space *s, const struct msghdr *m, const char *name)
{
	check_range(s, (uint64_t)m, sizeof(*m), name);
	check_range(s, (uint64_t)m->msg_name, marshal_name_room(m->msg_namelen), name);
	check_range(s, (uint64_t)m->msg_control, m->msg_controllen, name);
	check_vector(s, (uint64_t)m->msg_iov, m->msg_iovlen, name);
}

static uint64_t socklen_at(uint64_t address)
{
	uint32_t length = 0;

	if (address != 0 && address != BAD)
		memcpy(&length, (void *)address, sizeof(length));
	return length > 0x7fffffff ? 0 : length;
}

/* All that home's kernel would touch. */
static void check_call(const struct space *s, const struct call *c, const struct deputy_call *dc)
{
	for (unsigned i = 0; i < 6; i++) {
		const struct call_arg *a = &c->arg[i];
		uint64_t at = dc->arg[i], count = dc->arg[a->ref];

		switch (a->kind) {
		case ARG_STRING:
			if (at != 0 && at != BAD)
				check_range(s, at, strlen((char *)at) + 1, c->name);
			break;
		case ARG_IN: case ARG_OUT: case ARG_INOUT: case ARG_SOCKLEN: case ARG_SIGSET: case ARG_SIGSET_PAIR:
			check_range(s, at, a->size, c->name);
			break;
		case ARG_IN_LENGTH: case ARG_OUT_LENGTH: case ARG_INOUT_LENGTH: case ARG_OUT_RESULT: case ARG_OUT_DATA:
			check_range(s, at, count * a->size, c->name);
			break;
		case ARG_QUEUE_IN: case ARG_QUEUE_OUT: check_range(s, at, count + 8, c->name); break;
		case ARG_POLL:     check_range(s, at, (uint32_t)count * 8ull, c->name); break;
		case ARG_FDSET:    check_range(s, at, marshal_fdset_bytes(dc->arg[0]), c->name); break;
		case ARG_OUT_SOCKLEN: case ARG_INOUT_SOCKLEN:
			check_range(s, at, marshal_least(socklen_at(count), a->size ? a->size : ~0ull), c->name);
			break;
		case ARG_STRINGS:  check_strings(s, at, c->name); break;
		case ARG_IOV_IN: case ARG_IOV_OUT: check_vector(s, at, count, c->name); break;
		case ARG_MSG_IN: case ARG_MSG_OUT:
			if (at != 0 && at != BAD)
				check_message(s, (struct msghdr *)at, c->name);
			break;
		case ARG_MMSG_IN: case ARG_MMSG_OUT:
			for (uint64_t n = 0; at != 0 && at != BAD && n < marshal_least((uint32_t)count, 1024); n++)
				check_message(s, &((struct mmsghdr *)at)[n].msg_hdr, c->name);
			break;
		case ARG_FD:
			ck_assert((int32_t)at < LOW || (int32_t)at > HIGH);
			break;
		default:
			break;
		}
	}
}

/* One mutated request, as far as the kernel and back. Returns 1 if it was taken. */
static int attack(const struct pair_request *r, uint8_t *reply)
{
	struct mosix_frame f = r->frame, back = { .type = MOSIX_REPLY };
	uint8_t *bytes = malloc(f.length + 1);
	struct space s = { .capacity = 1 << 20 };
	struct deputy_call dc = { .bad = BAD, .fd_low = LOW, .fd_high = HIGH, .capacity = s.capacity };
	const struct call *c;
	uint32_t length = 0;
	int64_t result = (int64_t)(next() % 3 ? next() % 64 : interesting());
	int error;

	memcpy(bytes, r->payload, f.length);
	mutate(&f, bytes);
	/* Exactly as long as it says, so that the sanitizer sees one byte too many. */
	s.payload = malloc(f.length ? f.length : 1);
	s.length = f.length;
	memcpy(s.payload, bytes, f.length);
	free(bytes);
	s.scratch = aligned_alloc(4096, s.capacity);
	dc.scratch = s.scratch;
	dc.nr = (uint64_t)(uint32_t)f.nr;
	c = call_find(dc.nr, f.arg);
	error = c->special == SPECIAL_CLOSE_RANGE ? -EBADMSG : deputy_unpack(c, &f, s.payload, &dc);
	if (error == 0) {
		check_call(&s, c, &dc);
		(void)deputy_timeout(c, &dc, &(int64_t){ 0 });
		if (marshal_rest(c, &dc, 1) > 0)
			marshal_advance(c, &dc, 1);
		if (deputy_pack(c, &dc, result, reply, &length) == 0 && length < 65536) {
			/* The gate against such an answer; its program has no memory at all. */
			uint8_t *copy = malloc(length ? length : 1);

			memcpy(copy, reply, length);
			if (length >= 8 && next() % 2)
				copy[next() % length] ^= (uint8_t)(1 << next() % 8);
			back.arg[0] = (uint64_t)result;
			(void)gate_unpack(c, (const uint64_t[6]){ 0 }, &back, copy, length);
			free(copy);
		}
	}
	free(s.payload);
	free(s.scratch);
	return error == 0;
}

/* Requests of most kinds, to mutate. Their results do not matter. */
static void gather_requests(void)
{
	static uint8_t buffer[4096], name[128];
	struct iovec iov[3] = { { buffer, 10 }, { NULL, 0 }, { buffer + 100, 512 } };
	union { struct cmsghdr h; uint8_t bytes[64]; } c = { .h = { CMSG_LEN(8), SOL_SOCKET, SCM_RIGHTS } };
	struct mmsghdr m[3];
	struct pollfd fds[4] = { { 0, 1, 0 }, { -1, 1, 0 }, { 900, 1, 0 }, { 901, 1, 0 } };
	struct timespec t = { 0, 1 };
	uint64_t set = 5;
	struct { uint64_t *set; uint64_t size; } pair = { &set, 8 };
	char *strings[] = { "some", "strings", "", "of different lengths", NULL };
	socklen_t length = 100;

	for (int i = 0; i < 3; i++)
		m[i].msg_hdr = (struct msghdr){ name, 100, iov, 3, &c, sizeof(c), 0 };
	DO(pair_away, SYS_read, -1, buffer, 100);
	DO(pair_away, SYS_write, -1, buffer, 100);
	DO(pair_away, SYS_readv, -1, iov, 3);
	DO(pair_away, SYS_writev, -1, iov, 3);
	DO(pair_away, SYS_openat, -1, "some/path", O_RDONLY);
	DO(pair_away, SYS_renameat, -1, "some/path", -1, "another");
	DO(pair_away, SYS_execve, "/no/such/path", strings, strings + 1);
	DO(pair_away, SYS_execveat, -1, "some/path", strings, strings + 3, 0);
	DO(pair_away, SYS_fstat, -1, buffer);
	DO(pair_away, SYS_poll, fds, 4, 0);
	DO(pair_away, SYS_ppoll, fds, 4, &t, &set, 8);
	DO(pair_away, SYS_select, 100, buffer, buffer + 200, NULL, &t);
	DO(pair_away, SYS_pselect6, 100, buffer, NULL, buffer + 200, &t, &pair);
	DO(pair_away, SYS_epoll_wait, -1, buffer, 10, 0);
	DO(pair_away, SYS_epoll_ctl, -1, 1, 0, buffer);
	DO(pair_away, SYS_sendto, -1, buffer, 50, 0, name, 16);
	DO(pair_away, SYS_recvfrom, -1, buffer, 50, 0, name, &length);
	DO(pair_away, SYS_sendmsg, -1, &m[0].msg_hdr, 0);
	DO(pair_away, SYS_recvmsg, -1, &m[0].msg_hdr, 0);
	DO(pair_away, SYS_sendmmsg, -1, m, 3, 0);
	DO(pair_away, SYS_recvmmsg, -1, m, 3, 0, &t);
	DO(pair_away, SYS_getsockname, -1, name, &length);
	DO(pair_away, SYS_setsockopt, -1, 1, 2, buffer, 4);
	DO(pair_away, SYS_getsockopt, -1, 1, 2, buffer, &length);
	DO(pair_away, SYS_msgsnd, -1, buffer, 50, 0);
	DO(pair_away, SYS_msgrcv, -1, buffer, 50, 0, 0);
	DO(pair_away, SYS_semtimedop, -1, buffer, 3, &t);
	DO(pair_away, SYS_getgroups, 10, buffer);
	DO(pair_away, SYS_getxattr, "path", "name", buffer, 100);
	DO(pair_away, SYS_readlink, "path", buffer, 100);
	DO(pair_away, SYS_capget, buffer, buffer + 64);
	DO(pair_away, SYS_rt_sigtimedwait, &set, buffer, &t, 8);
	DO(pair_away, SYS_nanosleep, &t, &t);
	DO(pair_away, SYS_splice, -1, buffer, -1, buffer + 8, 10, 0);
	DO(pair_away, SYS_ioctl, -1, 0x5401, buffer);
	DO(pair_away, SYS_fcntl, -1, 5, buffer);
	DO(pair_away, SYS_prctl, 16, buffer);
	DO(pair_away, SYS_sched_getattr, 0, buffer, 100, 0);
	DO(pair_away, SYS_mq_timedreceive, -1, buffer, 100, &length, &t);
	DO(pair_away, SYS_prlimit64, 0, 7, NULL, buffer);
}

START_TEST(mutated_requests)
{
	const struct pair_request *requests;
	uint8_t *reply = malloc(MOSIX_PAYLOAD_MAX);
	size_t count, taken = 0, refused = 0;

	guard();
	gather_requests();
	count = pair_corpus(&requests);
	ck_assert_uint_ge(count, 39);
	if (getenv("MOSIX_FUZZ_SEED"))
		seed = strtoull(getenv("MOSIX_FUZZ_SEED"), NULL, 0) | 1;
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < count; i++)
			*(attack(&requests[i], reply) ? &taken : &refused) += 1;
	ck_assert_uint_gt(taken, 100);
	ck_assert_uint_gt(refused, 100);
	free(reply);
}
END_TEST

START_TEST(only_home_rows)
{
	struct deputy_call dc = { .scratch = scratch, .capacity = sizeof(scratch), .bad = BAD, .fd_high = -1 };
	struct mosix_frame f = { 0 };

	ck_assert_int_eq(deputy_unpack(call_find(SYS_mmap, f.arg), &f, payload, &dc), -EBADMSG);
	ck_assert_int_eq(deputy_unpack(call_find(SYS_clone, f.arg), &f, payload, &dc), -EBADMSG);
	ck_assert_int_eq(deputy_unpack(call_find(SYS_rt_sigaction, f.arg), &f, payload, &dc), -EBADMSG);
	ck_assert_int_eq(deputy_unpack(call_find(9999, f.arg), &f, payload, &dc), -EBADMSG);
	ck_assert_int_eq(deputy_unpack(call_find(SYS_getuid, f.arg), &f, payload, &dc), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("marshal-hostile");
	TCase *t = tcase_create("marshal-hostile");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_test(t, channels_are_out_of_reach);
	tcase_add_test(t, close_range_leaves_channels);
	tcase_add_test(t, timeouts);
	tcase_add_test(t, rests);
	tcase_add_test(t, masks);
	tcase_add_test(t, mutated_requests);
	tcase_add_test(t, only_home_rows);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
