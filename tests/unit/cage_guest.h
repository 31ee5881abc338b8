/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest for the tests of cage and loader: position-independent code that cage_image.c copies into an image, in place of
 * libmosix's core. It has no data of its own; everything stands in the arena (struct cage_guest at CAGE_GUEST_STATE).
 */
#ifndef MOSIX_TESTS_CAGE_GUEST_H
#define MOSIX_TESTS_CAGE_GUEST_H

#include <stdint.h>

#define CAGE_GUEST_STATE 0x1000ull	/* in the arena */

#define CAGE_DESCRIPTORS 600

/* What the guest says on the call channel; then it reads one byte there and says it again, or ends at end of file. */
struct cage_report {
	char     word[8];		/* "READY" */
	uint32_t pid, tid;
	uint32_t unlisted, unlisted_traps;	/* calls tried that the filter does not list, and traps they made */
	uint32_t listed, listed_traps;		/* listed ones, without the secret */
	uint32_t rings;			/* SIGURG seen */
	int32_t  brk_moved;		/* brk() gave what the manifest says */
	int64_t  mono_s, mono_ns;	/* by home's vdso entry */
	int64_t  call_result;		/* of the entry that the test made unknown to the local vdso: trapped, hence -1000 */
	uint8_t  file, sparse, fresh;	/* first bytes of three mappings */
	uint16_t descriptors;		/* descriptors below CAGE_DESCRIPTORS that exist, counted */
	uint64_t big;			/* sum of all bytes around that address, 3 MiB and a page each way */
	uint64_t fs_base;
	uint64_t xsave_size, manifest_pid;
	uint32_t last_tid;		/* of the last thread in the manifest as the loader left it */
	uint8_t  last_xmm;		/* first byte of %xmm0 in that thread's area */
	uint64_t first_mapping;		/* start of the manifest's first mapping */
	int64_t  thread;		/* clone3 of a thread of the number CAGE_THREAD, on a stack in the last slot … */
	uint32_t thread_tid;		/* … and what gettid says in it */
	int64_t  child;			/* clone3 of a process of the number CAGE_CHILD, which stays */
	uint64_t spaces, spaces_made;	/* CLONE_NEW* flags that were tried with clone3, and that it took */
	uint32_t own_rings;		/* that came by tgkill to itself */
	uint32_t kills, kill_traps;	/* tgkill of others */
};

/* Addresses of the image that the guest looks at; the test writes them into the data page. */
struct cage_targets {
	uint64_t data;			/* where this struct lies */
	uint64_t file, sparse, fresh, big;
	uint64_t vdso_clock;		/* home's __vdso_clock_gettime */
	uint64_t brk;
};

/* The linker's names for the ends of the section. */
extern const char __start_cage_guest[], __stop_cage_guest[];
#define cage_guest_begin __start_cage_guest
#define cage_guest_end   __stop_cage_guest
/* Offsets of these from cage_guest_begin go into the manifest. */
void cage_guest_entry(void);
void cage_guest_handler(void);
void cage_guest_restorer(void);

#endif
