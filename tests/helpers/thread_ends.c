/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * thread_ends HOW
 *
 * Ends a program with threads, some of which compute and some of which block: leader (the first thread ends, the others go
 * on), last (the last thread ends), exit and group (exit and exit_group by another thread), return (main returns), killed (a
 * signal to another thread ends all), fault (another thread does what it must not).
 */
#define _GNU_SOURCE
#include "thread.h"

enum { THREADS = 4 };

static const char *how;
static atomic_int ready;
static pthread_t leader;
static volatile char *volatile nowhere = (char *)8;

static void *computing(void *unused)
{
	atomic_fetch_add(&ready, 1);
	for (;;)
		check_work(1, 100000);
	return unused;
}

static void *blocking(void *unused)
{
	atomic_fetch_add(&ready, 1);
	for (;;)
		pause();
	return unused;
}

static void *ending(void *unused)
{
	thread_reached(&ready, THREADS, "threads");
	check_compute(300);
	if (strcmp(how, "exit") == 0)
		exit(check_wrong ? 99 : 21);
	if (strcmp(how, "group") == 0)
		syscall(SYS_exit_group, 22);
	if (strcmp(how, "killed") == 0)
		pthread_kill(leader, SIGTERM);
	if (strcmp(how, "fault") == 0)
		*nowhere = 1;
	return unused;
}

/* The first thread is a zombie by now, but the process is as alive as before. */
static void *survivor(void *argument)
{
	check(pthread_join(leader, NULL) == 0, "the first thread cannot be joined");
	check_compute(500);
	check(thread_tid() != getpid() && kill(getpid(), 0) == 0, "the process is gone");
	if (strcmp(how, "last") == 0 && check_wrong == 0)
		return argument;
	puts("the others go on");
	exit(check_result() ? 99 : 23);
}

static void say_goodbye(void)
{
	puts("goodbye");
}

int main(int argc, char **argv)
{
	how = argc > 1 ? argv[1] : "return";
	leader = pthread_self();
	atexit(say_goodbye);
	if (strcmp(how, "leader") == 0 || strcmp(how, "last") == 0) {
		thread_start(survivor, NULL, 0);
		check_compute(100);
		pthread_exit(NULL);
	}
	for (int i = 0; i < THREADS; i++)
		thread_start(i % 2 ? computing : blocking, NULL, 0);
	pthread_t last = thread_start(ending, NULL, 0);
	if (strcmp(how, "return") == 0) {
		thread_end(last);
		return 24;
	}
	for (;;)
		pause();
}
