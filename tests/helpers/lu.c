/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LU factorisation with partial pivoting of a dense matrix; the residual of the solved system is checked. */
#include <math.h>

#include "check.h"

enum { N = 420 };

static double a[N][N], lu[N][N], b[N], x[N];
static int pivot[N];

__attribute__((target("avx2,fma"), optimize("O3"))) static void eliminate(double *row, const double *from, double factor, int begin)
{
	for (int j = begin; j < N; j++)
		row[j] -= factor * from[j];
}

int main(void)
{
	uint64_t seed = 42;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < N; i++) {
			for (int j = 0; j < N; j++) {
				seed = check_work(seed, 1);
				lu[i][j] = a[i][j] = (double)(seed >> 33) / 2147483648.0 - 0.5;
			}
			b[i] = i % 17 - 8;
			pivot[i] = i;
		}
		for (int k = 0; k < N; k++) {
			int best = k;
			for (int i = k + 1; i < N; i++)
				if (fabs(lu[pivot[i]][k]) > fabs(lu[pivot[best]][k]))
					best = i;
			int t = pivot[k];
			pivot[k] = pivot[best];
			pivot[best] = t;
			for (int i = k + 1; i < N; i++) {
				double *row = lu[pivot[i]], factor = row[k] / lu[pivot[k]][k];
				row[k] = factor;
				eliminate(row, lu[pivot[k]], factor, k + 1);
			}
		}
		for (int i = 0; i < N; i++) {
			x[i] = b[pivot[i]];
			for (int j = 0; j < i; j++)
				x[i] -= lu[pivot[i]][j] * x[j];
		}
		for (int i = N - 1; i >= 0; i--) {
			for (int j = i + 1; j < N; j++)
				x[i] -= lu[pivot[i]][j] * x[j];
			x[i] /= lu[pivot[i]][i];
		}
		double worst = 0;
		for (int i = 0; i < N; i++) {
			double sum = -b[i];
			for (int j = 0; j < N; j++)
				sum += a[i][j] * x[j];
			worst = fmax(worst, fabs(sum));
		}
		check(worst < 1e-7, "round %d: residual %g", round, worst);
		if (round % 20 == 0)
			printf("round %d: %a %a\n", round, x[0], x[N - 1]);
	}
	return check_result();
}
