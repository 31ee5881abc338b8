/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * long syscall(long nr, ...): numbers that nothing has to be done about are called here, with the stack as it came, because
 * behind clone and vfork two tasks return from here.
 */
	.text
	.globl	syscall
	.type	syscall, @function
	.balign	64
syscall:
	.cfi_startproc
	endbr64
	cmpq	$511, %rdi
	ja	1f
	leaq	syscall_kinds(%rip), %rax
	cmpb	$0, (%rax,%rdi)
	jne	syscall_served
1:	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	%r8, %r10
	movq	%r9, %r8
	movq	8(%rsp), %r9
	syscall
	cmpq	$-4095, %rax
	jae	2f
	ret
2:	movq	%rax, %rdi
	jmp	syscall_failed
	.cfi_endproc
	.size	syscall, .-syscall

	.section .note.GNU-stack,"",@progbits
