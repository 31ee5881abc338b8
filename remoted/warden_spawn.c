/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "warden_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <mosix/order.h>
#include <mosix/plan.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cage.h"

#define STACK_LEAST (8ull << 20)
#define STACK_MOST  (1ull << 40)

/* Offsets are written before the first process enters the namespace, and never again. */
static int make_clocks(int fd, int64_t mono_ns, int64_t boot_ns)
{
	const int64_t second = 1000000000;
	int64_t sec[2] = { mono_ns / second, boot_ns / second }, nsec[2] = { mono_ns % second, boot_ns % second };
	char text[160];
	int n;

	for (int i = 0; i < 2; i++) {
		if (nsec[i] < 0) {
			nsec[i] += second;
			sec[i]--;
		}
	}
	if (unshare(CLONE_NEWTIME) < 0)
		return -errno;
	n = snprintf(text, sizeof(text), "monotonic %" PRId64 " %" PRId64 "\nboottime %" PRId64 " %" PRId64 "\n",
		     sec[0], nsec[0], sec[1], nsec[1]);
	/* Not pwrite(2), which the file does not have; and it takes whole writes at its beginning only. */
	if (lseek(fd, 0, SEEK_SET) < 0 || write(fd, text, (size_t)n) < 0)
		return -errno;
	return 0;
}

static int limit(int which, uint64_t soft, uint64_t hard)
{
	struct rlimit l;

	if (getrlimit(which, &l) < 0)
		return -errno;
	if (hard < l.rlim_max)
		l.rlim_max = hard;
	l.rlim_cur = soft < l.rlim_max ? soft : l.rlim_max;
	return setrlimit(which, &l) < 0 ? -errno : 0;
}

/*
 * The kernel lays out new mappings below the stack's soft limit at exec, and from the bottom up when that is unlimited. Home's
 * stack comes to lie above them, so the limit here is never less than home's, and always finite.
 */
static int set_limits(uint64_t stack)
{
	const uint64_t nofile = cage_descriptors(MOSIX_CHANNELS_MAX, MOSIX_ORDER_FILES);
	int r;

	if (stack < STACK_LEAST || stack > STACK_MOST)
		stack = STACK_LEAST;
	r = limit(RLIMIT_STACK, stack, RLIM_INFINITY);
	if (r == 0)
		r = limit(RLIMIT_CORE, 0, 0);
	if (r == 0)
		r = limit(RLIMIT_NOFILE, nofile, nofile);
	return r;
}

/* Descriptors of the loader: the plan at 3, the outer /proc at 4, all else closed by exec. */
static int place_descriptors(const struct warden *w, int loader_socket)
{
	_Static_assert(MOSIX_PLAN_PROC_FD < WARDEN_FD_FIRST && MOSIX_PLAN_FD < MOSIX_PLAN_PROC_FD, "");
	if (dup2(loader_socket, MOSIX_PLAN_FD) < 0 || dup2(w->proc, MOSIX_PLAN_PROC_FD) < 0 ||
	    close_range(MOSIX_PLAN_PROC_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return -errno;
	close_range(0, MOSIX_PLAN_FD - 1, 0);
	return 0;
}

static int become_loader(const struct warden *w, const struct warden_request *q, int loader_socket)
{
	static char name[] = "mosix-loader";
	char *argv[] = { name, NULL }, *envp[] = { NULL };
	sigset_t empty;
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	r = set_limits(q->stack_limit);
	if (r == 0)
		r = place_descriptors(w, loader_socket);
	if (r != 0)
		return r;
	/* What exec leaves: the ambient set. */
	r = warden_keep(1ull << CAP_CHECKPOINT_RESTORE);
	if (r != 0)
		return r;
	sigemptyset(&empty);
	sigprocmask(SIG_SETMASK, &empty, NULL);
	syscall(SYS_execveat, w->loader, "", argv, envp, AT_EMPTY_PATH);
	return -errno;
}

int warden_spawn(const struct warden *w, const struct warden_request *q, int loader_socket)
{
	pid_t wanted = (pid_t)q->pid;
	struct clone_args args = {
		.exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&wanted, .set_tid_size = 1,
	};
	int report[2], error = 0, r;
	ssize_t n;
	long pid;

	r = make_clocks(w->offsets, q->mono_ns, q->boot_ns);
	if (r != 0)
		return r;
	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	r = fcntl(report[1], F_DUPFD_CLOEXEC, WARDEN_FD_FIRST);
	if (r < 0) {
		error = -errno;
		close(report[0]);
		close(report[1]);
		return error;
	}
	close(report[1]);
	report[1] = r;

	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		error = become_loader(w, q, loader_socket);
		if (write(report[1], &error, sizeof(error)) < 0)
			_exit(126);
		_exit(127);
	}
	if (pid < 0)
		error = -errno;
	close(report[1]);
	/* End of file: exec has happened. */
	do
		n = pid < 0 ? 0 : read(report[0], &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	close(report[0]);
	if (error != 0 && pid > 0)
		while (waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR)
			;
	return error;
}
