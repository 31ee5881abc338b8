/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loader.h"

#include <errno.h>
#include <sys/socket.h>
#include <mosix/step.h>

static struct loader loader;
static int plan_fd = MOSIX_PLAN_FD;

_Noreturn void loader_main(void);

_Noreturn void loader_fail(enum mosix_why reason, long error, uint64_t detail)
{
	struct mosix_plan_failure f = {
		.reason = reason, .error = (int32_t)(error < 0 ? -error : error), .detail = detail,
	};

	/* If nobody listens any more, the exit status says enough. */
	SYS(sendto, plan_fd, &f, sizeof(f), MSG_NOSIGNAL, 0, 0);
	for (;;)
		SYS1(exit_group, 1);
}

uint64_t loader_must(long result, uint64_t detail)
{
	if (result < 0 && result > -4096)
		loader_fail(result == -ENOMEM ? MOSIX_WHY_NO_MEMORY : MOSIX_WHY_LOADER, result, detail);
	return (uint64_t)result;
}

static void leave_landing(const struct loader *l)
{
	struct mosix_landing *landing = (struct mosix_landing *)(l->arena + MOSIX_ARENA_LANDING);
	const struct special *vdso = vdso_local(l);

	*landing = (struct mosix_landing){
		.magic = MOSIX_PLAN_MAGIC,
		.gate_secret = l->plan.gate_secret,
		.manifest_size = sizeof(*l->manifest) + manifest_tail(l->manifest),
		.manifest_offset = MOSIX_ARENA_MANIFEST,
		.vdso = vdso->start,
		.vdso_size = vdso->end - vdso->start,
		.channels = l->plan.channels,
		.step = l->plan.step,
	};
}

#define CALL(nr, a, b, c, d) sys6(nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), d, 0, 0)

static void pass(const struct loader *l, enum mosix_step step)
{
	if (l->plan.step == step)
		MOSIX_STEP_WAIT(CALL);
}

_Noreturn void loader_main(void)
{
	struct loader *l = &loader;
	const struct mosix_manifest *m;

	/* Nothing may interrupt: a terminal's or a resource limit's signal would look like a guest that ended. */
	loader_must(SYS4(rt_sigprocmask, 2 /* SIG_SETMASK */, &(uint64_t){ ~0ull }, 0, 8), 0);
	plan_receive(l);
	pass(l, MOSIX_STEP_loader_planned);
	space_clear(l);
	plan_read_manifest(l);
	space_build(l);
	pass(l, MOSIX_STEP_loader_built);
	pages_receive(l);
	pass(l, MOSIX_STEP_loader_filled);
	vdso_patch(l);
	space_protect(l);
	process_restore(l);
	leave_landing(l);
	plan_settle(l, &plan_fd);
	pass(l, MOSIX_STEP_loader_settled);
	process_confine(l);
	m = l->manifest;
	loader_leave(m->guest_entry, m->guest_stack, l->arena, l->plan.gate_secret, plan_fd);
}
