/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "crew.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include <mosix/paths.h>
#include "common/runtime.h"
#include "clock.h"

#define TERM_MS 5000
#define KILL_MS 5000

static bool has_suffix(const char *name, const char *suffix)
{
	size_t a = strlen(name), b = strlen(suffix);

	return a > b && !strcmp(name + a - b, suffix);
}

/* ---- the runtime directory ---- */

/* Everything that daemons and mosctl up put there; a file of any other name is somebody else's and stays. */
static bool is_ours(const char *name)
{
	static const char *const names[] = { MOSIX_PATH_REGISTER,    MOSIX_PATH_ORDERS, MOSIX_PATH_CONTROL, MOSIX_PATH_BOOK,
					     MOSIX_PATH_BOOK ".new", CREW_CONF,         CREW_CONF ".new",   CREW_KEY };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (!strcmp(name, names[i]))
			return true;
	}
	return has_suffix(name, ".pid") || has_suffix(name, ".port") || has_suffix(name, ".port.new") ||
	       has_suffix(name, ".block") || has_suffix(name, ".log");
}

/* Calls `each` with the names in the runtime directory that it may want; the first result that is not 0 ends it. */
static int each_file(int (*each)(const char *name, void *data), void *data)
{
	char directory[PATH_MAX];
	struct dirent *entry;
	DIR *dir;
	int error = runtime_directory(directory, sizeof directory);

	if (error)
		return error;
	dir = opendir(directory);
	if (!dir)
		return -errno;
	while (!error && (entry = readdir(dir)))
		error = each(entry->d_name, data);
	closedir(dir);
	return error;
}

static int remove_file(const char *name, void *data)
{
	char path[PATH_MAX];
	const bool *spare_logs = data;

	if (is_ours(name) && !(*spare_logs && has_suffix(name, ".log")) && !runtime_path(name, path, sizeof path))
		unlink(path);
	return 0;
}

void crew_remove_files(bool spare_logs)
{
	each_file(remove_file, &spare_logs);
}

void crew_remove_all(void)
{
	char directory[PATH_MAX];
	const char *own = getenv("MOSIX_RUNTIME_DIR");

	crew_remove_files(false);
	/* A directory that the user made and named stays; rmdir() spares one that is not empty. */
	if (!(own && *own) && !runtime_directory(directory, sizeof directory))
		rmdir(directory);
}

/* ---- daemons ---- */

static int note_daemon(const char *name, void *data)
{
	struct crew *all = data;
	char *own;
	int error;

	if (!has_suffix(name, ".pid") || all->count == CREW_MAX)
		return 0;
	own = all->member[all->count].name;
	snprintf(own, NAME_MAX + 1, "%.*s", (int)(strlen(name) - 4), name);
	error = runtime_pid_find(own, &all->member[all->count].pid, &all->member[all->count].pidfd);
	if (!error)
		all->count++;
	return 0;
}

int crew_find(struct crew *ret_crew)
{
	ret_crew->count = 0;
	return each_file(note_daemon, ret_crew);
}

void crew_free(struct crew *crew)
{
	for (size_t i = 0; i < crew->count; i++)
		close(crew->member[i].pidfd);
	crew->count = 0;
}

static bool wait_end(int pidfd, int timeout_ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	long end = clock_ms() + timeout_ms, left;

	while ((left = end - clock_ms()) > 0) {
		int n = poll(&p, 1, (int)left);

		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
	return false;
}

static bool is_homed(const struct crew *crew, size_t i)
{
	return !strcmp(crew->member[i].name, "homed");
}

/* homed goes first: a remoted that ends under it would look like a node that dies. */
int crew_end(const struct crew *crew, size_t *ret_who)
{
	int result = 0;

	for (int turn = 0; turn < 2; turn++) {
		bool homed = turn == 0;

		for (size_t i = 0; i < crew->count; i++) {
			if (is_homed(crew, i) == homed)
				pidfd_send_signal(crew->member[i].pidfd, SIGTERM, NULL, 0);
		}
		for (size_t i = 0; i < crew->count; i++) {
			int pidfd = crew->member[i].pidfd;

			if (is_homed(crew, i) != homed || wait_end(pidfd, TERM_MS))
				continue;
			pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
			if (!wait_end(pidfd, KILL_MS)) {
				result = -ETIMEDOUT;
				*ret_who = i;
			}
		}
	}
	return result;
}
