/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What /proc/PID/stat and /proc/PID/status say. Any thread. */
#ifndef MOSIX_PROC_H
#define MOSIX_PROC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_stat {
	char comm[64];
	char state;		/* as proc(5): R S D T t Z X I */
	pid_t ppid;
	uint64_t start;		/* clock ticks since boot: with the pid, this names a process for good */
	uint64_t user_ms, system_ms;
	uint64_t rss;		/* bytes */
	uint32_t threads;
};

struct proc_status {
	uint32_t uid;		/* effective */
	uint32_t threads;
	pid_t tracer;		/* 0: none */
	char state;
	uint32_t seccomp;	/* mode */
	uint64_t blocked, ignored, caught;	/* bit n - 1 is signal n; blocked: by every thread */
};

/* 0; -ESRCH: no such process; -EPROTO: not understood. */
int proc_read_stat(pid_t pid, struct proc_stat *ret_stat);
int proc_read_status(pid_t pid, struct proc_status *ret_status);

/* A whole small /proc file as text. The caller frees *ret_text. 0, -EFBIG over `max`, or -errno. */
int proc_read_text(const char *path, size_t max, char **ret_text, size_t *ret_size);

/* A pidfd of exactly the process that has this start time. 0, -ESRCH, or -errno. */
int proc_pidfd(pid_t pid, uint64_t start, int *ret_pidfd);

#endif
