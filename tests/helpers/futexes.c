/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The futex call itself. A wait may end for no reason (futex(2)), so every waiter looks at its word again; but it may not end
 * with EINTR where no handler ran, nor with EAGAIN while the word is as expected, nor early, and a wake that is due must not
 * be lost.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <sys/mman.h>

#include "thread.h"

enum { WAITERS = 6, LATE = 10, FALSE_ENDS = 20000 };

static atomic_uint word, other, tickets, table[WAITERS];
static atomic_int ready, gone, ends;
static int flag; /* FUTEX_PRIVATE_FLAG or not */

static long futex(atomic_uint *at, int operation, uint32_t value, const void *time, atomic_uint *second, uint32_t third)
{
	long result = syscall(SYS_futex, at, operation | flag, value, time, second, third);
	return result < 0 ? -errno : result;
}

static bool sound(const char *what, long result, atomic_uint *at, uint32_t expected)
{
	atomic_fetch_add(&ends, 1);
	if (result == 0 || (result == -EAGAIN && *at != expected))
		return true;
	return check(false, "%s: %s, the word is %u", what, strerror((int)-result), *at);
}

/* Takes a ticket if there is one; a waiter goes only with a ticket. */
static bool ticket(void)
{
	for (unsigned n = tickets; n > 0;)
		if (atomic_compare_exchange_weak(&tickets, &n, n - 1))
			return true;
	return false;
}

static void until_gone(int number, const char *what)
{
	thread_reached(&gone, number, what);
}

/* ---- wait and wake ---- */

static void *waiting(void *unused)
{
	atomic_fetch_add(&ready, 1);
	while (!ticket())
		if (!sound("FUTEX_WAIT", futex(&word, FUTEX_WAIT, 5, NULL, NULL, 0), &word, 5))
			break;
	atomic_fetch_add(&gone, 1);
	return unused;
}

static void start(pthread_t *threads, void *(*run)(void *))
{
	ready = gone = 0;
	word = 5;
	other = 0;
	tickets = 0;
	for (intptr_t i = 0; i < WAITERS; i++)
		threads[i] = thread_start(run, (void *)i, 0);
	thread_reached(&ready, WAITERS, "waiters");
	check_compute(20);
}

static void join(pthread_t *threads)
{
	for (int i = 0; i < WAITERS; i++)
		thread_end(threads[i]);
}

static void wait_and_wake(void)
{
	pthread_t threads[WAITERS];
	for (int round = 0; round < 5; round++) {
		start(threads, waiting);
		for (int i = 1; i <= WAITERS; i++) {
			tickets = 1;
			/* One that is just on its way into its wait is not counted: again, until the ticket is gone. */
			while (gone < i) {
				long woken = futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0);
				if (!check(woken >= 0 && woken <= 1, "FUTEX_WAKE: %ld", woken))
					return;
				check_work(1, 3000);
			}
			check(gone == i, "%d went with %d tickets", gone, i);
		}
		join(threads);
		check(futex(&word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0) == 0, "somebody is still there");
		start(threads, waiting);
		tickets = WAITERS;
		word = 6;
		long woken = futex(&word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
		check(woken >= 0 && woken <= WAITERS, "FUTEX_WAKE of all: %ld", woken);
		until_gone(WAITERS, "woken all at once");
		join(threads);
	}
	puts("wait and wake");
}

/* ---- bit sets ---- */

static void *waiting_bit(void *number)
{
	uint32_t bit = 1u << (intptr_t)number;
	atomic_fetch_add(&ready, 1);
	while (table[(intptr_t)number] == 0)
		if (!sound("FUTEX_WAIT_BITSET", futex(&word, FUTEX_WAIT_BITSET, 5, NULL, NULL, bit), &word, 5))
			break;
	atomic_fetch_add(&gone, 1);
	return NULL;
}

static void bits(void)
{
	pthread_t threads[WAITERS];
	memset(table, 0, sizeof table);
	start(threads, waiting_bit);
	for (int i = 0; i < WAITERS; i++) {
		int who = i * 5 % WAITERS;
		table[who] = 1;
		while (gone <= i) {
			long woken = futex(&word, FUTEX_WAKE_BITSET, INT_MAX, NULL, NULL, 1u << who);
			if (!check(woken >= 0 && woken <= 1, "FUTEX_WAKE_BITSET: %ld", woken))
				return;
			check_work(1, 3000);
		}
	}
	join(threads);
	check(futex(&word, FUTEX_WAIT_BITSET, 5, NULL, NULL, 0) == -EINVAL, "an empty set of bits");
	puts("bit sets");
}

/* ---- requeue: the protocol of a condition ---- */

static void *waiting_twice(void *unused)
{
	atomic_fetch_add(&ready, 1);
	while (word == 5)
		if (!sound("first wait", futex(&word, FUTEX_WAIT, 5, NULL, NULL, 0), &word, 5))
			break;
	/* Whoever was moved to the second word sleeps there already, and never returned. */
	while (!ticket())
		if (!sound("second wait", futex(&other, FUTEX_WAIT, 0, NULL, NULL, 0), &other, 0))
			break;
	atomic_fetch_add(&gone, 1);
	return unused;
}

static void requeue(int operation)
{
	pthread_t threads[WAITERS];
	for (int round = 0; round < 5; round++) {
		start(threads, waiting_twice);
		if (operation == FUTEX_CMP_REQUEUE)
			check(futex(&word, operation, 1, (void *)(intptr_t)INT_MAX, &other, 4) == -EAGAIN, "the word is not 4");
		word = 6;
		long moved = futex(&word, operation, 1, (void *)(intptr_t)INT_MAX, &other, 6);
		check(moved >= 0 && moved <= WAITERS, "requeue: %ld", moved);
		check(futex(&word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0) == 0, "somebody stayed with the first word");
		for (int i = 1; i <= WAITERS; i++) {
			tickets = 1;
			while (gone < i) {
				check(futex(&other, FUTEX_WAKE, 1, NULL, NULL, 0) <= 1, "more than one");
				check_work(1, 3000);
			}
		}
		join(threads);
	}
	puts(operation == FUTEX_REQUEUE ? "requeue" : "requeue with a comparison");
}

static void wake_op(void)
{
	pthread_t threads[WAITERS];
	start(threads, waiting);
	static const struct {
		int operation, argument, compare, to;
		unsigned before, after;
	} steps[] = {
		{ FUTEX_OP_SET, 7, FUTEX_OP_CMP_EQ, 1, 1, 7 },    { FUTEX_OP_ADD, 5, FUTEX_OP_CMP_GT, 6, 7, 12 },
		{ FUTEX_OP_OR, 3, FUTEX_OP_CMP_LT, 5, 12, 15 },   { FUTEX_OP_ANDN, 5, FUTEX_OP_CMP_NE, 15, 15, 10 },
		{ FUTEX_OP_XOR, 3, FUTEX_OP_CMP_GE, 100, 10, 9 },
	};
	other = 1;
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		check(other == steps[i].before, "before: %u", other);
		uint32_t coded = (uint32_t)FUTEX_OP(steps[i].operation, steps[i].argument, steps[i].compare, steps[i].to);
		tickets = 1;
		long woken = futex(&word, FUTEX_WAKE_OP, 1, (void *)(intptr_t)INT_MAX, &other, coded);
		check(woken >= 0 && woken <= 1 && other == steps[i].after, "FUTEX_WAKE_OP: %ld, %u", woken, other);
		while (gone <= (int)i) {
			futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0);
			check_work(1, 3000);
		}
	}
	tickets = 1;
	other = 3; /* the last waits for word; nobody waits for other, though the comparison holds */
	uint32_t coded = (uint32_t)FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 3);
	while (gone < WAITERS) {
		other = 3;
		check(futex(&other, FUTEX_WAKE_OP, 0, (void *)(intptr_t)1, &word, coded) <= 1 && word == 0, "the second word");
		word = 3;
		check(futex(&other, FUTEX_WAKE_OP, 1, (void *)(intptr_t)1, &word, coded) >= 0 && word == 0, "the second word");
	}
	join(threads);
	puts("wake with an operation");
}

/* ---- errors and time-outs ---- */

static void errors(void)
{
	void *volatile page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *volatile nowhere = (void *)4096, *volatile odd = (char *)&word + 1;
	struct timespec bad = { 0, 1000000000 }, never = { -1, 0 };
	word = 1;
	check(futex(&word, FUTEX_WAIT, 2, NULL, NULL, 0) == -EAGAIN, "a wrong value");
	check(futex(&word, FUTEX_WAIT_BITSET, 2, NULL, NULL, 1) == -EAGAIN, "a wrong value");
	check(futex(page, FUTEX_WAIT, 0, NULL, NULL, 0) == -EFAULT, "a page without rights");
	check(futex(nowhere, FUTEX_WAIT, 0, NULL, NULL, 0) == -EFAULT, "no page");
	check(futex((void *)UINT64_C(0xffffffff80000000), FUTEX_WAIT, 0, NULL, NULL, 0) == -EFAULT, "the kernel's memory");
	check(futex(odd, FUTEX_WAIT, 1, NULL, NULL, 0) == -EINVAL, "not aligned");
	check(futex(&word, FUTEX_WAIT, 1, &bad, NULL, 0) == -EINVAL, "a bad time");
	check(futex(&word, FUTEX_WAIT, 1, &never, NULL, 0) == -EINVAL, "a negative time");
	check(futex(&word, FUTEX_WAIT, 1, nowhere, NULL, 0) == -EFAULT, "a time that is nowhere");
	check(futex(&word, 99, 1, NULL, NULL, 0) == -ENOSYS, "no such operation");
	check(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, nowhere, 1) == (flag != 0 ? 0 : -EFAULT), "requeue to nowhere");
	check(word == 1, "the word");
	munmap(page, 4096);
}

static void *owner(void *unused)
{
	atomic_uint *lock = &table[0];
	for (int i = 0; i < 300; i++) {
		unsigned zero = 0, me = (unsigned)thread_tid();
		if (!atomic_compare_exchange_strong(lock, &zero, me))
			check(futex(lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0, "FUTEX_LOCK_PI");
		check((*lock & FUTEX_TID_MASK) == me, "the owner is %u, not %u", *lock & FUTEX_TID_MASK, me);
		check(futex(lock, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0) == -EDEADLK, "locked twice");
		other++;
		check_work(1, 5000);
		if (!atomic_compare_exchange_strong(lock, &me, 0))
			check(futex(lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0, "FUTEX_UNLOCK_PI");
	}
	atomic_fetch_add(&ready, 1);
	atomic_fetch_add(&gone, 1);
	return unused;
}

static void inheritance(void)
{
	pthread_t threads[WAITERS];
	table[0] = 0;
	start(threads, owner);
	join(threads);
	printf("priority inheritance: %u times\n", other);
	check(other == WAITERS * 300 && table[0] == 0, "the lock is %u", table[0]);
	check(futex(&table[0], FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == -EPERM, "not mine");
}

static void *time_out(void *number)
{
	static atomic_uint quiet;
	for (int i = 0; i < 12; i++) {
		int kind = (i + (int)(intptr_t)number) % 3, milliseconds = 5 + 7 * i;
		clockid_t clock = kind == 2 ? CLOCK_REALTIME : CLOCK_MONOTONIC;
		struct timespec span = thread_span(milliseconds * INT64_C(1000000)), until = thread_after(clock, milliseconds);
		long result;
		do
			if (kind == 0)
				result = futex(&quiet, FUTEX_WAIT, 0, &span, NULL, 0);
			else
				result = futex(&quiet, FUTEX_WAIT_BITSET | (kind == 2 ? FUTEX_CLOCK_REALTIME : 0), 0, &until,
					       NULL, ~0u);
		while (result == 0);
		int64_t late = check_now(clock) - (until.tv_sec * INT64_C(1000000000) + until.tv_nsec);
		check(result == -ETIMEDOUT && late >= 0 && late < LATE * INT64_C(1000000000),
		      "wait %d for %d ms: %ld, %ld us late", kind, milliseconds, result, late / 1000);
		check_compute(5);
	}
	atomic_fetch_add(&ready, 1);
	return NULL;
}

int main(void)
{
	for (int shared = 0; shared < 2; shared++) {
		pthread_t threads[WAITERS];
		flag = shared ? 0 : FUTEX_PRIVATE_FLAG;
		puts(shared ? "shared" : "private");
		wait_and_wake();
		bits();
		requeue(FUTEX_REQUEUE);
		requeue(FUTEX_CMP_REQUEUE);
		wake_op();
		inheritance();
		errors();
		start(threads, time_out);
		join(threads);
		puts("time-outs");
	}
	check(ends < FALSE_ENDS, "the waits have ended %d times: they do not wait", ends);
	return check_result();
}
