/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remoted/member.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A line of /proc/PID/status: the numbers in it, outermost first. Returns how many, at most `most`. */
static unsigned numbers(const char *status, const char *name, long *ret, unsigned most)
{
	const char *at = strstr(status, name);
	unsigned count = 0;
	char *end;

	for (at = at ? at + strlen(name) : ""; count < most; at = end) {
		while (*at == ' ' || *at == '\t')
			at++;
		ret[count] = strtol(at, &end, 10);
		if (end == at)
			break;
		count++;
	}
	return count;
}

uint32_t member_number(int directory, pid_t pid, pid_t warden)
{
	long number[3], parent;
	char status[4096];
	int fd = openat(directory, "status", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, status, sizeof status - 1) : -1;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	status[n] = 0;
	if (numbers(status, "\nPPid:", &parent, 1) != 1 || parent != warden)
		return 0;
	return numbers(status, "\nNSpid:", number, 3) == 2 && number[0] == pid && number[1] > 1 ? (uint32_t)number[1] : 0;
}

pid_t member_find(pid_t warden, uint32_t number)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	pid_t found = -ESRCH;

	while (proc && found < 0 && (entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		int directory = pid > 0 ? openat(dirfd(proc), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

		if (directory < 0)
			continue;
		if (member_number(directory, pid, warden) == number)
			found = pid;
		close(directory);
	}
	if (proc)
		closedir(proc);
	return found;
}
