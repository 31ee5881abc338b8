/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cage, warden, plan and loader together: a hand-made image whose guest (cage_guest.c) tells what it sees. Runs as any user who
 * may have namespaces; the loader is found by $MOSIX_LOADER or beside this program.
 */
#include "test_cage.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <mosix/manifest.h>
#include <mosix/plan.h>
#include <mosix/reason.h>
#include "cage_guest.h"
#include "remoted/cage.h"
#include "remoted/filter.h"
#include "remoted/plan_send.h"

#define SECRET  0x5a5a12345000ull
#define TLS     (CAGE_DATA + 2048)
#define CAGE_BIG (CAGE_FRESH + (1ull << 37))
#define ENTRY   (CAGE_VDSO + 0x100)
#define OFFSET  1000	/* seconds by which the guest's monotonic clock is ahead */
enum { PID = CAGE_PID, EPOCH = 3, XSAVE = 576, PATIENCE_MS = 10000, PAGES = 2048, THREADS = 3 };

struct image {
	struct mosix_manifest m;
	uint8_t xsave[XSAVE];
	union {
		struct mosix_thread thread;
		uint8_t bytes[MOSIX_THREAD_SIZE + XSAVE];
	} more[THREADS - 1];
	struct mosix_mapping mapping[16];
} __attribute__((aligned(64)));

_Static_assert(offsetof(struct image, mapping) == sizeof(struct mosix_manifest) + THREADS * XSAVE +
	       (THREADS - 1) * MOSIX_THREAD_SIZE, "");

struct guest {
	struct cage *cage;
	int loader, call, control, page;	/* our ends */
	unsigned channels;
	int ours[MOSIX_CHANNELS_MAX], theirs[MOSIX_CHANNELS_MAX];
	struct image image;
};

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
		.magic = MOSIX_MANIFEST_MAGIC, .version = MOSIX_PROTOCOL, .epoch = EPOCH, .pid = PID, .pages = PAGES, .arena = CAGE_ARENA,
		.slots = CAGE_SLOTS, .slot_count = CAGE_SLOT_COUNT, .threads = THREADS,
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

static void send_all(int fd, const void *data, size_t size)
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

static struct cage_event await(struct cage *c)
{
	struct cage_event e;

	ck_assert_int_eq(poll(&(struct pollfd){ .fd = cage_fd(c), .events = POLLIN }, 1, PATIENCE_MS), 1);
	ck_assert_int_eq(cage_read(c, &e), 0);
	return e;
}

static void pair(int *ours, int *theirs)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	*ours = fds[0];
	*theirs = fds[1];
}

static void spawn(struct guest *g)
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
	e = await(g->cage);
	ck_assert_msg(e.kind == CAGE_SPAWNED, "%s", strerror(-e.error));
	ck_assert_uint_eq(e.pid, PID);
	ck_assert_uint_eq(e.epoch, EPOCH);
	close(socket);
	make_image(&g->image);
}

/* files: how many the offer has; the last is the one mapped, of the others every second comes as well. */
static void plan(struct guest *g, unsigned files)
{
	struct mosix_plan p = { .gate_secret = SECRET, .files = files, .channels = g->channels };
	struct sock_filter *filter;
	int fds[MOSIX_CHANNELS_MAX + MOSIX_ORDER_FILES], *file = fds + g->channels, other = open("/dev/null", O_RDONLY | O_CLOEXEC);

	memcpy(fds, g->theirs, g->channels * sizeof(int));
	for (unsigned i = 0; i < files; i++)
		file[i] = i % 2 ? other : -1;
	file[files - 1] = memfd_create("file", MFD_CLOEXEC);
	ck_assert_int_eq(write(file[files - 1], "file", 4), 4);
	for (unsigned i = 0; i < g->image.m.mappings; i++)
		if (g->image.mapping[i].start == CAGE_FILE)
			g->image.mapping[i].file = files - 1;
	ck_assert_int_eq(filter_build(SECRET, PID, &filter, &p.filter_length), 0);
	p.manifest_size = sizeof(g->image.m) + manifest_tail(&g->image.m);
	ck_assert_int_eq(plan_send(g->loader, &p, filter, &g->image, fds, g->channels + files), 0);
	free(filter);
	close(file[files - 1]);
	close(other);
	for (unsigned i = 0; i < g->channels; i++)
		close(g->theirs[i]);
}

static void await_answer(const struct guest *g, bool *ret_done, struct mosix_plan_failure *ret)
{
	ck_assert_int_eq(poll(&(struct pollfd){ .fd = g->loader, .events = POLLIN }, 1, PATIENCE_MS), 1);
	ck_assert_int_eq(plan_answer(g->loader, ret_done, ret), 0);
}

static struct cage_report hear(const struct guest *g)
{
	struct timeval patience = { PATIENCE_MS / 1000, 0 };
	struct cage_report r;
	ssize_t n;

	setsockopt(g->call, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	n = recv(g->call, &r, sizeof(r), MSG_WAITALL);
	if (n != sizeof(r)) {
		struct cage_event e = await(g->cage);

		ck_abort_msg("no report; ended with status %#x", (unsigned)e.status);
	}
	ck_assert_str_eq(r.word, "READY");
	return r;
}

static void start(struct guest *g, unsigned files)
{
	struct mosix_plan_failure f;
	bool done = false;

	ck_assert_int_eq(cage_open("test", &g->cage), 0);
	spawn(g);
	plan(g, files);
	send_pages(g->page);
	await_answer(g, &done, &f);
	ck_assert_msg(done, "reason %u, %s, %#llx", f.reason, strerror(f.error), (unsigned long long)f.detail);
}

static void check_report(const struct cage_report *r)
{
	struct timespec now;

	ck_assert_uint_eq(r->pid, PID);
	ck_assert_uint_eq(r->tid, PID);
	ck_assert_uint_gt(r->unlisted, 400);
	ck_assert_uint_eq(r->unlisted_traps, r->unlisted);
	ck_assert_uint_eq(r->listed_traps, r->listed);
	ck_assert_int_eq(r->brk_moved, 1);
	ck_assert_int_eq(r->call_result, -1000);
	ck_assert_int_eq(r->file, 'f');
	ck_assert_int_eq(r->sparse, 's');
	ck_assert_int_eq(r->fresh, 0);
	ck_assert_uint_eq(r->big, (6ull << 20 | 8192) * 'b');
	ck_assert_uint_eq(r->fs_base, 0x7157);
	ck_assert_uint_eq(r->manifest_pid, PID);
	ck_assert_uint_eq(r->xsave_size % 64, 0);
	ck_assert_uint_gt(r->xsave_size, 512);
	ck_assert_uint_eq(r->last_tid, PID + THREADS - 1);
	ck_assert_uint_eq(r->last_xmm, THREADS - 1);
	ck_assert_uint_eq(r->first_mapping, CAGE_CODE);
	ck_assert_int_eq(r->thread, CAGE_THREAD);
	ck_assert_uint_eq(r->thread_tid, CAGE_THREAD);
	ck_assert_int_eq(r->child, CAGE_CHILD);
	ck_assert_uint_ne(r->spaces, 0);
	ck_assert_uint_eq(r->spaces_made, 0);
	ck_assert_uint_eq(r->own_rings, 1);
	ck_assert_uint_eq(r->kill_traps, r->kills);
	clock_gettime(CLOCK_MONOTONIC, &now);
	ck_assert_int_ge(r->mono_s, now.tv_sec + OFFSET - 30);
	ck_assert_int_le(r->mono_s, now.tv_sec + OFFSET);
}

static void run_guest(unsigned channels, unsigned files)
{
	struct guest g = { .channels = channels };
	struct cage_report r;
	struct cage_event e;
	char byte;

	start(&g, files);
	r = hear(&g);
	check_report(&r);
	ck_assert_uint_eq(r.descriptors, 2 + channels);
	ck_assert_int_eq(recv(g.ours[channels - 1], &byte, 1, MSG_DONTWAIT), 1);
	ck_assert_uint_eq(r.rings, 0);
	send_all(g.control, "", 1);
	send_all(g.call, "", 1);
	r = hear(&g);
	ck_assert_uint_eq(r.rings, 1);
	close(g.call);
	e = await(g.cage);
	ck_assert_int_eq(e.kind, CAGE_ENDED);
	ck_assert_uint_eq(e.pid, PID);
	ck_assert_uint_eq(e.epoch, EPOCH);
	ck_assert_msg(WIFEXITED(e.status) && WEXITSTATUS(e.status) == 7, "status %#x", (unsigned)e.status);
	ck_assert_int_eq(cage_read(g.cage, &e), -EAGAIN);
	cage_close(g.cage);
}

START_TEST(guest_runs) { run_guest(6, 1); } END_TEST
START_TEST(many_files_come) { run_guest(4, 1000); } END_TEST
START_TEST(many_channels_come) { run_guest(MOSIX_CHANNELS_MAX, MOSIX_ORDER_FILES); } END_TEST

/* Then vdso and arena collide for certain. */
START_TEST(guest_runs_unrandomised)
{
	ck_assert_int_ne(personality(ADDR_NO_RANDOMIZE), -1);
	run_guest(4, 1);
}
END_TEST

static void fails_by(const struct mosix_run *bad, unsigned count, uint32_t reason)
{
	struct mosix_plan_failure f;
	struct cage_event e;
	struct guest g = { .channels = 4 };
	bool done = true;

	ck_assert_int_eq(cage_open("test", &g.cage), 0);
	spawn(&g);
	plan(&g, 1);
	for (unsigned i = 0; i < count; i++) {
		char page[4096] = { 0 };

		send_all(g.page, &bad[i], sizeof(bad[i]));
		if (i + 1 < count)
			send_all(g.page, page, sizeof(page));
	}
	if (reason == MOSIX_WHY_CUT)
		close(g.page);
	await_answer(&g, &done, &f);
	ck_assert(!done);
	ck_assert_uint_eq(f.reason, reason);
	e = await(g.cage);
	ck_assert_int_eq(e.kind, CAGE_ENDED);
	ck_assert(WIFEXITED(e.status) && WEXITSTATUS(e.status) == 1);
	cage_close(g.cage);
}

static const struct { struct mosix_run run; uint32_t reason; } bad[] = {
	{ { CAGE_DATA + 4096, 1 },      MOSIX_WHY_BAD_IMAGE },
	{ { CAGE_DATA, 2 },             MOSIX_WHY_BAD_IMAGE },
	{ { CAGE_DATA, 1ull << 52 },    MOSIX_WHY_BAD_IMAGE },
	{ { CAGE_DATA + 1, 1 },         MOSIX_WHY_BAD_IMAGE },
	{ { CAGE_FILE - 4096, 2 },      MOSIX_WHY_BAD_IMAGE },
	{ { CAGE_ARENA, 1 },            MOSIX_WHY_BAD_IMAGE },
	{ { MOSIX_LOADER_START, 1 },    MOSIX_WHY_BAD_IMAGE },
	{ { 0x7ff000000000, 1 },        MOSIX_WHY_BAD_IMAGE },	/* reserved */
	{ { CAGE_FRESH, PAGES + 1 },    MOSIX_WHY_BAD_IMAGE },
	{ { CAGE_DATA, 1 },             MOSIX_WHY_CUT },
};

START_TEST(bad_runs_fail) { fails_by(&bad[_i].run, 1, bad[_i].reason); } END_TEST

START_TEST(descending_runs_fail)
{
	fails_by((struct mosix_run[]){ { CAGE_BRK, 1 }, { CAGE_DATA, 1 } }, 2, MOSIX_WHY_BAD_IMAGE);
}
END_TEST

START_TEST(missing_file_fails)
{
	struct mosix_plan_failure f;
	struct guest g = { .channels = 4 };
	bool done = true;

	ck_assert_int_eq(cage_open("test", &g.cage), 0);
	spawn(&g);
	g.image.mapping[4].file = 0;	/* of two files only the second comes */
	plan(&g, 2);
	await_answer(&g, &done, &f);
	ck_assert(!done);
	ck_assert_uint_eq(f.reason, MOSIX_WHY_BAD_IMAGE);
	ck_assert_uint_eq(f.detail, CAGE_SPARSE);
	cage_close(g.cage);
}
END_TEST

/* A plan that never comes: the loader ends with the socket. The pid is then free again, not before. */
START_TEST(pid_is_taken_until_reaped)
{
	struct cage_event e;
	struct guest g = { .channels = 4 };
	int socket, ours;

	ck_assert_int_eq(cage_open("test", &g.cage), 0);
	spawn(&g);
	pair(&ours, &socket);
	ck_assert_int_eq(cage_spawn(g.cage, PID, EPOCH + 1, 0, 0, 0, socket), 0);
	e = await(g.cage);
	ck_assert_int_eq(e.kind, CAGE_FAILED);
	ck_assert_int_eq(e.error, -EEXIST);
	ck_assert_uint_eq(e.epoch, EPOCH + 1);
	close(g.loader);
	e = await(g.cage);
	ck_assert_int_eq(e.kind, CAGE_ENDED);
	ck_assert_uint_eq(e.epoch, EPOCH);
	ck_assert_int_eq(cage_spawn(g.cage, PID, EPOCH + 2, 0, 0, RLIM_INFINITY, socket), 0);
	ck_assert_int_eq(await(g.cage).kind, CAGE_SPAWNED);
	ck_assert_int_eq(cage_spawn(g.cage, 1, EPOCH, 0, 0, 0, socket), 0);
	ck_assert_int_eq(await(g.cage).error, -EINVAL);
	ck_assert_int_eq(cage_spawn(g.cage, 0x7ffffffe, EPOCH, 0, 0, 0, socket), 0);
	ck_assert_int_eq(await(g.cage).kind, CAGE_FAILED);
	cage_close(g.cage);
}
END_TEST

static int children(pid_t pid, pid_t *ret, int most)
{
	char path[64];
	FILE *f;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (n < most && fscanf(f, "%d", &ret[n]) == 1)
		n++;
	fclose(f);
	return n;
}

static void status_field(pid_t pid, const char *field, char *ret, size_t size)
{
	char path[64], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	*ret = '\0';
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, field, strlen(field)) == 0 && line[strlen(field)] == ':')
			snprintf(ret, size, "%s", line + strlen(field) + 1 + strspn(line + strlen(field) + 1, " \t"));
	ret[strcspn(ret, "\n")] = '\0';
	fclose(f);
}

static void await_state(pid_t pid, char wanted)
{
	struct timespec begin, now;
	char state[64];

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		status_field(pid, "State", state, sizeof(state));
		clock_gettime(CLOCK_MONOTONIC, &now);
		sched_yield();
	} while (*state != wanted && now.tv_sec < begin.tv_sec + PATIENCE_MS / 1000);
	ck_assert_int_eq(*state, wanted);
}

START_TEST(signals_reach_their_epoch)
{
	pid_t warden, guest;
	struct cage_event e;
	struct guest g = { .channels = 4 };

	start(&g, 1);
	hear(&g);
	ck_assert_int_eq(children(getpid(), &warden, 1), 1);
	ck_assert_int_eq(children(warden, &guest, 1), 1);
	ck_assert_int_eq(cage_signal(g.cage, PID, EPOCH, SIGTERM), -EINVAL);
	ck_assert_int_eq(cage_signal(g.cage, PID, EPOCH + 1, SIGKILL), 0);
	ck_assert_int_eq(cage_signal(g.cage, PID, EPOCH, SIGSTOP), 0);
	await_state(guest, 'T');
	ck_assert_int_eq(cage_signal(g.cage, PID, EPOCH, SIGCONT), 0);
	send_all(g.call, "", 1);
	hear(&g);
	ck_assert_int_eq(cage_signal(g.cage, PID, EPOCH, SIGKILL), 0);
	e = await(g.cage);
	ck_assert_int_eq(e.kind, CAGE_ENDED);
	ck_assert(WIFSIGNALED(e.status) && WTERMSIG(e.status) == SIGKILL);
	cage_close(g.cage);
}
END_TEST

static void check_caged(pid_t pid, const char *inner, bool is_warden)
{
	static const char *const spaces[] = { "user", "pid", "mnt", "net", "ipc", "uts" };
	static const char *const sets[] = { "CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb" };
	static const char *const of_warden[] = {	/* CHECKPOINT_RESTORE; SYS_ADMIN */
		"0000010000200000", "0000010000200000", "0000000000000000", "0000010000000000", "0000010000000000",
	};
	static const char *const of_guest[] = {
		"0000010000000000", "0000010000000000", "0000000000000000", "0000010000000000", "0000010000000000",
	};
	char path[64], text[512], other[512];
	ssize_t n, k;
	FILE *f;

	for (size_t i = 0; i < sizeof(spaces) / sizeof(*spaces); i++) {
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, spaces[i]);
		n = readlink(path, text, sizeof(text));
		snprintf(path, sizeof(path), "/proc/self/ns/%s", spaces[i]);
		k = readlink(path, other, sizeof(other));
		ck_assert(n > 0 && k > 0 && (n != k || memcmp(text, other, (size_t)n) != 0));
	}
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
		status_field(pid, sets[i], text, sizeof(text));
		ck_assert_str_eq(text, is_warden ? of_warden[i] : of_guest[i]);
	}
	status_field(pid, "NoNewPrivs", text, sizeof(text));
	ck_assert_str_eq(text, "1");
	status_field(pid, "NSpid", text, sizeof(text));
	ck_assert_str_eq(strrchr(text, '\t') + 1, inner);
	/* Two mounts: the empty root, and what covers it so that it counts as chrooted. */
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	for (int i = 0; i < 2; i++) {
		ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
		ck_assert_ptr_nonnull(strstr(text, " / / ro,"));
	}
	ck_assert_ptr_null(fgets(text, sizeof(text), f));
	fclose(f);
}

static int count_descriptors(pid_t pid)
{
	char path[64];
	int n = 0;

	for (int fd = 0; fd < 4096; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		n += faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	}
	return n;
}

START_TEST(cage_is_closed)
{
	pid_t warden, loader;
	struct guest g = { .channels = 4 };
	int other = open("/etc/passwd", O_RDONLY);	/* not close-on-exec, and none of theirs */

	ck_assert_int_eq(cage_open("test", &g.cage), 0);
	spawn(&g);
	ck_assert_int_eq(children(getpid(), &warden, 1), 1);
	ck_assert_int_eq(children(warden, &loader, 1), 1);
	check_caged(warden, "1", true);
	check_caged(loader, "4711", false);
	/* socket, loader, /proc, time offsets, signals */
	ck_assert_int_eq(count_descriptors(warden), 5);
	ck_assert_int_eq(count_descriptors(loader), 2);
	close(other);
	cage_close(g.cage);
}
END_TEST

/* What a guest clones is caged like itself, and does not outlive the last guest. */
START_TEST(clones_stay_and_die)
{
	struct guest g = { .channels = 4 };
	pid_t warden, guest, child;
	int pidfd;

	start(&g, 1);
	hear(&g);
	ck_assert_int_eq(children(getpid(), &warden, 1), 1);
	ck_assert_int_eq(children(warden, &guest, 1), 1);
	ck_assert_int_eq(children(guest, &child, 1), 1);
	check_caged(guest, "4711", false);
	check_caged(child, "5001", false);
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	ck_assert_int_ge(pidfd, 0);
	ck_assert_int_eq(cage_signal(g.cage, PID, EPOCH, SIGKILL), 0);
	ck_assert_int_eq(await(g.cage).kind, CAGE_ENDED);
	ck_assert_int_eq(poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, PATIENCE_MS), 1);
	ck_assert_int_eq(cage_read(g.cage, &(struct cage_event){ 0 }), -EAGAIN);
	cage_close(g.cage);
}
END_TEST

/* What the owner leaves when it is killed: nothing. */
START_TEST(dies_with_its_owner)
{
	int tell[2], pidfd[2];
	pid_t owner, pid[2];
	struct guest g = { .channels = 4 };

	ck_assert_int_eq(pipe2(tell, O_CLOEXEC), 0);
	owner = fork();
	if (owner == 0) {
		start(&g, 1);
		hear(&g);
		if (children(getpid(), &pid[0], 1) != 1 || children(pid[0], &pid[1], 1) != 1 ||
		    write(tell[1], pid, sizeof(pid)) != sizeof(pid))
			_exit(1);
		for (;;)
			pause();
	}
	close(tell[1]);
	ck_assert_int_eq(read(tell[0], pid, sizeof(pid)), sizeof(pid));
	for (int i = 0; i < 2; i++) {
		pidfd[i] = (int)syscall(SYS_pidfd_open, pid[i], 0);
		ck_assert_int_ge(pidfd[i], 0);
	}
	kill(owner, SIGKILL);
	ck_assert_int_eq(waitpid(owner, NULL, 0), owner);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(poll(&(struct pollfd){ .fd = pidfd[i], .events = POLLIN }, 1, PATIENCE_MS), 1);
}
END_TEST

START_TEST(dead_warden_is_noticed)
{
	struct cage_event e;
	struct guest g = { .channels = 4 };
	pid_t warden;

	ck_assert_int_eq(cage_open("test", &g.cage), 0);
	ck_assert_int_eq(children(getpid(), &warden, 1), 1);
	kill(warden, SIGKILL);
	ck_assert_int_eq(poll(&(struct pollfd){ .fd = cage_fd(g.cage), .events = POLLIN }, 1, PATIENCE_MS), 1);
	ck_assert_int_eq(cage_read(g.cage, &e), -EPIPE);
	ck_assert_int_eq(cage_signal(g.cage, PID, EPOCH, SIGKILL), -EPIPE);
	cage_close(g.cage);
}
END_TEST

START_TEST(missing_loader_is_named)
{
	const char *step = NULL;

	setenv("MOSIX_LOADER", "/nonexistent/loader", 1);
	ck_assert_int_eq(cage_probe(&step), -ENOENT);
	ck_assert_str_eq(step, "the loader cannot be opened");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		guest_runs, guest_runs_unrandomised, many_files_come, many_channels_come, descending_runs_fail,
		missing_file_fails, pid_is_taken_until_reaped, signals_reach_their_epoch, cage_is_closed, clones_stay_and_die,
		dies_with_its_owner, dead_warden_is_noticed, missing_loader_is_named,
	};
	Suite *suite = suite_create("cage");
	TCase *tcase = tcase_create("cage");
	struct rlimit files;
	const char *step = "";
	SRunner *runner;
	int failed, r = cage_probe(&step);

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);

	if (r == -EPERM || r == -EACCES || r == -ENOSPC) {
		printf("skipped: %s (%s)\n", step, strerror(-r));
		return 77;
	}
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		tcase_add_test(tcase, tests[i]);
	tcase_add_loop_test(tcase, bad_runs_fail, 0, sizeof(bad) / sizeof(*bad));
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
