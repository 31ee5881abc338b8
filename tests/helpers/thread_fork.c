/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes from threads: fork, vfork, posix_spawn and exec in a program with many threads, waited for in other threads. The
 * last thing is an exec by a thread that is not the first.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include "thread.h"

enum { THREADS = 4, ROUNDS = 20, WORKERS = 2 };

static pthread_barrier_t together;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int finished, prepared, parents, children, exit_codes;
static char *self;
static _Thread_local int own;

static void on_prepare(void)
{
	atomic_fetch_add(&prepared, 1);
	pthread_mutex_lock(&lock);
}

static void on_parent(void)
{
	atomic_fetch_add(&parents, 1);
	pthread_mutex_unlock(&lock);
}

static void on_child(void)
{
	atomic_fetch_add(&children, 1);
	pthread_mutex_unlock(&lock);
}

static void *busy(void *unused)
{
	(void)unused;
	uint64_t x = 1;
	while (!finished) {
		pthread_mutex_lock(&lock);
		void *block = malloc(5000);
		x = check_work(x, 3000);
		free(block);
		pthread_mutex_unlock(&lock);
		x = check_work(x, 3000);
	}
	return (void *)x;
}

/* The whole of a forked child: it has one thread, the forking one, and everything of it. */
static int in_child(int number, pid_t parent, const int *line)
{
	char text[32];
	if (thread_tid() != getpid() || getppid() != parent || own != number || children != 1)
		return 100;
	if (pthread_mutex_trylock(&lock) != 0)
		return 101;
	pthread_mutex_unlock(&lock);
	free(malloc(100000));
	int length = snprintf(text, sizeof text, "child %d\n", number);
	return write(line[1], text, (size_t)length) == length ? number : 102;
}

static void expect(pid_t child, int code, const char *what)
{
	int status = 0;
	pid_t waited = child > 0 ? waitpid(child, &status, 0) : -1;
	check(waited == child && WIFEXITED(status) && WEXITSTATUS(status) == code, "%s: %d of %d ended with %x", what, waited,
	      child, status);
	atomic_fetch_add(&exit_codes, code);
}

static __attribute__((noinline)) pid_t executed(char **arguments)
{
	pid_t child = vfork();
	if (child == 0) {
		execv(self, arguments);
		_exit(103);
	}
	return child;
}

static void *forking(void *argument)
{
	int number = (int)(intptr_t)argument, line[2];
	pid_t parent = getpid();
	own = number;
	pthread_barrier_wait(&together);
	for (int i = 0; i < ROUNDS; i++) {
		char text[64] = "", expected[64], code[16];
		check(pipe2(line, O_CLOEXEC) == 0, "pipe");
		pid_t child = fork();
		if (child == 0)
			_exit(in_child(number, parent, line));
		close(line[1]);
		snprintf(expected, sizeof expected, "child %d\n", number);
		check(read(line[0], text, sizeof text) > 0 && strcmp(text, expected) == 0, "the child's line is %s", text);
		close(line[0]);
		expect(child, number, "fork");

		snprintf(code, sizeof code, "%d", number + 10);
		char *arguments[] = { self, (char *)"exit", code, NULL };
		int error = posix_spawn(&child, self, NULL, NULL, arguments, environ);
		check(error == 0, "posix_spawn: %s", strerror(error));
		expect(child, number + 10, "posix_spawn");
		error = posix_spawn(&child, "/no/such/program", NULL, NULL, arguments, environ);
		check(error == ENOENT, "posix_spawn of nothing: %s", strerror(error));

		expect(executed(arguments), number + 10, "vfork");
		check(own == number && thread_tid() != getpid(), "the parent has changed");
		check_compute(3);
	}
	return NULL;
}

static void *waiting(void *child)
{
	expect((pid_t)(intptr_t)child, 77, "waited for in another thread");
	return NULL;
}

/* A child that nobody else waits for, waited for by a thread that did not make it, while more are made. */
static void *for_another(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		pid_t child = fork();
		if (child == 0) {
			nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
			_exit(77);
		}
		thread_end(thread_start(waiting, (void *)(intptr_t)child, 0));
	}
	return unused;
}

static void *in_the_child(void *number)
{
	check_work(1, 10000);
	return number;
}

/* A child of a program with threads starts threads of its own. */
static void threads_in_child(void)
{
	pid_t child = fork();
	if (child == 0) {
		int sum = 0;
		pthread_t ids[THREADS];
		for (intptr_t i = 0; i < THREADS; i++)
			ids[i] = thread_start(in_the_child, (void *)(i + 1), 0);
		for (int i = 0; i < THREADS; i++)
			sum += (int)(intptr_t)thread_end(ids[i]);
		_exit(check_wrong ? 104 : sum);
	}
	expect(child, THREADS * (THREADS + 1) / 2, "threads in a child");
}

static void *executing(void *unused)
{
	char pid[16];
	snprintf(pid, sizeof pid, "%d", getpid());
	check_compute(100);
	execl(self, self, "last", pid, NULL);
	check(false, "execl: %s", strerror(errno));
	return unused;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "exit") == 0)
		return atoi(argv[2]);
	if (argc == 3 && strcmp(argv[1], "last") == 0) {
		check(getpid() == atoi(argv[2]) && thread_tid() == getpid(), "another pid after exec");
		check(pthread_mutex_trylock(&lock) == 0, "a mutex of the program before");
		check_compute(200);
		puts("executed by a thread");
		return check_result();
	}
	self = argv[0];
	pthread_t threads[THREADS + 1], workers[WORKERS];
	pthread_atfork(on_prepare, on_parent, on_child);
	pthread_barrier_init(&together, NULL, THREADS);
	for (int i = 0; i < WORKERS; i++)
		workers[i] = thread_start(busy, NULL, 0);
	for (intptr_t i = 0; i < THREADS; i++)
		threads[i] = thread_start(forking, (void *)(i + 1), 0);
	threads[THREADS] = thread_start(for_another, NULL, 0);
	for (int i = 0; i <= THREADS; i++)
		thread_end(threads[i]);
	threads_in_child();
	check(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "a child is left");
	printf("forks: %d prepared, %d in the parent, %d in the children, codes %d\n", prepared, parents, children, exit_codes);
	check(prepared == (THREADS + 1) * ROUNDS + 1 && parents == prepared && children == 0, "atfork handlers");
	atomic_store(&finished, 1);
	for (int i = 0; i < WORKERS; i++)
		check(thread_end(workers[i]) != NULL, "a worker");
	if (check_wrong != 0)
		return check_result();
	fflush(stdout);
	thread_end(thread_start(executing, NULL, 0));
	return 1;
}
