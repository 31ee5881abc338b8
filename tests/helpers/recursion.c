/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Deep recursion: the stack grows by megabytes and shrinks again, its contents are checked on the way back. */
#include <string.h>

#include "check.h"

static __attribute__((noinline)) uint64_t descend(unsigned depth, uint64_t seed)
{
	volatile uint64_t frame[24];
	for (int i = 0; i < 24; i++)
		frame[i] = seed + (uint64_t)i * depth;
	uint64_t below = depth == 0 ? seed : descend(depth - 1, check_work(seed, 8));
	for (int i = 0; i < 24; i++)
		if (frame[i] != seed + (uint64_t)i * depth)
			check(false, "frame at depth %u", depth);
	return below * 31 + frame[7];
}

static unsigned ackermann(unsigned m, unsigned n)
{
	return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

int main(void)
{
	for (unsigned round = 0; round < 1600; round++) {
		uint64_t result = descend(round % 2 ? 25000 : 500 * round % 24000, round);
		if (round % 200 == 0)
			printf("round %u: %016lx\n", round, result);
	}
	printf("ackermann(2, 900) = %u\n", ackermann(2, 900));
	printf("ackermann(3, 9) = %u\n", ackermann(3, 9));
	return check_result();
}
