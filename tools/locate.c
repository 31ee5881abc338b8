/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "locate.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef MOSIX_BINDIR
#define MOSIX_BINDIR "/usr/local/bin"
#endif
#ifndef MOSIX_LIBDIR
#define MOSIX_LIBDIR "/usr/local/lib"
#endif

/* built: from the folder of the tools in a build tree; beside: from the folder of the tools when installed. */
static const struct {
	const char *variable, *built, *beside, *installed;
} parts[PARTS] = {
	/* clang-format off */
	[PART_HOMED]   = { "MOSIX_HOMED",   "../homed/homed",                 "homed",              MOSIX_BINDIR "/homed" },
	[PART_REMOTED] = { "MOSIX_REMOTED", "../remoted/remoted",             "remoted",            MOSIX_BINDIR "/remoted" },
	[PART_LIBRARY] = { "MOSIX_LIB",     "../preload/.libs/libmosix.so",   "../lib/libmosix.so", MOSIX_LIBDIR "/libmosix.so" },
	/* clang-format on */
};

/* The path without ".." and symbolic links, if a file is there that may be used. */
static int accept_path(const char *path, int mode, char *ret_path, size_t size)
{
	char whole[PATH_MAX];

	if (access(path, mode) || !realpath(path, whole))
		return -ENOENT;
	if (strlen(whole) >= size)
		return -ENAMETOOLONG;
	strcpy(ret_path, whole);
	return 0;
}

/* The folder of this program, with its '/'. */
static int own_folder(char *ret_path, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", ret_path, size - 1);

	if (length < 0)
		return -errno;
	ret_path[length] = 0;
	strrchr(ret_path, '/')[1] = 0;
	return 0;
}

int locate(enum part part, char *ret_path, size_t size)
{
	const char *variable = getenv(parts[part].variable);
	int mode = part == PART_LIBRARY ? R_OK : X_OK;
	char folder[PATH_MAX], path[2 * PATH_MAX];

	snprintf(ret_path, size, "%s", variable && *variable ? variable : parts[part].installed);
	if (variable && *variable)
		return accept_path(variable, mode, ret_path, size);
	if (!own_folder(folder, sizeof folder)) {
		const char *tries[] = { parts[part].built, parts[part].beside };

		for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
			snprintf(path, sizeof path, "%s%s", folder, tries[i]);
			if (!accept_path(path, mode, ret_path, size))
				return 0;
		}
	}
	return accept_path(parts[part].installed, mode, ret_path, size);
}
