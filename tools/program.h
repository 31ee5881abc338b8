/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether libmosix can be loaded into a program, found out from its file before it is started. */
#ifndef MOSIX_PROGRAM_H
#define MOSIX_PROGRAM_H

#include <limits.h>

struct program {
	char path[PATH_MAX]; /* what to execute */
	int shell;           /* a file without "#!" that is no binary either: /bin/sh reads it, as shells have it */
	const char *native;  /* why libmosix cannot be loaded: a clause that follows the program's name; NULL: it can */
};

/*
 * Finds `name` as a shell does (in $PATH unless there is a '/' in it) and looks at its file, or for a script at its
 * interpreter's. Returns 0; -ENOENT: no such program; -EACCES: there is one, but it may not be executed; or another -errno.
 */
int program_find(const char *name, struct program *ret_program);

#endif
