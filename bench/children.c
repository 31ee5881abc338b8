/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * children SECONDS ROUNDS: after so many seconds of computing (time to be moved), the median times in microseconds of a thread made
 * and joined; and of a child made by fork, by vfork, and by posix_spawn of true(1), each until it has been waited for.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

static void *nothing(void *argument)
{
	return argument;
}

static void by_thread(void)
{
	pthread_t id;
	if (pthread_create(&id, NULL, nothing, NULL) != 0)
		exit(1);
	pthread_join(id, NULL);
}

static void await(pid_t child)
{
	int status;
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		exit(1);
}

static void by_fork(void)
{
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	await(child);
}

static void by_vfork(void)
{
	pid_t child = vfork();
	if (child == 0)
		_exit(0);
	await(child);
}

static void by_spawn(void)
{
	char *arguments[] = { "true", NULL }, *environment[] = { NULL };
	pid_t child;
	if (posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environment) != 0)
		exit(1);
	await(child);
}

int main(int argc, char **argv)
{
	static void (*const ways[])(void) = { by_thread, by_fork, by_vfork, by_spawn };
	if (argc != 3)
		return 2;
	size_t rounds = (size_t)atol(argv[2]);
	double *times = malloc(rounds * sizeof *times);
	if (rounds == 0 || times == NULL)
		return 2;
	for (double until = measure_now() + atof(argv[1]) * 1e6; measure_now() < until;)
		;
	for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
		for (size_t i = 0; i < rounds; i++) {
			double begun = measure_now();
			ways[way]();
			times[i] = measure_now() - begun;
		}
		printf("%.3f%c", measure_median(times, rounds), way + 1 < sizeof ways / sizeof *ways ? ' ' : '\n');
	}
	free(times);
	return 0;
}
