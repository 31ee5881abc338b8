/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A radix-2 FFT whose butterflies are AVX instructions; forth and back many times must give the input again, bit-equal each round. */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "check.h"

enum { N = 1 << 13, ROUNDS = 3000 };

static double re[N] __attribute__((aligned(32))), im[N] __attribute__((aligned(32)));
static double wr[N] __attribute__((aligned(32))), wi[N] __attribute__((aligned(32)));

__attribute__((target("avx"))) static void transform(int direction)
{
	for (int i = 1, j = 0; i < N; i++) {
		int bit = N >> 1;
		for (; j & bit; bit >>= 1)
			j ^= bit;
		j ^= bit;
		if (i < j) {
			double t = re[i];
			re[i] = re[j];
			re[j] = t;
			t = im[i];
			im[i] = im[j];
			im[j] = t;
		}
	}
	for (int half = 1; half < N; half <<= 1) {
		for (int k = 0; k < half; k++) {
			double angle = direction * M_PI * k / half;
			wr[k] = cos(angle);
			wi[k] = sin(angle);
		}
		for (int base = 0; base < N; base += 2 * half) {
			int k = 0;
			for (; k + 4 <= half; k += 4) {
				__m256d cr = _mm256_load_pd(wr + k), ci = _mm256_load_pd(wi + k);
				__m256d br = _mm256_loadu_pd(re + base + half + k), bi = _mm256_loadu_pd(im + base + half + k);
				__m256d ar = _mm256_loadu_pd(re + base + k), ai = _mm256_loadu_pd(im + base + k);
				__m256d tr = _mm256_sub_pd(_mm256_mul_pd(br, cr), _mm256_mul_pd(bi, ci));
				__m256d ti = _mm256_add_pd(_mm256_mul_pd(br, ci), _mm256_mul_pd(bi, cr));
				_mm256_storeu_pd(re + base + k, _mm256_add_pd(ar, tr));
				_mm256_storeu_pd(im + base + k, _mm256_add_pd(ai, ti));
				_mm256_storeu_pd(re + base + half + k, _mm256_sub_pd(ar, tr));
				_mm256_storeu_pd(im + base + half + k, _mm256_sub_pd(ai, ti));
			}
			for (; k < half; k++) {
				int a = base + k, b = a + half;
				double tr = re[b] * wr[k] - im[b] * wi[k], ti = re[b] * wi[k] + im[b] * wr[k];
				re[b] = re[a] - tr;
				im[b] = im[a] - ti;
				re[a] += tr;
				im[a] += ti;
			}
		}
	}
}

int main(void)
{
	static double first[N];
	uint64_t seed = 1, hash = 0;
	if (!__builtin_cpu_supports("avx")) {
		puts("no AVX");
		return 1;
	}
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < N; i++) {
			seed = check_work(seed, 1);
			first[i] = re[i] = (double)(seed >> 40) / 16777216.0 - 0.5;
			im[i] = 0;
		}
		transform(-1);
		double energy = 0, sum = 0, worst = 0;
		for (int i = 0; i < N; i++) {
			uint64_t bits;
			energy += re[i] * re[i] + im[i] * im[i];
			sum += first[i] * first[i];
			memcpy(&bits, &re[i], sizeof bits);
			hash = (hash << 7 | hash >> 57) ^ bits;
		}
		check(fabs(energy / N - sum) < 1e-8, "round %d: Parseval: %g against %g", round, energy / N, sum);
		transform(1);
		for (int i = 0; i < N; i++)
			worst = fmax(worst, fabs(re[i] / N - first[i]));
		check(worst < 1e-12, "round %d: off by %g", round, worst);
	}
	printf("spectra %016lx\n", hash);
	return check_result();
}
