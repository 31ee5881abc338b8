/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a program, and traces it from SIGUSR1 to SIGUSR2: attaches without stopping it, passes all its signals on, detaches. As
 * its parent it may, whatever the machine says of strangers (Yama). Ends as the program does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t wanted = -1;

static void begin(int signo)
{
	wanted = signo == SIGUSR1;
}

static void detach(pid_t pid)
{
	int status;
	ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSTOPPED(status))
		ptrace(PTRACE_DETACH, pid, NULL, status >> 16 ? NULL : (void *)(long)WSTOPSIG(status));
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = begin };	/* interrupts waitpid() */
	int traced = 0, status = 0;
	pid_t pid = fork();
	if (argc < 2 || pid < 0)
		return 2;
	if (pid == 0) {
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	for (;;) {
		pid_t waited = waitpid(pid, &status, 0);
		if (waited == pid && (WIFEXITED(status) || WIFSIGNALED(status)))
			break;
		if (waited == pid && WIFSTOPPED(status))	/* an event of ptrace's own stands above the signal's number */
			ptrace(PTRACE_CONT, pid, NULL, status >> 16 ? NULL : (void *)(long)WSTOPSIG(status));
		if (waited < 0 && errno != EINTR)
			return 2;
		if (wanted == 1 && !traced)
			traced = ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0;
		if (wanted == 0 && traced) {
			detach(pid);
			traced = 0;
		}
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
