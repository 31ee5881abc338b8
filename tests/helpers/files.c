/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files and everything that is read and written like one. Runs in an empty directory of its own. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"

static void say(const char *what, long result)
{
	printf("%s: %s\n", what, result < 0 ? strerror(errno) : "done");
}

static void opening(void)
{
	int fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0644);
	check(fd >= 0, "create: %s", strerror(errno));
	say("O_EXCL", open("file", O_RDWR | O_CREAT | O_EXCL, 0644));
	say("O_DIRECTORY", open("file", O_RDONLY | O_DIRECTORY));
	say("no such", open("no/such", O_RDONLY));
	say("a name too long", open(memset((char[5000]){ 0 }, 'x', 4999), O_RDONLY));
	symlink("file", "link");
	say("O_NOFOLLOW", open("link", O_RDONLY | O_NOFOLLOW));
	int flags = fcntl(fd, F_GETFL);
	printf("flags %x\n", flags & (O_ACCMODE | O_APPEND | O_NONBLOCK));
	fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK);
	check_compute(30);
	printf("flags %x\n", fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK));
	int path = open(".", O_PATH | O_DIRECTORY), at = openat(path, "file", O_RDONLY);
	struct stat a, b;
	check(at >= 0 && fstat(at, &a) == 0 && fstatat(path, "link", &b, 0) == 0 && a.st_ino == b.st_ino, "openat");
	struct statx x;
	check(statx(path, "file", 0, STATX_ALL, &x) == 0 && x.stx_ino == a.st_ino && x.stx_mode == a.st_mode, "statx");
	close(at);
	close(path);
	close(fd);
	int unnamed = open(".", O_TMPFILE | O_RDWR, 0600);
	if (unnamed >= 0) {
		check(write(unnamed, "text", 4) == 4, "O_TMPFILE");
		close(unnamed);
	}
}

static void offsets(void)
{
	int fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0600);
	uint64_t seed = 1;
	for (int i = 0; i < 4000; i++) {
		seed = check_work(seed, 20000);
		int n = (int)(seed >> 40) % 1000;
		char text[16];
		snprintf(text, sizeof text, "%07d\n", i);
		check(pwrite(fd, text, 8, n * 8) == 8, "pwrite");
		char got[8];
		check(pread(fd, got, 8, n * 8) == 8 && memcmp(got, text, 8) == 0, "pread %d", i);
	}
	struct stat st;
	fstat(fd, &st);
	printf("size %ld, offset %ld\n", (long)st.st_size, (long)lseek(fd, 0, SEEK_CUR));
	char a[100], b[200];
	struct iovec v[2] = { { a, sizeof a }, { b, sizeof b } };
	long n = readv(fd, v, 2);
	printf("readv %ld, offset %ld\n", n, (long)lseek(fd, 0, SEEK_CUR));
	n = preadv2(fd, v, 2, 40, 0);
	printf("preadv2 %ld, offset %ld\n", n, (long)lseek(fd, 0, SEEK_CUR));
	int other = dup(fd);
	lseek(other, 1234, SEEK_SET);
	check(lseek(fd, 0, SEEK_CUR) == 1234, "shared offset");
	check(lseek(fd, -10, SEEK_END) == st.st_size - 10, "SEEK_END");
	say("lseek before the start", lseek(fd, -1, SEEK_SET));
	check(ftruncate(fd, 100000) == 0 && fallocate(fd, 0, 200000, 4096) == 0, "ftruncate, fallocate: %s", strerror(errno));
	fstat(fd, &st);
	printf("size %ld, a hole at %ld\n", (long)st.st_size, (long)lseek(fd, 0, SEEK_HOLE) <= 100000 ? 1L : 0L);
	say("fsync", fsync(fd));
	say("posix_fadvise", posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL) == 0 ? 0 : -1);
	close(other);

	int out = open("copy", O_RDWR | O_CREAT | O_TRUNC, 0600), ends[2];
	off_t from = 8;
	check(sendfile(out, fd, &from, 4000) == 4000 && from == 4008, "sendfile: %s", strerror(errno));
	loff_t in_at = 0, out_at = 4000;
	check(copy_file_range(fd, &in_at, out, &out_at, 1000, 0) == 1000, "copy_file_range: %s", strerror(errno));
	check(pipe2(ends, O_CLOEXEC) == 0, "pipe2");
	in_at = 16;
	check(splice(fd, &in_at, ends[1], NULL, 3000, 0) == 3000, "splice: %s", strerror(errno));
	lseek(out, 0, SEEK_END);
	check(splice(ends[0], NULL, out, NULL, 3000, SPLICE_F_MOVE) == 3000, "splice out: %s", strerror(errno));
	fstat(out, &st);
	printf("copy %ld\n", (long)st.st_size);
	printf("pipe size %d\n", fcntl(ends[1], F_GETPIPE_SZ));
	close(ends[0]);
	close(ends[1]);
	close(out);
	close(fd);
}

static void directories(void)
{
	check(mkdir("dir", 0755) == 0 && mkdirat(AT_FDCWD, "dir/sub", 0700) == 0, "mkdir");
	char name[300];
	for (int i = 0; i < 400; i++) {
		snprintf(name, sizeof name, "dir/%0*d", i % 60 + 4, i);
		close(open(name, O_WRONLY | O_CREAT, 0600));
	}
	DIR *dir = opendir("dir");
	int found = 0, letters = 0;
	for (struct dirent *e; (e = readdir(dir)) != NULL; found++) {
		letters += (int)strlen(e->d_name);
		if (found % 50 == 0)
			check_compute(10);
	}
	rewinddir(dir);
	int again = 0;
	while (readdir(dir) != NULL)
		again++;
	closedir(dir);
	printf("entries %d %d, letters %d\n", found, again, letters);
	check(rename("dir/0000", "dir/renamed") == 0 && link("dir/renamed", "dir/hard") == 0, "rename, link");
	check(renameat2(AT_FDCWD, "dir/hard", AT_FDCWD, "dir/renamed", RENAME_EXCHANGE) == 0, "RENAME_EXCHANGE: %s", strerror(errno));
	struct stat st;
	stat("dir/hard", &st);
	printf("links %lu\n", (unsigned long)st.st_nlink);
	say("rmdir of a full one", rmdir("dir"));
	check(chdir("dir/sub") == 0 && getcwd(name, sizeof name) != NULL && strcmp(strrchr(name, '/'), "/sub") == 0, "chdir: %s", name);
	check(chdir("../..") == 0, "chdir back");
	int fd = open("dir", O_RDONLY | O_DIRECTORY);
	check(fchdir(fd) == 0 && access("sub", X_OK) == 0 && chdir("..") == 0, "fchdir");
	close(fd);
	mode_t old = umask(077);
	close(open("masked", O_WRONLY | O_CREAT, 0666));
	umask(old);
	stat("masked", &st);
	printf("mode %o\n", st.st_mode & 07777);
	chmod("masked", 0604);
	struct timespec times[2] = { { 1000, 5 }, { 2000, 7 } };
	utimensat(AT_FDCWD, "masked", times, 0);
	stat("masked", &st);
	printf("mode %o, times %ld.%ld %ld.%ld\n", st.st_mode & 07777, st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	ssize_t n = readlink("link", name, sizeof name);
	printf("readlink %zd\n", n);
	say("mknod of a pipe", mkfifo("fifo", 0600));
	say("access", access("masked", X_OK));
	struct statvfs vfs;
	check(statvfs(".", &vfs) == 0 && vfs.f_namemax >= 200, "statvfs");
}

static void attributes(void)
{
	char value[64], list[256];
	if (setxattr("file", "user.mosix", "value", 5, 0) < 0) {
		printf("xattr: %s\n", strerror(errno));
		return;
	}
	check_compute(50);
	ssize_t n = getxattr("file", "user.mosix", value, sizeof value), l = listxattr("file", list, sizeof list);
	printf("xattr %zd, list %s\n", n, l > 0 && memmem(list, (size_t)l, "user.mosix", 11) != NULL ? "has it" : "lacks it");
	say("XATTR_CREATE", setxattr("file", "user.mosix", "x", 1, XATTR_CREATE));
	say("a small buffer", getxattr("file", "user.mosix", value, 2));
	check(removexattr("file", "user.mosix") == 0, "removexattr");
}

static void locks(void)
{
	int a = open("file", O_RDWR), b = open("file", O_RDWR);
	check(flock(a, LOCK_EX) == 0, "flock");
	check_compute(100);
	say("a second flock", flock(b, LOCK_EX | LOCK_NB));
	flock(a, LOCK_UN);
	say("and now", flock(b, LOCK_SH | LOCK_NB));
	struct flock own = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20 };
	check(fcntl(a, F_OFD_SETLK, &own) == 0, "F_OFD_SETLK");
	struct flock test = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 15, .l_len = 1 };
	check(fcntl(b, F_OFD_GETLK, &test) == 0, "F_OFD_GETLK");
	printf("locked by another: type %d, from %ld, %ld bytes\n", test.l_type, (long)test.l_start, (long)test.l_len);
	own.l_pid = 0;
	check(fcntl(a, F_SETLK, &(struct flock){ .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 5 }) == 0, "F_SETLK");
	close(a);
	close(b);
}

static void events(void)
{
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), epoll = epoll_create1(EPOLL_CLOEXEC), event = eventfd(3, EFD_NONBLOCK | EFD_SEMAPHORE);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), ends[2];
	check(pipe2(ends, O_NONBLOCK) == 0, "pipe");
	int w = inotify_add_watch(watch, ".", IN_CREATE | IN_DELETE | IN_CLOSE_WRITE);
	const int fds[] = { watch, event, timer, ends[0] };
	for (uint32_t i = 0; i < 4; i++)
		check(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &(struct epoll_event){ .events = EPOLLIN | (i == 3 ? EPOLLET : 0), .data.u64 = UINT64_C(0x123456789a) + i }) == 0, "epoll_ctl");
	say("added twice", epoll_ctl(epoll, EPOLL_CTL_ADD, event, &(struct epoll_event){ .events = EPOLLIN }));
	struct itimerspec every = { { 0, 50000000 }, { 0, 50000000 } };
	timerfd_settime(timer, 0, &every, NULL);
	close(open("new", O_WRONLY | O_CREAT, 0600));
	unlink("new");
	check(write(ends[1], "abc", 3) == 3, "write");
	check_compute(130);
	struct epoll_event got[8];
	int seen = 0;
	for (int rounds = 0; rounds < 3; rounds++) {
		int n = epoll_wait(epoll, got, 8, 1000);
		for (int i = 0; i < n; i++)
			seen |= 1 << ((got[i].data.u64 - UINT64_C(0x123456789a)) & 7);
	}
	printf("epoll saw %x\n", seen);
	char buffer[1024] __attribute__((aligned(8)));
	ssize_t n = read(watch, buffer, sizeof buffer);
	for (ssize_t at = 0; at < n;) {
		struct inotify_event *e = (struct inotify_event *)(buffer + at);
		printf("inotify %s %x %s\n", e->wd == w ? "here" : "elsewhere", e->mask, e->name);
		at += (ssize_t)(sizeof *e + e->len);
	}
	uint64_t value;
	int reads = 0;
	while (read(event, &value, 8) == 8)
		reads++;
	printf("eventfd %d\n", reads);
	check(read(timer, &value, 8) == 8 && value >= 2 && value < 100, "timerfd %lu", value);
	timerfd_gettime(timer, &every);
	check(every.it_interval.tv_nsec == 50000000, "timerfd interval");
	int waiting = 0;
	check(ioctl(ends[0], FIONREAD, &waiting) == 0 && waiting == 3, "FIONREAD");
	while (read(ends[0], buffer, sizeof buffer) > 0)
		;
	say("an empty pipe", read(ends[0], buffer, 1));
	close(ends[1]);
	struct pollfd p = { .fd = ends[0], .events = POLLIN };
	poll(&p, 1, 0);
	printf("a closed pipe: poll %x, read %zd\n", p.revents, read(ends[0], buffer, 1));
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	close(epoll);
}

/* Where the file system wants memory that is aligned, and where not: found out by trial, as programs do. */
static void unbuffered(void)
{
	static char memory[3 * 4096] __attribute__((aligned(4096)));
	static const size_t places[] = { 0, 512, 1, 4, 8, 64, 4095 };
	int fd = open("unbuffered", O_RDWR | O_CREAT | O_DIRECT, 0600);
	say("O_DIRECT", fd);
	for (size_t i = 0; fd >= 0 && i < sizeof places / sizeof *places; i++) {
		struct iovec iov[2] = { { memory + places[i], 512 }, { memory + 4096, 3584 } };
		printf("%zu bytes into a page:\n", places[i]);
		say("pwrite", pwrite(fd, memory + places[i], 4096, 0));
		say("pread", pread(fd, memory + places[i], 4096, 0));
		say("pwritev", pwritev(fd, iov, 2, 0));
		say("preadv", preadv(fd, iov, 2, 0));
		check_compute(10);
	}
	close(fd);
	unlink("unbuffered");
}

static void memory_files(void)
{
	int fd = memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	check(write(fd, "text", 4) == 4 && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0, "memfd");
	check_compute(50);
	say("a sealed memfd", write(fd, "x", 1));
	char *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	check(map != MAP_FAILED && memcmp(map, "text", 4) == 0, "mapped memfd");
	close(fd);
	check_compute(50);
	check(memcmp(map, "text", 4) == 0, "mapped memfd later");
	munmap(map, 4096);
	char random[2][32];
	check(getrandom(random[0], 32, 0) == 32 && getrandom(random[1], 32, 0) == 32 && memcmp(random[0], random[1], 32) != 0, "random");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	opening();
	offsets();
	directories();
	attributes();
	locks();
	events();
	unbuffered();
	memory_files();
	return check_result();
}
