/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remoted/machine.h"

#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/proc.h"
#include "remoted/cage.h"

#define PROC_TEXT_MAX 65536

static int read_number(const char *path, uint64_t *ret_number)
{
	size_t size;
	char *text;
	int r = proc_read_text(path, PROC_TEXT_MAX, &text, &size);

	if (r < 0)
		return r;
	*ret_number = strtoull(text, NULL, 10);
	free(text);
	return 0;
}

/* A line "Name:   12345 kB" of /proc/meminfo. */
static uint64_t memory(const char *name)
{
	uint64_t bytes = 0;
	size_t size;
	char *text;

	if (proc_read_text("/proc/meminfo", PROC_TEXT_MAX, &text, &size) < 0)
		return 0;
	char *line = strstr(text, name);

	if (line)
		bytes = strtoull(line + strlen(name), NULL, 10) * 1024;
	free(text);
	return bytes;
}

uint64_t machine_available(void)
{
	return memory("MemAvailable:");
}

uint32_t machine_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	uint32_t count = 0;

	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count;
}

uint32_t machine_runnable(void)
{
	unsigned running = 0;
	size_t size;
	char *text;

	if (proc_read_text("/proc/loadavg", PROC_TEXT_MAX, &text, &size) < 0)
		return 0;
	if (sscanf(text, "%*s %*s %*s %u/", &running) != 1)
		running = 1;
	free(text);
	return running > 0 ? running - 1 : 0;
}

static bool kernel_too_old(char *why, size_t size)
{
	unsigned major = 0, minor = 0;
	struct utsname name;

	if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return false;
	if (major > 5 || (major == 5 && minor >= 11))
		return false;
	snprintf(why, size, "its kernel is %s, guests need Linux 5.11", name.release);
	return true;
}

static bool no_seccomp(char *why, size_t size)
{
	const uint32_t trap = SECCOMP_RET_TRAP;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &trap) == 0)
		return false;
	snprintf(why, size, "its kernel has no system call filters (seccomp)");
	return true;
}

static bool namespaces_off(char *why, size_t size)
{
	static const char *const kinds[] = { "user", "pid", "time", "net", "mnt", "ipc", "uts" };
	char path[64];
	uint64_t most;

	for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		snprintf(path, sizeof path, "/proc/sys/user/max_%s_namespaces", kinds[i]);
		if (read_number(path, &most) == 0 && most == 0) {
			snprintf(why, size, "%s namespaces are switched off (user.max_%s_namespaces is 0)", kinds[i], kinds[i]);
			return true;
		}
	}
	if (read_number("/proc/sys/kernel/unprivileged_userns_clone", &most) == 0 && most == 0 && geteuid() != 0) {
		snprintf(why, size, "user namespaces are for root only (kernel.unprivileged_userns_clone is 0)");
		return true;
	}
	return false;
}

/* Last, because it is right in all cases but knows the least about causes. */
static bool no_cage(char *why, size_t size)
{
	const char *step = "a cage cannot be made";
	uint64_t restricted = 0;
	int r = cage_probe(&step);

	if (r == 0)
		return false;
	read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", &restricted);
	snprintf(why, size, "%s: %s%s", step, strerror(-r),
		 restricted && geteuid() != 0 ? " (AppArmor: kernel.apparmor_restrict_unprivileged_userns is 1)" : "");
	return true;
}

/* In the order in which a person would want to hear of them: the first that applies is the one that is said. */
static bool (*const obstacles[])(char *why, size_t size) = { kernel_too_old, no_seccomp, namespaces_off, no_cage };

void machine_look(struct machine *ret_machine)
{
	struct machine m = { .cpus = 1, .pid_max = 32768 };
	struct rlimit files;
	uint64_t pid_max;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) == 0)
		m.cpus = (uint32_t)CPU_COUNT(&set);
	if (read_number("/proc/sys/kernel/pid_max", &pid_max) == 0)
		m.pid_max = (uint32_t)pid_max;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		m.descriptors = files.rlim_cur < UINT32_MAX ? (uint32_t)files.rlim_cur : UINT32_MAX;
	m.mem_total = memory("MemTotal:");
	cpu_read(&m.features);
	for (unsigned i = 0; i < sizeof obstacles / sizeof obstacles[0]; i++)
		if (obstacles[i](m.lacks, sizeof m.lacks))
			break;
	*ret_machine = m;
}
