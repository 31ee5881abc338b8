/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remoted/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mosix/plan.h>
#include <mosix/stack.h>

#include "common/proc.h"
#include "remoted/member.h"

#define TRACED_MAX  (2 * MOSIX_THREADS_MAX)	/* a guest may be making and ending threads meanwhile */
#define RANGES_MAX  65536
#define MAPS_SIZE   (16u << 20)
#define STACKS_MAX  3				/* of one thread: its own, and those of handlers that interrupted each other */
#define TRAP_SYSTEM 1				/* SYS_SECCOMP, si_code of SIGSYS */

struct traced {
	pid_t tid;		/* here */
	bool stopped;
	int signal;		/* it was stopped with, and will get when it goes on */
};

struct range { uint64_t start, end; };

struct tracer {
	pid_t pid, warden;
	bool forbidden;			/* the kernel lets nobody trace it */
	unsigned count;
	struct traced thread[TRACED_MAX];
	struct range *range;		/* what of the guest's memory can be read, ascending */
	unsigned ranges;
	struct range vdso[2];
	uint8_t *out;			/* MOSIX_STACK_MAX bytes */
	size_t size;
	uint64_t left;			/* of MOSIX_STACK_TOTAL */
	uint8_t copy[MOSIX_STACK_EACH];
};

/* ---- the guest's threads stand ---- */

static bool is_known(const struct tracer *t, pid_t tid)
{
	for (unsigned i = 0; i < t->count; i++)
		if (t->thread[i].tid == tid)
			return true;
	return false;
}

/*
 * Not reaped (WNOWAIT): should this process be killed now, the kernel lets the thread go on with the signal that it was about to
 * take.
 */
static void await_stop(struct traced *thread)
{
	siginfo_t info = { 0 };
	int r;

	do
		r = waitid(P_PID, (id_t)thread->tid, &info, WSTOPPED | WEXITED | WNOWAIT | __WALL);
	while (r < 0 && errno == EINTR);
	if (r < 0 || info.si_code != CLD_TRAPPED)
		return;
	thread->stopped = true;
	thread->signal = info.si_status >> 8 ? 0 : info.si_status;
}

/* Those that were not known yet: how many. */
static unsigned stop_new(struct tracer *t, DIR *tasks)
{
	unsigned before = t->count;
	struct dirent *entry;

	rewinddir(tasks);
	while (t->count < TRACED_MAX && (entry = readdir(tasks))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (tid <= 0 || is_known(t, tid))
			continue;
		if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0) {
			t->forbidden |= errno == EPERM || errno == EACCES || errno == ENOSYS;
			continue;
		}
		ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
		t->thread[t->count++] = (struct traced){ .tid = tid };
	}
	for (unsigned i = before; i < t->count; i++)
		await_stop(&t->thread[i]);
	return t->count - before;
}

static void stop_all(struct tracer *t)
{
	char path[48];
	DIR *tasks;

	snprintf(path, sizeof path, "/proc/%d/task", (int)t->pid);
	tasks = opendir(path);
	while (tasks && stop_new(t, tasks) > 0)
		;
	if (tasks)
		closedir(tasks);
}

static void let_go(struct tracer *t)
{
	for (unsigned i = 0; i < t->count; i++)
		if (t->thread[i].stopped)
			ptrace(PTRACE_DETACH, t->thread[i].tid, NULL, (void *)(intptr_t)t->thread[i].signal);
}

/* ---- its memory ---- */

static int read_ranges(struct tracer *t)
{
	char path[48], *text, *line, *rest;
	unsigned vdsos = 0;
	size_t size;
	int r;

	snprintf(path, sizeof path, "/proc/%d/maps", (int)t->pid);
	r = proc_read_text(path, MAPS_SIZE, &text, &size);
	t->range = calloc(RANGES_MAX, sizeof *t->range);
	if (r < 0 || !t->range)
		return r < 0 ? r : -ENOMEM;
	for (line = strtok_r(text, "\n", &rest); line && t->ranges < RANGES_MAX; line = strtok_r(NULL, "\n", &rest)) {
		struct range range;
		char mode;

		if (sscanf(line, "%lx-%lx %c", &range.start, &range.end, &mode) != 3 || mode != 'r')
			continue;
		t->range[t->ranges++] = range;
		if (vdsos < 2 && strstr(line, "[vdso]"))
			t->vdso[vdsos++] = range;
	}
	free(text);
	return 0;
}

static const struct range *range_of(const struct tracer *t, uint64_t address)
{
	for (unsigned i = 0; i < t->ranges; i++)
		if (address >= t->range[i].start && address < t->range[i].end)
			return &t->range[i];
	return NULL;
}

/* How much of it could be read. */
static size_t peek(const struct tracer *t, void *buffer, uint64_t address, size_t size)
{
	struct iovec here = { buffer, size }, there = { (void *)(uintptr_t)address, size };
	ssize_t n = process_vm_readv(t->pid, &here, 1, &there, 1, 0);

	return n < 0 ? 0 : (size_t)n;
}

/* ---- the snapshot ---- */

static void put(struct tracer *t, uint32_t kind, uint64_t address, const void *bytes, size_t size)
{
	struct mosix_stack_piece piece = { .kind = kind, .size = (uint32_t)size, .address = address };
	size_t padded = (size + 7) & ~(size_t)7;

	if (sizeof piece + padded > MOSIX_STACK_MAX - t->size)
		return;
	memcpy(t->out + t->size, &piece, sizeof piece);
	memcpy(t->out + t->size + sizeof piece, bytes, size);
	memset(t->out + t->size + sizeof piece + size, 0, padded - size);
	t->size += sizeof piece + padded;
}

/* Into t->copy as well: how much. */
static size_t put_memory(struct tracer *t, uint64_t start, uint64_t end)
{
	uint64_t wanted = end - start;
	size_t size;

	if (wanted > sizeof t->copy)
		wanted = sizeof t->copy;
	size = peek(t, t->copy, start, wanted < t->left ? wanted : t->left);
	if (size > 0)
		put(t, MOSIX_STACK_MEMORY, start, t->copy, size);
	t->left -= size;
	return size;
}

/* From the stack pointer up, and on where the handlers on alternate stacks came from. */
static void put_stacks(struct tracer *t, uint64_t rsp, uint64_t most)
{
	for (int n = 0; n < STACKS_MAX; n++) {
		const struct range *on = range_of(t, rsp);
		struct mosix_stack_frame frame;
		uint64_t start;

		if (!on)
			return;
		start = (rsp - MOSIX_STACK_RED) & ~15ull;
		if (start < on->start)
			start = on->start;
		if (!stack_find_frame(t->copy, start, put_memory(t, start, on->end - start > most ? start + most : on->end),
				      &frame))
			return;
		rsp = frame.regs.rsp;
	}
}

static void take_registers(struct mosix_stack_thread *to, const struct user_regs_struct *r)
{
	to->regs = (struct mosix_registers){
		.r8 = r->r8, .r9 = r->r9, .r10 = r->r10, .r11 = r->r11,
		.r12 = r->r12, .r13 = r->r13, .r14 = r->r14, .r15 = r->r15,
		.rdi = r->rdi, .rsi = r->rsi, .rbp = r->rbp, .rbx = r->rbx, .rdx = r->rdx, .rax = r->rax, .rcx = r->rcx,
		.rsp = r->rsp, .rip = r->rip, .rflags = r->eflags,
	};
	to->call = (int64_t)r->orig_rax >= 0 ? (uint32_t)r->orig_rax + 1 : 0;
}

/* The frame by which a thread came into the gate, or by which it is about to land: there the program's registers are. */
static bool find_gate_frame(struct tracer *t, uint64_t slot, uint64_t rsp, struct mosix_stack_frame *ret_frame)
{
	uint64_t bottom = slot + MOSIX_ARENA_STACK, top = bottom + MOSIX_ARENA_STACK_SIZE, start = rsp & ~15ull;
	bool found;

	if (start < bottom || start > top)
		return false;
	if (top - start > sizeof t->copy)
		start = top - sizeof t->copy;
	found = stack_find_frame(t->copy, start, peek(t, t->copy, start, top - start), ret_frame);
	if (!found && peek(t, t->copy, slot + MOSIX_ARENA_FRAME + 16, STACK_FRAME_SIZE) == STACK_FRAME_SIZE)
		found = stack_read_frame(t->copy, ret_frame);
	return found && ret_frame->altstack.sp == bottom && ret_frame->altstack.size == MOSIX_ARENA_STACK_SIZE;
}

/* A gate that reads waits for home's answer. */
static void leave_gate(struct tracer *t, struct mosix_stack_thread *thread)
{
	bool waits = thread->call == SYS_read + 1;
	struct mosix_stack_frame frame;

	if (!find_gate_frame(t, thread->regs.rsp & ~(MOSIX_SLOT_SIZE - 1), thread->regs.rsp, &frame))
		return;
	thread->regs = frame.regs;
	thread->call = 0;
	if (frame.signo != SIGSYS || frame.code != TRAP_SYSTEM || frame.nr < 0)
		return;
	thread->call = (uint32_t)frame.nr + 1;
	thread->flags = waits ? MOSIX_STACK_AT_HOME : 0;
}

static uint32_t number_of(const struct tracer *t, pid_t tid)
{
	char path[64];
	int directory;
	uint32_t number;

	snprintf(path, sizeof path, "/proc/%d/task/%d", (int)t->pid, (int)tid);
	directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return 0;
	number = member_number(directory, tid, t->warden);
	close(directory);
	return number;
}

static void put_thread(struct tracer *t, pid_t tid, uint64_t most)
{
	struct mosix_stack_thread thread = { .tid = number_of(t, tid) };
	struct user_regs_struct regs;

	if (thread.tid == 0 || ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return;
	take_registers(&thread, &regs);
	leave_gate(t, &thread);
	put(t, MOSIX_STACK_THREAD, 0, &thread, sizeof thread);
	put_stacks(t, thread.regs.rsp, most);
}

/* Its pid may have become another process's until it was stopped. */
static bool is_meant(const struct tracer *t, uint32_t number)
{
	return t->count > 0 && number_of(t, t->pid) == number;
}

static enum snapshot_status take(struct tracer *t, uint32_t number)
{
	t->pid = member_find(t->warden, number);
	if (t->pid < 0)
		return SNAPSHOT_ENDED;
	stop_all(t);
	if (is_meant(t, number) && read_ranges(t) == 0) {
		for (int i = 0; i < 2; i++)
			put_memory(t, t->vdso[i].start, t->vdso[i].end);
		for (unsigned i = 0; i < t->count; i++)
			if (t->thread[i].stopped)
				put_thread(t, t->thread[i].tid, stack_share(t->count));
	}
	let_go(t);
	return t->count == 0 && t->forbidden ? SNAPSHOT_FORBIDDEN : t->size > 0 ? SNAPSHOT_TAKEN : SNAPSHOT_ENDED;
}

static void say(int fd, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno != EINTR)
			return;
		bytes += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
}

static _Noreturn void run(int fd, pid_t warden, uint32_t number)
{
	struct tracer *t = calloc(1, sizeof *t);
	enum snapshot_status status;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "mosix-look");
	if (fd > 0)
		close_range(0, (unsigned)fd - 1, 0);
	close_range((unsigned)fd + 1, ~0u, 0);
	if (t)
		t->out = malloc(MOSIX_STACK_MAX);
	if (!t || !t->out)
		_exit(SNAPSHOT_NO_MEMORY);
	t->warden = warden;
	t->left = MOSIX_STACK_TOTAL;
	status = take(t, number);
	say(fd, t->out, t->size);
	_exit(status);
}

int snapshot_start(pid_t warden, uint32_t number, int *ret_fd, pid_t *ret_pid)
{
	sigset_t all, before;
	int pipe[2], error;
	pid_t pid;

	if (pipe2(pipe, O_CLOEXEC) < 0)
		return -errno;
	/* remoted's handlers must not run there, where they would write into remoted's pipes. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		run(pipe[1], warden, number);
	error = -errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(pipe[1]);
	if (pid < 0) {
		close(pipe[0]);
		return error;
	}
	*ret_fd = pipe[0];
	*ret_pid = pid;
	return 0;
}
