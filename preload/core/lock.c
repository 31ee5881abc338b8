/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/futex.h>
#include "core.h"
#include "lock.h"

static void wake(uint32_t *word, int most)
{
	SYS3(__NR_futex, word, FUTEX_WAKE_PRIVATE, most);
}

/* Relative, for a guest has no sixth argument to give (the bit set of an absolute wait). */
void core_wait(uint32_t *word, uint32_t value, uint64_t until)
{
	struct { int64_t sec, nsec; } left = { 0, 0 };
	uint64_t now = until ? core_clock(1) : 0;

	if (until && now >= until)
		return;
	left.sec = (int64_t)((until - now) / 1000000000);
	left.nsec = (int64_t)((until - now) % 1000000000);
	SYS4(__NR_futex, word, FUTEX_WAIT_PRIVATE, value, until ? &left : NULL);
}

/* 0 free, 1 taken, 2 taken and waited for (U. Drepper, "Futexes Are Tricky", mutex2). */
void core_lock(uint32_t *word)
{
	uint32_t seen = 0;

	if (__atomic_compare_exchange_n(word, &seen, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0)
		core_wait(word, 2, 0);
}

void core_unlock(uint32_t *word)
{
	if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2)
		wake(word, 1);
}

void core_set(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
	wake(word, 0x7fffffff);
}

void core_add(uint32_t *word, uint32_t n)
{
	__atomic_add_fetch(word, n, __ATOMIC_SEQ_CST);
	wake(word, 0x7fffffff);
}
