/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Marshalling of calls on files, vectors, bad pointers and the process itself: away as natively. */
#define _GNU_SOURCE
#include "marshal_pair.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

static char start[4096];

static void enter_folder(void)
{
	char name[] = "/tmp/mosix-marshal-XXXXXX";

	ck_assert_ptr_ne(getcwd(start, sizeof(start)), NULL);
	ck_assert_ptr_ne(mkdtemp(name), NULL);
	ck_assert_int_eq(chdir(name), 0);
}

static void leave_folder(void)
{
	char name[4096];

	ck_assert_ptr_ne(getcwd(name, sizeof(name)), NULL);
	ck_assert_int_eq(chdir(start), 0);
	ck_assert_int_eq(rmdir(name), 0);
}

static void scene_files(pair_call call, struct notes *n)
{
	char buffer[8192], path[5000];
	struct timespec times[2] = { { 1000, 1 }, { 2000, 2 } };
	uint8_t stat[144], statx[256];
	loff_t offset = 2;
	int fd, to;

	enter_folder();
	fd = (int)DO(call, SYS_open, "file", O_RDWR | O_CREAT | O_EXCL, 0640);
	ck_assert_int_ge(fd, 0);
	NOTED(n, call, SYS_open, "file", O_RDWR | O_CREAT | O_EXCL, 0640);
	NOTED(n, call, SYS_openat, AT_FDCWD, "none", O_RDONLY, 0);
	NOTED(n, call, SYS_openat, 999, "none", O_RDONLY, 0);
	NOTED(n, call, SYS_write, fd, "hello, world", 12);
	NOTED(n, call, SYS_write, fd, NULL, 0);
	NOTED(n, call, SYS_pwrite64, fd, "J", 1, 7);
	NOTED(n, call, SYS_lseek, fd, 0, SEEK_SET);
	memset(buffer, '.', sizeof(buffer));
	NOTED(n, call, SYS_read, fd, buffer, 5);
	NOTED(n, call, SYS_read, fd, buffer + 10, 4000);
	NOTED(n, call, SYS_read, fd, buffer + 100, 4000);
	NOTED(n, call, SYS_pread64, fd, buffer + 200, 3, 4);
	NOTED(n, call, SYS_pread64, fd, buffer + 200, 3, -4);
	note(n, buffer, 4096);
	NOTED(n, call, SYS_utimensat, AT_FDCWD, "file", times, 0);
	NOTED(n, call, SYS_utimensat, fd, NULL, NULL, 0);
	NOTED(n, call, SYS_utimensat, AT_FDCWD, "file", times, 0);
	memset(stat, 7, sizeof(stat));
	NOTED(n, call, SYS_fstat, fd, stat);
	note(n, stat + 24, 4);			/* st_mode */
	note(n, stat + 48, 56);			/* st_size … st_mtim */
	NOTED(n, call, SYS_statx, AT_FDCWD, "file", 0, STATX_BASIC_STATS, statx);
	note(n, statx + 40, 8);			/* stx_size */
	NOTED(n, call, SYS_symlink, "somewhere", "link");
	memset(buffer, '.', 100);
	NOTED(n, call, SYS_readlink, "link", buffer, 4);
	NOTED(n, call, SYS_readlink, "link", buffer + 10, 80);
	NOTED(n, call, SYS_readlink, "link", buffer, 0);
	NOTED(n, call, SYS_readlink, "file", buffer, 80);
	NOTED(n, call, SYS_readlinkat, AT_FDCWD, "link", buffer + 50, 30);
	note(n, buffer, 100);
	NOTED(n, call, SYS_getcwd, buffer, 3);
	ck_assert_int_gt(DO(call, SYS_getcwd, buffer, sizeof(buffer)), 5);
	NOTED(n, call, SYS_rename, "link", "link2");
	NOTED(n, call, SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, "link2", 1 /* RENAME_NOREPLACE */);
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	NOTED(n, call, SYS_unlink, path);
	path[4095] = '\0';
	NOTED(n, call, SYS_unlink, path);
	path[255] = '\0';
	NOTED(n, call, SYS_unlink, path);
	NOTED(n, call, SYS_unlink, "");
	NOTED(n, call, SYS_setxattr, "file", "user.name", "value", 5, 0);
	NOTED(n, call, SYS_getxattr, "file", "user.name", NULL, 0);
	NOTED(n, call, SYS_getxattr, "file", "user.name", buffer, 2);
	memset(buffer, '.', 100);
	NOTED(n, call, SYS_getxattr, "file", "user.name", buffer, 100);
	NOTED(n, call, SYS_listxattr, "file", buffer + 50, 50);
	memset(path, 'x', 1000);
	path[1000] = '\0';
	NOTED(n, call, SYS_setxattr, "file", path, "value", 5, 0);
	note(n, buffer, 100);
	to = (int)DO(call, SYS_openat, AT_FDCWD, "copy", O_RDWR | O_CREAT, 0600);
	NOTED(n, call, SYS_sendfile, to, fd, &offset, 3);
	note_value(n, offset);
	NOTED(n, call, SYS_copy_file_range, fd, &offset, to, NULL, 100, 0);
	note_value(n, offset);
	NOTED(n, call, SYS_pread64, to, buffer, 50, 0);
	note(n, buffer, 50);
	NOTED(n, call, SYS_ftruncate, to, 3);
	NOTED(n, call, SYS_fstat, to, stat);
	note(n, stat + 48, 8);
	NOTED(n, call, SYS_chmod, "copy", 0400);
	NOTED(n, call, SYS_access, "copy", X_OK);
	NOTED(n, call, SYS_fchdir, 999);
	NOTED(n, call, SYS_close, to);
	NOTED(n, call, SYS_close, to);
	NOTED(n, call, SYS_close, fd);
	NOTED(n, call, SYS_unlinkat, AT_FDCWD, "copy", 0);
	NOTED(n, call, SYS_unlink, "link2");
	NOTED(n, call, SYS_unlink, "file");
	leave_folder();
}

static void scene_folders(pair_call call, struct notes *n)
{
	char buffer[4096];
	int names = 0, fd;

	enter_folder();
	NOTED(n, call, SYS_mkdir, "a", 0700);
	NOTED(n, call, SYS_mkdirat, AT_FDCWD, "b", 0700);
	fd = (int)DO(call, SYS_openat, AT_FDCWD, ".", O_RDONLY | O_DIRECTORY);
	NOTED(n, call, SYS_getdents64, fd, buffer, 1);
	for (int64_t size; (size = DO(call, SYS_getdents64, fd, buffer, sizeof(buffer))) > 0;)
		for (int64_t at = 0; at < size; at += ((struct dirent *)(buffer + at))->d_reclen)
			names += ((struct dirent *)(buffer + at))->d_name[0];
	note_value(n, names);
	NOTED(n, call, SYS_close, fd);
	NOTED(n, call, SYS_rmdir, "a");
	NOTED(n, call, SYS_rmdir, "b");
	NOTED(n, call, SYS_rmdir, "b");
	leave_folder();
}

static void scene_vectors(pair_call call, struct notes *n)
{
	char buffer[4096];
	uint8_t *edge = pair_edge();
	struct iovec iov[1030] = { { "one", 3 }, { NULL, 0 }, { "three", 5 }, { edge, 0 }, { "four", 4 } };
	int fd = memfd_create("vector", 0), p[2];

	NOTED(n, call, SYS_writev, fd, iov, 5);
	NOTED(n, call, SYS_writev, fd, iov, 0);
	NOTED(n, call, SYS_writev, fd, iov, 1025);
	NOTED(n, call, SYS_writev, fd, iov, -1);
	NOTED(n, call, SYS_writev, fd, NULL, 3);
	NOTED(n, call, SYS_writev, fd, edge, 3);
	NOTED(n, call, SYS_writev, 999, edge, 3);
	NOTED(n, call, SYS_writev, fd, iov, 1024);
	NOTED(n, call, SYS_pwritev, fd, iov, 3, 2, 0);
	NOTED(n, call, SYS_pwritev2, fd, iov, 3, -1, -1, 0);
	NOTED(n, call, SYS_pwritev2, fd, iov, 3, 0, 0, 0x4000);
	memset(buffer, '.', sizeof(buffer));
	iov[0] = (struct iovec){ buffer, 4 };
	iov[1] = (struct iovec){ buffer + 10, 0 };
	iov[2] = (struct iovec){ buffer + 100, 1000 };
	iov[3] = (struct iovec){ buffer + 2000, 1000 };
	NOTED(n, call, SYS_preadv, fd, iov, 4, 1, 0);
	NOTED(n, call, SYS_preadv2, fd, iov, 4, 3, 0, 0);
	NOTED(n, call, SYS_lseek, fd, 0, SEEK_SET);
	NOTED(n, call, SYS_readv, fd, iov, 2);
	NOTED(n, call, SYS_readv, fd, iov, 4);
	NOTED(n, call, SYS_readv, fd, iov, 4);
	note(n, buffer, sizeof(buffer));
	/* A bad element stops what goes before it from being more. */
	ck_assert_int_eq(pipe(p), 0);
	iov[0] = (struct iovec){ "good", 4 };
	iov[1] = (struct iovec){ edge, 10 };
	NOTED(n, call, SYS_writev, p[1], iov, 2);
	NOTED(n, call, SYS_writev, p[1], iov + 1, 1);
	iov[0] = (struct iovec){ buffer, 2 };
	iov[1] = (struct iovec){ edge, 10 };
	NOTED(n, call, SYS_readv, fd, iov, 2);
	NOTED(n, call, SYS_pwrite64, p[1], iov, 2, 0);
	close(fd);
	close(p[0]);
	close(p[1]);
}

static void scene_bad_pointers(pair_call call, struct notes *n)
{
	uint8_t *edge = pair_edge(), buffer[64];
	void *const bad[] = { NULL, edge, (void *)8, (void *)0xffff800000000000, (void *)-1l };
	struct timeval soon = { 0, 0 };
	int fd = memfd_create("bad", 0), p[2];

	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(write(fd, "0123456789", 10), 10);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		lseek(fd, 0, SEEK_SET);
		NOTED(n, call, SYS_read, fd, bad[i], 10);
		NOTED(n, call, SYS_read, 999, bad[i], 10);
		NOTED(n, call, SYS_write, fd, bad[i], 10);
		NOTED(n, call, SYS_write, p[1], bad[i], 10);
		NOTED(n, call, SYS_open, bad[i], O_RDONLY);
		NOTED(n, call, SYS_openat, 999, bad[i], O_RDONLY);
		NOTED(n, call, SYS_stat, "/", bad[i]);
		NOTED(n, call, SYS_stat, bad[i], bad[i]);
		NOTED(n, call, SYS_pipe2, bad[i], 0);
		NOTED(n, call, SYS_pipe2, bad[i], 0x80000000);
		NOTED(n, call, SYS_poll, bad[i], 1, 0);
		NOTED(n, call, SYS_nanosleep, bad[i], bad[i]);
		NOTED(n, call, SYS_uname, bad[i]);
		NOTED(n, call, SYS_getgroups, 0, bad[i]);
		NOTED(n, call, SYS_getcwd, bad[i], 100);
		NOTED(n, call, SYS_getresuid, buffer, bad[i], buffer);
		NOTED(n, call, SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, bad[i]);
		NOTED(n, call, SYS_prlimit64, 0, 77, bad[i], NULL);
		NOTED(n, call, SYS_select, 1, bad[i], NULL, NULL, &soon);
		NOTED(n, call, SYS_epoll_ctl, 999, 1, 0, bad[i]);
		NOTED(n, call, SYS_wait4, -1, bad[i], 1 /* WNOHANG */, bad[i]);
		NOTED(n, call, SYS_ioctl, fd, FIONREAD, bad[i]);
		NOTED(n, call, SYS_ioctl, p[0], FIONREAD, bad[i]);
		NOTED(n, call, SYS_fcntl, fd, F_SETLK, bad[i]);
		NOTED(n, call, SYS_prctl, PR_SET_NAME, bad[i]);
		NOTED(n, call, SYS_rt_sigtimedwait, bad[i], NULL, NULL, 8);
		NOTED(n, call, SYS_rt_sigtimedwait, bad[i], NULL, NULL, 7);
		NOTED(n, call, SYS_sendfile, p[1], fd, bad[i], 0);
		NOTED(n, call, SYS_setxattr, "/nowhere", bad[i], bad[i], 4, 0);
		NOTED(n, call, SYS_timerfd_settime, 999, 0, bad[i], NULL);
	}
	close(fd);
	close(p[0]);
	close(p[1]);
}

static void scene_process(pair_call call, struct notes *n)
{
	struct { uint32_t version; int32_t pid; } header = { 0x20080522, 0 };
	uint32_t data[6], ids[3], list[64];
	struct rlimit limit = { 0, 0 };
	struct utsname name;
	cpu_set_t cpus;
	char comm[40] = "a name that is much too long for it";
	int value = 77;

	NOTED(n, call, SYS_getppid);
	NOTED(n, call, SYS_getuid);
	NOTED(n, call, SYS_getpgid, 0);
	NOTED(n, call, SYS_getresgid, ids, ids + 1, ids + 2);
	note(n, ids, sizeof(ids));
	memset(list, 1, sizeof(list));
	NOTED(n, call, SYS_getgroups, 0, list);
	NOTED(n, call, SYS_getgroups, 64, list);
	note(n, list, sizeof(list));
	memset(data, 1, sizeof(data));
	NOTED(n, call, SYS_capget, &header, data);
	note(n, data, sizeof(data));
	header.version = 1;
	NOTED(n, call, SYS_capget, &header, NULL);
	note(n, &header, sizeof(header));
	memset(&name, 1, sizeof(name));
	NOTED(n, call, SYS_uname, &name);
	note(n, &name, sizeof(name));
	NOTED(n, call, SYS_getrlimit, RLIMIT_NOFILE, &limit);
	NOTED(n, call, SYS_prlimit64, 0, RLIMIT_STACK, NULL, &limit);
	NOTED(n, call, SYS_prlimit64, 0, RLIMIT_CORE, &limit, &limit);
	NOTED(n, call, SYS_prlimit64, 0, RLIMIT_CORE, NULL, &limit);
	note(n, &limit, sizeof(limit));
	memset(&cpus, 0x11, sizeof(cpus));
	NOTED(n, call, SYS_sched_getaffinity, 0, sizeof(cpus), &cpus);
	NOTED(n, call, SYS_sched_getaffinity, 0, 1, &cpus);
	note(n, &cpus, sizeof(cpus));
	NOTED(n, call, SYS_sched_setaffinity, 0, sizeof(cpus), &cpus);
	NOTED(n, call, SYS_getpriority, PRIO_PROCESS, 0);
	NOTED(n, call, SYS_prctl, PR_SET_NAME, comm);
	memset(comm, '.', sizeof(comm));
	NOTED(n, call, SYS_prctl, PR_GET_NAME, comm);
	note(n, comm, sizeof(comm));
	NOTED(n, call, SYS_prctl, PR_SET_PDEATHSIG, SIGUSR1);
	NOTED(n, call, SYS_prctl, PR_GET_PDEATHSIG, &value);
	note_value(n, value);
	NOTED(n, call, SYS_prctl, PR_SET_PDEATHSIG, 0);
	NOTED(n, call, SYS_umask, 022);
	NOTED(n, call, SYS_umask, 022);
	NOTED(n, call, SYS_getsid, 0);
	NOTED(n, call, SYS_kill, 0, 0);
	NOTED(n, call, SYS_kill, -1, 99);
	NOTED(n, call, SYS_sched_get_priority_max, 1);
}

static void scene_devices(pair_call call, struct notes *n)
{
	struct winsize size = { 1, 2, 3, 4 };
	struct flock lock = { .l_type = F_WRLCK, .l_len = 10 };
	uint8_t termios[36];
	int master = posix_openpt(O_RDWR | O_NOCTTY), fd, value = 1, p[2];
	unsigned number = 0;

	ck_assert_int_ge(master, 0);
	memset(termios, 9, sizeof(termios));
	NOTED(n, call, SYS_ioctl, master, TIOCSWINSZ, &size);
	memset(&size, 0, sizeof(size));
	NOTED(n, call, SYS_ioctl, master, TIOCGWINSZ, &size);
	note(n, &size, sizeof(size));
	NOTED(n, call, SYS_ioctl, master, TCGETS, termios);
	NOTED(n, call, SYS_ioctl, master, TCSETS, termios);
	note(n, termios, sizeof(termios));
	ck_assert_int_eq(DO(call, SYS_ioctl, master, TIOCGPTN, &number), 0);
	NOTED(n, call, SYS_ioctl, master, TIOCSPTLCK, &value);
	NOTED(n, call, SYS_ioctl, master, TCFLSH, 2);
	NOTED(n, call, SYS_ioctl, master, FIONBIO, &value);
	NOTED(n, call, SYS_read, master, termios, 10);
	NOTED(n, call, SYS_ioctl, master, FIOCLEX);
	NOTED(n, call, SYS_fcntl, master, F_GETFD);
	NOTED(n, call, SYS_ioctl, 999, TCGETS, termios);
	close(master);
	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(write(p[1], "abc", 3), 3);
	NOTED(n, call, SYS_ioctl, p[0], FIONREAD, &value);
	note_value(n, value);
	NOTED(n, call, SYS_ioctl, p[0], TCGETS, termios);
	NOTED(n, call, SYS_fcntl, p[0], F_GETPIPE_SZ);
	NOTED(n, call, SYS_fcntl, p[0], F_SETPIPE_SZ, 4096);
	NOTED(n, call, SYS_tee, p[0], p[1], 100, 2);
	NOTED(n, call, SYS_splice, p[0], NULL, p[1], NULL, 100, 2);
	fd = memfd_create("lock", MFD_ALLOW_SEALING);
	NOTED(n, call, SYS_splice, p[0], NULL, fd, NULL, 100, 0);
	NOTED(n, call, SYS_fcntl, fd, F_SETLK, &lock);
	lock.l_type = F_RDLCK;
	NOTED(n, call, SYS_fcntl, fd, F_GETLK, &lock);
	NOTED(n, call, SYS_fcntl, fd, 36 /* F_OFD_GETLK */, &lock);
	note(n, &lock, sizeof(lock));
	NOTED(n, call, SYS_fcntl, fd, F_SETLKW, &lock);
	NOTED(n, call, SYS_fcntl, fd, 1034 /* F_GET_SEALS */);
	NOTED(n, call, SYS_fcntl, fd, F_SETFL, O_APPEND);
	NOTED(n, call, SYS_fcntl, fd, F_GETFL);
	value = (int)DO(call, SYS_fcntl, fd, F_DUPFD_CLOEXEC, 500);
	note_value(n, value);
	NOTED(n, call, SYS_dup2, fd, 501);
	NOTED(n, call, SYS_dup3, fd, fd, 0);
	NOTED(n, call, SYS_close_range, 500, 501, 0);
	NOTED(n, call, SYS_close, 501);
	NOTED(n, call, SYS_close_range, 5, 4, 0);
	close(fd);
	close(p[0]);
	close(p[1]);
}

START_TEST(files)        { pair_compare(scene_files); }        END_TEST
START_TEST(folders)      { pair_compare(scene_folders); }      END_TEST
START_TEST(vectors)      { pair_compare(scene_vectors); }      END_TEST
START_TEST(bad_pointers) { pair_compare(scene_bad_pointers); } END_TEST
START_TEST(process)      { pair_compare(scene_process); }      END_TEST
START_TEST(devices)      { pair_compare(scene_devices); }      END_TEST

/* What cannot be carried exactly goes home, and nothing has happened then. */
START_TEST(goes_home)
{
	uint8_t *edge = pair_edge(), *large = calloc(1, MOSIX_PAYLOAD_MAX + 1);
	struct iovec iov = { edge - 10, 20 };
	int p[2], fd = memfd_create("home", 0);

	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(DO(pair_away, SYS_write, p[1], edge - 10, 20), GO_HOME);
	ck_assert_int_eq(DO(pair_away, SYS_read, p[0], edge - 10, 20), GO_HOME);
	ck_assert_int_eq(DO(pair_away, SYS_writev, p[1], &iov, 1), GO_HOME);
	ck_assert_int_eq(DO(pair_away, SYS_readv, p[0], &iov, 1), GO_HOME);
	ck_assert_int_eq(DO(pair_away, SYS_write, fd, large, MOSIX_PAYLOAD_MAX + 1), GO_HOME);
	ck_assert_int_eq(DO(pair_away, SYS_read, fd, large, MOSIX_PAYLOAD_MAX), GO_HOME);
	ck_assert_int_eq(DO(pair_away, SYS_sendto, 0, "x", 1, 0x4000000, NULL, 0), GO_HOME);
	ck_assert_int_eq(DO(pair_away, SYS_write, fd, large, MARSHAL_ROOM - 4096), MARSHAL_ROOM - 4096);
	ck_assert_int_eq(DO(pair_away, SYS_pread64, fd, large, MARSHAL_ROOM - 8192, 0), MARSHAL_ROOM - 8192);
	close(p[0]);
	close(p[1]);
	close(fd);
	free(large);
}
END_TEST

/* O_DIRECT: buffers that are aligned for the program are for home's kernel, and those that are not are not. */
START_TEST(alignment_survives)
{
	static const uint64_t places[] = { 0, 512, 1, 4, 511, 2048, 4095 };
	static uint8_t payload[65536] __attribute__((aligned(4096))), scratch[65536] __attribute__((aligned(4096)));
	static uint8_t block[12288] __attribute__((aligned(4096)));
	struct iovec iov[3];
	struct deputy_call dc = { .scratch = scratch, .capacity = sizeof(scratch), .fd_high = -1 };
	struct mosix_frame f;
	const struct iovec *got;

	for (size_t i = 0; i < 2 * sizeof(places) / sizeof(places[0]); i++) {
		int out = i % 2 != 0;
		uint64_t place = places[i / 2], arg[6] = { 0, (uint64_t)block + place, 8192 };
		const struct call *c = call_find(out ? SYS_read : SYS_write, arg);

		dc.nr = out ? SYS_read : SYS_write;
		ck_assert_int_eq(gate_pack(c, arg, &f, payload, sizeof(payload)), 0);
		ck_assert_int_eq(deputy_unpack(c, &f, payload, &dc), 0);
		ck_assert_uint_eq(dc.arg[1] % 4096, place);
		arg[1] = (uint64_t)iov;
		arg[2] = 3;
		iov[0] = (struct iovec){ block + place, 512 };
		iov[1] = (struct iovec){ block, 3 };
		iov[2] = (struct iovec){ block + place, 4096 };
		c = call_find(out ? SYS_readv : SYS_writev, arg);
		dc.nr = out ? SYS_readv : SYS_writev;
		ck_assert_int_eq(gate_pack(c, arg, &f, payload, sizeof(payload)), 0);
		ck_assert_int_eq(deputy_unpack(c, &f, payload, &dc), 0);
		got = (const struct iovec *)dc.arg[1];
		ck_assert_uint_eq((uint64_t)got[0].iov_base % 512, place % 512);
		ck_assert_uint_eq((uint64_t)got[2].iov_base % 4096, place);
	}
	/* A guest that puts its room where no block is. */
	{
		uint64_t arg[6] = { 0, (uint64_t)block, 512 };
		const struct call *c = call_find(SYS_read, arg);

		dc.nr = SYS_read;
		ck_assert_int_eq(gate_pack(c, arg, &f, payload, sizeof(payload)), 0);
		f.arg[1] = REFERENCE_HERE | 512;
		ck_assert_int_eq(deputy_unpack(c, &f, payload, &dc), -EBADMSG);
		f.arg[1] = REFERENCE_HERE | 511;
		ck_assert_int_eq(deputy_unpack(c, &f, payload, &dc), 0);
		f.arg[1] = REFERENCE_HERE | 1;
		f.arg[2] = 513;
		ck_assert_int_eq(deputy_unpack(c, &f, payload, &dc), -EBADMSG);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("marshal");
	TCase *t = tcase_create("marshal");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, files);
	tcase_add_test(t, folders);
	tcase_add_test(t, vectors);
	tcase_add_test(t, bad_pointers);
	tcase_add_test(t, process);
	tcase_add_test(t, devices);
	tcase_add_test(t, goes_home);
	tcase_add_test(t, alignment_survives);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
