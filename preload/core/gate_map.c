/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/mman.h>
#include <mosix/plan.h>
#include "content.h"
#include "core.h"
#include "gate.h"
#include "gate_map.h"
#include "guest.h"
#include "lock.h"
#include "ranges.h"
#include "thread.h"

#define ALLOWED_PROT (PROT_READ | PROT_WRITE | PROT_EXEC)
/* What the guest's kernel does with the mapping; the others say where. */
#define MAKING (MAP_PRIVATE | MAP_NORESERVE | MAP_POPULATE | MAP_STACK | MAP_DENYWRITE | MAP_EXECUTABLE)
#define PLACING (MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT)

struct wish {
	uint64_t start, length, prot, flags, offset;
	uint64_t fd;
	int      fixed;		/* in place of whatever is there */
};

/* The heap grows only where nothing is in its way. */
static int is_heap(uint64_t start, uint64_t length)
{
	return start < (uint64_t)SYS1(__NR_brk, 0) && start + PAGE_UP(length) > core_here->heap_start;
}

static int is_served(const struct wish *w)
{
	if ((w->flags & MAP_PRIVATE) == 0 || w->flags & ~(uint64_t)(MAKING | PLACING) || w->prot & ~(uint64_t)ALLOWED_PROT)
		return 0;
	if (w->start && w->start < MOSIX_LOADER_END)
		return 0;
	return !w->fixed || (w->start && !gate_is_protected(w->start, w->length) && !is_heap(w->start, w->length));
}

/* Nobody else may map anything where this mapping will be. 0 or -errno. */
static int64_t reserve(struct wish *w)
{
	int64_t at;

	if (w->fixed)
		return 0;
	at = SYS5(__NR_mmap, w->start, w->length, PROT_NONE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (w->flags & (MAP_FIXED_NOREPLACE | MAP_32BIT)), (uint64_t)-1);
	if (at < 0)
		return at;
	w->start = (uint64_t)at;
	return 0;
}

/* Home's result: the address, 0 if this has to be done at home, or -errno. */
static int64_t ask(const struct wish *w, uint64_t length, struct mosix_frame *answer)
{
	struct mosix_frame request = { .type = MOSIX_MAP, .mask = core_thread()->own.mask,
				       .arg = { w->start, length, w->prot, w->flags & MAKING & ~(uint64_t)MAP_POPULATE, w->fd,
					       w->offset } };

	if (gate_exchange(&request, NULL, answer) != 0 || answer->type != MOSIX_REPLY)
		guest_end();
	return (int64_t)answer->arg[0];
}

/* 0; -EINTR: wanted at home; or another -errno. Nothing has changed then. */
static int make(const struct wish *w, const struct mosix_frame *answer)
{
	int fd = content_get(answer, w->start, w->offset, w->length);
	long at;

	if (fd < 0)
		return fd;
	at = core_syscall6(__NR_mmap, w->start, w->length, w->prot, (w->flags & MAKING) | MAP_FIXED,
			   (uint32_t)fd | mosix_map_tag(core_here->gate_secret), w->offset);
	content_settle();
	return at < 0 ? (int)at : 0;
}

/* Home has put a file, or nothing, in place of what is still here: that travels whole now, without its file. */
static void give_up(const struct wish *w, int64_t result)
{
	if (!w->fixed)
		SYS2(__NR_munmap, w->start, w->length);
	else if (result >= 0 || result == -ENOMEM)
		ranges_add(&core_memory->unbacked, w->start, w->start + PAGE_UP(w->length));
}

static void note(const struct wish *w)
{
	struct core_state *s = core_memory;
	uint64_t end = w->start + PAGE_UP(w->length);

	if (w->fixed)
		ranges_add(&s->gone, w->start, end);
	ranges_cut(&s->unbacked, w->start, end);
	ranges_add(&s->files, w->start, end);
	if (s->sharing > 0)
		ranges_add(&s->late, w->start, end);
}

/* The result, or GATE_RETURN. */
static int64_t map(struct wish *w, struct mosix_frame *answer)
{
	int64_t nowhere = reserve(w), result = ask(w, nowhere ? 0 : w->length, answer);
	int error;

	if (nowhere)
		return result == -EBADF ? result : nowhere;
	if (answer->flags & MOSIX_F_RESTART) {
		if (!w->fixed)
			SYS2(__NR_munmap, w->start, w->length);
		return 0;
	}
	error = result > 0 ? make(w, answer) : -ENOENT;
	if (error == 0) {
		note(w);
		return result;
	}
	give_up(w, result);
	if (error == -EINTR)
		answer->flags |= MOSIX_F_RESTART | MOSIX_F_COMEHOME;
	return result < 0 ? result : error == -EINTR ? 0 : GATE_RETURN;
}

int64_t gate_map(struct kernel_ucontext *uc, uint64_t nr, const uint64_t arg[6])
{
	struct core_state *s = core_memory;
	struct wish w = { arg[0], arg[1], arg[2], arg[3], arg[5], (uint32_t)arg[4], 0 };
	struct mosix_frame answer;
	int64_t result;

	w.fixed = w.flags & MAP_FIXED && !(w.flags & MAP_FIXED_NOREPLACE);
	if (core_thread()->process || !is_served(&w))	/* a vfork child's mapping would be its parent's, too */
		return GATE_RETURN;
	core_lock(&s->map_lock);
	result = map(&w, &answer);
	core_unlock(&s->map_lock);
	if (result == GATE_RETURN || answer.flags == 0)
		return result;
	core_thread()->own.inside = 0;
	if (answer.flags & MOSIX_F_RESTART) {
		uc->mc.regs.rip -= 2;
		uc->mc.regs.rax = nr;
	} else {
		uc->mc.regs.rax = (uint64_t)result;
	}
	gate_answered(uc, &answer);
	return GATE_DONE;
}

int64_t gate_unmap(uint64_t start, uint64_t end, long nr, const uint64_t arg[5])
{
	struct core_state *s = core_memory;
	int64_t result;

	if (!ranges_touch(&s->files, start, end))
		return core_syscall(nr, arg[0], arg[1], arg[2], arg[3], arg[4]);
	core_lock(&s->map_lock);
	result = core_syscall(nr, arg[0], arg[1], arg[2], arg[3], arg[4]);
	if (result >= 0) {
		ranges_cut(&s->files, start, end);
		ranges_cut(&s->unbacked, start, end);
	}
	core_unlock(&s->map_lock);
	return result;
}
