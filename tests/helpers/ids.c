/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who am I: asked a thousand times while computing, the answers must never change. They are printed as relations, not numbers. */
#define _GNU_SOURCE
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "check.h"

struct who {
	pid_t pid, parent, group, session, tid;
	uid_t uid, euid;
	gid_t gid, egid;
	int groups, nice, terminal;
	gid_t list[64];
	char host[65], system[65 * 3], directory[4096];
};

static struct who ask(void)
{
	struct who w;
	struct utsname u;
	memset(&w, 0, sizeof w);
	w.pid = getpid();
	w.parent = getppid();
	w.group = getpgrp();
	w.session = getsid(0);
	w.tid = (pid_t)syscall(SYS_gettid);
	w.uid = getuid();
	w.euid = geteuid();
	w.gid = getgid();
	w.egid = getegid();
	w.groups = getgroups(64, w.list);
	w.nice = getpriority(PRIO_PROCESS, 0);
	w.terminal = isatty(0) << 2 | isatty(1) << 1 | isatty(2);
	uname(&u);
	gethostname(w.host, sizeof w.host);
	snprintf(w.system, sizeof w.system, "%s %s %s", u.nodename, u.release, u.version);
	if (getcwd(w.directory, sizeof w.directory) == NULL)
		check(false, "getcwd");
	return w;
}

int main(void)
{
	struct who first = ask();
	printf("session leader %d, group leader %d, terminals %d, nice %d, groups %d\n", first.pid == first.session,
	       first.pid == first.group, first.terminal, first.nice, first.groups);
	printf("uid %u gid %u host %s\n", first.uid, first.gid, first.host);
	char link[64], pid[16];
	snprintf(pid, sizeof pid, "%d", first.pid);
	for (int i = 0; i < 700 && check_wrong == 0; i++) {
		struct who now = ask();
		check(memcmp(&first, &now, sizeof now) == 0, "an answer has changed in round %d", i);
		check(kill(first.pid, 0) == 0 && getpgid(first.pid) == first.group, "round %d: the pid is not mine", i);
		ssize_t n = readlink("/proc/self", link, sizeof link - 1);
		link[n > 0 ? n : 0] = '\0';
		check(strcmp(link, pid) == 0, "/proc/self is %s, not %s", link, pid);
		check_compute(2);
	}
	printf("scheduler %d\n", sched_getscheduler(0));
	setpriority(PRIO_PROCESS, 0, 3);
	check(getpriority(PRIO_PROCESS, 0) == 3, "nice");
	check(chdir("/") == 0 && access(first.directory, F_OK) == 0, "chdir");
	umask(027);
	check_compute(200);
	check(umask(022) == 027, "umask");
	return check_result();
}
