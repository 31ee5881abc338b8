/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SIGURG in the program's signal mask (urgent.h). */
#define _GNU_SOURCE
#include "urgent.h"
#include <string.h>

static const uint64_t urgent_set = URGENT_BIT;

int urgent_hold(void)
{
	uint64_t before = 0;

	if (core_is_guest())
		return 0;
	wrap_raw_(SYS_rt_sigprocmask, SIG_BLOCK, &urgent_set, &before, 8);
	if (core_is_guest()) {	/* moved before it blocked anything: it was the program's mask */
		urgent_block((before & URGENT_BIT) != 0);
		return 0;
	}
	if (before & URGENT_BIT)	/* restored by the kernel from a frame that was built in a guest */
		mosix_own.blocked = 1;
	return 1;
}

void urgent_release(void)
{
	if (urgent_kept() && mosix_own.blocked)
		return;
	wrap_raw_(SYS_rt_sigprocmask, SIG_UNBLOCK, &urgent_set, 0, 8);
}

void urgent_keep(void)
{
	long pid = wrap_raw_(SYS_getpid, 0);

	while (!urgent_hold())
		wrap_raw_(SYS_unshare, 0);	/* does nothing, at home */
	core_urgent()->kept = 1;
	urgent_release();
	if (mosix_own.pending && mosix_own.blocked) {
		mosix_own.pending = 0;
		wrap_raw_(SYS_kill, pid, SIGURG);
	}
}

void urgent_block(int blocked)
{
	for (;;) {
		mosix_own.blocked = (uint32_t)blocked;
		if (!core_is_guest())
			return;
		wrap_raw_(SYS_rt_sigprocmask, blocked ? SIG_BLOCK : SIG_UNBLOCK, &urgent_set, 0, 8);
		if (core_is_guest())
			return;
		urgent_release();	/* moved before it: home's kernel has it */
	}
}

/* What the program finds in place of `before` after such a call. */
static int changed(int how, int set, int named, int before)
{
	if (!set || (!named && how != SIG_SETMASK))
		return before;
	return how == SIG_SETMASK ? named : how == SIG_BLOCK;
}

/* The call began in a guest and this is home: what has it done, and where? */
static void came_home(int how, const sigset_t *set, int named, sigset_t *old)
{
	uint64_t kernel = 0;
	int stored = (int)mosix_own.blocked;	/* what the call left if it was made in the guest, else what was before */

	wrap_raw_(SYS_rt_sigprocmask, SIG_UNBLOCK, &urgent_set, &kernel, 8);
	if (stored && (!changed(how, set != NULL, named, 0) || kernel & URGENT_BIT))
		sigaddset(old, SIGURG);
	urgent_block(changed(how, set != NULL, named, stored));
}

int urgent_mask(urgent_real real, int how, const sigset_t *set, sigset_t *old)
{
	int before = (int)mosix_own.blocked, guest = core_is_guest(), named = set && sigismember(set, SIGURG), after, result;
	sigset_t copy, seen;

	if (!old)
		old = &seen;
	if (set) {
		memcpy(&copy, set, 8);
		/* Whatever the program unblocks at home, SIGURG is: frames of a guest may have left it blocked. */
		if (!guest && urgent_kept())	/* home's kernel has the program's mask, and gives what it unblocks at once */
			mosix_own.blocked = (uint32_t)changed(how, 1, named, before);
		else if (!guest && how == SIG_UNBLOCK)
			sigaddset(&copy, SIGURG);
		else if (!guest)
			sigdelset(&copy, SIGURG);
	}
	result = real(how, set ? &copy : NULL, old);
	if (result != 0) {
		if (!guest && urgent_kept())
			mosix_own.blocked = (uint32_t)before;
		return result;
	}
	if (guest) {
		if (core_is_guest())
			return 0;
		came_home(how, set, named, old);
	} else {
		if (sigismember(old, SIGURG) && !core_is_guest()) {
			before = 1;
			if (!urgent_kept())
				urgent_release();
		}
		if (before)
			sigaddset(old, SIGURG);
		else
			sigdelset(old, SIGURG);
		after = changed(how, set != NULL, named, before);
		urgent_block(after);
	}
	if (set && !mosix_own.blocked)
		urgent_deliver();
	return 0;
}

int urgent_enter(struct urgent_swap *swap, const sigset_t *mask)
{
	int named = sigismember(mask, SIGURG);

	swap->mask = *mask;
	swap->blocked = mosix_own.blocked;
	swap->entered = !core_is_guest();
	if (!swap->entered) {
		/* The process may come home inside the call. A mask whose SIGURG makes no difference goes without. */
		if (named && !urgent_listens())
			sigdelset(&swap->mask, SIGURG);
		return 0;
	}
	if (!urgent_kept())
		sigdelset(&swap->mask, SIGURG);
	mosix_own.blocked = (uint32_t)named;
	return !named && urgent_deliver();
}

void urgent_leave(const struct urgent_swap *swap)
{
	if (swap->entered)
		urgent_block((int)swap->blocked);
}
