/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signals as the program in a guest sees them: masks, dispositions, alternate stack and frames are all the gate's. */
#include <mosix/reason.h>
#include "arena.h"
#include "core.h"
#include "gate.h"
#include "guest.h"
#include "lock.h"
#include "sigframe.h"
#include "thread.h"
#include "xstate.h"

static const struct sigframe_layouts *layouts(struct sigframe_layouts *both)
{
	both->home = &core_here->home_xlayout;
	both->here = &core_here->xlayout;
	return xstate_layout_same(both->home, both->here) ? NULL : both;
}

static int has_handler(const struct mosix_sigaction *action)
{
	return action->handler != KSIG_DFL && action->handler != KSIG_IGN;
}

/* Another thread may just be changing it. */
static struct mosix_sigaction action_of(int signo)
{
	struct mosix_sigaction action;

	core_lock(&core_here->action_lock);
	action = core_here->action[signo];
	core_unlock(&core_here->action_lock);
	return action;
}

/*
 * Pushes the frame and applies what the disposition says about masks and itself. Returns the flags for the next POLL; with RESET
 * the caller holds action_lock until home has heard.
 */
static int start_handler(struct kernel_ucontext *uc, const struct mosix_sigaction *action, int signo, const void *info,
			 uint64_t mask, uint16_t *ret_flags)
{
	struct core_state *s = core_here;
	struct core_thread *t = core_thread();
	struct sigframe_layouts both;
	/* The frame may be left at home, whose kernel must never block the migration signal. */
	int error = sigframe_push(uc, action, signo, info, t->own.mask & ~ksigset_bit(KSIG_URG), &t->own.altstack,
				  layouts(&both));

	if (error != 0)
		return error;
	t->own.mask = (mask | action->mask | (action->flags & KSA_NODEFER ? 0 : ksigset_bit(signo))) & ~KSIGSET_UNBLOCKABLE;
	*ret_flags = 0;
	if (action->flags & KSA_RESETHAND) {
		core_lock(&s->action_lock);
		if (s->action[signo].handler == action->handler) {
			s->action[signo].handler = KSIG_DFL;
			*ret_flags = MOSIX_F_RESET;
		} else {
			core_unlock(&s->action_lock);
		}
	}
	return 0;
}

/* Goes home for what only home's kernel can do to this program. Without info the program's instruction repeats the fault. */
static void must_go_home(struct kernel_ucontext *uc, int signo, const void *info)
{
	do {
		guest_go_home(uc, MOSIX_WHY_FAULTED, (uint64_t)signo, info ? signo : 0, info);
		guest_pause(uc);
	} while (info);
}

void gate_signal(struct kernel_ucontext *uc, int signo, const void *info, const uint64_t *temporary_mask)
{
	struct mosix_sigaction action;
	uint16_t flags;

	if (signo < 1 || signo > KSIG_MAX)
		guest_end();
	action = action_of(signo);
	if (!has_handler(&action)) {
		/* another thread has changed the disposition since home's kernel gave the signal out */
		gate_poll_with(uc, &(struct mosix_frame){ .flags = MOSIX_F_BACK, .signo = signo, .length = 128 }, info);
		return;
	}
	if (start_handler(uc, &action, signo, info, temporary_mask ? *temporary_mask : core_thread()->own.mask, &flags) != 0)
		must_go_home(uc, signo, info);
	gate_poll_with(uc, &(struct mosix_frame){ .flags = flags, .signo = signo }, NULL);
}

void gate_fault(struct kernel_ucontext *uc, int signo, const struct kernel_siginfo *info)
{
	struct mosix_sigaction action = action_of(signo);
	uint64_t mask = core_thread()->own.mask;
	uint16_t flags;

	if (!has_handler(&action) || ksigset_has(mask, signo) || start_handler(uc, &action, signo, info, mask, &flags) != 0) {
		/* A breakpoint's PC is behind it: cannot be repeated. */
		must_go_home(uc, signo, signo == KSIG_TRAP ? info : NULL);
		return;
	}
	if (flags)
		gate_poll_with(uc, &(struct mosix_frame){ .flags = flags, .signo = signo }, NULL);
}

static int is_handled(uint64_t set)
{
	for (int signo = ksigset_first(set); signo != 0; set &= set - 1, signo = ksigset_first(set))
		if (has_handler(&core_here->action[signo]))
			return 1;
	return 0;
}

/*
 * What is sent to one of several threads must not come to it once it has blocked it, nor go to another: home blocks first. 0: a
 * signal was there before, and its handler runs; then the call is made again.
 */
static int home_blocks(struct kernel_ucontext *uc, uint64_t mask)
{
	struct mosix_frame poll = { .type = MOSIX_POLL, .flags = MOSIX_F_BLOCK, .mask = mask }, answer;

	if (core_get(&core_here->threads) == 1)
		return 1;
	if (gate_exchange(&poll, NULL, &answer) != 0 || answer.type != MOSIX_REPLY)
		guest_end();
	if (!(answer.flags & (MOSIX_F_SIGNAL | MOSIX_F_COMEHOME)))
		return 1;
	uc->mc.regs.rip -= 2;
	uc->mc.regs.rax = __NR_rt_sigprocmask;
	gate_answered(uc, &answer);
	return 0;
}

static int64_t set_mask(struct kernel_ucontext *uc, const uint64_t arg[6])
{
	struct core_thread *t = core_thread();
	uint64_t old = t->own.mask, set;

	if (arg[3] != 8)
		return -EINVAL;
	if (arg[1]) {
		if (core_copy_in(&set, arg[1], 8) != 0)
			return -EFAULT;
		set &= ~KSIGSET_UNBLOCKABLE;
		switch (arg[0]) {
		case KSIG_BLOCK:   set |= old; break;
		case KSIG_UNBLOCK: set = old & ~set; break;
		case KSIG_SETMASK: break;
		default:           return -EINVAL;
		}
		if (is_handled(set & ~old) && !home_blocks(uc, set))
			return GATE_DONE;
		t->own.mask = set;
	}
	uc->mc.regs.rax = 0;
	if (arg[2] && core_copy_out(arg[2], &old, 8) != 0)
		uc->mc.regs.rax = (uint64_t)-EFAULT;
	if (old & ~t->own.mask)	/* what waited at home arrives before the call returns */
		gate_poll(uc);
	return GATE_DONE;
}

/*
 * posix_spawn(3) sets every signal to SIG_DFL, where nearly all are: home need not hear of it. (Of those that are ignored by
 * default the kernel forgets what is pending.)
 */
static int changes_nothing(int signo, const struct mosix_sigaction *old, const struct mosix_sigaction *action)
{
	return old->handler == KSIG_DFL && action->handler == KSIG_DFL && !(KSIGSET_IGNORED & ksigset_bit(signo));
}

static int64_t set_action(struct kernel_ucontext *uc, uint64_t nr, const uint64_t arg[6])
{
	struct core_state *s = core_here;
	struct mosix_sigaction action, old;
	int signo = (int)arg[0], error;
	struct mosix_frame request = { .type = MOSIX_CALL, .nr = (int32_t)nr, .mask = core_thread()->own.mask,
				       .arg[0] = (uint64_t)signo }, answer;

	if (arg[3] != 8)
		return -EINVAL;
	if (arg[1] && core_copy_in(&action, arg[1], sizeof(action)) != 0)
		return -EFAULT;
	if (signo < 1 || signo > KSIG_MAX || (arg[1] && KSIGSET_UNBLOCKABLE & ksigset_bit(signo)))
		return -EINVAL;
	old = action_of(signo);
	uc->mc.regs.rax = 0;
	if (arg[2] && core_copy_out(arg[2], &old, sizeof(old)) != 0)
		uc->mc.regs.rax = (uint64_t)-EFAULT;
	if (!arg[1])
		return GATE_DONE;
	action.flags &= KSA_KNOWN;
	action.mask &= ~KSIGSET_UNBLOCKABLE;
	request.length = sizeof(action);
	core_lock(&s->action_lock);	/* home hears of changes in the order in which they are made here */
	if (changes_nothing(signo, &s->action[signo], &action)) {
		s->action[signo] = action;
		core_unlock(&s->action_lock);
		return GATE_DONE;
	}
	error = gate_exchange(&request, &action, &answer);
	if (error == 0 && !(answer.flags & MOSIX_F_RESTART))
		s->action[signo] = action;
	core_unlock(&s->action_lock);
	if (error != 0 || answer.type != MOSIX_REPLY)
		guest_end();
	if (answer.flags & MOSIX_F_RESTART) {
		uc->mc.regs.rip -= 2;
		uc->mc.regs.rax = nr;
	}
	gate_answered(uc, &answer);
	return GATE_DONE;
}

static int64_t set_altstack(const struct kernel_ucontext *uc, const uint64_t arg[6])
{
	struct mosix_altstack set, old;
	int error;

	if (arg[0] && core_copy_in(&set, arg[0], sizeof(set)) != 0)
		return -EFAULT;
	error = sigframe_altstack(&core_thread()->own.altstack, arg[0] ? &set : NULL, uc->mc.regs.rsp, &old);
	if (error != 0)
		return error;
	return arg[1] && core_copy_out(arg[1], &old, sizeof(old)) != 0 ? -EFAULT : 0;
}

static int64_t return_from_handler(struct kernel_ucontext *uc, uint64_t nr)
{
	struct core_thread *t = core_thread();
	struct mosix_registers before = uc->mc.regs;
	struct sigframe_layouts both;
	uint64_t mask = 0, old = t->own.mask;

	if (sigframe_pop(uc, &mask, &t->own.altstack, layouts(&both)) != 0) {
		uc->mc.regs = before;
		gate_return(uc, nr);	/* home's kernel refuses the frame in its own way */
		return GATE_DONE;
	}
	t->own.mask = (mask & ~KSIGSET_UNBLOCKABLE & ~ksigset_bit(KSIG_URG)) | (old & ksigset_bit(KSIG_URG));
	if (old & ~t->own.mask)
		gate_poll(uc);
	return GATE_DONE;
}

int64_t gate_signal_call(struct kernel_ucontext *uc, const struct call *call, uint64_t nr, const uint64_t arg[6])
{
	switch (call->special) {
	case SPECIAL_SIGPROCMASK: return set_mask(uc, arg);
	case SPECIAL_SIGACTION:   return set_action(uc, nr, arg);
	case SPECIAL_SIGALTSTACK: return set_altstack(uc, arg);
	case SPECIAL_SIGRETURN:   return return_from_handler(uc, nr);
	default:                  return GATE_FORWARD;
	}
}
