/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vfork(2) and posix_spawn(3): a child that has its parent's memory, and nothing else of it. What it writes its parent finds,
 * what it changes of itself its parent does not; the parent waits until it executes another program or ends; what could not be
 * executed is told.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "fork.h"

enum { ROUNDS = 6, THREADS = 3, EACH = 6, STACK = 64 * 1024 };

extern char **environ;

static volatile int global;

/* ---- whose memory ---- */

static void memory_is_shared(void)
{
	volatile int *heap = malloc(sizeof *heap);
	for (volatile int round = 0; round < ROUNDS; round++) {
		volatile int local = round;
		*heap = global = -1;
		pid_t child = vfork();
		if (child == 0) {
			local += 1000;
			*heap = round + 1;
			global = round + 2;
			_exit(round);
		}
		check(local == round + 1000 && *heap == round + 1 && global == round + 2, "memory: %d %d %d", local, *heap, global);
		fork_expect(child, fork_code(round), "memory");
		check_compute(15);
	}
	free((void *)heap);
	puts("a child has its parent's memory");
}

static void mappings_are_shared(void)
{
	for (volatile int round = 0; round < ROUNDS; round++) {
		char *volatile there = NULL;
		char *gone = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		*gone = 1;
		pid_t child = vfork();
		if (child == 0) {
			there = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			there[5000] = (char)(round + 1);
			munmap(gone, 4096);
			_exit(0);
		}
		fork_expect(child, 0, "mappings");
		check(there[5000] == round + 1, "mapped by the child: %d", there[5000]);
		check(mincore(gone, 4096, (unsigned char[1]){ 0 }) < 0 && errno == ENOMEM, "unmapped by the child, and still there");
		check_compute(15);
		check(there[5000] == round + 1 && there[0] == 0, "mapped by the child: %d", there[5000]);
		munmap(there, 8192);
	}
	puts("and its mappings");
}

/* ---- what is its own ---- */

static volatile sig_atomic_t handled[65];

static void note(int number)
{
	handled[number]++;
}

static void set_action(int number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };
	sigaction(number, &action, NULL);
}

static void all_else_is_not(void)
{
	char here[4096], after[4096];
	int pipes[2];
	if (!getcwd(here, sizeof here) || pipe(pipes) < 0)
		exit(1);
	for (volatile int round = 0; round < ROUNDS; round++) {
		sigset_t set, now;
		sigemptyset(&set);
		sigaddset(&set, SIGUSR2);
		sigprocmask(SIG_SETMASK, &set, NULL);
		set_action(SIGUSR1, note);
		handled[SIGUSR1] = handled[SIGUSR2] = 0;
		pid_t parent = getpid(), group = getpgrp();
		volatile pid_t self = 0, tid = 0, its_parent = 0, its_group = 0;
		volatile int closed = -1, masked = -1;
		mode_t mask = umask(022);
		umask(mask);
		pid_t child = vfork();
		if (child == 0) {
			self = getpid();
			tid = (pid_t)syscall(SYS_gettid);
			its_parent = getppid();
			closed = close(pipes[0]);
			if (chdir("/") < 0 || setpgid(0, 0) < 0)
				_exit(FORK_WRONG);
			its_group = getpgrp();
			umask(077);
			set_action(SIGUSR1, SIG_IGN);
			set_action(SIGUSR2, note);
			raise(SIGUSR1);
			raise(SIGUSR2);
			masked = handled[SIGUSR2];
			sigprocmask(SIG_UNBLOCK, &set, NULL);
			_exit(handled[SIGUSR2]);
		}
		check(self == child && tid == child && its_parent == parent && its_group == child, "who: %d %d %d %d of %d and %d", self, tid,
		      its_parent, its_group, child, parent);
		check(getpid() == parent && syscall(SYS_gettid) == parent && getpgrp() == group, "who is the parent");
		check(closed == 0 && fcntl(pipes[0], F_GETFD) >= 0, "descriptors: %d", closed);
		check(getcwd(after, sizeof after) && !strcmp(here, after), "directory: %s", after);
		check(umask(mask) == mask, "umask");
		check(masked == 0 && handled[SIGUSR1] == 0 && handled[SIGUSR2] == 1, "signals: %d %d %d", masked, (int)handled[SIGUSR1],
		      (int)handled[SIGUSR2]);
		sigprocmask(SIG_BLOCK, NULL, &now);
		check(sigismember(&now, SIGUSR2) == 1 && sigismember(&now, SIGUSR1) == 0, "mask");
		raise(SIGUSR1);
		check(handled[SIGUSR1] == 1, "the parent's own handler");
		fork_expect(child, fork_code(1), "its own");
		sigemptyset(&set);
		sigprocmask(SIG_SETMASK, &set, NULL);
		check_compute(15);
	}
	close(pipes[0]);
	close(pipes[1]);
	puts("all else of a child is its own");
}

/* ---- waiting ---- */

static void parent_waits(void)
{
	set_action(SIGUSR1, note);
	for (volatile int round = 0; round < ROUNDS; round++) {
		pid_t parent = getpid();
		handled[SIGUSR1] = 0;
		global = 0;
		pid_t child = vfork();
		if (child == 0) {
			kill(parent, SIGUSR1);
			fork_sleep(20);
			global = 10 + handled[SIGUSR1];
			_exit(0);
		}
		check(global == 10, "the parent has not waited: %d", global);
		check(handled[SIGUSR1] == 1, "%d signals behind vfork", (int)handled[SIGUSR1]);
		fork_expect(child, 0, "waiting");
	}
	puts("the parent waits, and so do its signals");
}

static void ends(void)
{
	static const int numbers[] = { SIGKILL, SIGTERM, SIGPIPE, SIGUSR2 };
	for (volatile size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		signal(numbers[i], SIG_DFL);
		pid_t child = vfork();
		if (child == 0) {
			kill(getpid(), numbers[i]);
			_exit(FORK_WRONG);
		}
		fork_expect(child, numbers[i], strsignal(numbers[i]));
		check_compute(15);
	}
	pid_t child = vfork();
	if (child == 0)
		syscall(SYS_exit, 9);
	fork_expect(child, fork_code(9), "exit(2)");
	puts("it ends as any child");
}

/* What its home has to do for it: it can share no more with its parent then, but does what it does. */
static void goes_home(void)
{
	for (volatile int round = 0; round < ROUNDS; round++) {
		pid_t child = vfork();
		if (child == 0) {
			prctl(PR_SET_NO_NEW_PRIVS, 0, 1, 2, 3);	/* nonsense */
			struct timespec none = { 0, 0 };
			clock_nanosleep(-1, 0, &none, NULL);
			execl("/bin/sh", "sh", "-c", "exit $0", "12", NULL);
			_exit(FORK_WRONG);
		}
		fork_expect(child, fork_code(12), "home");
		child = vfork();
		if (child == 0) {
			int status = -1;
			pid_t grandchild = fork();
			if (grandchild == 0)
				_exit(6);
			fork_wait(grandchild, &status, 0);
			_exit(status == fork_code(6) ? 13 : FORK_WRONG);
		}
		fork_expect(child, fork_code(13), "grandchild");
		check_compute(15);
	}
	puts("it can make calls of any kind");
}

/* ---- other programs ---- */

static int spawned(pid_t *child, const char *path, const char *script)
{
	char *arguments[] = { "sh", "-c", (char *)script, "sh", NULL };
	return posix_spawn(child, path, NULL, NULL, arguments, environ);
}

static void plain_programs(void)
{
	fflush(stdout);
	for (volatile int round = 0; round < ROUNDS; round++) {
		char script[64];
		pid_t child = 0;
		snprintf(script, sizeof script, "echo round %d; exit %d", round, round + 30);
		check(spawned(&child, "/bin/sh", script) == 0, "posix_spawn");
		fork_expect(child, fork_code(round + 30), "spawned");
		child = vfork();
		if (child == 0) {
			execl("/bin/sh", "sh", "-c", script, NULL);
			_exit(FORK_WRONG);
		}
		fork_expect(child, fork_code(round + 30), "executed");
		check_compute(15);
	}
	puts("programs are executed");
}

static void not_executable(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
	if (fd < 0 || write(fd, "no program", 10) != 10)
		exit(1);
	close(fd);
}

static void failures(void)
{
	not_executable("plain");
	not_executable("empty.d");
	chmod("empty.d", 0755);
	static const struct { const char *path; int error; } tries[] = {
		{ "/nowhere/at/all", ENOENT }, { "/", EACCES }, { "./plain", EACCES }, { "plain/x", ENOTDIR }, { "./empty.d", ENOEXEC },
	};
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
			char *arguments[] = { "x", NULL };
			pid_t child = -7;
			int status, error = posix_spawn(&child, tries[i].path, NULL, NULL, arguments, environ);
			check(error == tries[i].error, "posix_spawn of %s: %d", tries[i].path, error);
			check(waitpid(-1, &status, WNOHANG) < 0 && errno == ECHILD, "a child of %s is left", tries[i].path);
			volatile int why = 0;
			child = vfork();
			if (child == 0) {
				execv(tries[i].path, arguments);
				why = errno;
				_exit(1);
			}
			check(why == tries[i].error, "vfork and execv of %s: %d", tries[i].path, why);
			fork_expect(child, fork_code(1), tries[i].path);
			check_compute(15);
		}
	char *arguments[] = { "true", NULL };
	pid_t child = 0;
	setenv("PATH", "/nowhere:/etc:/bin:/usr/bin", 1);
	check(posix_spawnp(&child, "true", NULL, NULL, arguments, environ) == 0, "posix_spawnp");
	fork_expect(child, 0, "posix_spawnp");
	check(posix_spawnp(&child, "no-such-program", NULL, NULL, arguments, environ) == ENOENT, "posix_spawnp of nothing");
	unlink("plain");
	unlink("empty.d");
	puts("what cannot be executed is told");
}

static void actions_and_attributes(void)
{
	for (volatile int round = 0; round < ROUNDS; round++) {
		posix_spawn_file_actions_t actions;
		posix_spawnattr_t attributes;
		sigset_t set, blocked;
		char text[128] = "";
		pid_t child = 0;
		int pipes[2];
		if (pipe2(pipes, O_CLOEXEC) < 0)
			exit(1);
		posix_spawn_file_actions_init(&actions);
		posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
		posix_spawn_file_actions_adddup2(&actions, pipes[1], 1);
		posix_spawn_file_actions_addclose(&actions, pipes[0]);
		posix_spawn_file_actions_addchdir_np(&actions, "/");
		posix_spawnattr_init(&attributes);
		posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
		posix_spawnattr_setpgroup(&attributes, 0);
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		posix_spawnattr_setsigdefault(&attributes, &set);
		sigemptyset(&blocked);
		sigaddset(&blocked, SIGHUP);
		posix_spawnattr_setsigmask(&attributes, &blocked);
		signal(SIGUSR1, SIG_IGN);
		signal(SIGUSR2, SIG_IGN);
		char *arguments[] = { "grep", "-E", "^Sig(Blk|Ign)", "proc/self/status", NULL };
		check(posix_spawn(&child, "/bin/grep", &actions, &attributes, arguments, environ) == 0, "posix_spawn");
		close(pipes[1]);
		fork_read(pipes[0], text, sizeof text - 1);
		unsigned long long blocked_there = 0, ignored_there = 0;
		check(sscanf(text, "SigBlk: %llx SigIgn: %llx", &blocked_there, &ignored_there) == 2, "it says: %s", text);
		check(blocked_there == 1, "its mask is %llx", blocked_there);
		check((ignored_there & 0xa00) == 0x800, "it ignores %llx", ignored_there);
		close(pipes[0]);
		fork_expect(child, 0, "attributes");
		check(posix_spawn(&child, "/bin/grep", &actions, &attributes, arguments, environ) == EBADF, "an action that fails");
		posix_spawn_file_actions_destroy(&actions);
		posix_spawnattr_destroy(&attributes);
		signal(SIGUSR1, SIG_DFL);
		signal(SIGUSR2, SIG_DFL);
		check_compute(15);
	}
	puts("with actions and attributes");
}

static void by_a_forked_child(void)
{
	for (volatile int round = 0; round < ROUNDS; round++) {
		pid_t child = fork_start();
		if (child == 0) {
			volatile int mine = 0;
			pid_t grandchild = vfork();
			if (grandchild == 0) {
				mine = 5;
				_exit(3);
			}
			check(mine == 5, "memory of a child: %d", mine);
			fork_expect(grandchild, fork_code(3), "vfork in a child");
			check_compute(15);
			check(spawned(&grandchild, "/bin/sh", "exit 4") == 0, "posix_spawn in a child");
			fork_expect(grandchild, fork_code(4), "spawned by a child");
			fork_end(round);
		}
		fork_expect(child, fork_code(round), "a child with children");
	}
	puts("by a child of fork");
}

/* ---- a stack of its own ---- */

static int on_stack(void *to)
{
	*(volatile int *)to = (int)syscall(SYS_gettid);
	return 21;
}

static void own_stack(void)
{
	static char stack[STACK] __attribute__((aligned(16)));
	for (volatile int round = 0; round < ROUNDS; round++) {
		global = 0;
		pid_t child = clone(on_stack, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)&global);
		check(child > 0 && global == child, "clone: %d, and says %d", child, global);
		fork_expect(child, fork_code(21), "clone");
		check_compute(15);
	}
	puts("on a stack of its own");
}

/* ---- threads ---- */

static void *thread(void *argument)
{
	int number = (int)(intptr_t)argument;
	for (int i = 0; i < EACH; i++) {
		char script[32];
		pid_t child = 0;
		snprintf(script, sizeof script, "exit %d", number + i);
		check(spawned(&child, "/bin/sh", script) == 0, "posix_spawn in a thread");
		fork_expect(child, fork_code(number + i), "spawned by a thread");
		volatile int mine = 0;
		child = vfork();
		if (child == 0) {
			mine = number;
			_exit(number);
		}
		check(mine == number, "memory of a thread: %d", mine);
		fork_expect(child, fork_code(number), "vfork in a thread");
		free(malloc(100000));
		check_compute(5);
	}
	return NULL;
}

static void threads(void)
{
	pthread_t id[THREADS];
	for (int i = 0; i < THREADS; i++)
		pthread_create(&id[i], NULL, thread, (void *)(intptr_t)(10 * (i + 1)));
	for (int i = 0; i < THREADS; i++)
		pthread_join(id[i], NULL);
	puts("in threads");
}

int main(void)
{
	memory_is_shared();
	mappings_are_shared();
	all_else_is_not();
	parent_waits();
	ends();
	goes_home();
	plain_programs();
	failures();
	actions_and_attributes();
	by_a_forked_child();
	own_stack();
	threads();
	return check_result();
}
