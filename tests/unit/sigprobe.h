/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A place where a signal interrupts a program all of whose registers are known. sigprobe_run() loads `in` and the XSAVE area
 * `xin`, executes ud2 at sigprobe_trap, and when something has continued it at sigprobe_after, stores `out` and `xout`.
 * sigprobe_handler is a signal handler that stores what it was entered with in `entry` and `xentry` and goes on in `observe`.
 * `core_copy_in` and `core_copy_out` for tests that link files of the core are here too.
 */
#ifndef MOSIX_TEST_SIGPROBE_H
#define MOSIX_TEST_SIGPROBE_H

#include <stddef.h>
#include <stdint.h>
#include "../../preload/core/sigabi.h"

struct sigprobe {
	uint8_t xin[MOSIX_XSAVE_MAX], xout[MOSIX_XSAVE_MAX], xentry[MOSIX_XSAVE_MAX], xclean[MOSIX_XSAVE_MAX];
	struct mosix_registers in, out, entry;	/* rip and rsp of `in` are not used */
	uint64_t stack;				/* rsp to run on, 0: the caller's */
	uint64_t features;			/* of xin, xout, xentry; below bit 32 */
	void (*observe)(int signo, struct kernel_siginfo *info, struct kernel_ucontext *uc);
} __attribute__((aligned(64)));

extern struct sigprobe sigprobe;

void sigprobe_run(void);
void sigprobe_handler(void);
extern const char sigprobe_trap[], sigprobe_after[];

/* Fills `in`, `xin` and `features` with values that differ in every byte; features: of the components, tiles never. */
void sigprobe_fill(const struct mosix_xlayout *layout);

/* rt_sigaction(2) without libc in between. */
long sigprobe_action(int signo, void *handler, uint64_t flags, uint64_t mask, void *restorer);

/* A restorer for native handlers. */
void sigprobe_restorer(void);

int core_copy_in(void *dst, uint64_t address, size_t size);
int core_copy_out(uint64_t address, const void *src, size_t size);

#endif
