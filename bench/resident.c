/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resident MIB: fills so much memory with bytes that cannot be compressed, says "ready PID" and computes until it gets SIGTERM. */
#include <stdio.h>
#include <unistd.h>

#include "measure.h"

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	size_t words = (size_t)atol(argv[1]) << 17;
	volatile uint64_t *memory = malloc(words * sizeof *memory);
	uint64_t seed = 1;
	if (memory == NULL)
		return 1;
	for (size_t i = 0; i < words; i++)
		memory[i] = seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	for (;;)
		seed = seed * 3 + memory[seed % words];
}
