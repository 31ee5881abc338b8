/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cage and warden: who is in a cage, how closed it is, signals and ends. */
#include "cage_image.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A plan that never comes: the loader ends with the socket. The pid is then free again, not before. */
START_TEST(pid_is_taken_until_reaped)
{
	struct cage_event e;
	struct guest g = { .channels = 4 };
	int socket, ours;

	ck_assert_int_eq(cage_open("test", &g.cage), 0);
	guest_spawn(&g);
	pair(&ours, &socket);
	ck_assert_int_eq(cage_spawn(g.cage, PID, EPOCH + 1, 0, 0, 0, socket), 0);
	e = cage_await(g.cage);
	ck_assert_int_eq(e.kind, CAGE_FAILED);
	ck_assert_int_eq(e.error, -EEXIST);
	ck_assert_uint_eq(e.epoch, EPOCH + 1);
	close(g.loader);
	e = cage_await(g.cage);
	ck_assert_int_eq(e.kind, CAGE_ENDED);
	ck_assert_uint_eq(e.epoch, EPOCH);
	ck_assert_int_eq(cage_spawn(g.cage, PID, EPOCH + 2, 0, 0, RLIM_INFINITY, socket), 0);
	ck_assert_int_eq(cage_await(g.cage).kind, CAGE_SPAWNED);
	ck_assert_int_eq(cage_spawn(g.cage, 1, EPOCH, 0, 0, 0, socket), 0);
	ck_assert_int_eq(cage_await(g.cage).error, -EINVAL);
	ck_assert_int_eq(cage_spawn(g.cage, 0x7ffffffe, EPOCH, 0, 0, 0, socket), 0);
	ck_assert_int_eq(cage_await(g.cage).kind, CAGE_FAILED);
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

	guest_start(&g, 1);
	guest_hear(&g);
	ck_assert_int_eq(children(getpid(), &warden, 1), 1);
	ck_assert_int_eq(children(warden, &guest, 1), 1);
	ck_assert_int_eq(cage_signal(g.cage, PID, EPOCH, SIGTERM), -EINVAL);
	ck_assert_int_eq(cage_signal(g.cage, PID, EPOCH + 1, SIGKILL), 0);
	ck_assert_int_eq(cage_signal(g.cage, PID, EPOCH, SIGSTOP), 0);
	await_state(guest, 'T');
	ck_assert_int_eq(cage_signal(g.cage, PID, EPOCH, SIGCONT), 0);
	send_all(g.call, "", 1);
	guest_hear(&g);
	ck_assert_int_eq(cage_signal(g.cage, PID, EPOCH, SIGKILL), 0);
	e = cage_await(g.cage);
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
	guest_spawn(&g);
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

/* What a guest clones is caged like itself, and does not outlive the last guest, behind which remoted has the cage swept. */
START_TEST(clones_stay_and_die)
{
	struct guest g = { .channels = 4 };
	pid_t warden, guest, child;
	int pidfd;

	guest_start(&g, 1);
	guest_hear(&g);
	ck_assert_int_eq(children(getpid(), &warden, 1), 1);
	ck_assert_int_eq(children(warden, &guest, 1), 1);
	ck_assert_int_eq(children(guest, &child, 1), 1);
	check_caged(guest, "4711", false);
	check_caged(child, "5001", false);
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	ck_assert_int_ge(pidfd, 0);
	ck_assert_int_eq(cage_signal(g.cage, PID, EPOCH, SIGKILL), 0);
	ck_assert_int_eq(cage_await(g.cage).kind, CAGE_ENDED);
	ck_assert_int_eq(cage_sweep(g.cage), 0);
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
		guest_start(&g, 1);
		guest_hear(&g);
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
		pid_is_taken_until_reaped, signals_reach_their_epoch, cage_is_closed, clones_stay_and_die, dies_with_its_owner,
		dead_warden_is_noticed, missing_loader_is_named,
	};
	TCase *tcase = tcase_create("cage");

	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		tcase_add_test(tcase, tests[i]);
	return cage_suite("cage", tcase);
}
