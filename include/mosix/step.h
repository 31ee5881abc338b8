/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Debug points: the steps of a move at which one of its parts can be made to wait, so that a test may act there. Which one
 * (step.def) is in the environment of the daemons and of the program: "who.name". Nothing waits unless its own environment
 * says so, or that of the remoted that made it.
 *
 * What waits has every signal blocked but the last one, as nothing else has: /proc/PID/status shows it
 * ("SigBlk: 7ffffffffffbfeff"), and that signal makes it go on. So stop signals, which homed carries from home to the guest,
 * have nothing to do with it, and a warden, which cannot be stopped from inside its cage, can wait too.
 */
#ifndef MOSIX_STEP_H
#define MOSIX_STEP_H

#include <stddef.h>
#include <stdint.h>

#define MOSIX_STEP_VARIABLE "MOSIX_DEBUG_STEP"
#define MOSIX_STEP_SIGNAL   64

enum mosix_step {
	MOSIX_STEP_NONE,
#define STEP(who, name, way, copy, what) MOSIX_STEP_##who##_##name,
#include <mosix/step.def>
#undef STEP
	MOSIX_STEPS,
};

/* The wait, by raw system calls (nr, four arguments; negative: failed). A stop and what follows it interrupt the call. */
#define MOSIX_STEP_WAIT(call)                                                          \
	do {                                                                           \
		uint64_t all = ~0ull, go = 1ull << (MOSIX_STEP_SIGNAL - 1), before;    \
                                                                                       \
		call(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &all, &before, 8);      \
		while (call(__NR_rt_sigtimedwait, &go, NULL, NULL, 8) < 0)             \
			;                                                              \
		call(__NR_rt_sigprocmask, 2, &before, NULL, 8);                        \
	} while (0)

#endif
