/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* 64 GiB reserved, a few pages of it touched, given back, touched again; what was never written reads as zero. */
#include <string.h>
#include <sys/mman.h>

#include "check.h"

#define SIZE (UINT64_C(64) << 30)
enum { TOUCHED = 600 };

int main(void)
{
	unsigned char *area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!check(area != MAP_FAILED, "mmap of 64 GiB"))
		return check_result();
	madvise(area, SIZE, MADV_NOHUGEPAGE);
	uint64_t seed = 5, sum = 0;
	static uint64_t offsets[TOUCHED];
	for (int i = 0; i < TOUCHED; i++) {
		seed = check_work(seed, 20000);
		offsets[i] = seed % SIZE & ~UINT64_C(4095);
		memset(area + offsets[i], i % 251 + 1, 4096);
	}
	for (int round = 0; round < 240; round++) {
		for (int i = 0; i < TOUCHED; i++) {
			unsigned char *page = area + offsets[i];
			unsigned char want = (unsigned char)((i + round) % 251 + 1);
			check(page[0] == want && page[4095] == want, "round %d: page %d has %d", round, i, page[0]);
			memset(page, (i + round + 1) % 251 + 1, 4096);
			sum = check_work(sum + page[17], 8000);
		}
		unsigned char *fresh = area + (check_work((uint64_t)round, 3) % SIZE & ~UINT64_C(4095));
		int known = 0;
		for (int i = 0; i < TOUCHED; i++)
			known += area + offsets[i] == fresh;
		if (!known) {
			for (int i = 0; i < 4096; i++)
				check(fresh[i] == 0, "round %d: a fresh page is not zero", round);
			fresh[0] = 1;
			madvise(fresh, 4096, MADV_DONTNEED);
			check(fresh[0] == 0, "round %d: a page given back is not zero", round);
		}
	}
	printf("%016lx\n", sum);
	return check_result();
}
