/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls that only threads have a use for, made bare: robust lists, restartable sequences, membarrier, processors, and the
 * clocks of threads. Numbers of processors differ from machine to machine; what must hold of them everywhere is checked.
 */
#define _GNU_SOURCE
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/rseq.h>

#include "thread.h"

enum { THREADS = 6, ROUNDS = 300, PROCESSORS = 4096, SEQUENCES = 200000 };

static pthread_barrier_t together;
static uint64_t per_processor[PROCESSORS][8]; /* one line of the cache each */
static atomic_long aborts;
static atomic_int barriers;
static int64_t cpu_times[THREADS];
static cpu_set_t allowed;
static int processors;

static struct rseq *area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

/*
 * Adds one to this processor's counter, by a load and a store that are far apart: only a sequence that starts anew whenever
 * the thread loses the processor (to another thread, a handler, a move) counts right. Returns false if it was aborted.
 */
static bool add_one(struct rseq *rseq, uint32_t processor, uint64_t *counter)
{
	/* clang-format off */
	__asm__ goto(".pushsection __rseq_cs, \"aw\"\n\t"
		     ".balign 32\n\t"
		     "1: .long 0, 0\n\t"
		     ".quad 2f, 3f - 2f, 4f\n\t"
		     ".popsection\n\t"
		     "leaq 1b(%%rip), %%rax\n\t"
		     "movq %%rax, %c[cs](%[rseq])\n\t"
		     "2: cmpl %[processor], %c[id](%[rseq])\n\t"
		     "jne %l[aborted]\n\t"
		     "movq (%[counter]), %%rax\n\t"
		     "movl $60, %%ecx\n\t"
		     "5: decl %%ecx\n\t"
		     "jnz 5b\n\t"
		     "incq %%rax\n\t"
		     "movq %%rax, (%[counter])\n\t"
		     "3:\n\t"
		     ".pushsection .text.unlikely, \"ax\"\n\t"
		     ".byte 0x0f, 0xb9, 0x3d\n\t"	/* ud1: the signature below is no instruction by itself */
		     ".long %c[signature]\n\t"
		     "4: jmp %l[aborted]\n\t"
		     ".popsection\n\t"
		     :
		     : [rseq] "r"(rseq), [processor] "r"(processor), [counter] "r"(counter),
		       [cs] "i"(offsetof(struct rseq, rseq_cs)), [id] "i"(offsetof(struct rseq, cpu_id)),
		       [signature] "i"(RSEQ_SIG)
		     : "rax", "rcx", "memory", "cc"
		     : aborted);
	/* clang-format on */
	return true;
aborted:
	return false;
}

static void *sequences(void *unused)
{
	struct rseq *rseq = area();
	check(__rseq_size > 0, "the C library has not registered a restartable sequence");
	pthread_barrier_wait(&together);
	for (int i = 0; i < SEQUENCES; i++) {
		uint32_t processor;
		do {
			processor = __atomic_load_n(&rseq->cpu_id_start, __ATOMIC_RELAXED);
			if (!check(processor < (uint32_t)processors && rseq->cpu_id != (uint32_t)RSEQ_CPU_ID_UNINITIALIZED,
				   "processor %u", processor))
				return NULL;
		} while (!add_one(rseq, processor, &per_processor[processor][0]) && atomic_fetch_add(&aborts, 1) >= 0);
	}
	return unused;
}

static void restartable(void)
{
	pthread_t threads[THREADS];
	uint64_t sum = 0;
	pthread_barrier_init(&together, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		threads[i] = thread_start(sequences, NULL, 0);
	for (int i = 0; i < THREADS; i++)
		thread_end(threads[i]);
	pthread_barrier_destroy(&together);
	for (int i = 0; i < processors; i++)
		sum += per_processor[i][0];
	printf("restartable sequences: %lu\n", sum);
	check(sum == (uint64_t)THREADS * SEQUENCES, "%lu of %d, %ld aborted", sum, THREADS * SEQUENCES, aborts);
}

static void one_round(int round, const void *robust, struct rseq *rseq)
{
	struct rseq foreign __attribute__((aligned(32))) = { 0 };
	const void *head = NULL;
	size_t length = 0;
	unsigned processor = UINT_MAX, node = UINT_MAX;
	cpu_set_t now;
	check(syscall(SYS_get_robust_list, 0, &head, &length) == 0 && head == robust && length == 24,
	      "round %d: robust list %p, not %p", round, head, robust);
	check(syscall(SYS_set_robust_list, robust, 7) < 0 && errno == EINVAL, "a robust list of 7 bytes");
	check(syscall(SYS_set_robust_list, robust, length) == 0, "set_robust_list");
	check(syscall(SYS_get_robust_list, 4194303, &head, &length) < 0 && errno == ESRCH, "the robust list of nobody");
	check(syscall(SYS_rseq, rseq, 32, 0, RSEQ_SIG) < 0 && errno == EBUSY, "round %d: rseq, registered: %s", round,
	      strerror(errno));
	check(syscall(SYS_rseq, &foreign, 32, 0, RSEQ_SIG) < 0 && errno == EINVAL, "round %d: rseq, another: %s", round,
	      strerror(errno));
	check(syscall(SYS_getcpu, &processor, &node, NULL) == 0 && processor < (unsigned)processors && node < 1024, "getcpu: %u",
	      processor);
	check(sched_getcpu() >= 0 && sched_getcpu() < processors, "sched_getcpu: %d", sched_getcpu());
	check(sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&now, &allowed), "round %d: the affinity has changed",
	      round);
	check(syscall(SYS_sched_getaffinity, thread_tid(), 4, &now) < 0 || CPU_COUNT(&allowed) <= 32, "an affinity of 4 bytes");
	check(sched_yield() == 0 && syscall(SYS_sched_yield) == 0, "sched_yield");
	check(sched_getscheduler(thread_tid()) == SCHED_OTHER, "sched_getscheduler");
}

static void *asking(void *argument)
{
	const void *robust = NULL;
	size_t length;
	struct rseq *rseq = area();
	syscall(SYS_get_robust_list, 0, &robust, &length);
	check(robust != NULL, "thread %ld has no robust list", (intptr_t)argument);
	pthread_barrier_wait(&together);
	for (int round = 0; round < ROUNDS && check_wrong == 0; round++) {
		one_round(round, robust, rseq);
		if (round % 10 == 0 && syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0)
			atomic_fetch_add(&barriers, 1);
		check_work(1, 120000);
	}
	return NULL;
}

/* Neither steps back, and the process's is at least that of its threads. */
static void *spending(void *argument)
{
	clockid_t clock;
	struct rusage usage;
	int64_t last = 0, whole = 0;
	check(pthread_getcpuclockid(pthread_self(), &clock) == 0, "pthread_getcpuclockid");
	pthread_barrier_wait(&together);
	for (int i = 0; i < 300; i++) {
		int64_t mine = check_now(CLOCK_THREAD_CPUTIME_ID), all = check_now(CLOCK_PROCESS_CPUTIME_ID);
		check(mine >= last && mine > 0, "round %d: the thread's clock stepped from %ld to %ld", i, last, mine);
		check(all >= whole && all >= mine, "round %d: the process's clock stepped from %ld to %ld", i, whole, all);
		getrusage(RUSAGE_THREAD, &usage);
		int64_t used = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) + usage.ru_utime.tv_usec +
			       usage.ru_stime.tv_usec;
		check(used >= mine / 1000 - 10000, "round %d: RUSAGE_THREAD %ld us, the clock %ld", i, used, mine / 1000);
		last = mine;
		whole = all;
		check_work(1, 300000);
	}
	if ((intptr_t)argument % 2 == 0) /* the same clock by its other name, once */
		check(check_now(clock) >= last, "the clock of pthread_getcpuclockid is behind");
	cpu_times[(intptr_t)argument] = check_now(CLOCK_THREAD_CPUTIME_ID);
	pthread_barrier_wait(&together);
	return NULL;
}

static void run(void *(*what)(void *))
{
	pthread_t threads[THREADS];
	pthread_barrier_init(&together, NULL, THREADS);
	for (intptr_t i = 0; i < THREADS; i++)
		threads[i] = thread_start(what, (void *)i, 0);
	for (int i = 0; i < THREADS; i++)
		thread_end(threads[i]);
	pthread_barrier_destroy(&together);
}

int main(void)
{
	processors = (int)sysconf(_SC_NPROCESSORS_CONF);
	check(processors > 0 && processors <= PROCESSORS && sched_getaffinity(0, sizeof allowed, &allowed) == 0, "%d processors",
	      processors);
	restartable();

	long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
	check(commands > 0 && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0, "membarrier: %lx", commands);
	check(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) < 0 && errno == EPERM,
	      "membarrier, not registered");
	check(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0, "membarrier: %s", strerror(errno));
	check(syscall(SYS_membarrier, 1 << 30, 0, 0) < 0 && errno == EINVAL, "membarrier with no such command");
	run(asking);
	printf("%d threads asked, %d barriers\n", THREADS, barriers);
	check(barriers == THREADS * ROUNDS / 10, "barriers");

	int64_t sum = 0;
	run(spending);
	for (int i = 0; i < THREADS; i++)
		sum += cpu_times[i];
	int64_t all = check_now(CLOCK_PROCESS_CPUTIME_ID);
	check(all >= sum && sum > 0, "the process used %ld us, its threads %ld us", all / 1000, sum / 1000);
	puts("clocks");
	return check_result();
}
