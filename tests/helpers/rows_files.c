/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rows_files: the calls that concern paths, what is behind them, and descriptors as such. See rows.h. */
#include "rows.h"

#include <linux/openat2.h>
#include <sys/xattr.h>

#define STAT_HIDES                          \
	{                                   \
		{ 1, 0, 16 }, { 1, 40, 8 }, \
		{                           \
			1, 72, 48           \
		}                           \
	} /* device and inode; which terminal; times */

/* Whatever a call has done to them: the directory is still the one that is open, the others are made anew. */
static void fresh_tree(void)
{
	static const char *const names[] = { "renamed", "missing", "new",   "small", "link",
					     "loop",    "fifo",    "empty", "data",  "directory/new" };
	char inside[64];
	struct stat file;

	if (chdir(getenv("ROWS_DIRECTORY")) != 0)
		exit(3);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(inside, sizeof(inside), "%s/a", names[i]);
		if (access(inside, F_OK) == 0) {
			if (unlink("directory") != 0)
				rmdir("directory");
			rename(names[i], "directory");
		}
		if (strcmp(names[i], "data") == 0 && lstat("data", &file) == 0 && S_ISREG(file.st_mode))
			continue;
		if (unlink(names[i]) != 0)
			rmdir(names[i]);
	}
	files_make();
}

static void fresh_modes(void)
{
	fresh_tree();
	chmod("small", 0644);
	chmod("data", 0644);
	chmod("directory", 0755);
}

static void fresh_attributes(void)
{
	static const char *const names[] = { "small", "data", "directory" };

	for (size_t i = 0; i < 3; i++)
		setxattr(names[i], "user.here", "value", 5, 0);
	removexattr("small", "user.new");
	removexattr("data", "user.new");
}

static void to_begin(void)
{
	lseek(D_DATA, 0, SEEK_SET);
	lseek(D_DIR, 0, SEEK_SET);
	lseek(D_READ, 0, SEEK_SET);
}

static void opening(void)
{
	const struct open_how how = { .flags = O_RDONLY }, create = { .flags = O_CREAT | O_RDWR, .mode = 0600 };
	const struct {
		struct open_how how;
		uint64_t more[2];
	} larger = { { .flags = O_RDONLY }, { 0, 0 } }, strange = { { .flags = O_RDONLY }, { 7, 0 } };

	ROW(open,
	    { PATH("small"),
	      V(O_RDONLY | O_NONBLOCK, O_RDWR | O_NONBLOCK, O_CREAT | O_EXCL, O_DIRECTORY, O_PATH, O_TMPFILE | O_RDWR, -1),
	      V(0, -1) },
	    MAKES, fresh_tree);
	ROW(open, { PATH("new"), V(O_CREAT | O_RDWR, O_CREAT | O_WRONLY | O_TRUNC | O_NOFOLLOW), V(0640, 0, 07777, -1) },
	    MAKES | FRESH, fresh_tree);
	ROW(creat, { PATH("new"), V(0640, 0, -1) }, MAKES | BLOCKS, fresh_tree);
	ROW(openat, { FD(AT_FDCWD), PATH("small"), V(O_RDONLY | O_NONBLOCK, O_RDWR | O_NONBLOCK, O_DIRECTORY, -1), V(0) }, MAKES,
	    fresh_tree);
	GOOD(openat, { FD(D_DIR), PATH("a"), V(0), V(0) });
	ROW(openat2, { FD(AT_FDCWD), PATH("small"), IN(&how, sizeof(how)), LEN(sizeof(how)) }, MAKES | BLOCKS, fresh_tree);
	GOOD(openat2, { FD(D_DIR), PATH("new"), IN(&create, sizeof(create)), LEN(sizeof(create)) });
	GOOD(openat2, { FD(AT_FDCWD), PATH("small"), IN(&larger, sizeof(larger)), LEN(sizeof(larger)) });
	GOOD(openat2, { FD(AT_FDCWD), PATH("small"), IN(&strange, sizeof(strange)), LEN(sizeof(strange)) });
}

static void looking(void)
{
	ROW(stat, { PATH("small"), OUT(144) }, .hide = STAT_HIDES);
	ROW(lstat, { PATH("link"), OUT(144) }, .hide = STAT_HIDES);
	ROW(fstat, { FD(D_DATA), OUT(144) }, .hide = STAT_HIDES);
	ROW(newfstatat, { FD(AT_FDCWD), PATH("small"), OUT(144), V(0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, -1) },
	    .hide = { { 2, 0, 16 }, { 2, 72, 48 } });
	GOOD(newfstatat, { FD(D_DIR), PATH("a"), OUT(144), V(0) }, .hide = { { 2, 0, 16 }, { 2, 72, 48 } });
	ROW(statx,
	    { FD(AT_FDCWD), PATH("small"), V(0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, -1), V(0x7ff, 0, 0x80000000, -1), OUT(256) },
	    .hide = { { 4, 32, 8 }, { 4, 64, 72 }, { 4, 144, 8 } });
	ROW(access, { PATH("small"), V(R_OK, X_OK, 8, -1) });
	ROW(faccessat, { FD(AT_FDCWD), PATH("small"), V(R_OK, X_OK, 8, -1) });
	ROW(faccessat2, { FD(AT_FDCWD), PATH("small"), V(R_OK, X_OK, 8, -1), V(0, AT_EACCESS, AT_EMPTY_PATH, -1) });
	ROW(statfs, { PATH("small"), OUT(120) }, .hide = { { 1, 24, 32 } });
	ROW(fstatfs, { FD(D_DATA), OUT(120) }, .hide = { { 1, 24, 32 } });
	ROW(readlink, { PATH("link"), OUT(64), LEN(64) });
	ROW(readlinkat, { FD(AT_FDCWD), PATH("link"), OUT(64), LEN(64) });
	ROW(getcwd, { OUT(2000), LEN(2000) });
	ROW(getdents, { FD(D_DIR), OUT(2000), LEN(2000) }, .before = to_begin, .hide = { { 1, 0, 2000 } });
	ROW(getdents64, { FD(D_DIR), OUT(2000), LEN(2000) }, .before = to_begin, .hide = { { 1, 0, 2000 } });
}

static void changing(void)
{
	const struct {
		int64_t t[4];
	} times = { { 1000, 5, 2000, 6 } }, wrong = { { 1000, -7, 2000, 6 } };

	ROW(truncate, { PATH("small"), V(26, 0, 5000, -1, LONG_MIN) }, BLOCKS, fresh_tree);
	ROW(ftruncate, { FD(D_DATA), V(10000, 0, 20000, -1) }, 0, fresh_tree);
	ROW(chdir, { PATH("directory") }, 0, fresh_tree);
	ROW(fchdir, { FD(D_DIR) }, 0, fresh_tree);
	ROW(rename, { PATH("small"), PATH("renamed") }, 0, fresh_tree);
	ROW(renameat, { FD(AT_FDCWD), PATH("small"), FD(D_DIR), PATH("new") }, 0, fresh_tree);
	ROW(renameat2, { FD(AT_FDCWD), PATH("small"), FD(AT_FDCWD), PATH("data"), V(2, 0, 1, 3, -1) }, 0, fresh_tree);
	ROW(mkdir, { PATH("new"), V(0755, 0, -1) }, 0, fresh_tree);
	ROW(mkdirat, { FD(D_DIR), PATH("new"), V(0755, 0, -1) }, 0, fresh_tree);
	ROW(rmdir, { PATH("empty") }, 0, fresh_tree);
	ROW(link, { PATH("small"), PATH("new") }, 0, fresh_tree);
	ROW(linkat, { FD(AT_FDCWD), PATH("small"), FD(AT_FDCWD), PATH("new"), V(0, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH, -1) }, 0,
	    fresh_tree);
	ROW(unlink, { PATH("small") }, 0, fresh_tree);
	ROW(unlinkat, { FD(AT_FDCWD), PATH("small"), V(0, AT_REMOVEDIR, -1) }, 0, fresh_tree);
	ROW(symlink, { PATH("small"), PATH("new") }, 0, fresh_tree);
	ROW(symlinkat, { PATH("small"), FD(D_DIR), PATH("new") }, 0, fresh_tree);
	ROW(mknod, { PATH("new"), V(S_IFREG | 0644, S_IFIFO | 0600, S_IFSOCK | 0600, S_IFDIR | 0600, -1), V(0) }, 0, fresh_tree);
	ROW(mknodat, { FD(D_DIR), PATH("new"), V(S_IFREG | 0644, S_IFIFO | 0600, S_IFSOCK | 0600, -1), V(0) }, 0, fresh_tree);
	ROW(chmod, { PATH("small"), V(0600, -1) }, 0, fresh_modes);
	ROW(fchmod, { FD(D_DATA), V(0600, -1) }, 0, fresh_modes);
	ROW(fchmodat, { FD(AT_FDCWD), PATH("small"), V(0600, -1) }, 0, fresh_modes);
	ROW(fchmodat2, { FD(AT_FDCWD), PATH("small"), V(0600, -1), V(0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, -1) }, 0,
	    fresh_modes);
	ROW(chown, { PATH("small"), V(-1, getuid()), V(-1, getgid()) }, 0, fresh_tree);
	ROW(lchown, { PATH("link"), V(-1, getuid()), V(-1, getgid()) }, 0, fresh_tree);
	ROW(fchown, { FD(D_DATA), V(-1, getuid()), V(-1, getgid()) }, 0, fresh_tree);
	ROW(fchownat,
	    { FD(AT_FDCWD), PATH("small"), V(-1, getuid()), V(-1, getgid()), V(0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, -1) }, 0,
	    fresh_tree);
	ROW(umask, { V(022, 0, -1, 022) });
	ROW(utime, { PATH("small"), IN(&times, 16) }, 0, fresh_tree);
	ROW(utimes, { PATH("small"), IN(&times, 32) }, 0, fresh_tree);
	GOOD(utimes, { PATH("small"), IN(&wrong, 32) });
	ROW(futimesat, { FD(AT_FDCWD), PATH("small"), IN(&times, 32) }, 0, fresh_tree);
	ROW(utimensat, { FD(AT_FDCWD), PATH("small"), IN(&times, 32), V(0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, -1) }, 0,
	    fresh_tree);
	GOOD(utimensat, { FD(D_DATA), V(0), IN(&times, 32), V(0) });
	GOOD(utimensat, { FD(D_DATA), V(0), IN(&wrong, 32), V(0) });
}

static void attributes(void)
{
	static const uint64_t file_attr[8] = { 0 };

	ROW(setxattr, { PATH("small"), PATH("user.new"), IN("value", 5), LEN(5), V(0, XATTR_CREATE, XATTR_REPLACE, -1) }, 0,
	    fresh_attributes);
	ROW(lsetxattr, { PATH("small"), PATH("user.new"), IN("value", 5), LEN(5), V(0, XATTR_CREATE, XATTR_REPLACE, -1) }, 0,
	    fresh_attributes);
	ROW(fsetxattr, { FD(D_DATA), PATH("user.new"), IN("value", 5), LEN(5), V(0, XATTR_CREATE, XATTR_REPLACE, -1) }, 0,
	    fresh_attributes);
	ROW(getxattr, { PATH("small"), PATH("user.here"), OUT(64), LEN(64) }, 0, fresh_attributes);
	ROW(lgetxattr, { PATH("small"), PATH("user.here"), OUT(64), LEN(64) }, 0, fresh_attributes);
	ROW(fgetxattr, { FD(D_DATA), PATH("user.here"), OUT(64), LEN(64) }, 0, fresh_attributes);
	ROW(listxattr, { PATH("small"), OUT(64), LEN(64) }, 0, fresh_attributes);
	ROW(llistxattr, { PATH("small"), OUT(64), LEN(64) }, 0, fresh_attributes);
	ROW(flistxattr, { FD(D_DATA), OUT(64), LEN(64) }, 0, fresh_attributes);
	ROW(listxattrat, { FD(AT_FDCWD), PATH("small"), V(0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, -1), OUT(64), LEN(64) }, 0,
	    fresh_attributes);
	ROW(removexattr, { PATH("small"), PATH("user.here") }, 0, fresh_attributes);
	ROW(lremovexattr, { PATH("small"), PATH("user.here") }, 0, fresh_attributes);
	ROW(fremovexattr, { FD(D_DATA), PATH("user.here") }, 0, fresh_attributes);
	ROW(removexattrat, { FD(AT_FDCWD), PATH("small"), V(0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, -1), PATH("user.here") }, 0,
	    fresh_attributes);
	ROW(file_getattr,
	    { FD(AT_FDCWD), PATH("small"), IO(file_attr, 24), LEN(24), V(0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, -1) });
	ROW(file_setattr,
	    { FD(AT_FDCWD), PATH("small"), IN(file_attr, 24), LEN(24), V(0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, -1) });
}

static void descriptors(void)
{
	ROW(close, { FD(D_DATA) }, FRESH);
	ROW(dup, { FD(D_DATA) }, MAKES);
	ROW(dup2, { FD(D_DATA), FD(D_CLOSED + 1) }, FRESH);
	GOOD(dup2, { FD(D_DATA), FD(D_DATA) });
	GOOD(dup2, { FD(D_CLOSED), FD(D_CLOSED) });
	ROW(dup3, { FD(D_DATA), FD(D_CLOSED + 1), V(0, O_CLOEXEC, -1) }, FRESH);
	GOOD(dup3, { FD(D_DATA), FD(D_DATA), V(0) });
	ROW(close_range,
	    { V(D_END + 1, D_DATA, 2000, 0xffffffff, 1L << 32 | 2000), V(D_HIGH, D_DATA, 1023, 1030, 0xffffffff, 2000),
	      V(0, 4, 2, -1) },
	    FRESH);
	GOOD(close_range, { V(2000), V(1), V(0) });
	ROW(memfd_create, { PATH("name"), V(0, MFD_CLOEXEC, MFD_ALLOW_SEALING, 0x80, -1) }, MAKES);
	for (size_t n = 248; n < 252; n++)
		GOOD(memfd_create, { PATH(long_path(n)), V(0) });
	ROW(lseek, { FD(D_DATA), V(10, 0, -1, LONG_MAX, 10000), V(SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE, 5, -1) }, 0,
	    to_begin);
	ROW(flock, { FD(D_DATA), V(LOCK_SH, LOCK_EX | LOCK_NB, LOCK_UN, 0, -1) }, BLOCKS | FRESH);
	ROW(fsync, { FD(D_DATA) });
	ROW(fdatasync, { FD(D_DATA) });
	ROW(syncfs, { FD(D_NULL) }, GOOD_ONLY);
	ROW(syncfs, { FD(D_CLOSED) }, GOOD_ONLY);
	ROW(sync, { V(0) }, GOOD_ONLY);
	ROW(sync_file_range, { FD(D_DATA), V(0, -1), V(100, -1), V(2, 0, 8, -1) });
	ROW(fadvise64, { FD(D_DATA), V(0, -1), V(100, -1), V(POSIX_FADV_WILLNEED, 0, 9, -1) });
	ROW(readahead, { FD(D_DATA), V(0, -1), V(100, -1) });
	ROW(fallocate, { FD(D_DATA), V(0, FALLOC_FL_KEEP_SIZE, 3, 0x1000, -1), V(0, 100, -1), V(12000, 0, -1) }, 0, fresh_tree);
	const uint64_t range[2] = { 0, 4096 };
	ROW(cachestat, { FD(D_DATA), IN(range, 16), OUT(40), V(0, 1, -1) }, .hide = { { 2, 0, 40 } });
}

static void watching(void)
{
	ROW(inotify_init, { V(0) }, MAKES);
	ROW(inotify_init1, { V(0, IN_NONBLOCK, IN_CLOEXEC, 1, -1) }, MAKES);
	ROW(inotify_add_watch, { FD(D_INOTIFY), PATH("small"), V(IN_OPEN, 0, 0x02000000 | IN_OPEN, -1) }, FRESH);
	ROW(inotify_rm_watch, { FD(D_INOTIFY), V(1, 0, -1) });
	ROW(fanotify_init, { V(0x200, 0, 0x80000000, -1), V(O_RDONLY, -1) }, MAKES);
	ROW(fanotify_mark, { FD(D_INOTIFY), V(1, 0, -1), V(0x20, 0, -1), FD(AT_FDCWD), PATH("small") });
}

/* What is wrong with the strings for a program that could be executed. None of these calls succeeds. */
static void executing(const char *program)
{
	const char *const empty[] = { NULL };
	char *const long_string = (char *)area[6]; /* stands for one */
	const struct {
		const char *what;
		long argv[3];
		bool cut;
	} cases[] = {
		{ "a string nowhere", { (long)"x", nowhere, 0 }, false },
		{ "a string in the kernel", { (long)0xffffffff81000000, 0 }, false },
		{ "a string too long", { (long)long_string, 0 }, false },
		{ "no end", { (long)"x", (long)"y", (long)"z" }, true },
	};
	size_t room = 200000;
	char *huge = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ROW(execve, { PATH("small"), IN(empty, 8), IN(empty, 8) }, 0, fresh_tree);
	ROW(execveat, { FD(AT_FDCWD), PATH("small"), IN(empty, 8), IN(empty, 8), V(0, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, -1) },
	    0, fresh_tree);
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		bool environment = i % 2;
		long list[3];

		memcpy(list, cases[i / 2].argv, sizeof(list));
		if (list[0] == (long)long_string)
			list[0] = (long)huge;
		row_ready();
		areas_fill();
		memset(huge, 'h', room - 1);
		huge[131072 + (i / 2 == 2 ? 0 : -1)] = '\0';
		uint8_t *at = cases[i / 2].cut ? area[1] + AREA - 24 : area[1] + MIDDLE;
		memcpy(at, list, sizeof(list));
		memset(area[2] + MIDDLE, 0, 8);
		long other = (long)area[2] + MIDDLE;
		line("execve", RAW(NR_execve, (long)program, environment ? other : (long)at, environment ? (long)at : other),
		     "%s in %s", cases[i / 2].what, environment ? "environment" : "arguments");
		line("execveat",
		     RAW(NR_execveat, -1, (long)program, environment ? other : (long)at, environment ? (long)at : other, 0),
		     "%s in %s", cases[i / 2].what, environment ? "environment" : "arguments");
	}
	munmap(huge, room);
}

int main(int argc, char **argv)
{
	static char program[PATH_MAX];

	if (rows_executed(argc, argv))
		return 7;
	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		return 3;
	rows_begin();
	opening();
	looking();
	changing();
	attributes();
	descriptors();
	watching();
	executing(program);
	rows_become(program, false);
}
