/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "altstack.h"
#include "urgent.h"
#include <stdatomic.h>
#include <sys/auxv.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51	/* Linux 5.14 */
#endif

/* Without that entry: a frame with AVX-512 state. */
#define FRAME_UNKNOWN 3632

static __thread int small __attribute__((tls_model("initial-exec")));	/* this thread's stack is */
static atomic_int smalls;		/* threads that have such a stack, or ended with one */
static atomic_int off;			/* what home's kernel was last told */

/* Two frames, the program's and the core's, and room for what the handlers do. */
static size_t least(void)
{
	unsigned long frame = getauxval(AT_MINSIGSTKSZ);

	return 2 * (frame ? frame : FRAME_UNKNOWN) + 4096;
}

static void become(int is_small)
{
	int wanted;

	atomic_fetch_add(&smalls, is_small - small);
	small = is_small;
	wanted = atomic_load(&smalls) > 0;
	if (core_is_guest() || atomic_exchange(&off, wanted) == wanted)
		return;
	urgent_onstack(!wanted);
}

int altstack_change(altstack_real real, const stack_t *set, stack_t *old)
{
	int before = small, after, result;
	stack_t copy;

	if (!wrap_on || !set || !wrap_readable(set, sizeof(*set)) || !urgent_ours())
		return real(set, old);
	copy = *set;
	after = !(copy.ss_flags & SS_DISABLE) && copy.ss_size < least();
	if (after)
		become(1);
	result = real(&copy, old);
	become(result == 0 ? after : before);
	return result;
}

void altstack_forked(void)
{
	atomic_store(&smalls, small);
}

WRAP_EXPORT int sigaltstack(const stack_t *set, stack_t *old)
{
	return altstack_change(REAL_OF(sigaltstack), set, old);
}
