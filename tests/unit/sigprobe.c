/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "../../preload/core/xstate.h"
#include "sigprobe.h"

struct sigprobe sigprobe;
static uint64_t probe_rsp __attribute__((used));

#define OFFSET(name, field) __asm__(".set " #name ", %c0" : : "i"(offsetof(struct sigprobe, field)))

/* Names for the assembler below; never called. */
static void __attribute__((used)) offsets(void)
{
	OFFSET(P_XIN, xin);
	OFFSET(P_XOUT, xout);
	OFFSET(P_XENTRY, xentry);
	OFFSET(P_XCLEAN, xclean);
	OFFSET(P_IN, in);
	OFFSET(P_OUT, out);
	OFFSET(P_ENTRY, entry);
	OFFSET(P_STACK, stack);
	OFFSET(P_FEATURES, features);
	OFFSET(P_OBSERVE, observe);
}

/* Registers in the order of struct mosix_registers, moved one by one so that nothing else changes, not even flags. */
__asm__(
"	.macro	store_all at\n"
"	movq	%r8,  sigprobe+\\at+0(%rip)\n	movq	%r9,  sigprobe+\\at+8(%rip)\n	movq	%r10, sigprobe+\\at+16(%rip)\n"
"	movq	%r11, sigprobe+\\at+24(%rip)\n	movq	%r12, sigprobe+\\at+32(%rip)\n	movq	%r13, sigprobe+\\at+40(%rip)\n"
"	movq	%r14, sigprobe+\\at+48(%rip)\n	movq	%r15, sigprobe+\\at+56(%rip)\n	movq	%rdi, sigprobe+\\at+64(%rip)\n"
"	movq	%rsi, sigprobe+\\at+72(%rip)\n	movq	%rbp, sigprobe+\\at+80(%rip)\n	movq	%rbx, sigprobe+\\at+88(%rip)\n"
"	movq	%rdx, sigprobe+\\at+96(%rip)\n	movq	%rax, sigprobe+\\at+104(%rip)\n	movq	%rcx, sigprobe+\\at+112(%rip)\n"
"	movq	%rsp, sigprobe+\\at+120(%rip)\n"
"	pushfq\n	popq	sigprobe+\\at+136(%rip)\n"
"	.endm\n"
"	.macro	xfeatures\n"
"	movl	sigprobe+P_FEATURES(%rip), %eax\n	xorl	%edx, %edx\n"
"	.endm\n"
"	.text\n"
"	.globl	sigprobe_run, sigprobe_trap, sigprobe_after, sigprobe_handler, sigprobe_restorer\n"
"sigprobe_run:\n"
"	pushq	%rbx\n	pushq	%rbp\n	pushq	%r12\n	pushq	%r13\n	pushq	%r14\n	pushq	%r15\n"
"	movq	%rsp, probe_rsp(%rip)\n"
"	xfeatures\n	xsave64	sigprobe+P_XCLEAN(%rip)\n	xrstor64 sigprobe+P_XIN(%rip)\n"
"	movq	sigprobe+P_STACK(%rip), %rax\n	testq	%rax, %rax\n	jz	1f\n	movq	%rax, %rsp\n1:\n"
"	pushq	sigprobe+P_IN+136(%rip)\n	popfq\n"
"	movq	sigprobe+P_IN+0(%rip), %r8\n	movq	sigprobe+P_IN+8(%rip), %r9\n	movq	sigprobe+P_IN+16(%rip), %r10\n"
"	movq	sigprobe+P_IN+24(%rip), %r11\n	movq	sigprobe+P_IN+32(%rip), %r12\n	movq	sigprobe+P_IN+40(%rip), %r13\n"
"	movq	sigprobe+P_IN+48(%rip), %r14\n	movq	sigprobe+P_IN+56(%rip), %r15\n	movq	sigprobe+P_IN+64(%rip), %rdi\n"
"	movq	sigprobe+P_IN+72(%rip), %rsi\n	movq	sigprobe+P_IN+80(%rip), %rbp\n	movq	sigprobe+P_IN+88(%rip), %rbx\n"
"	movq	sigprobe+P_IN+96(%rip), %rdx\n	movq	sigprobe+P_IN+104(%rip), %rax\n	movq	sigprobe+P_IN+112(%rip), %rcx\n"
"sigprobe_trap:\n"
"	ud2\n"
"sigprobe_after:\n"
"	store_all P_OUT\n"
"	cld\n"
"	movq	probe_rsp(%rip), %rsp\n"
"	xfeatures\n	xsave64	sigprobe+P_XOUT(%rip)\n	xrstor64 sigprobe+P_XCLEAN(%rip)\n"
"	popq	%r15\n	popq	%r14\n	popq	%r13\n	popq	%r12\n	popq	%rbp\n	popq	%rbx\n"
"	ret\n"
"sigprobe_handler:\n"
"	store_all P_ENTRY\n"
"	xfeatures\n	xsave64	sigprobe+P_XENTRY(%rip)\n"
"	movq	sigprobe+P_ENTRY+96(%rip), %rdx\n"
"	jmp	*sigprobe+P_OBSERVE(%rip)\n"
"sigprobe_restorer:\n"
"	movl	$15, %eax\n	syscall\n	hlt\n"
);

void sigprobe_fill(const struct mosix_xlayout *layout)
{
	uint64_t *in = (uint64_t *)&sigprobe.in;
	uint16_t fcw = 0x0c7f, fsw = 0x3000, ftw = 0xff;	/* round to zero, top = 6, no register empty */
	uint32_t mxcsr = 0xffc0;				/* FTZ, DAZ, round to zero, all masked */

	for (int i = 0; i < 16; i++)
		in[i] = 0x1111111111111111ull * (uint64_t)(i + 1) ^ 0x8000000000000000ull >> i;
	sigprobe.in.rflags = 0x202 | KFLAGS_DF | 0x8d5;		/* OF SF ZF AF PF CF */
	sigprobe.features = layout->xfeatures & 0xffffffff & ~(XSTATE_PKRU | XSTATE_TILES | XSTATE_TILES >> 1);

	memset(sigprobe.xin, 0, sizeof(sigprobe.xin));
	memcpy(sigprobe.xin + FPSTATE_FCW, &fcw, 2);
	memcpy(sigprobe.xin + FPSTATE_FSW, &fsw, 2);
	memcpy(sigprobe.xin + 4, &ftw, 2);
	memcpy(sigprobe.xin + FPSTATE_MXCSR, &mxcsr, 4);
	for (int r = 0; r < 8; r++)
		for (int i = 0; i < 10; i++)
			sigprobe.xin[FPSTATE_ST + 16 * r + i] = (uint8_t)(0x81 + 16 * r + i);
	for (int i = FPSTATE_XMM; i < 416; i++)
		sigprobe.xin[i] = (uint8_t)(i * 7 + 1);
	for (int n = 2; n < MOSIX_XFEATURES; n++)
		if (sigprobe.features >> n & 1)
			for (uint32_t i = 0; i < layout->part[n].size; i++)
				sigprobe.xin[layout->part[n].offset + i] = (uint8_t)(i * 5 + 16 * (uint32_t)n + 3);
	memcpy(sigprobe.xin + FPSTATE_XSTATE_BV, &sigprobe.features, 8);
}

long sigprobe_action(int signo, void *handler, uint64_t flags, uint64_t mask, void *restorer)
{
	struct mosix_sigaction action = { (uint64_t)handler, flags | KSA_RESTORER, (uint64_t)restorer, mask };

	return syscall(SYS_rt_sigaction, signo, &action, NULL, 8);
}

int core_copy_in(void *dst, uint64_t address, size_t size)
{
	struct iovec local = { dst, size }, remote = { (void *)address, size };

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)size ? 0 : -EFAULT;
}

int core_copy_out(uint64_t address, const void *src, size_t size)
{
	struct iovec local = { (void *)src, size }, remote = { (void *)address, size };

	return process_vm_writev(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)size ? 0 : -EFAULT;
}
