/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * supervise [-t SECONDS] [-d COMMAND] [-s FILE] PROG [ARG...]
 *
 * Runs PROG in a session of its own as a child subreaper, so that nothing PROG starts can escape: whatever is still there a short
 * while after PROG has ended is reported and killed. FILE receives one line: "exit N", "signal N" or "deadline", followed by
 * " left K" if K processes had to be killed. At the deadline COMMAND runs (by sh, $SUPERVISED is PROG's pid) before the killing.
 * Exits as PROG did, 128+n for a signal, 124 at the deadline or if something was left over, 125 for a failure of its own.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES = 4096, GRACE_MS = 3000 };

struct process {
	pid_t pid, parent;
	char comm[32];
};

static struct process processes[PROCESSES];
static size_t process_count;

static long now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000L + t.tv_nsec / 1000000L;
}

static void read_processes(void)
{
	process_count = 0;
	DIR *dir = opendir("/proc");
	if (dir == NULL)
		return;
	for (struct dirent *e; process_count < PROCESSES && (e = readdir(dir)) != NULL;) {
		char path[300], line[512];
		int pid = atoi(e->d_name);
		if (pid <= 0)
			continue;
		snprintf(path, sizeof path, "/proc/%d/stat", pid);
		FILE *f = fopen(path, "re");
		if (f == NULL)
			continue;
		struct process *p = &processes[process_count];
		char *open, *close;
		int parent;
		char state;
		if (fgets(line, sizeof line, f) != NULL && (open = strchr(line, '(')) != NULL && (close = strrchr(line, ')')) != NULL &&
		    sscanf(close + 1, " %c %d", &state, &parent) == 2) {
			*close = '\0';
			snprintf(p->comm, sizeof p->comm, "%s", open + 1);
			p->pid = pid;
			p->parent = parent;
			process_count++;
		}
		fclose(f);
	}
	closedir(dir);
}

static bool is_descendant(const struct process *p, pid_t ancestor)
{
	pid_t at = p->pid, parent = p->parent;
	for (int depth = 0; depth < 64; depth++) {
		if (parent == ancestor)
			return true;
		at = parent;
		parent = 0;
		for (size_t i = 0; i < process_count; i++)
			if (processes[i].pid == at)
				parent = processes[i].parent;
		if (parent <= 1)
			return false;
	}
	return false;
}

/* Kills every descendant until none is left; returns how many different ones there were. */
static int kill_descendants(bool tell)
{
	int killed = 0;
	for (long until = now_ms() + 5000; now_ms() < until;) {
		int found = 0;
		read_processes();
		for (size_t i = 0; i < process_count; i++)
			if (is_descendant(&processes[i], getpid())) {
				found++;
				if (kill(processes[i].pid, SIGKILL) == 0 && tell)
					fprintf(stderr, "supervise: left over: %d %s\n", processes[i].pid, processes[i].comm);
			}
		if (found == 0)
			return killed;
		tell = false;
		if (found > killed)
			killed = found;
		int status;
		while (waitpid(-1, &status, WNOHANG) > 0)
			;
		nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
	}
	return killed;
}

/* Waits for children until none is left or the time comes; main_status is set when the main child ends. */
static bool reap(pid_t main_child, int *main_status, bool *main_ended, long until, bool stop_at_main)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (;;) {
		int status;
		pid_t pid;
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == main_child) {
				*main_status = status;
				*main_ended = true;
			}
		if ((pid < 0 && errno == ECHILD) || (stop_at_main && *main_ended))
			return true;
		long left = until - now_ms();
		if (left <= 0)
			return false;
		sigtimedwait(&set, NULL, &(struct timespec){ left / 1000, left % 1000 * 1000000 });
	}
}

int main(int argc, char **argv)
{
	long seconds = 60;
	const char *diagnose = NULL, *status_file = NULL;
	for (int option; (option = getopt(argc, argv, "+t:d:s:")) != -1;)
		switch (option) {
		case 't':
			seconds = atol(optarg);
			break;
		case 'd':
			diagnose = optarg;
			break;
		case 's':
			status_file = optarg;
			break;
		default:
			return 125;
		}
	if (optind >= argc)
		return 125;
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	sigset_t set, old;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	pid_t child = fork();
	if (child < 0)
		return 125;
	if (child == 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		setsid();
		execvp(argv[optind], argv + optind);
		fprintf(stderr, "supervise: %s: %s\n", argv[optind], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}

	int status = 0, left = 0;
	bool ended = false;
	if (reap(child, &status, &ended, now_ms() + seconds * 1000, true)) {
		if (!reap(child, &status, &ended, now_ms() + GRACE_MS, false))
			left = kill_descendants(true);
	} else {
		if (diagnose != NULL) {
			char number[16];
			snprintf(number, sizeof number, "%d", child);
			setenv("SUPERVISED", number, 1);
			pid_t helper = fork();
			if (helper == 0) {
				dup2(STDERR_FILENO, STDOUT_FILENO);
				sigprocmask(SIG_SETMASK, &old, NULL);
				execl("/bin/sh", "sh", "-c", diagnose, (char *)NULL);
				_exit(127);
			}
			bool helped = false;
			int ignored;
			reap(helper, &ignored, &helped, now_ms() + 20000, true);
		}
		kill_descendants(false);
		ended = false;
	}

	char text[64], tail[32] = "";
	if (left > 0)
		snprintf(tail, sizeof tail, " left %d", left);
	if (!ended)
		snprintf(text, sizeof text, "deadline");
	else if (WIFSIGNALED(status))
		snprintf(text, sizeof text, "signal %d%s", WTERMSIG(status), tail);
	else
		snprintf(text, sizeof text, "exit %d%s", WEXITSTATUS(status), tail);
	if (status_file != NULL) {
		FILE *f = fopen(status_file, "we");
		if (f == NULL)
			return 125;
		fprintf(f, "%s\n", text);
		if (fclose(f) != 0)
			return 125;
	}
	if (!ended || left > 0)
		return 124;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
