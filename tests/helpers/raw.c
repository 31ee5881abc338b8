/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * raw MARKER PORT
 *
 * System calls by bare instructions, without the C library in between, while the program is away: each must reach home. MARKER is a file that
 * only home has, PORT a listener on home's loopback. Prints what was reached; run natively it prints the same.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

static __attribute__((noinline)) long raw(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return result;
}

#define RAW(number, ...) RAW_(number, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define RAW_(number, a, b, c, d, e, f, ...) raw(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static void say(const char *what, long result)
{
	printf("%s: %s\n", what, result < 0 ? strerror((int)-result) : "done");
}

static void look(const char *marker, int port, int round)
{
	struct stat by_library, by_call;
	char text[64] = "";
	bool print = round == 0;
	long fd = RAW(SYS_open, marker, O_RDONLY);
	if (!check(fd >= 0, "round %d: open: %s", round, strerror((int)-fd)))
		return;
	long n = RAW(SYS_read, fd, text, sizeof text - 1);
	RAW(SYS_fstat, fd, &by_call);
	check(stat(marker, &by_library) == 0 && by_library.st_ino == by_call.st_ino && by_library.st_dev == by_call.st_dev, "round %d: another file", round);
	RAW(SYS_close, fd);
	text[strcspn(text, "\n")] = '\0';
	if (print)
		printf("open and read: %ld bytes: %s\n", n, text);
	else
		check(n > 0, "round %d: read: %ld", round, n);

	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	long s = RAW(SYS_socket, AF_INET, SOCK_STREAM, 0);
	long connected = RAW(SYS_connect, s, &to, sizeof to);
	memset(text, 0, sizeof text);
	n = connected == 0 ? RAW(SYS_read, s, text, sizeof text - 1) : 0;
	RAW(SYS_close, s);
	if (print)
		printf("socket and connect: %s, it says: %s\n", connected < 0 ? strerror((int)-connected) : "done", text);
	else
		check(connected == 0 && n > 0, "round %d: connect: %ld", round, connected);

	check(RAW(SYS_getpid) == getpid() && RAW(SYS_gettid) == getpid() && RAW(SYS_getppid) == getppid(), "round %d: pids", round);
	long parent = RAW(SYS_kill, getppid(), 0);
	long first = RAW(SYS_kill, 1, 0);
	long nobody = RAW(SYS_kill, 4194303, 0);
	if (print) {
		say("kill of the parent", parent);
		say("kill of process 1", first);
		say("kill of nobody", nobody);
	}
	char directory[256] = "";
	n = RAW(SYS_getcwd, directory, sizeof directory);
	check(n > 0 && access(directory, F_OK) == 0 && stat(directory, &by_library) == 0 && stat(".", &by_call) == 0 && by_library.st_ino == by_call.st_ino,
	      "round %d: directory", round);
	/* What follows runs at home even if it was made elsewhere: seldom, so that most rounds are spent away. */
	if (round % 10 != 0)
		return;
	long rejected = RAW(SYS_mount, "none", ".", "no-such-filesystem", 0, "");
	long bare = RAW(SYS_umount2, "no-such-place", 0);
	if (print) {
		say("mount", rejected);
		say("umount", bare);
	}
	long trace = RAW(SYS_ptrace, PTRACE_PEEKDATA, 4194303, 0, 0);
	long reading = RAW(SYS_process_vm_readv, 4194303, NULL, 0, NULL, 0, 0);
	if (print) {
		say("ptrace of nobody", trace);
		say("process_vm_readv of nobody", reading);
	}
	if (print) {
		say("no such call", RAW(1000));
		say("chroot to nowhere", RAW(SYS_chroot, "no-such-place"));
		say("setuid", RAW(SYS_setuid, getuid()));
		say("io_uring_setup with nothing", RAW(SYS_io_uring_setup, 0, NULL));
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "executed") == 0) {
		printf("executed, the same pid: %d\n", getpid() == atoi(getenv("RAW_PID")));
		return 0;
	}
	if (argc < 3)
		return 2;
	const char *marker = argv[1];
	int port = atoi(argv[2]);
	for (int round = 0; round < 150 && check_wrong < 10; round++) {
		look(marker, port, round);
		check_compute(10);
	}
	int result = check_result();
	if (result != 0)
		return result;
	char pid[32], *arguments[] = { argv[0], (char *)"executed", NULL }, *environment[64] = { pid };
	snprintf(pid, sizeof pid, "RAW_PID=%d", getpid());
	for (int i = 0; environ[i] != NULL && i < 60; i++)
		environment[i + 1] = environ[i];
	long error = RAW(SYS_execve, argv[0], arguments, environment);
	say("execve", error);
	return 1;
}
