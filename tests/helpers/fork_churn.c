/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fork_churn [SEED [TREES]]: random trees of processes. Each process computes, keeps memory of its own right, and has children: some
 * are forked, some are this program executed again, some do nothing but end. What each has found goes to its parent on a pipe, so
 * that the sums at the end are those of every run with the same seed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>

#include "fork.h"

enum { TREES = 32, DEPTH = 4, MOST = 4, STEPS = 10, BLOCKS = 8, RESULT_FD = 90 };

struct result {
	uint64_t digest;
	int processes, executed;
};

struct process {
	uint64_t random;
	int depth;
	uint64_t *block[BLOCKS];
	size_t words[BLOCKS];
	uint64_t sum[BLOCKS];
	struct result result;
};

static char *self;

static unsigned pick(struct process *p, unsigned below)
{
	p->random = check_work(p->random, 3);
	return (unsigned)(p->random >> 33) % below;
}

static void found(struct process *p, uint64_t value)
{
	p->result.digest = (p->result.digest ^ value) * UINT64_C(1099511628211) + 1;
}

/* ---- memory ---- */

static uint64_t sum_of(const uint64_t *block, size_t words)
{
	uint64_t sum = words;
	for (size_t i = 0; i < words; i++)
		sum = sum * 31 + block[i];
	return sum;
}

static void check_block(const struct process *p, unsigned n)
{
	check(p->block[n] == NULL || sum_of(p->block[n], p->words[n]) == p->sum[n], "a block of memory has changed");
}

static void change_memory(struct process *p)
{
	unsigned n = pick(p, BLOCKS);
	check_block(p, n);
	if (p->block[n] == NULL || pick(p, 3) == 0) {
		free(p->block[n]);
		p->words[n] = 64 + pick(p, pick(p, 8) == 0 ? 60000 : 2000);
		p->block[n] = malloc(p->words[n] * 8);
	}
	for (size_t i = 0; i < p->words[n]; i++)
		p->block[n][i] = p->random + i * i;
	p->sum[n] = sum_of(p->block[n], p->words[n]);
	found(p, p->sum[n]);
}

/* ---- children ---- */

static void grow(struct process *p);

static void begin(struct process *p, uint64_t seed, int depth)
{
	p->random = seed;
	p->depth = depth;
	p->result = (struct result){ .digest = seed, .processes = 1 };
}

static _Noreturn void finish(const struct process *p, int fd)
{
	for (unsigned n = 0; n < BLOCKS; n++)
		check_block(p, n);
	fork_write(fd, &p->result, sizeof p->result);
	fork_end((int)(p->result.digest % 90));
}

struct child {
	pid_t pid;
	int fd;
	enum { FORKED, EXECUTED, SPAWNED, KILLED } kind;
};

static pid_t executed(char **arguments, int fd, bool vforked)
{
	pid_t pid = vforked ? vfork() : fork();
	if (pid == 0) {
		if (dup2(fd, RESULT_FD) == RESULT_FD)
			execv(self, arguments);
		_exit(127);
	}
	return pid;
}

static pid_t spawned(char **arguments, int fd)
{
	pid_t pid = -1;
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, RESULT_FD);
	check(posix_spawn(&pid, self, &actions, NULL, arguments, environ) == 0, "posix_spawn");
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static struct child bear(struct process *p)
{
	static const uint8_t kinds[] = { FORKED, FORKED, FORKED, FORKED, FORKED, EXECUTED, SPAWNED, KILLED };
	struct child child = { .kind = kinds[pick(p, sizeof kinds)] };
	uint64_t seed = check_work(p->random, 5);
	int line[2];
	char text[2][24];
	bool vforked = pick(p, 2);
	snprintf(text[0], sizeof text[0], "%llu", (unsigned long long)seed);
	snprintf(text[1], sizeof text[1], "%d", p->depth + 1);
	char *arguments[] = { self, (char *)"grow", text[0], text[1], NULL };
	check(pipe2(line, O_CLOEXEC) == 0, "pipe: %s", strerror(errno));
	fflush(stdout);
	if (child.kind == SPAWNED) {
		child.pid = spawned(arguments, line[1]);
	} else if (child.kind == EXECUTED) {
		child.pid = executed(arguments, line[1], vforked);
	} else {
		pid_t parent = getpid();
		child.pid = fork_start();
		if (child.pid == 0) {
			check(getppid() == parent, "the parent");
			if (child.kind == KILLED)
				for (;;)
					check_compute(10);
			begin(p, seed, p->depth + 1);
			grow(p);
			finish(p, line[1]);
		}
	}
	close(line[1]);
	child.fd = line[0];
	return child;
}

static void reap(struct process *p, const struct child *child)
{
	struct result result = { 0 };
	int status = 0;
	if (child->kind == KILLED) {
		kill(child->pid, SIGKILL);
		fork_expect(child->pid, SIGKILL, "who is killed");
		check(fork_read(child->fd, &result, sizeof result) == 0, "a result of the dead");
		close(child->fd);
		p->result.processes++;
		return;
	}
	size_t got = fork_read(child->fd, &result, sizeof result);
	close(child->fd);
	pid_t waited = fork_wait(child->pid, &status, 0);
	check(waited == child->pid && got == sizeof result && status == fork_code((int)(result.digest % 90)),
	      "child of kind %d: wait says %d for %d, status %x, %zu bytes", child->kind, waited, child->pid, status, got);
	found(p, result.digest);
	p->result.processes += result.processes;
	p->result.executed += result.executed;
}

/* The life of a process. */
static void grow(struct process *p)
{
	struct child child[MOST];
	unsigned children = 0;
	pid_t pid = getpid();
	for (int step = 0; step < STEPS; step++) {
		switch (pick(p, 5)) {
		case 0:
		case 1:
			found(p, check_work(p->random, 300000 + pick(p, 900000)));
			break;
		case 2:
		case 3:
			change_memory(p);
			break;
		default:
			if (p->depth < DEPTH && children < MOST)
				child[children++] = bear(p);
			else if (children > 0)
				reap(p, &child[--children]);
		}
		check(getpid() == pid, "the pid has changed");
	}
	for (unsigned n = 0; n < BLOCKS; n++)
		check_block(p, n);
	while (children > 0)
		reap(p, &child[--children]);
	check(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "a child too many");
}

int main(int argc, char **argv)
{
	static struct process p;
	self = argv[0];
	if (argc == 4 && strcmp(argv[1], "grow") == 0) {
		fcntl(RESULT_FD, F_SETFD, FD_CLOEXEC);
		begin(&p, strtoull(argv[2], NULL, 10), atoi(argv[3]));
		p.result.executed = 1;
		grow(&p);
		finish(&p, RESULT_FD);
	}
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 2;
	int trees = argc > 2 ? atoi(argv[2]) : TREES;
	for (int tree = 0; tree < trees; tree++) {
		begin(&p, check_work(seed + (uint64_t)tree, 7), 0);
		grow(&p);
		printf("tree %d: %d processes, %d of them executed, %016llx\n", tree, p.result.processes, p.result.executed,
		       (unsigned long long)p.result.digest);
	}
	return check_result();
}
