/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cage_image.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mosix/plan.h>
#include "remoted/filter.h"
#include "remoted/plan_send.h"

#define SECRET   0x5a5a12345000ull
#define TLS      (CAGE_DATA + 2048)
#define CAGE_BIG (CAGE_FRESH + (1ull << 37))
#define ENTRY    (CAGE_VDSO + 0x100)

static void add(struct image *im, uint64_t start, uint64_t size, uint32_t prot, uint32_t flags, uint32_t file)
{
	im->mapping[im->m.mappings++] = (struct mosix_mapping){ start, start + size, 0, prot, flags, file, 0 };
}

static void make_image(struct image *im)
{
	const struct mosix_rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
	const uint64_t code = ((uint64_t)(cage_guest_end - cage_guest_begin) + 4095) & ~4095ull;
	struct mosix_manifest *m = &im->m;

	memset(im, 0, sizeof(*im));
	*m = (struct mosix_manifest){
		.magic = MOSIX_MANIFEST_MAGIC, .version = MOSIX_PROTOCOL, .epoch = EPOCH, .pid = PID, .pages = PAGES,
		.arena = CAGE_ARENA, .slots = CAGE_SLOTS, .slot_count = CAGE_SLOT_COUNT, .threads = THREADS,
		.guest_entry = CAGE_CODE + (uint64_t)((const char *)cage_guest_entry - cage_guest_begin),
		.gate_handler = CAGE_CODE + (uint64_t)((const char *)cage_guest_handler - cage_guest_begin),
		.gate_restorer = CAGE_CODE + (uint64_t)((const char *)cage_guest_restorer - cage_guest_begin),
		.guest_stack = CAGE_ARENA + 0x280000, .gate_stack = CAGE_ARENA + 0x280000, .gate_stack_size = 0x80000,
		.brk_start = CAGE_BRK, .brk = CAGE_BRK + 4096, .code_start = CAGE_CODE, .code_end = CAGE_CODE + code,
		.data_start = CAGE_DATA, .data_end = CAGE_DATA + 4096, .stack_start = 0x7fffffffe000,
		.vdso = { [MOSIX_VDSO_CLOCK_GETTIME] = ENTRY, [MOSIX_VDSO_GETRANDOM] = ENTRY + 64 },
		.rlimit_stack = none, .rlimit_data = none, .rlimit_as = none, .name = "a-guest",
		.thread = { .fs_base = TLS, .tid = PID, .rseq = CAGE_DATA + 1024, .rseq_size = 32, .rseq_signature = 0x53053053 },
		.xlayout = { .xfeatures = 3, .size = XSAVE }, .xsave_size = XSAVE,
	};
	for (uint32_t i = 1; i < THREADS; i++) {
		im->more[i - 1].thread = (struct mosix_thread){ .tid = PID + i, .slot = i, .channel = MOSIX_CHANNELS };
		im->more[i - 1].bytes[MOSIX_THREAD_SIZE + 160] = (uint8_t)i;	/* %xmm0 */
	}
	add(im, CAGE_CODE, code, PROT_READ | PROT_EXEC, MOSIX_MAP_ANON, 0);
	add(im, CAGE_DATA, 4096, PROT_READ | PROT_WRITE, MOSIX_MAP_ANON, 0);
	add(im, CAGE_BRK, 4096, PROT_READ | PROT_WRITE, MOSIX_MAP_ANON | MOSIX_MAP_HEAP, 0);
	add(im, CAGE_FILE, 4096, PROT_READ, MOSIX_MAP_FILE, 0);
	add(im, CAGE_SPARSE, 8192, PROT_READ | PROT_EXEC, MOSIX_MAP_FILE, MOSIX_NO_FILE);
	add(im, CAGE_FRESH, 1ull << 38, PROT_READ | PROT_WRITE, MOSIX_MAP_ANON | MOSIX_MAP_NORESERVE, 0);
	/* Where a randomised kernel puts stack and vdso, mostly. */
	add(im, 0x7ff000000000, CAGE_VDSO - 0x7ff000000000, PROT_NONE, MOSIX_MAP_RESERVED, 0);
	add(im, CAGE_VDSO, 8192, PROT_READ | PROT_EXEC, MOSIX_MAP_RESERVED | MOSIX_MAP_VDSO, 0);
	add(im, CAGE_ARENA + MOSIX_ARENA_SIZE, 0x7000000, PROT_NONE, MOSIX_MAP_RESERVED, 0);
	add(im, 0x7fffffff0000, 0xf000, PROT_READ | PROT_WRITE, MOSIX_MAP_ANON | MOSIX_MAP_STACK, 0);
}

void send_all(int fd, const void *data, size_t size)
{
	ck_assert_int_eq(send(fd, data, size, MSG_NOSIGNAL), (ssize_t)size);
}

static void send_run(int fd, uint64_t start, const void *content, size_t size)
{
	const struct mosix_run run = { start, (size + 4095) / 4096 };
	char *pages = calloc(run.pages + 1, 4096);

	memcpy(pages, content, size);
	send_all(fd, &run, sizeof(run));
	send_all(fd, pages, run.pages * 4096);
	free(pages);
}

static void send_pages(int fd)
{
	struct { struct cage_targets targets; char fill[2048 - sizeof(struct cage_targets)]; uint64_t tls; } data = {
		.targets = { CAGE_DATA, CAGE_FILE, CAGE_SPARSE, CAGE_FRESH, CAGE_BIG, ENTRY, CAGE_BRK + 4096 }, .tls = 0x7157,
	};
	static char big[6 << 20 | 8192];

	send_run(fd, CAGE_CODE, cage_guest_begin, (size_t)(cage_guest_end - cage_guest_begin));
	send_run(fd, CAGE_DATA, &data, sizeof(data));
	send_run(fd, CAGE_SPARSE, "sparse", 6);
	/* Huge pages in the middle, small ones at both ends. */
	memset(big, 'b', sizeof(big));
	send_run(fd, CAGE_BIG - sizeof(big) / 2, big, sizeof(big));
	send_run(fd, CAGE_VDSO, "home's bytes", 12);
	send_all(fd, &(struct mosix_run){ 0, 0 }, sizeof(struct mosix_run));
}

struct cage_event cage_await(struct cage *c)
{
	struct cage_event e;

	ck_assert_int_eq(poll(&(struct pollfd){ .fd = cage_fd(c), .events = POLLIN }, 1, PATIENCE_MS), 1);
	ck_assert_int_eq(cage_read(c, &e), 0);
	return e;
}

void pair(int *ours, int *theirs)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	*ours = fds[0];
	*theirs = fds[1];
}

void guest_spawn(struct guest *g)
{
	struct cage_event e;
	int socket;

	pair(&g->loader, &socket);
	for (unsigned i = 0; i < g->channels; i++) {
		pair(&g->ours[i], &g->theirs[i]);
		fcntl(g->theirs[i], F_SETFL, O_NONBLOCK);
	}
	g->call = g->ours[MOSIX_CHANNEL_CALL];
	g->control = g->ours[MOSIX_CHANNEL_CONTROL];
	g->page = g->ours[MOSIX_CHANNEL_PAGE];
	ck_assert_int_eq(cage_spawn(g->cage, PID, EPOCH, OFFSET * 1000000000ll, -1, 8 << 20, socket), 0);
	e = cage_await(g->cage);
	ck_assert_msg(e.kind == CAGE_SPAWNED, "%s", strerror(-e.error));
	ck_assert_uint_eq(e.pid, PID);
	ck_assert_uint_eq(e.epoch, EPOCH);
	close(socket);
	make_image(&g->image);
}

void guest_plan(struct guest *g, unsigned files)
{
	struct mosix_plan p = { .gate_secret = SECRET, .files = files, .channels = g->channels };
	struct sock_filter *filter;
	int fds[MOSIX_CHANNELS_MAX + MOSIX_ORDER_FILES], *file = fds + g->channels;
	int other = open("/dev/null", O_RDONLY | O_CLOEXEC);

	memcpy(fds, g->theirs, g->channels * sizeof(int));
	for (unsigned i = 0; i < files; i++)
		file[i] = i % 2 ? other : -1;
	file[files - 1] = memfd_create("file", MFD_CLOEXEC);
	ck_assert_int_eq(write(file[files - 1], "file", 4), 4);
	for (unsigned i = 0; i < g->image.m.mappings; i++)
		if (g->image.mapping[i].start == CAGE_FILE)
			g->image.mapping[i].file = files - 1;
	ck_assert_int_eq(filter_build(SECRET, &filter, &p.filter_length), 0);
	p.manifest_size = sizeof(g->image.m) + manifest_tail(&g->image.m);
	ck_assert_int_eq(plan_send(g->loader, &p, filter, &g->image, fds, g->channels + files), 0);
	free(filter);
	close(file[files - 1]);
	close(other);
	for (unsigned i = 0; i < g->channels; i++)
		close(g->theirs[i]);
}

void guest_answer(const struct guest *g, bool *ret_done, struct mosix_plan_failure *ret)
{
	ck_assert_int_eq(poll(&(struct pollfd){ .fd = g->loader, .events = POLLIN }, 1, PATIENCE_MS), 1);
	ck_assert_int_eq(plan_answer(g->loader, ret_done, ret), 0);
}

struct cage_report guest_hear(const struct guest *g)
{
	struct timeval patience = { PATIENCE_MS / 1000, 0 };
	struct cage_report r;
	ssize_t n;

	setsockopt(g->call, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	n = recv(g->call, &r, sizeof(r), MSG_WAITALL);
	if (n != sizeof(r)) {
		struct cage_event e = cage_await(g->cage);

		ck_abort_msg("no report; ended with status %#x", (unsigned)e.status);
	}
	ck_assert_str_eq(r.word, "READY");
	return r;
}

void guest_start(struct guest *g, unsigned files)
{
	struct mosix_plan_failure f;
	bool done = false;

	ck_assert_int_eq(cage_open("test", &g->cage), 0);
	guest_spawn(g);
	guest_plan(g, files);
	send_pages(g->page);
	guest_answer(g, &done, &f);
	ck_assert_msg(done, "reason %u, %s, %#llx", f.reason, strerror(f.error), (unsigned long long)f.detail);
}

int cage_suite(const char *name, TCase *tcase)
{
	Suite *suite = suite_create(name);
	struct rlimit files;
	const char *step = "";
	SRunner *runner;
	int failed, r = cage_probe(&step);

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);

	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	if (r == -EPERM || r == -EACCES || r == -ENOSPC) {
		printf("skipped: %s (%s)\n", step, strerror(-r));
		srunner_free(runner);
		return 77;
	}
	tcase_set_timeout(tcase, 60);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
