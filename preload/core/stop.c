/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <mosix/reason.h>
#include "apart.h"
#include "capture.h"
#include "capture_parts.h"
#include "core.h"
#include "deputy.h"
#include "entry.h"
#include "leave.h"
#include "lock.h"
#include "stop.h"
#include "thread.h"

#define PATIENCE_NS 2000000000ull	/* for every thread to reach its handler */
#define AGAIN_NS      20000000ull	/* until those that have not come are told again: SIGURG does not queue */
#define ROUNDS_STILL  2			/* listings that must find everybody standing */

struct tasks { int count; uint32_t tid[MOSIX_THREADS_MAX + 1]; };

/* struct linux_dirent64, getdents64(2) */
struct entry { uint64_t inode, offset; uint16_t length; uint8_t type; char name[]; };

static uint32_t number(const char *digits)
{
	uint32_t n = 0;

	for (; *digits >= '0' && *digits <= '9'; digits++)
		n = n * 10 + (uint32_t)(*digits - '0');
	return *digits ? 0 : n;
}

/* In a thread with descriptors of its own. That thread itself is in the list. */
static void list_tasks(void *argument)
{
	struct tasks *tasks = argument;
	uint8_t *text = arena_at(ARENA_TEXT);
	int fd = (int)SYS4(__NR_openat, AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	long n;

	tasks->count = fd < 0 ? fd : 0;
	while (tasks->count >= 0 && (n = SYS3(__NR_getdents64, fd, text, 65536)) > 0)
		for (const uint8_t *at = text; at < text + n; at += ((const struct entry *)at)->length) {
			uint32_t tid = number(((const struct entry *)at)->name);

			if (tid == 0)
				continue;
			if (tasks->count > (int)MOSIX_THREADS_MAX) {
				tasks->count = -E2BIG;
				break;
			}
			tasks->tid[tasks->count++] = tid;
		}
}

/* The threads but the first. -errno; the list is at ARENA_RUNS. */
static int list_others(struct tasks **ret)
{
	struct tasks *tasks = *ret = arena_at(ARENA_RUNS);
	uint32_t lister;
	int count = 0, error = apart_run(list_tasks, tasks, &lister);

	if (error != 0)
		return error;
	for (int i = 0; i < tasks->count; i++)
		if (tasks->tid[i] != lister && tasks->tid[i] != core_here->pid)
			tasks->tid[count++] = tasks->tid[i];
	return tasks->count < 0 ? tasks->count : count;
}

/* The slots that larger ones have replaced: nobody stands there, and nobody is just leaving them. */
static void drop_old_slots(void)
{
	struct core_state *s = core_here;

	if (s->old_slots != 0)
		SYS2(__NR_munmap, s->old_slots, s->old_count * MOSIX_SLOT_SIZE);
	s->old_slots = 0;
}

/*
 * One slot for each further thread and some for those to come. A thread keeps its slot as long as it lives, for it may just be
 * leaving it after a homecoming; if the range is too small, a new one is made, and the old one goes when all stand there.
 */
static int reserve_slots(uint32_t others)
{
	struct core_state *s = core_here;
	uint32_t wanted = others + mosix_spare(others + 1), count = wanted < MOSIX_THREADS_MAX ? wanted : MOSIX_THREADS_MAX - 1;
	uint64_t size = (count + 1) * MOSIX_SLOT_SIZE, start;
	long at;

	if (others >= MOSIX_THREADS_MAX)
		return -E2BIG;
	if (s->slot_count >= others + MOSIX_SPARE_LEAST)
		return 0;
	at = core_syscall6(__NR_mmap, 0, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, (uint64_t)-1, 0);
	if (at < 0 && at >= -4095)
		return (int)at;
	start = ((uint64_t)at + MOSIX_SLOT_SIZE - 1) & ~(MOSIX_SLOT_SIZE - 1);
	if (start > (uint64_t)at)
		SYS2(__NR_munmap, at, start - (uint64_t)at);
	SYS2(__NR_munmap, start + count * MOSIX_SLOT_SIZE, (uint64_t)at + size - start - count * MOSIX_SLOT_SIZE);
	if (s->slot_count > 0 && s->old_slots == 0) {	/* another one in vain keeps its addresses, which cost nothing */
		s->old_slots = s->slots;
		s->old_count = s->slot_count;
	}
	memset(s->slot_tid, 0, sizeof(s->slot_tid));
	s->slots = start;
	s->slot_count = count;
	return 0;
}

static uint32_t slot_of(uint32_t tid)
{
	for (uint32_t n = 1; n <= core_here->slot_count; n++)
		if (core_here->slot_tid[n] == tid)
			return n;
	return 0;
}

int slot_open(uint32_t n, uint32_t tid)
{
	uint64_t at = slot_address(n);
	struct core_thread *t = slot_thread(n);

	if (SYS3(__NR_mprotect, at + ARENA_THREAD, MOSIX_SLOT_SIZE - ARENA_THREAD - MOSIX_PAGE, PROT_READ | PROT_WRITE) != 0)
		return -ENOMEM;
	memset(t, 0, sizeof(*t));
	t->own.tid = tid;
	t->own.slot = n;
	return 0;
}

static int give_slot(uint32_t tid)
{
	struct core_state *s = core_here;

	for (uint32_t n = 1; n <= s->slot_count; n++) {
		if (s->slot_tid[n] != 0)
			continue;
		if (slot_open(n, tid) != 0)
			return -ENOMEM;
		__atomic_store_n(&s->slot_tid[n], tid, __ATOMIC_SEQ_CST);
		return 0;
	}
	return -E2BIG;
}

/* Threads that have ended need no slot. */
static void forget_gone(const struct tasks *tasks, int count)
{
	struct core_state *s = core_here;

	for (uint32_t n = 1; n <= s->slot_count; n++) {
		int there = 0;

		for (int i = 0; i < count && !there; i++)
			there = tasks->tid[i] == s->slot_tid[n];
		if (!there)
			s->slot_tid[n] = 0;
	}
}

/* Tells each thread that does not stand. How many there are, or -errno. */
static int tell_running(const struct tasks *tasks, int count)
{
	int running = 0;

	for (int i = 0; i < count; i++) {
		uint32_t n = slot_of(tasks->tid[i]);

		if (n != 0 && core_get(&slot_thread(n)->stands))
			continue;
		running++;
		if (n == 0) {
			int error = give_slot(tasks->tid[i]);

			if (error != 0)
				return error;
		}
		stop_nudge(tasks->tid[i]);
	}
	return running;
}

static uint32_t stop_others(void)
{
	struct core_state *s = core_here;
	uint64_t until = core_clock(CORE_CLOCK_MONOTONIC) + PATIENCE_NS;
	struct tasks *tasks;
	int still = 0, count = list_others(&tasks), error;

	if (count < 0)
		return MOSIX_WHY_THREADS;
	error = reserve_slots((uint32_t)count);
	if (error != 0)
		return error == -E2BIG ? MOSIX_WHY_THREADS : MOSIX_WHY_NO_MEMORY;
	core_set(&s->phase, STOP_STAND);
	for (;;) {
		uint32_t standing = core_get(&s->standing);
		int running;

		count = list_others(&tasks);
		if (count < 0)
			return MOSIX_WHY_THREADS;
		forget_gone(tasks, count);
		running = tell_running(tasks, count);
		if (running < 0)
			return running == -E2BIG ? MOSIX_WHY_THREADS : MOSIX_WHY_NO_MEMORY;
		still = running == 0 ? still + 1 : 0;
		if (still == ROUNDS_STILL)
			break;
		if (core_clock(CORE_CLOCK_MONOTONIC) > until)
			return MOSIX_WHY_THREAD_BUSY;
		if (running > 0)
			core_wait(&s->standing, standing, core_clock(CORE_CLOCK_MONOTONIC) + AGAIN_NS);
	}
	drop_old_slots();
	s->threads = 1 + (uint32_t)count;
	return 0;
}

uint32_t stop_objection(void)
{
	const struct core_state *s = core_here;

	for (uint32_t n = 1; n <= s->slot_count; n++)
		if (slot_is_used(n) && slot_thread(n)->reason != 0)
			return slot_thread(n)->reason;
	return 0;
}

uint32_t stop_all(void)
{
	struct core_state *s = core_here;
	uint32_t reason = 0;

	s->threads = 1;
	s->detached = 0;
	if (capture_is_single()) {
		if (!capture_is_unshared())
			return MOSIX_WHY_SHARED_VM;
		/* Without room for threads of its own while it is away, they begin at home. */
		if (reserve_slots(0) == 0)
			drop_old_slots();
		memset(s->slot_tid, 0, sizeof(s->slot_tid));
	} else {
		reason = stop_others();
		if (reason != 0)
			stop_let_go();
	}
	return reason;
}

void stop_let_go(void)
{
	struct core_state *s = core_here;
	uint32_t standing;

	core_set(&s->phase, STOP_NONE);
	while ((standing = core_get(&s->standing)) != 0)
		core_wait(&s->standing, standing, 0);
}

void stop_detach(void)
{
	struct core_state *s = core_here;
	uint32_t seen;

	core_set(&s->phase, STOP_DETACH);
	while ((seen = core_get(&s->detached)) < s->threads - 1)
		core_wait(&s->detached, seen, 0);
}

void stop_serve(void)
{
	core_set(&core_here->phase, STOP_SERVE);
}

/* On the thread's own slot. Returns to the handler if it is to go on. */
static void stand(void *argument)
{
	struct core_state *s = core_here;
	struct core_thread *t = core_thread();

	t->uc = argument;
	t->reason = capture_take_thread(t, t->uc);
	__atomic_store_n(&t->stands, 1, __ATOMIC_SEQ_CST);
	core_add(&s->standing, 1);
	while (core_get(&s->phase) == STOP_STAND)
		core_wait(&s->phase, STOP_STAND, 0);
	if (core_get(&s->phase) == STOP_NONE) {
		t->stands = 0;
		core_add(&s->standing, (uint32_t)-1);
		return;
	}
	leave_detach(t);
	core_add(&s->detached, 1);
	while (core_get(&s->phase) == STOP_DETACH)
		core_wait(&s->phase, STOP_DETACH, 0);
	deputy_main();
}

void stop_here(struct kernel_ucontext *uc, uint32_t inside)
{
	uint32_t n = slot_of((uint32_t)SYS0(__NR_gettid));

	if (n == 0 || core_get(&core_here->phase) != STOP_STAND)
		return;
	slot_thread(n)->own.inside = inside;
	core_call_on(slot_stack(n), stand, uc);
}

int stop_is_first(void)
{
	return (uint32_t)SYS0(__NR_gettid) == core_here->pid;
}

static void tell(uint32_t tid, uint64_t value)
{
	struct kernel_siginfo info = { .signo = KSIG_URG, .code = KSI_QUEUE,
				       .rt = { .pid = (int32_t)core_here->pid, .value = value } };

	SYS4(__NR_rt_tgsigqueueinfo, core_here->pid, tid, KSIG_URG, &info);
}

void stop_tell_order(void)
{
	tell(core_here->pid, core_here->config.secret);
}

void stop_nudge(uint32_t tid)
{
	tell(tid, stop_nudge_value(core_here->config.secret));
}

void stop_nudge_all(void)
{
	struct core_state *s = core_here;
	uint32_t self = core_thread()->own.tid;

	if (self != s->pid)
		stop_nudge(s->pid);
	for (uint32_t n = 1; n <= s->slot_count; n++) {
		uint32_t tid = core_get(&s->slot_tid[n]);

		if (tid != 0 && tid != self)
			stop_nudge(tid);
	}
}
