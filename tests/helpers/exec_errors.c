/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exec_errors
 *
 * Programs that cannot be executed, and arguments that cannot be read, while the process is moved: each failure is home's, and
 * nothing of the process has changed after it. The case has made the files that are tried, in the current directory. At last
 * ./good is executed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

enum {
	ROUNDS = 20,
	LONGEST = 131072,	/* MAX_ARG_STRLEN, with the NUL */
	LARGE = 100,		/* such strings are more than any stack takes, but not more than a frame */
	HUGE = 160,		/* and these are more than a frame */
	MANY = 2000,
	ATTEMPTS = 50,
};

struct attempt {
	const char *what;
	int at;			/* descriptor of a folder or the file itself, else AT_FDCWD */
	int every;		/* rounds */
	const char *path;
	void *argv, *envp;
	int error;
};

static struct attempt attempts[ATTEMPTS];
static int count;
static volatile sig_atomic_t handled;

static void on_signal(int signo) { handled = handled + (signo == SIGUSR1); }

static void add(const char *what, const char *path, void *argv, void *envp)
{
	if (check(count < ATTEMPTS, "more than %d attempts", ATTEMPTS))
		attempts[count++] = (struct attempt){ what, AT_FDCWD, 1, path, argv, envp, 0 };
}

/* size bytes of 'x' without a NUL, right before a page that cannot be read. */
static char *endless(size_t size)
{
	size_t pages = (size + 4095) & ~4095ul;
	char *at = mmap(NULL, pages + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED || mprotect(at + pages, 4096, PROT_NONE) != 0)
		exit(2);
	memset(at, 'x', pages);
	return at + pages - size;
}

static void add_files(void)
{
	static char *argv[] = { (char *)"one", (char *)"two", NULL }, name[5000];
	memset(name, 'n', sizeof name - 1);
	add("a file that is not there", "./no-such-file", argv, argv);
	add("a file in a file", "./plain/file", argv, argv);
	add("no path", "", argv, argv);
	add("a name that is too long", name + sizeof name - 301, argv, argv);
	add("a path that is too long", name, argv, argv);
	add("a link to itself", "./itself", argv, argv);
	add("a link to nowhere", "./nowhere", argv, argv);
	add("a file that may not be executed", "./plain", argv, argv);
	add("a folder", "./folder", argv, argv);
	add("a device", "/dev/null", argv, argv);
	add("a file that is no program", "./garbage", argv, argv);
	add("an empty file", "./empty", argv, argv);
	add("a script without an interpreter", "./missing", argv, argv);
	add("a script with a folder for an interpreter", "./strange", argv, argv);
	add("a script that is its own interpreter", "./round", argv, argv);
	add("half of a program's header", "./half", argv, argv);
	add("a file by its descriptor", "", argv, argv);
	attempts[count - 1].at = open("./garbage", O_RDONLY | O_CLOEXEC);
	add("a file in an open folder", "plain", argv, argv);
	attempts[count - 1].at = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	add("a file in no folder", "plain", argv, argv);
	attempts[count - 1].at = 999;
}

static void add_pointers(void)
{
	static char *argv[] = { (char *)"one", (char *)"two", NULL }, *none[] = { NULL }, *bad[4][4];
	char *open = endless(3), *edge = open + 3, *ends = endless(4);
	char **cut = (char **)(endless(16)), **last = (char **)(endless(16));
	memcpy(ends, "end", 4);
	cut[0] = cut[1] = argv[0];
	last[0] = ends;
	last[1] = NULL;
	char *strings[] = { edge, open, (char *)8, (char *)-1l };
	for (int i = 0; i < 4; i++) {
		bad[i][0] = bad[i][2] = argv[0];
		bad[i][1] = strings[i];
	}
	add("a path that is nowhere", edge, argv, argv);
	add("a path that has no end", open, argv, argv);
	add("a path that is NULL", NULL, argv, argv);
	add("no arguments", "./garbage", none, none);
	add("arguments that are NULL", "./garbage", NULL, NULL);
	add("arguments that end with a page", "./garbage", last, last);
	add("arguments that are nowhere", "./garbage", edge, argv);
	add("arguments that have no end", "./garbage", cut, argv);
	add("arguments in the kernel", "./garbage", (void *)0xffff800000000000, argv);
	add("an environment that is nowhere", "./garbage", argv, edge);
	add("an environment that has no end", "./garbage", argv, cut);
	add("an argument that is nowhere", "./garbage", bad[0], argv);
	add("an argument that has no end", "./garbage", bad[1], argv);
	add("an argument in the first page", "./garbage", bad[2], argv);
	add("an argument in the last page", "./garbage", bad[3], argv);
	add("a variable that is nowhere", "./garbage", argv, bad[0]);
	add("a variable that has no end", "./garbage", argv, bad[1]);
	add("bad arguments of a file that is not there", "./no-such-file", cut, bad[0]);
	add("bad arguments of a script without an interpreter", "./missing", argv, bad[0]);
}

static void add_sizes(void)
{
	static char *argv[] = { (char *)"one", NULL }, *one[2], *large[LARGE + 1], *huge[HUGE + 1];
	static char *longest, *fits;
	longest = endless(LONGEST);
	fits = endless(LONGEST);
	fits[LONGEST - 1] = '\0';
	one[0] = fits;
	for (int i = 0; i < HUGE; i++)
		large[i % LARGE] = huge[i] = fits;
	static char *over[2];
	over[0] = longest;
	add("an argument that just fits", "./garbage", one, argv);
	add("an argument that is too long", "./garbage", over, argv);
	add("a variable that is too long", "./garbage", argv, over);
	add("too many arguments", "./garbage", large, argv);
	attempts[count - 1].every = 4;
	add("too large an environment", "./garbage", argv, large);
	attempts[count - 1].every = 4;
	add("far too many arguments", "./garbage", huge, argv);
	attempts[count - 1].every = 10;
}

static void try(struct attempt *a, int round)
{
	long result = a->at == AT_FDCWD ? syscall(SYS_execve, a->path, a->argv, a->envp) :
					  syscall(SYS_execveat, a->at, a->path, a->argv, a->envp, *a->path ? 0 : AT_EMPTY_PATH);
	int error = result == -1 ? errno : 0;
	if (round == 0) {
		a->error = error;
		printf("%s: %s\n", a->what, strerror(error));
	}
	check(error == a->error, "round %d: %s: %s", round, a->what, strerror(error));
}

/* What an exec takes away only when it succeeds. */
static void look(int round, int fd, const char *name, const sigset_t *mask)
{
	char now[32] = "";
	sigset_t blocked;
	handled = 0;
	raise(SIGUSR1);
	check(handled == 1, "round %d: the handler ran %d times", round, handled);
	sigprocmask(SIG_SETMASK, NULL, &blocked);
	check(memcmp(&blocked, mask, 8) == 0, "round %d: another mask", round);
	check(fcntl(fd, F_GETFD) == FD_CLOEXEC, "round %d: the descriptor", round);
	int comm = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	check(read(comm, now, sizeof now - 1) > 0 && strcmp(now, name) == 0, "round %d: it is called %s", round, now);
	close(comm);
}

static int execute_good(void)
{
	static char *argv[MANY + 4], text[MANY][8], pid[32];
	char *envp[] = { pid, (char *)"EMPTY=", (char *)"WORDS=two words", NULL };
	argv[0] = (char *)"another name";
	argv[1] = (char *)"";
	argv[2] = (char *)"three words here";
	for (int i = 0; i < MANY; i++) {
		snprintf(text[i], sizeof text[i], "%.*d", i % 5, i);
		argv[3 + i] = text[i];
	}
	snprintf(pid, sizeof pid, "EXEC_PID=%d", getpid());
	execve("./good", argv, envp);
	perror("./good");
	return 1;
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	int fd = open("./plain", O_RDONLY | O_CLOEXEC), comm = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	char name[32] = "";
	sigset_t mask;
	add_files();
	add_pointers();
	add_sizes();
	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigaddset(&mask, SIGRTMIN + 3);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (read(comm, name, sizeof name - 1) < 1)
		return 2;
	close(comm);
	for (int round = 0; round < ROUNDS && check_wrong < 10; round++) {
		for (int i = 0; i < count; i++) {
			if (round % attempts[i].every == 0)
				try(&attempts[i], round);
			if (i % 8 == 0)
				check_compute(7);
		}
		look(round, fd, name, &mask);
	}
	int result = check_result();
	return result != 0 ? result : execute_good();
}
