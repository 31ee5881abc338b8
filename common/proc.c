/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SMALL 8192

static int read_small(const char *path, char text[static SMALL])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t fill = 0;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((n = read(fd, text + fill, SMALL - 1 - fill)) > 0)
		fill += n;
	n = n < 0 ? -errno : 0;
	close(fd);
	text[fill] = 0;
	return (int)n;
}

int proc_read_stat(pid_t pid, struct proc_stat *ret_stat)
{
	struct proc_stat st = { 0 };
	char path[64], text[SMALL], *open_paren, *close_paren;
	uint64_t user, system;
	int64_t pages;
	long ticks = sysconf(_SC_CLK_TCK);
	size_t n;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	r = read_small(path, text);
	if (r < 0)
		return r;
	/* the name may hold anything, also parentheses: it ends at the last one */
	open_paren = strchr(text, '(');
	close_paren = strrchr(text, ')');
	if (!open_paren || !close_paren || close_paren < open_paren)
		return -EPROTO;
	n = close_paren - open_paren - 1;
	if (n >= sizeof(st.comm))
		n = sizeof(st.comm) - 1;
	memcpy(st.comm, open_paren + 1, n);
	r = sscanf(close_paren + 1,
		   " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %*d %*d %*d %*d %" SCNu32
		   " %*d %" SCNu64 " %*u %" SCNd64,
		   &st.state, &st.ppid, &user, &system, &st.threads, &st.start, &pages);
	if (r != 7)
		return -EPROTO;
	st.user_ms = user * 1000 / ticks;
	st.system_ms = system * 1000 / ticks;
	st.rss = pages > 0 ? (uint64_t)pages * sysconf(_SC_PAGESIZE) : 0;
	*ret_stat = st;
	return 0;
}

/* The nth number, counted from 0, behind a field's name. */
static bool field(const char *text, const char *name, int base, unsigned nth, uint64_t *ret)
{
	const char *at = strstr(text, name);
	char *end;

	if (!at)
		return false;
	at += strlen(name);
	for (;; nth--) {
		uint64_t value = strtoull(at, &end, base);

		if (end == at)
			return false;
		if (!nth) {
			*ret = value;
			return true;
		}
		at = end;
	}
}

/* Narrows the set of signals that are blocked to those that every thread blocks. */
static void read_blocked(pid_t pid, uint64_t *blocked)
{
	char path[320], text[SMALL];
	struct dirent *entry;
	DIR *directory;
	uint64_t set;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	directory = opendir(path);
	while (directory && *blocked && (entry = readdir(directory))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", pid, entry->d_name);
		if (entry->d_name[0] != '.' && read_small(path, text) == 0 && field(text, "\nSigBlk:", 16, 0, &set))
			*blocked &= set;
	}
	if (directory)
		closedir(directory);
}

int proc_read_status(pid_t pid, struct proc_status *ret_status)
{
	struct proc_status st = { 0 };
	char path[64], text[SMALL];
	uint64_t tracer, uid, threads, seccomp = 0;
	const char *rest, *state;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	r = read_small(path, text);
	if (r < 0)
		return r;
	/* the name comes first and may look like anything: look behind its line */
	rest = strchr(text, '\n');
	state = rest ? strstr(rest, "\nState:\t") : NULL;
	if (!state || !field(rest, "\nTracerPid:", 10, 0, &tracer) || !field(rest, "\nUid:", 10, 1, &uid) ||
	    !field(rest, "\nThreads:", 10, 0, &threads) || !field(rest, "\nSigBlk:", 16, 0, &st.blocked) ||
	    !field(rest, "\nSigIgn:", 16, 0, &st.ignored) || !field(rest, "\nSigCgt:", 16, 0, &st.caught))
		return -EPROTO;
	field(rest, "\nSeccomp:", 10, 0, &seccomp);	/* absent in kernels without it */
	st.state = state[strlen("\nState:\t")];
	st.tracer = (pid_t)tracer;
	st.uid = (uint32_t)uid;
	st.threads = (uint32_t)threads;
	if (threads > 1 && st.blocked)
		read_blocked(pid, &st.blocked);
	st.seccomp = (uint32_t)seccomp;
	*ret_status = st;
	return 0;
}

int proc_read_text(const char *path, size_t max, char **ret_text, size_t *ret_size)
{
	size_t room = 16384, fill = 0;
	char *text = malloc(room), *grown;
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
	ssize_t n;

	if (!text || fd < 0) {
		r = !text ? -ENOMEM : errno == ENOENT ? -ESRCH : -errno;
		goto out;
	}
	while ((n = read(fd, text + fill, room - 1 - fill)) > 0) {
		fill += n;
		if (fill > max) {
			r = -EFBIG;
			goto out;
		}
		if (room - fill < 4096) {
			grown = realloc(text, room * 2);
			if (!grown) {
				r = -ENOMEM;
				goto out;
			}
			text = grown;
			room *= 2;
		}
	}
	if (n < 0) {
		r = -errno;
		goto out;
	}
	text[fill] = 0;
	*ret_text = text;
	*ret_size = fill;
	text = NULL;
out:
	free(text);
	if (fd >= 0)
		close(fd);
	return r;
}

int proc_pidfd(pid_t pid, uint64_t start, int *ret_pidfd)
{
	struct proc_stat st;
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), r;

	if (fd < 0)
		return -errno;
	/* opened first, looked at second: if the start time is right now, the descriptor refers to that process */
	r = proc_read_stat(pid, &st);
	if (r == 0 && (st.start != start || st.state == 'Z' || st.state == 'X'))
		r = -ESRCH;
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_pidfd = fd;
	return 0;
}
