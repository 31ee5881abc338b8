/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A snapshot: the stacks of all threads of a process as they were at one moment. The core takes it at home, remoted of a guest;
 * mosctl unwinds it with home's files. It is a sequence of pieces: a struct mosix_stack_piece and `size` bytes, padded to 8.
 *
 *   THREAD   one struct mosix_stack_thread
 *   MEMORY   bytes of the process's memory from `address` on: of stacks, and of the vDSO
 */
#ifndef MOSIX_STACK_H
#define MOSIX_STACK_H

#include <stdint.h>
#include <mosix/manifest.h>

#define MOSIX_STACK_MAX    (3u << 20)	/* bytes of a snapshot */
#define MOSIX_STACK_TOTAL  (2u << 20)	/* of memory in it … */
#define MOSIX_STACK_EACH   (256u << 10)	/* … and of that the most for one stack */
#define MOSIX_STACK_PACKET (32u << 10)	/* of memory in one packet on the orders socket */
#define MOSIX_STACK_RED    128u		/* below the stack pointer, the program's as well (red zone) */

enum mosix_stack_kind { MOSIX_STACK_THREAD = 1, MOSIX_STACK_MEMORY };

struct mosix_stack_piece {
	uint32_t kind, size;
	uint64_t address;	/* MEMORY */
};

enum mosix_stack_flag { MOSIX_STACK_AT_HOME = 1 << 0 };	/* the call is being made at home, by the deputy */

struct mosix_stack_thread {
	uint32_t tid;		/* home's number */
	uint32_t call;		/* number + 1 of the call the thread is inside, 0 none */
	uint32_t flags;		/* enum mosix_stack_flag */
	uint32_t zero;
	struct mosix_registers regs;	/* of the program: never those of handler or gate */
};

/* Bytes that each of so many threads (at least 1) may have for its stack. */
static inline uint64_t stack_share(uint64_t threads)
{
	uint64_t share = MOSIX_STACK_TOTAL / threads & ~(MOSIX_PAGE - 1);

	return share < MOSIX_PAGE ? MOSIX_PAGE : share < MOSIX_STACK_EACH ? share : MOSIX_STACK_EACH;
}

/* What a signal frame on an alternate stack says about the code that the signal interrupted. */
struct mosix_stack_frame {
	struct mosix_registers regs;
	struct mosix_altstack altstack;
	int32_t signo, code;
	int32_t nr;		/* SIGSYS: number of the call */
};

/* struct rt_sigframe behind its return address: struct ucontext, whose place is a multiple of 16, then siginfo_t. */
#define STACK_FRAME_ALTSTACK 16u
#define STACK_FRAME_REGS     40u
#define STACK_FRAME_CS       184u
#define STACK_FRAME_SS       190u
#define STACK_FRAME_INFO     304u
#define STACK_FRAME_SIZE     336u	/* of what is looked at */

/* What the frame at uc (STACK_FRAME_SIZE bytes) says: 1; or 0, if it is none or its code ran on the alternate stack. */
static inline int stack_read_frame(const uint8_t *uc, struct mosix_stack_frame *ret_frame)
{
	struct mosix_stack_frame f;
	uint16_t cs, ss;

	__builtin_memcpy(&f.altstack, uc + STACK_FRAME_ALTSTACK, sizeof(f.altstack));
	__builtin_memcpy(&f.regs, uc + STACK_FRAME_REGS, sizeof(f.regs));
	__builtin_memcpy(&cs, uc + STACK_FRAME_CS, sizeof(cs));
	__builtin_memcpy(&ss, uc + STACK_FRAME_SS, sizeof(ss));
	if (cs != 0x33 || ss != 0x2b || f.regs.rsp - f.altstack.sp < f.altstack.size)
		return 0;
	__builtin_memcpy(&f.signo, uc + STACK_FRAME_INFO, sizeof(f.signo));
	__builtin_memcpy(&f.code, uc + STACK_FRAME_INFO + 8, sizeof(f.code));
	__builtin_memcpy(&f.nr, uc + STACK_FRAME_INFO + 24, sizeof(f.nr));
	*ret_frame = f;
	return 1;
}

/*
 * The outermost signal frame in a copy of a stack that is an alternate stack: one that lies on the alternate stack it names, and
 * whose interrupted code ran elsewhere. copy: `size` bytes of memory from `address` on, which is a multiple of 16. 1 and
 * *ret_frame, or 0. Freestanding; any context.
 */
static inline int stack_find_frame(const void *copy, uint64_t address, uint64_t size, struct mosix_stack_frame *ret_frame)
{
	for (uint64_t at = size & ~15ull; at >= 16; at -= 16) {
		const uint8_t *uc = (const uint8_t *)copy + at - 16;
		struct mosix_stack_frame f;

		if (at - 16 + STACK_FRAME_SIZE > size || !stack_read_frame(uc, &f))
			continue;
		if (address + at - 16 - f.altstack.sp >= f.altstack.size)
			continue;
		*ret_frame = f;
		return 1;
	}
	return 0;
}

#endif
