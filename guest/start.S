/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* First and last instructions of the loader. x86-64. */

	.text

/* The stack that exec made lies where home may have something: leave it at once. */
	.globl	_start
	.type	_start, @function
_start:
	leaq	loader_stack_top(%rip), %rsp
	xorl	%ebp, %ebp
	call	loader_main
	hlt
	.size	_start, .-_start

/* loader_leave(entry, stack, arena, gate_secret, plan_fd): no register of the loader's goes on into the guest. */
	.globl	loader_leave
	.type	loader_leave, @function
loader_leave:
	movq	%rdi, %rbx
	movq	%rsi, %rsp
	movq	%rdx, %r12
	movl	%r8d, %edi
	movq	%rcx, %r9
	leaq	success(%rip), %rsi
	movl	$16, %edx
	movl	$1, %eax		/* write */
	syscall
	movq	%r12, %rdi
	movq	%rbx, %rax
	xorl	%ebx, %ebx
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%esi, %esi
	xorl	%ebp, %ebp
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d
	xorl	%r12d, %r12d
	cld
	jmp	*%rax
	.size	loader_leave, .-loader_leave

	.section .rodata
success:				/* struct mosix_plan_failure, reason 0 */
	.skip	16

	.bss
	.balign	64
	.skip	131072
loader_stack_top:

	.section .note.GNU-stack,"",@progbits
