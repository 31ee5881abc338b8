/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The core's assembler: system calls, the deputy's window, guarded copies, changes of stack. x86-64.
 * Offsets of struct core_state are checked against C in entry_check.c.
 */
#include "entry_offsets.h"

	.text

	.macro	function name
	.globl	\name
	.hidden	\name
	.type	\name, @function
	.balign	16
\name:
	.endm

/* long core_syscall(nr, a, b, c, d, e): the gate's secret rides in the sixth register (0 at home). */
function core_syscall
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	%r8, %r10
	movq	%r9, %r8
	movq	core_memory(%rip), %r9
	movq	STATE_GATE_SECRET(%r9), %r9
	syscall
	ret
	.size	core_syscall, .-core_syscall

function core_syscall6
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	%r8, %r10
	movq	%r9, %r8
	movq	8(%rsp), %r9
	syscall
	ret
	.size	core_syscall6, .-core_syscall6

/* The restorer of every handler of the core. */
function core_restorer
	movq	core_memory(%rip), %r9
	movq	STATE_GATE_SECRET(%r9), %r9
	movl	$15, %eax
	syscall
	hlt
	.size	core_restorer, .-core_restorer

/* void core_sigreturn(void *ucontext): leaves for what the signal frame around ucontext says. */
function core_sigreturn
	movq	%rdi, %rsp
	jmp	core_restorer
	.size	core_sigreturn, .-core_sigreturn

/* void core_call_on(void *top, void (*f)(void *), void *argument): runs f on another stack, then comes back to this one. */
function core_call_on
	pushq	%rbp
	movq	%rsp, %rbp
	movq	%rdi, %rsp
	movq	%rdx, %rdi
	call	*%rsi
	movq	%rbp, %rsp
	popq	%rbp
	ret
	.size	core_call_on, .-core_call_on

/*
 * long core_clone(struct clone_args *args, size_t size, void (*f)(void *), void *argument): a new thread on args->stack that
 * runs f and ends with it. Its number, or -errno.
 */
function core_clone
	movq	%rcx, %r8
	movq	core_memory(%rip), %r9
	movq	STATE_GATE_SECRET(%r9), %r9
	movl	$435, %eax		/* clone3 */
	syscall
	testq	%rax, %rax
	jz	1f
	ret
1:	xorl	%ebp, %ebp
	movq	%r8, %rdi
	call	*%rdx
	xorl	%edi, %edi
	jmp	core_end
	.size	core_clone, .-core_clone

/* void core_thread_exit(uint32_t *slot, int status): frees the slot that the caller stands on, touches it no more, and ends. */
function core_thread_exit
	movl	$0, (%rdi)
	movl	%esi, %edi
core_end:
	movq	core_memory(%rip), %r9
	movq	STATE_GATE_SECRET(%r9), %r9
	movl	$60, %eax		/* exit */
	syscall
	hlt
	.size	core_thread_exit, .-core_thread_exit

/* The loader's jump: %rsp is the guest stack, %rdi the arena. */
function core_guest_entry
	andq	$-16, %rsp
	xorl	%ebp, %ebp
	call	guest_main
	hlt
	.size	core_guest_entry, .-core_guest_entry

/*
 * long deputy_window(nr, const uint64_t arg[6], const uint32_t *stop)
 * Executes one call of the guest with the program's signals open. A handler that interrupts between deputy_window_begin
 * and the system call (or to which the kernel says "restart me") sends it to deputy_window_abort, so no signal is ever
 * slept over. -ERESTARTSYS: did not run, or the kernel wants it restarted.
 */
function deputy_window
	pushq	%rbx
	pushq	%r12
	movq	%rdi, %r12
	movq	%rdx, %rbx
	movq	%rsi, %rax
	movq	0(%rax), %rdi
	movq	8(%rax), %rsi
	movq	16(%rax), %rdx
	movq	24(%rax), %r10
	movq	32(%rax), %r8
	movq	40(%rax), %r9
	.globl	deputy_window_begin
	.hidden	deputy_window_begin
deputy_window_begin:
	cmpl	$0, (%rbx)
	jne	deputy_window_abort
	movq	%r12, %rax
	.globl	deputy_window_call
	.hidden	deputy_window_call
deputy_window_call:
	syscall
	.globl	deputy_window_end
	.hidden	deputy_window_end
deputy_window_end:
	popq	%r12
	popq	%rbx
	ret
	.globl	deputy_window_abort
	.hidden	deputy_window_abort
deputy_window_abort:
	movq	$-512, %rax
	popq	%r12
	popq	%rbx
	ret
	.size	deputy_window, .-deputy_window

/* int core_guarded_copy(void *dst, const void *src, size_t size): 0, or -EFAULT by the fix-up. */
function core_guarded_copy
	movq	%rdx, %rcx
	.globl	core_fix_copy
	.hidden	core_fix_copy
core_fix_copy:
	rep movsb
	xorl	%eax, %eax
	ret
	.size	core_guarded_copy, .-core_guarded_copy

/* int core_guarded_touch(void *address): writes nothing, but faults where a write would. */
function core_guarded_touch
	.globl	core_fix_touch
	.hidden	core_fix_touch
core_fix_touch:
	lock orb $0, (%rdi)
	xorl	%eax, %eax
	ret
	.size	core_guarded_touch, .-core_guarded_touch

/* uint64_t core_fs_base(void): without a system call. SIGILL where the kernel has not opened the instruction to programs. */
function core_fs_base
	.globl core_fix_fs_base
	.hidden core_fix_fs_base
core_fix_fs_base:
	rdfsbase %rax
	ret
	.size	core_fs_base, .-core_fs_base

/* Where a fault at a core_fix_ label continues. */
function core_fix_landing
	movl	$-14, %eax
	ret
	.size	core_fix_landing, .-core_fix_landing

	.section .note.GNU-stack,"",@progbits
