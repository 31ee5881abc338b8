/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * startup LIBRARY ROUNDS [PROG...]: median time in microseconds from vfork to the end of PROG (default: /bin/true) without and with LIBRARY
 * in LD_PRELOAD, taken in turns.
 */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

static double run(char *const *command, char *const *environment)
{
	pid_t child;
	int status;
	double begun = measure_now();
	if (posix_spawn(&child, command[0], NULL, NULL, command, environment) != 0 || waitpid(child, &status, 0) != child || status != 0) {
		fputs("startup: the program failed\n", stderr);
		exit(1);
	}
	return measure_now() - begun;
}

int main(int argc, char **argv)
{
	char *plain[512], *preloaded[512], variable[4200], *standard[] = { (char *)"/bin/true", NULL };
	size_t count = 0;
	if (argc < 3)
		return 2;
	size_t rounds = (size_t)atol(argv[2]);
	double *without = malloc(rounds * sizeof *without), *with = malloc(rounds * sizeof *with);
	if (rounds == 0 || without == NULL || with == NULL)
		return 2;
	for (; environ[count] != NULL && count < 500; count++)
		plain[count] = preloaded[count] = environ[count];
	snprintf(variable, sizeof variable, "LD_PRELOAD=%s", argv[1]);
	plain[count] = preloaded[count + 1] = NULL;
	preloaded[count] = variable;
	char *const *command = argc > 3 ? argv + 3 : standard;
	for (size_t i = 0; i < rounds; i++) {
		without[i] = run(command, plain);
		with[i] = run(command, preloaded);
	}
	printf("%.2f %.2f\n", measure_median(without, rounds), measure_median(with, rounds));
	free(without);
	free(with);
	return 0;
}
