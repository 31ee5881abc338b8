/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's signal ABI on x86-64 for freestanding code: what arch/x86/include/uapi/asm/{sigcontext,ucontext,siginfo,signal}.h
 * say, under names that do not collide with <signal.h>, so that unit tests may include both. Types and inline functions only.
 */
#ifndef MOSIX_CORE_SIGABI_H
#define MOSIX_CORE_SIGABI_H

#include <stddef.h>
#include <stdint.h>
#include <mosix/manifest.h>

enum ksig {
	KSIG_HUP = 1, KSIG_INT, KSIG_QUIT, KSIG_ILL, KSIG_TRAP, KSIG_ABRT, KSIG_BUS, KSIG_FPE, KSIG_KILL, KSIG_USR1, KSIG_SEGV,
	KSIG_USR2, KSIG_PIPE, KSIG_ALRM, KSIG_TERM, KSIG_STKFLT, KSIG_CHLD, KSIG_CONT, KSIG_STOP, KSIG_TSTP, KSIG_TTIN, KSIG_TTOU,
	KSIG_URG, KSIG_XCPU, KSIG_XFSZ, KSIG_VTALRM, KSIG_PROF, KSIG_WINCH, KSIG_IO, KSIG_PWR, KSIG_SYS, KSIG_RTMIN,
	KSIG_MAX = 64,
};

/* Values of mosix_sigaction.handler that are not addresses. */
#define KSIG_DFL 0ull
#define KSIG_IGN 1ull

#define KSA_NOCLDSTOP      0x00000001ull
#define KSA_NOCLDWAIT      0x00000002ull
#define KSA_SIGINFO        0x00000004ull
#define KSA_UNSUPPORTED    0x00000400ull	/* the kernel clears it: how programs ask which flags exist */
#define KSA_EXPOSE_TAGBITS 0x00000800ull
#define KSA_RESTORER       0x04000000ull
#define KSA_ONSTACK        0x08000000ull
#define KSA_RESTART        0x10000000ull
#define KSA_NODEFER        0x40000000ull
#define KSA_RESETHAND      0x80000000ull

/* What rt_sigaction(2) keeps of sa_flags; the rest is cleared before the kernel stores it (UAPI_SA_FLAGS | SA_RESTORER). */
#define KSA_KNOWN (KSA_NOCLDSTOP | KSA_NOCLDWAIT | KSA_SIGINFO | KSA_EXPOSE_TAGBITS | KSA_RESTORER | KSA_ONSTACK | KSA_RESTART | \
		   KSA_NODEFER | KSA_RESETHAND)

#define KSS_ONSTACK    1
#define KSS_DISABLE    2
#define KSS_AUTODISARM (1u << 31)
#define KSS_MINSIZE    2048ull		/* MINSIGSTKSZ as sigaltstack(2) checks it on x86 */

#define KSIG_BLOCK   0			/* rt_sigprocmask(2) */
#define KSIG_UNBLOCK 1
#define KSIG_SETMASK 2

/* A kernel sigset is one word: bit n − 1 stands for signal n. Out of range: 0. */
static inline uint64_t ksigset_bit(int signo)
{
	return signo >= 1 && signo <= KSIG_MAX ? 1ull << (signo - 1) : 0;
}

static inline int ksigset_has(uint64_t set, int signo) { return (set & ksigset_bit(signo)) != 0; }

/* The lowest signal of the set, 0 if it is empty. */
static inline int ksigset_first(uint64_t set) { return set ? __builtin_ctzll(set) + 1 : 0; }

#define KSIGSET_UNBLOCKABLE (1ull << (KSIG_KILL - 1) | 1ull << (KSIG_STOP - 1))
/* Raised by the thread's own instructions; taken before all others (the kernel's SYNCHRONOUS_MASK). */
#define KSIGSET_SYNCHRONOUS (1ull << (KSIG_SEGV - 1) | 1ull << (KSIG_BUS - 1) | 1ull << (KSIG_ILL - 1) | \
			     1ull << (KSIG_TRAP - 1) | 1ull << (KSIG_FPE - 1) | 1ull << (KSIG_SYS - 1))
/* Default actions (signal(7)); whatever is in none of these terminates. */
#define KSIGSET_IGNORED (1ull << (KSIG_CONT - 1) | 1ull << (KSIG_CHLD - 1) | 1ull << (KSIG_WINCH - 1) | 1ull << (KSIG_URG - 1))
#define KSIGSET_STOPS   (1ull << (KSIG_STOP - 1) | 1ull << (KSIG_TSTP - 1) | 1ull << (KSIG_TTIN - 1) | 1ull << (KSIG_TTOU - 1))
#define KSIGSET_CORES   (1ull << (KSIG_QUIT - 1) | 1ull << (KSIG_ILL - 1) | 1ull << (KSIG_TRAP - 1) | 1ull << (KSIG_ABRT - 1) | \
			 1ull << (KSIG_FPE - 1) | 1ull << (KSIG_SEGV - 1) | 1ull << (KSIG_BUS - 1) | 1ull << (KSIG_SYS - 1) | \
			 1ull << (KSIG_XCPU - 1) | 1ull << (KSIG_XFSZ - 1))

/* si_code */
#define KSI_USER    0
#define KSI_KERNEL  128
#define KSI_QUEUE   (-1)
#define KSI_TIMER   (-2)
#define KSI_MESGQ   (-3)
#define KSI_ASYNCIO (-4)
#define KSI_SIGIO   (-5)
#define KSI_TKILL   (-6)
#define KSI_SYS_SECCOMP 1		/* of SIGSYS */
#define KSI_SEGV_MAPERR 1
#define KSI_SEGV_ACCERR 2
#define KSI_BUS_ADRALN  1
#define KSI_BUS_ADRERR  2

#define KSIGINFO_USED 48		/* bytes of it that the kernel fills; it clears the rest */

struct kernel_siginfo {
	int32_t signo, error, code, pad;
	union {
		struct { int32_t pid; uint32_t uid; uint64_t value; } rt;	/* KSI_QUEUE, KSI_USER, KSI_TKILL, KSI_MESGQ */
		struct { int32_t timer, overrun; uint64_t value; int32_t private_; } timer;
		struct { int32_t pid; uint32_t uid; int32_t status; int32_t pad; int64_t utime, stime; } child;
		struct { uint64_t address; int16_t address_lsb; } fault;
		struct { int64_t band; int32_t fd; } poll;
		struct { uint64_t call_address; int32_t nr; uint32_t arch; } sys;
		uint8_t bytes[112];
	};
};

/* struct sigcontext. fpstate is an address in the same memory, 0 where there is no FPU state. */
struct kernel_sigcontext {
	struct mosix_registers regs;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2, fpstate;
	uint64_t reserved[8];
};

#define KUC_FP_XSTATE         1ull	/* uc_flags: fpstate has an extended part */
#define KUC_SIGCONTEXT_SS     2ull
#define KUC_STRICT_RESTORE_SS 4ull

/* glibc's ucontext_t begins the same way but is longer (its sigset has 128 bytes): never use its size on a frame. */
struct kernel_ucontext {
	uint64_t flags, link;
	struct mosix_altstack stack;
	struct kernel_sigcontext mc;
	uint64_t sigmask;
};

struct kernel_rt_sigframe {
	uint64_t pretcode;		/* the handler's return address: sa_restorer */
	struct kernel_ucontext uc;
	struct kernel_siginfo info;
};

/* Offsets in the area that kernel_sigcontext.fpstate points to: FXSAVE image, then XSAVE header, then components. */
enum fpstate_offset {
	FPSTATE_FCW      = 0,
	FPSTATE_FSW      = 2,
	FPSTATE_MXCSR    = 24,
	FPSTATE_MXCSR_MASK = 28,
	FPSTATE_ST       = 32,
	FPSTATE_XMM      = 160,
	FPSTATE_SW       = 464,		/* struct kernel_fpx_sw, in bytes that the CPU leaves to software */
	FPSTATE_LEGACY_SIZE = 512,
	FPSTATE_XSTATE_BV = 512,
	FPSTATE_XCOMP_BV = 520,		/* 0 in a signal frame: standard format */
	FPSTATE_HEADER_END = 576,
};

#define KFP_MAGIC1 0x46505853u	/* in kernel_fpx_sw: an extended part follows */
#define KFP_MAGIC2 0x46505845u	/* u32 right behind the extended part, at fpstate + xstate_size */

/* struct _fpx_sw_bytes */
struct kernel_fpx_sw {
	uint32_t magic1;
	uint32_t extended_size;		/* xstate_size + 4 */
	uint64_t xfeatures;		/* components this kernel keeps for the thread */
	uint32_t xstate_size;
	uint32_t pad[7];
};

static inline struct kernel_fpx_sw *fpstate_sw(void *fpstate)
{
	return (struct kernel_fpx_sw *)((char *)fpstate + FPSTATE_SW);
}

/* Without XSAVE, Linux 5.16 and later write the first magic as well, with the size of the FXSAVE part and nothing behind it. */
static inline int fpstate_is_extended(const void *fpstate)
{
	const struct kernel_fpx_sw *sw = fpstate_sw((void *)fpstate);

	return sw->magic1 == KFP_MAGIC1 && sw->xstate_size >= FPSTATE_HEADER_END;
}

/* RFLAGS */
#define KFLAGS_CF 0x000001ull
#define KFLAGS_TF 0x000100ull
#define KFLAGS_IF 0x000200ull
#define KFLAGS_DF 0x000400ull
#define KFLAGS_RF 0x010000ull
#define KFLAGS_AC 0x040000ull
/* What rt_sigreturn takes from the frame (FIX_EFLAGS): AC OF DF TF SF ZF AF PF CF RF. */
#define KFLAGS_USER 0x050dd5ull

#define KUSER_CS 0x33
#define KUSER_DS 0x2b

/* System calls as they stand in an interrupted context: number in rax, arguments in rdi, rsi, rdx, r10, r8, r9. */
static inline uint64_t kernel_call_argument(const struct mosix_registers *regs, int n)
{
	switch (n) {
	case 0: return regs->rdi;
	case 1: return regs->rsi;
	case 2: return regs->rdx;
	case 3: return regs->r10;
	case 4: return regs->r8;
	default: return regs->r9;
	}
}

_Static_assert(sizeof(struct kernel_siginfo) == 128, "siginfo_t");
_Static_assert(offsetof(struct kernel_siginfo, rt) == 16, "siginfo_t");
_Static_assert(sizeof(struct kernel_sigcontext) == 256, "struct sigcontext");
_Static_assert(offsetof(struct kernel_sigcontext, fpstate) == 184, "struct sigcontext");
_Static_assert(sizeof(struct mosix_altstack) == 24, "stack_t");
_Static_assert(sizeof(struct kernel_ucontext) == 304 && offsetof(struct kernel_ucontext, mc) == 40, "struct ucontext");
_Static_assert(sizeof(struct kernel_rt_sigframe) == 440, "struct rt_sigframe");
_Static_assert(sizeof(struct kernel_fpx_sw) == 48, "struct _fpx_sw_bytes");

#endif
