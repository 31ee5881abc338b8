/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "homed/check.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <mosix/manifest.h>
#include <mosix/order.h>
#include "common/proc.h"

#define MAPS_MAX (64u << 20)

struct look {
	pid_t pid;
	unsigned flags;
	struct proc_stat stat;
	struct proc_status status;
	struct outcome *out;
};

static bool leader_dead(const struct look *l)
{
	return (l->status.state == 'Z' || l->status.state == 'X') && l->status.threads > 1;
}

static bool ended(const struct look *l)
{
	return (l->status.state == 'Z' || l->status.state == 'X') && l->status.threads <= 1;
}

static bool threads(const struct look *l)
{
	return !(l->flags & CHECK_AWAY) && l->status.threads > MOSIX_THREADS_MAX;
}

static bool traced(const struct look *l)
{
	return !(l->flags & CHECK_AWAY) && l->status.tracer != 0;	/* its deputy is: all the more reason to come home */
}

static bool stopped(const struct look *l)
{
	return l->status.state == 'T' || l->status.state == 't';
}

static bool filtered(const struct look *l)
{
	return l->status.seccomp != 0;
}

/* Of a deputy this may change from one moment to the next; whether it answers will show. */
static bool blocked(const struct look *l)
{
	uint64_t bit = 1ull << (MOSIX_SIGNAL - 1);

	if (l->flags & CHECK_AWAY)
		return false;
	return !(l->status.caught & bit) || ((l->status.blocked & bit) && !(l->flags & CHECK_PATIENT));
}

/* In this order: the first that holds is told. What the maps and descriptors say comes between (0). */
static const struct { uint32_t reason; bool (*holds)(const struct look *l); } rules[] = {
	{ MOSIX_WHY_ENDED,       ended       },
	{ MOSIX_WHY_LEADER_DEAD, leader_dead },
	{ MOSIX_WHY_TRACED,      traced      },
	{ MOSIX_WHY_STOPPED,     stopped     },
	{ MOSIX_WHY_NONE,        NULL        },
	{ MOSIX_WHY_THREADS,     threads     },
	{ MOSIX_WHY_SECCOMP,     filtered    },
	{ MOSIX_WHY_BLOCKED,     blocked     },
};

static void look_at_mapping(struct look *l, const char *line, bool *ret_loaded)
{
	const char *modes = strchr(line, ' '), *name = strchr(line, '/');

	if (!modes || strlen(modes) < 5)
		return;
	modes++;
	if (strstr(line, "/libmosix.so"))
		*ret_loaded = true;
	if (l->out->reason)
		return;
	if (strstr(line, "anon_inode:[io_uring]") || (name && !strncmp(name, "/[aio]", 6)))
		outcome_set(l->out, MOSIX_WHY_IO_RING, 0, NULL);
	else if (modes[3] == 's' && modes[1] == 'w')
		outcome_set(l->out, MOSIX_WHY_SHARED_MAP, 0, "%s", name ? name : "without a name");
}

/* A process whose maps cannot be read (not dumpable) is judged by its signals alone. */
static void look_at_maps(struct look *l)
{
	char path[64], *text, *line, *rest;
	bool loaded = false;
	size_t size;

	snprintf(path, sizeof(path), "/proc/%d/maps", l->pid);
	if (proc_read_text(path, MAPS_MAX, &text, &size) < 0)
		return;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		look_at_mapping(l, line, &loaded);
	free(text);
	if (size && !loaded)
		outcome_set(l->out, MOSIX_WHY_NOT_LOADED, 0, NULL);
}

/* Its own files of /proc would tell it about its deputy. */
static bool own_proc(pid_t pid, const char *target)
{
	char own[32];
	size_t n = (size_t)snprintf(own, sizeof(own), "/proc/%d/", pid);

	return !strncmp(target, own, n) || !strncmp(target, "/proc/self/", 11) || !strncmp(target, "/proc/thread-self/", 18);
}

static void look_at_descriptors(struct look *l)
{
	char path[64], target[PATH_MAX];
	struct dirent *entry;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", l->pid);
	directory = opendir(path);
	if (!directory)
		return;
	while (!l->out->reason && (entry = readdir(directory))) {
		ssize_t n = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);

		if (n < 0)
			continue;
		target[n] = 0;
		if (own_proc(l->pid, target))
			outcome_set(l->out, MOSIX_WHY_OWN_PROC, 0, "%s", target);
	}
	closedir(directory);
}

void check_descriptors(pid_t pid, struct outcome *ret_outcome)
{
	struct outcome out = { 0 };
	struct look l = { .pid = pid, .out = &out };

	look_at_descriptors(&l);
	*ret_outcome = out;
}

void check_process(pid_t pid, uint64_t start, unsigned flags, struct outcome *ret_outcome)
{
	struct outcome out = { 0 };
	struct look l = { .pid = pid, .flags = flags, .out = &out };

	if (proc_read_stat(pid, &l.stat) < 0 || l.stat.start != start || proc_read_status(pid, &l.status) < 0)
		outcome_set(&out, MOSIX_WHY_ENDED, 0, NULL);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && !out.reason; i++) {
		if (rules[i].holds) {
			if (rules[i].holds(&l))
				outcome_set(&out, rules[i].reason, 0, NULL);
		} else if (!(flags & CHECK_AWAY)) {
			look_at_maps(&l);
			if (!out.reason)
				look_at_descriptors(&l);
		}
	}
	if (out.reason == MOSIX_WHY_THREADS)
		out.detail = l.status.threads;
	*ret_outcome = out;
}
