/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The program's own signal frames in a guest, built and undone in user mode exactly as arch/x86/kernel/signal_64.c does.
 *
 * `gate` is the context in the frame that the kernel made on the gate's stack: the program's interrupted registers and FPU
 * state. Both functions change it, and the gate's own rt_sigreturn then starts the handler or resumes the program. What is
 * written there cannot break the gate: rt_sigreturn takes any registers; a non-canonical rip makes its IRET fault, which the
 * kernel turns into SIGSEGV (SI_KERNEL, si_addr 0, rip as given) on a fresh frame at the top of the gate's stack, and the gate
 * delivers that to the program as any other fault of its.
 *
 * Frames on the program's stack always have home's layout, because the process may enter a handler here and leave it at
 * home, where the home kernel reads the frame, or the other way round.
 *
 * Core context; memory of the program only through core_copy_in and core_copy_out.
 */
#ifndef MOSIX_CORE_SIGFRAME_H
#define MOSIX_CORE_SIGFRAME_H

#include "sigabi.h"

struct sigframe_layouts {
	const struct mosix_xlayout *home;	/* of frames at home (the manifest's) */
	const struct mosix_xlayout *here;	/* xstate_layout() of this CPU */
};

/*
 * Puts a frame for `sa` on the stack the program asked for and turns `gate` into the start of the handler. siginfo: 128 bytes
 * in the core's memory. saved_mask: what the program's rt_sigreturn will restore. altstack: the program's, reset where
 * SS_AUTODISARM says so; its flags are the ones given to sigaltstack(2), as in uc_stack of a kernel frame. layouts: NULL
 * where home's are the same as here (xstate_layout_same). The caller applies sa_mask, SA_NODEFER and SA_RESETHAND.
 * -EFAULT (nothing changed): no SA_RESTORER, stack not writable, altstack too small; the caller forces SIGSEGV, or ends the
 * process by it if signo was SIGSEGV, as the kernel does.
 */
int sigframe_push(struct kernel_ucontext *gate, const struct mosix_sigaction *sa, int signo, const void *siginfo,
		  uint64_t saved_mask, struct mosix_altstack *altstack, const struct sigframe_layouts *layouts);

/*
 * The program's rt_sigreturn: takes the frame at gate's rsp − 8. *ret_mask: the program's mask from now on. The caller
 * resumes without touching rax, which is the restored one.
 * -EFAULT: the caller forces SIGSEGV. As in the kernel, rax is then 0, and an unreadable frame changes nothing else, while one
 * whose FPU state is unreadable or invalid has already changed registers, mask and altstack, and leaves the initial FPU state.
 * -EOPNOTSUPP (nothing changed): the frame uses a component that this CPU has not; only home can run it.
 */
int sigframe_pop(struct kernel_ucontext *gate, uint64_t *ret_mask, struct mosix_altstack *altstack,
		 const struct sigframe_layouts *layouts);

/*
 * sigaltstack(2) on the program's altstack; sp: the program's stack pointer. set may be NULL, ret_old may be NULL and may not be
 * `altstack`. Returns 0, -EPERM, -EINVAL or -ENOMEM.
 */
int sigframe_altstack(struct mosix_altstack *altstack, const struct mosix_altstack *set, uint64_t sp,
		      struct mosix_altstack *ret_old);

#endif
