/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemons whose pid files are in the runtime directory, and all that they and mosctl leave there. */
#ifndef MOSIX_CREW_H
#define MOSIX_CREW_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CREW_MAX  80
#define CREW_CONF "mosix.conf"
#define CREW_KEY  "key"

struct crew {
	size_t count;
	struct {
		char name[NAME_MAX + 1];
		pid_t pid;
		int pidfd;
	} member[CREW_MAX];
};

/* Those that run: only processes that still are the ones that wrote their pid files. 0 or -errno; the caller frees. */
int crew_find(struct crew *ret_crew);
void crew_free(struct crew *crew);

/* Ends them, by SIGTERM and if that does not help by SIGKILL. 0, or -ETIMEDOUT and in *ret_who one that does not end. */
int crew_end(const struct crew *crew, size_t *ret_who);

/* Removes the files that daemons and mosctl up make in the runtime directory; others stay. */
void crew_remove_files(bool spare_logs);

/* All of those, and the directory itself unless the user named it or something else is in it. */
void crew_remove_all(void);

#endif
