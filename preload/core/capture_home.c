/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The image of a process at home, taken in the migration handler with no other thread running. */
#include <asm/stat.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <mosix/reason.h>
#include "arena.h"
#include "capture_parts.h"
#include "core.h"
#include "entry.h"
#include "gate.h"
#include "thread.h"
#include "xstate.h"

#define CLONE_ALONE_THREAD CLONE_THREAD
#define CLONE_ALONE_MEMORY (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)
#define PR_GET_TID_ADDRESS 40
#define VDSO_SCAN (1ull << 20)	/* of the stack: what nested signal handlers use, not a coroutine's whole arena */
#define PATH_LONGEST 4096
#define RSEQ_SIGNATURE 0x53053053u	/* glibc's RSEQ_SIG on x86 */

/*
 * unshare(2) of what a lone thread does not share changes nothing and succeeds; otherwise it is EINVAL. It needs no
 * descriptor, unlike a look at /proc/self/task.
 */
int capture_is_single(void)
{
	return SYS1(__NR_unshare, CLONE_ALONE_THREAD) == 0;
}

int capture_is_unshared(void)
{
	return SYS1(__NR_unshare, CLONE_ALONE_MEMORY) == 0;
}

/* A PC inside the vDSO, here or in a frame further up the stack, would continue in code that the guest patches. */
static int check_vdso(struct capture *c, const struct kernel_ucontext *uc, const struct maps_entry *map, int count)
{
	const struct core_config *config = &core_here->config;
	uint64_t rsp = uc->mc.regs.rsp & ~7ull, end = 0;

	if (config->vdso_start == 0)
		return 0;
	if (uc->mc.regs.rip >= config->vdso_start && uc->mc.regs.rip < config->vdso_end)
		return capture_fail(c, MOSIX_WHY_IN_VDSO, 0);
	for (int i = 0; i < count; i++)
		if (map[i].start <= rsp && rsp < map[i].end && map[i].prot & PROT_READ)
			end = map[i].end;
	if (end > rsp + VDSO_SCAN)
		end = rsp + VDSO_SCAN;
	for (const uint64_t *at = (const uint64_t *)rsp + 1; (uint64_t)(at + 1) < end; at++) {
		int entry = (*at == config->vdso_start);

		if (*at < config->vdso_start || *at >= config->vdso_end)
			continue;
		for (int i = 0; i < MOSIX_VDSO_KINDS; i++)
			entry |= *at == config->vdso[i];
		/* A frame's saved PC stands between its saved stack pointer and flags; a stale word rarely does. */
		if (!entry && at[-1] > rsp && at[-1] < end && (at[1] & ~0x50fd7ull) == 0)
			return capture_fail(c, MOSIX_WHY_IN_VDSO, 1);
	}
	return 0;
}

static int check_timers(struct capture *c)
{
	struct { int64_t interval[2], value[2]; } timer;

	for (int which = 1; which <= 2; which++)	/* ITIMER_VIRTUAL, ITIMER_PROF */
		if (SYS2(__NR_getitimer, which, &timer) == 0 && (timer.value[0] | timer.value[1]) != 0)
			return capture_fail(c, MOSIX_WHY_CPU_TIMER, which);
	return 0;
}

/* Timers of timer_create(2) on CPU clocks: "ClockID: n" in /proc/PID/timers, where the kernel has it. */
static int check_posix_timers(struct capture *c)
{
	char text[4096];
	int fd = maps_open("/proc/self/timers");
	long n, matched = 0;
	static const char key[] = "ClockID: ";

	if (fd < 0)
		return 0;
	while ((n = SYS3(__NR_read, fd, text, sizeof(text))) > 0) {
		for (long i = 0; i < n; i++) {
			if (key[matched] == '\0' && (text[i] == '-' || text[i] == '2' || text[i] == '3')) {
				SYS1(__NR_close, fd);
				return capture_fail(c, MOSIX_WHY_CPU_TIMER, 0);
			}
			matched = key[matched] != '\0' && text[i] == key[matched] ? matched + 1 : text[i] == key[0];
		}
	}
	SYS1(__NR_close, fd);
	return 0;
}

/*
 * An area that is not glibc's could not be unregistered, and the kernel would write to it while it is dropped. A thread has one
 * at most.
 */
static int has_own_rseq(const struct mosix_thread *own)
{
	void *probe = slot_at(ARENA_FRAME);

	if (own->rseq)
		return 0;
	if (SYS4(__NR_rseq, probe, 32, 0, RSEQ_SIGNATURE) != 0)
		return 1;
	SYS4(__NR_rseq, probe, 32, 1, RSEQ_SIGNATURE);
	return 0;
}

/* Fields of /proc/self/stat by their number in proc_pid_stat(5), from 3 on. */
static int read_stat(uint64_t field[52])
{
	char text[1024];
	int fd = maps_open("/proc/self/stat"), number = 3;
	long n;
	const char *at = text;

	if (fd < 0)
		return fd;
	n = SYS3(__NR_read, fd, text, sizeof(text) - 1);
	SYS1(__NR_close, fd);
	if (n <= 0)
		return -EIO;
	text[n] = '\0';
	for (const char *p = text; *p; p++)
		if (*p == ')')
			at = p + 2;
	for (; *at && number < 52; at++) {
		if (*at == ' ')
			number++;
		else if (*at >= '0' && *at <= '9')
			field[number] = field[number] * 10 + (uint64_t)(*at - '0');
	}
	return 0;
}

/* The kernel tells only whoever unregisters it. */
static int is_registered(const struct mosix_thread *own)
{
	if (SYS4(__NR_rseq, own->rseq, own->rseq_size, 1 /* RSEQ_FLAG_UNREGISTER */, own->rseq_signature) != 0)
		return 0;
	SYS4(__NR_rseq, own->rseq, own->rseq_size, 0, own->rseq_signature);
	return 1;
}

uint32_t capture_take_thread(struct core_thread *t, const struct kernel_ucontext *uc)
{
	const struct core_config *config = &core_here->config;
	struct mosix_thread *own = &t->own;
	const struct core_own *kept;
	uint64_t gs = 0;

	SYS2(__NR_arch_prctl, CORE_ARCH_GET_GS, &gs);
	SYS2(__NR_arch_prctl, CORE_ARCH_GET_FS, &own->fs_base);
	kept = capture_own(own->fs_base);
	own->mask = uc->sigmask & ~ksigset_bit(KSIG_URG);
	if (kept && kept->blocked)
		own->mask |= ksigset_bit(KSIG_URG);
	own->altstack = uc->stack;
	SYS3(__NR_get_robust_list, 0, &own->robust_list, &own->robust_size);
	own->clear_tid = 0;
	SYS2(__NR_prctl, PR_GET_TID_ADDRESS, &own->clear_tid);
	own->rseq = config->rseq_size && own->fs_base ? own->fs_base + (uint64_t)config->rseq_offset : 0;
	own->rseq_size = (config->rseq_size + 31) & ~31u;
	own->rseq_signature = RSEQ_SIGNATURE;
	if (own->rseq && !is_registered(own))
		own->rseq = 0;	/* a thread that has just begun, or glibc.pthread.rseq=0 */
	own->away_ns = (kept ? kept->away_ns : 0) + core_clock(CORE_CLOCK_THREAD);
	if (gs != 0)
		return MOSIX_WHY_GS_BASE;
	return has_own_rseq(own) ? MOSIX_WHY_OWN_RSEQ : 0;
}

static void take_process(struct mosix_manifest *m, const uint64_t field[52])
{
	const struct core_state *s = core_here;

	m->code_start = field[26];
	m->code_end = field[27];
	m->stack_start = field[28];
	m->data_start = field[45];
	m->data_end = field[46];
	m->brk_start = field[47];
	m->brk = (uint64_t)SYS1(__NR_brk, 0);
	memcpy(m->vdso, s->config.vdso, sizeof(m->vdso));
	m->personality = (uint64_t)SYS1(__NR_personality, 0xffffffff);
	SYS4(__NR_prlimit64, 0, 2, NULL, &m->rlimit_data);
	SYS4(__NR_prlimit64, 0, 3, NULL, &m->rlimit_stack);
	SYS4(__NR_prlimit64, 0, 4, NULL, &m->rlimit_core);
	SYS4(__NR_prlimit64, 0, 9, NULL, &m->rlimit_as);
	SYS2(__NR_prctl, 16 /* PR_GET_NAME */, m->name);
	capture_times(m);
	m->away_user_ns = s->away_user;
	m->away_system_ns = s->away_system;
	m->cpu_user_ns += s->away_user;
	m->cpu_system_ns += s->away_system;
	m->guest_entry = (uint64_t)core_guest_entry;
	m->guest_stack = s->base + ARENA_STACK + ARENA_STACK_SIZE;
	m->gate_handler = (uint64_t)gate_handler;
	m->gate_restorer = (uint64_t)core_restorer;
	m->gate_stack = s->base + ARENA_STACK;
	m->gate_stack_size = ARENA_STACK_SIZE;
}

/* Whether the file still has the name that it was mapped by: nobody changes that just now, for the program stands. */
static int has_name(const struct maps_entry *e, struct stat *ret)
{
	const char *name = (const char *)arena_at(ARENA_TEXT) + e->name;
	char path[PATH_LONGEST];
	uint32_t n = 0;

	while (name[n] != '\0' && name[n] != '\n' && n < sizeof(path) - 1)
		n++;
	memcpy(path, name, n);
	path[n] = '\0';
	return SYS2(__NR_stat, path, ret) == 0 && ret->st_dev == e->device && ret->st_ino == e->inode;
}

/* An offered file must be the one that homed has read, another one must not be any that homed could have. */
static int is_as_seen(const struct mosix_order_file *file, int offered, const struct maps_entry *e)
{
	struct stat now;
	int named = has_name(e, &now);

	if (offered)
		return named && (uint64_t)now.st_size == file->size &&
		       (int64_t)(now.st_mtime * 1000000000 + now.st_mtime_nsec) == file->mtime_ns;
	return !named || file->size != 0;
}

/*
 * The offered file that e maps. MOSIX_NO_FILE: it could not be offered. -ESTALE: homed has not seen it as it is now, but in an
 * earlier life of its number, or not at all; as pages alone it would not be the file again after MADV_DONTNEED.
 */
static int find_file(const struct mosix_order *order, const struct maps_entry *e, uint32_t *ret_file)
{
	const struct mosix_order_file *file = (const struct mosix_order_file *)(order + 1);

	for (uint32_t i = 0; i < order->files + order->others; i++)
		if (file[i].device == e->device && file[i].inode == e->inode) {
			*ret_file = i < order->files ? i : MOSIX_NO_FILE;
			return is_as_seen(&file[i], i < order->files, e) ? 0 : -ESTALE;
		}
	return -ESTALE;
}

/* Mappings of one file mostly follow each other. */
static int find_once(struct capture *c, const struct mosix_order *order, const struct maps_entry *e, uint32_t *ret_file)
{
	if (c->found == NULL || c->found->device != e->device || c->found->inode != e->inode) {
		if (find_file(order, e, &c->file) != 0)
			return -ESTALE;
		c->found = e;
	}
	*ret_file = c->file;
	return 0;
}

static int refusal(const struct maps_entry *e)
{
	switch (e->kind) {
	case MAPS_AIO: case MAPS_RING: return MOSIX_WHY_IO_RING;
	case MAPS_HUGE:                return MOSIX_WHY_HUGETLB;
	case MAPS_DEVICE: case MAPS_UNKNOWN: return MOSIX_WHY_SPECIAL_MAP;
	default: break;
	}
	if (e->shared && (e->prot & PROT_WRITE || e->kind != MAPS_FILE || !e->system))
		return MOSIX_WHY_SHARED_MAP;
	return e->start < MOSIX_LOADER_END ? MOSIX_WHY_LOW_MEMORY_MAP : 0;
}

static int take_mapping(struct capture *c, int pagemap, const struct mosix_order *order, const struct maps_entry *e)
{
	static const uint32_t flags[] = {
		[MAPS_ANON]    = MOSIX_MAP_ANON,
		[MAPS_HEAP]    = MOSIX_MAP_ANON | MOSIX_MAP_HEAP,
		[MAPS_STACK]   = MOSIX_MAP_ANON | MOSIX_MAP_STACK,
		[MAPS_FILE]    = MOSIX_MAP_FILE,
		[MAPS_VDSO]    = MOSIX_MAP_RESERVED | MOSIX_MAP_VDSO,
		[MAPS_SPECIAL] = MOSIX_MAP_RESERVED,
	};
	uint32_t file = MOSIX_NO_FILE, shared;
	int error, reason = refusal(e);

	if (reason)
		return capture_fail(c, (uint32_t)reason, (int64_t)e->start);
	if (e->kind == MAPS_FILE && find_once(c, order, e, &file) != 0)
		return capture_fail(c, MOSIX_WHY_NEW_FILE, (int64_t)e->start);
	shared = e->shared && file != MOSIX_NO_FILE ? MOSIX_MAP_SHARED : 0;
	if (e->kind == MAPS_STACK) {
		core_here->stack_low = e->start;
		core_here->stack_end = e->end;
	}
	error = capture_mapping(c, e->start, e->end, e->offset, e->prot, flags[e->kind] | shared, file);
	if (error == 0 && e->kind == MAPS_VDSO)
		error = pages_all(e->start, e->end, &c->runs);
	else if (error == 0 && e->kind == MAPS_FILE && file == MOSIX_NO_FILE)
		error = pages_all(e->start, e->end, &c->runs);
	else if (error == 0 && e->kind != MAPS_SPECIAL && !shared)
		error = pages_find(pagemap, 1, e->start, e->end, &c->runs);
	if (error == -E2BIG)
		return capture_fail(c, MOSIX_WHY_TOO_MANY_MAPS, c->manifest->mappings);
	if (error == -EPERM)
		return capture_fail(c, MOSIX_WHY_GUARD, (int64_t)e->start);
	return error ? capture_fail(c, MOSIX_WHY_SPECIAL_MAP, error) : 0;
}

static int take_mappings(struct capture *c, const struct mosix_order *order)
{
	struct core_state *s = core_here;
	struct maps_entry *map;
	int pagemap, count = capture_maps(s->maps_fd, &map), error = 0;

	if (count <= 0)
		return capture_fail(c, count == -E2BIG ? MOSIX_WHY_TOO_MANY_MAPS : MOSIX_WHY_LEADER_DEAD, count);
	for (uint32_t n = 0; n <= s->slot_count; n++)
		if ((n == 0 || slot_is_used(n)) && check_vdso(c, slot_thread(n)->uc, map, count) != 0)
			return -1;
	pagemap = maps_open("/proc/thread-self/pagemap");
	if (pagemap < 0)
		return capture_fail(c, MOSIX_WHY_SPECIAL_MAP, pagemap);
	for (int i = 0; i < count && error == 0; i++)
		if (!capture_is_arena(&map[i]))
			error = take_mapping(c, pagemap, order, &map[i]);
	SYS1(__NR_close, pagemap);
	return error;
}

int capture_home(const struct kernel_ucontext *uc, const struct mosix_order *order, struct capture *c)
{
	struct core_state *s = core_here;
	struct core_thread *first = core_thread();
	uint64_t field[52] = { 0 };
	uint32_t reason;
	int error;

	capture_begin(c, ARENA_MANIFEST);
	if (check_timers(c) != 0 || check_posix_timers(c) != 0)
		return -1;
	error = read_stat(field);
	if (error != 0)
		return capture_fail(c, MOSIX_WHY_SPECIAL_MAP, error);
	first->uc = (struct kernel_ucontext *)uc;
	reason = capture_take_thread(first, uc);
	if (reason != 0)
		return capture_fail(c, reason, 0);
	xstate_layout_frame((const void *)uc->mc.fpstate, &s->xlayout);
	s->home_xlayout = s->xlayout;
	s->heap_start = field[47];
	s->args_start = field[48] & ~(MOSIX_PAGE - 1);
	if (capture_begin_image(c) != 0)
		return capture_fail(c, MOSIX_WHY_CPU_LACKS, 0);
	take_process(c->manifest, field);
	return take_mappings(c, order);
}
