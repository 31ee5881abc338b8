/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * long syscall(long nr, ...): numbers that nothing has to be done about go to libc's own function with registers and stack as
 * they came, because behind clone and vfork two tasks return from here.
 */
	.text
	.globl	syscall
	.type	syscall, @function
	.balign	16
syscall:
	.cfi_startproc
	endbr64
	cmpq	$511, %rdi
	ja	1f
	leaq	syscall_kinds(%rip), %rax
	cmpb	$0, (%rax,%rdi)
	jne	syscall_served
1:	movq	syscall_real(%rip), %rax
	testq	%rax, %rax
	jz	syscall_served
	jmp	*%rax
	.cfi_endproc
	.size	syscall, .-syscall

	.section .note.GNU-stack,"",@progbits
