/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The image of a process as it travels on a page channel:
 *
 *   struct mosix_manifest, xsave_size bytes of XSAVE area (padded to 64) of the first thread, then for each further thread a
 *   struct mosix_thread padded to MOSIX_THREAD_SIZE and its XSAVE area, then mappings × struct mosix_mapping,
 *   then page runs (struct mosix_run + pages × 4096 bytes each), then a run with pages = 0.
 *
 * The same layout goes out and comes home. It is flat, not msgpack, because at home it is read in the core, where no
 * library may be called; manifest_check() below is the one validator for remoted, deputy and fuzzers.
 */
#ifndef MOSIX_MANIFEST_H
#define MOSIX_MANIFEST_H

#include <stdint.h>

#define MOSIX_MANIFEST_MAGIC  0x3130666d786f736dull
#define MOSIX_PAGE            4096ull
#define MOSIX_TASK_SIZE       0x7ffffffff000ull
#define MOSIX_MAPPINGS_MAX    20000u
#define MOSIX_XSAVE_MAX       16384u
#define MOSIX_XFEATURES       64
#define MOSIX_CONFIG_SIZE     256u
#define MOSIX_ARENA_SIZE      (64ull << 20)
#define MOSIX_SLOT_SIZE       MOSIX_ARENA_SIZE	/* what each thread after the first has for itself */
#define MOSIX_THREADS_MAX     512u
#define MOSIX_THREAD_SIZE     320u	/* struct mosix_thread, padded */
/* The loader's own place, below every program: nothing of an image may lie here. */
#define MOSIX_LOADER_START    0x10000ull
#define MOSIX_LOADER_END      0x400000ull

enum mosix_mapping_flag {
	MOSIX_MAP_ANON      = 1 << 0,
	MOSIX_MAP_FILE      = 1 << 1,	/* private mapping of a file (or a read-only shared one): file says which content */
	MOSIX_MAP_STACK     = 1 << 2,	/* the main stack: MAP_GROWSDOWN */
	MOSIX_MAP_HEAP      = 1 << 3,	/* part of [heap] */
	MOSIX_MAP_RESERVED  = 1 << 4,	/* home's vdso, vvar…: kept free (PROT_NONE) in the guest */
	MOSIX_MAP_VDSO      = 1 << 5,	/* with RESERVED: the vdso; its bytes come as page runs and its entries are patched */
	MOSIX_MAP_NORESERVE = 1 << 6,
	MOSIX_MAP_SHARED    = 1 << 7,	/* with FILE: MAP_SHARED, never writable */
	MOSIX_MAP_FRESH     = 1 << 8,	/* with ANON, homeward: home's mappings there were unmapped, so this is another one */
};

#define MOSIX_NO_FILE 0xffffffffu	/* a file whose content homed did not offer: every page of it comes as runs */

struct mosix_mapping {
	uint64_t start, end;	/* page aligned, ascending, disjoint */
	uint64_t offset;	/* in the file, bytes */
	uint32_t prot;		/* PROT_* */
	uint32_t flags;		/* enum mosix_mapping_flag */
	uint32_t file;		/* index into the offer's list of files, or MOSIX_NO_FILE */
	uint32_t zero;
};

struct mosix_run { uint64_t start; uint64_t pages; };

/* Where each XSAVE component lies in a non-compacted area on the machine that made the image (CPUID leaf 0xD). */
struct mosix_xlayout {
	uint64_t xfeatures;	/* XCR0 there */
	uint32_t size;		/* of the whole area, without the kernel's trailing magic */
	uint32_t zero;
	struct { uint32_t offset, size; } part[MOSIX_XFEATURES];
};

/* Registers in the order of the kernel's struct sigcontext (asm/sigcontext.h): r8 … r15, rdi, rsi, rbp, rbx, rdx, rax,
   rcx, rsp, rip, rflags. */
struct mosix_registers {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
};

/* As the kernel has it (struct sigaction of rt_sigaction(2)), flags as unsigned long. */
struct mosix_sigaction { uint64_t handler, flags, restorer, mask; };
struct mosix_altstack  { uint64_t sp; int32_t flags; int32_t zero; uint64_t size; };
struct mosix_rlimit    { uint64_t soft, hard; };

/* One vDSO function of home that the guest must serve. kind: enum mosix_vdso. */
enum mosix_vdso { MOSIX_VDSO_CLOCK_GETTIME, MOSIX_VDSO_GETTIMEOFDAY, MOSIX_VDSO_TIME, MOSIX_VDSO_CLOCK_GETRES, MOSIX_VDSO_GETCPU,
		  MOSIX_VDSO_GETRANDOM, MOSIX_VDSO_KINDS };

struct mosix_thread {
	struct mosix_registers regs;
	uint64_t fs_base;
	uint64_t mask;			/* the program's own view */
	struct mosix_altstack altstack;
	uint64_t robust_list, robust_size;
	uint64_t clear_tid;
	uint64_t rseq; uint32_t rseq_size, rseq_signature;	/* rseq = 0: none registered */
	uint32_t inside;		/* number + 1 of the call the thread is logically inside, 0 none */
	uint32_t tid;
	uint32_t slot;			/* 0: the arena itself; n: the n-th of the slots, from 1 */
	uint32_t channel;		/* number of its call channel */
	uint64_t away_ns;		/* CPU time that home's kernel does not know (outward), or of this stay (homeward) */
};

_Static_assert(sizeof(struct mosix_thread) <= MOSIX_THREAD_SIZE, "struct mosix_thread outgrew its place");

struct mosix_manifest {
	uint64_t magic;
	uint32_t version, epoch;
	uint32_t pid;
	uint32_t mappings;		/* count, ≤ MOSIX_MAPPINGS_MAX */
	uint64_t pages;			/* sum of all runs to come, for progress and memory checks */

	/* libmosix's core in this image */
	uint64_t arena;			/* start of the arena, MOSIX_ARENA_SIZE long and aligned; not a mapping of the list */
	uint64_t slots;			/* slot_count × MOSIX_SLOT_SIZE, aligned to that size; 0 if there are none. Likewise no
					   mapping */
	uint32_t slot_count;
	uint32_t threads;		/* 1 … MOSIX_THREADS_MAX */
	uint64_t guest_entry;		/* void guest_entry(void): where the loader jumps, on guest_stack */
	uint64_t guest_stack;		/* top of a stack inside the arena */
	uint64_t gate_handler, gate_restorer;	/* for SIGSYS, faults and the doorbell, installed by the loader */
	uint64_t gate_stack, gate_stack_size;	/* the altstack, inside the arena */

	uint8_t  config[MOSIX_CONFIG_SIZE];	/* the core's own constants; nobody else's business */

	/* the process */
	uint64_t brk_start, brk;
	uint64_t code_start, code_end, data_start, data_end, stack_start;	/* for PR_SET_MM_MAP, from /proc/self/stat */
	uint64_t vdso[MOSIX_VDSO_KINDS];	/* home addresses of the entries, 0 where home has none */
	uint64_t personality;
	struct mosix_rlimit rlimit_stack, rlimit_data, rlimit_as, rlimit_core;
	struct mosix_sigaction action[65];	/* 1 … 64 */
	char name[16];
	uint64_t cpu_user_ns, cpu_system_ns;	/* outward: consumed so far, wherever; homeward: consumed by this guest */
	uint64_t away_user_ns, away_system_ns;	/* outward: the part of it that home's kernel does not know */
	uint64_t monotonic_ns, boottime_ns;	/* the last clock reading here */

	struct mosix_thread thread;	/* the first */
	struct mosix_xlayout xlayout;	/* of all XSAVE areas that follow */
	struct mosix_xlayout home_xlayout;	/* of frames on the program's own stacks: always home's */
	uint32_t xsave_size;		/* bytes of each XSAVE area that follows, ≤ MOSIX_XSAVE_MAX, multiple of 64 */
	uint32_t zero;
};

/*
 * Checks everything a receiver relies on: magic, version, counts, order, alignment and range of mappings, nothing in the
 * loader's place or in the arena, flags that exclude each other, entry points that lie in memory which is no code.
 * size is what follows the manifest in memory (xsave area and mappings). Returns 0, or -EINVAL and a sentence in *ret_why
 * (static). Freestanding; any context.
 */
int manifest_check(const struct mosix_manifest *m, uint64_t size, const char **ret_why);

static inline uint64_t manifest_tail(const struct mosix_manifest *m)
{
	return m->xsave_size + (m->threads - 1) * ((uint64_t)MOSIX_THREAD_SIZE + m->xsave_size) +
	       (uint64_t)m->mappings * sizeof(struct mosix_mapping);
}

/* Thread n, from 0, and its XSAVE area. */
static inline const struct mosix_thread *manifest_thread(const struct mosix_manifest *m, uint32_t n)
{
	const char *second = (const char *)(m + 1) + m->xsave_size;

	if (n == 0)
		return &m->thread;
	return (const struct mosix_thread *)(second + (n - 1) * ((uint64_t)MOSIX_THREAD_SIZE + m->xsave_size));
}

static inline const void *manifest_xsave(const struct mosix_manifest *m, uint32_t n)
{
	return n == 0 ? (const char *)(m + 1) : (const char *)manifest_thread(m, n) + MOSIX_THREAD_SIZE;
}

static inline const struct mosix_mapping *manifest_mappings(const struct mosix_manifest *m)
{
	return (const struct mosix_mapping *)((const char *)m + sizeof(*m) + manifest_tail(m) -
					      (uint64_t)m->mappings * sizeof(struct mosix_mapping));
}

#endif
