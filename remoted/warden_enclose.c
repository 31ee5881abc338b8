/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Building a cage from inside. Runs in a child of remoted made by raw clone3(2): no malloc, no stdio, nothing that takes a
 * lock. Order matters: everything that needs the outer file system or a capability is opened before it is given up.
 */
#include "warden_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;
	int r;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	r = n < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* Moves a descriptor out of the guests' way. */
static int lift(int *fd)
{
	int high = fcntl(*fd, F_DUPFD_CLOEXEC, WARDEN_FD_FIRST);

	if (high < 0)
		return -errno;
	close(*fd);
	*fd = high;
	return 0;
}

static int keep_only(int *a, int *b)
{
	int r = lift(a);

	if (r == 0)
		r = lift(b);
	if (r != 0)
		return r;
	/* Two descriptors at or above WARDEN_FD_FIRST are in use: close around them. */
	int low = *a < *b ? *a : *b, high = *a < *b ? *b : *a;

	if (close_range(0, (unsigned)low - 1, 0) < 0 || close_range((unsigned)high + 1, ~0u, 0) < 0)
		return -errno;
	if (high - low > 1 && close_range((unsigned)low + 1, (unsigned)high - 1, 0) < 0)
		return -errno;
	return 0;
}

static int map_user(uint32_t uid, uint32_t gid)
{
	char text[64];
	int r;

	snprintf(text, sizeof(text), "%u %u 1\n", uid, uid);
	r = write_file("/proc/self/uid_map", text);
	/* Without it the kernel does not let an ordinary user map a group. */
	if (r == 0)
		r = write_file("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "%u %u 1\n", gid, gid);
	if (r == 0)
		r = write_file("/proc/self/gid_map", text);
	return r;
}

static int open_proc(struct warden *w)
{
	int r;

	w->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w->proc < 0)
		return -errno;
	w->offsets = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (w->offsets < 0)
		return -errno;
	r = lift(&w->proc);
	return r != 0 ? r : lift(&w->offsets);
}

/*
 * No further namespaces, except of time, which the warden makes for each guest. Guests have clone3(2) but not the capability for
 * any other kind than a user namespace, and that is forbidden by cover_root(); this is the second lock on that door, and stays
 * open where /proc/sys cannot be written (containers).
 */
static void forbid_namespaces(void)
{
	static const char *const kinds[] = { "user", "pid", "mnt", "net", "ipc", "uts", "cgroup" };
	char path[64];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		snprintf(path, sizeof(path), "/proc/sys/user/max_%s_namespaces", kinds[i]);
		write_file(path, "0\n");
	}
}

/* An empty read-only file system for root. Mounted on /proc, which exists everywhere; the old root ends up on top of the new one
   (pivot_root(2), "pivot_root(".", ".")") and is detached. */
static int empty_mounts(void)
{
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("mosix", "/proc", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0555,size=4k,nr_inodes=2") < 0 ||
	    chdir("/proc") < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -errno;
	return 0;
}

/*
 * Whose root directory is not the topmost one of its mount namespace counts as chrooted, and the kernel lets nobody who is make a
 * user namespace (clone(2), EPERM). What is mounted here cannot be reached: "/" stays what lies under it.
 */
static int cover_root(void)
{
	return mount("mosix", "/", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0555,size=4k,nr_inodes=2") < 0 ?
	       -errno : 0;
}

int warden_keep(uint64_t capabilities)
{
	const uint64_t inherited = 1ull << CAP_CHECKPOINT_RESTORE;
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	for (unsigned i = 0; i < 2; i++)
		data[i] = (struct __user_cap_data_struct){
			.permitted = (uint32_t)(capabilities >> 32 * i), .effective = (uint32_t)(capabilities >> 32 * i),
			.inheritable = (uint32_t)(inherited >> 32 * i),
		};
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

/*
 * What the warden keeps: CHECKPOINT_RESTORE to choose pids, SYS_ADMIN to unshare time. Guests get the former, through the ambient
 * set, and nothing else: an empty bounding set and NOROOT see to it that exec gives no more, also when remoted runs as root.
 */
static int drop_capabilities(void)
{
	const unsigned long secure = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
				     SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
				     SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
	const uint64_t keep = 1ull << CAP_SYS_ADMIN | 1ull << CAP_CHECKPOINT_RESTORE;
	const uint64_t setup = keep | 1ull << CAP_SETPCAP;
	int r;

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	/* Before the bounding set goes, which limits what may become inheritable. */
	r = warden_keep(setup);
	if (r == 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHECKPOINT_RESTORE, 0, 0) < 0)
		r = -errno;
	if (r != 0)
		return r;
	for (unsigned long cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL)
			return -errno;
	if (prctl(PR_SET_SECUREBITS, secure, 0, 0, 0) < 0)
		return -errno;
	r = warden_keep(keep);
	if (r != 0)
		return r;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int warden_enclose(struct warden *w, const char *home, uint32_t uid, uint32_t gid, enum warden_step *ret_step)
{
	int r;

	*ret_step = WARDEN_PROC;
	/* A remoted that is dead by now shows as end of file on the socket. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "mosix-warden");
	/* SIG_IGN would outlive exec in the guests. */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	setsid();
	r = keep_only(&w->socket, &w->loader);
	if (r != 0)
		return r;

	*ret_step = WARDEN_MAP;
	r = map_user(uid, gid);
	if (r != 0)
		return r;

	*ret_step = WARDEN_PROC;
	r = open_proc(w);
	if (r != 0)
		return r;
	forbid_namespaces();
	if (sethostname(home, strnlen(home, 64)) < 0)
		sethostname("mosix", 5);

	*ret_step = WARDEN_EMPTY;
	r = empty_mounts();
	if (r == 0)
		r = cover_root();
	if (r != 0)
		return r;

	*ret_step = WARDEN_CAPABILITY;
	r = drop_capabilities();
	if (r != 0)
		return r;

	*ret_step = WARDEN_TIME;
	return unshare(CLONE_NEWTIME) < 0 ? -errno : 0;
}
