/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* x87, SSE, AVX and AVX-512 registers and the control words must survive; all live in registers across the loops. */
#include <fenv.h>
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "check.h"

static void legacy(int milliseconds)
{
	uint16_t control = 0x0e7f, got;	/* round towards zero, 53 bits */
	uint32_t mxcsr = 0x1f80 | 0x6000 | 0x8000, got_mxcsr;	/* towards zero, flush to zero */
	long double a = 1.0L / 3, b = 2.0L / 7;
	__asm__ volatile("fldcw %0" : : "m"(control));
	_mm_setcsr(mxcsr);
	for (int64_t until = check_now(CLOCK_MONOTONIC) + milliseconds * INT64_C(1000000); check_now(CLOCK_MONOTONIC) < until;) {
		long double x, y;
		__asm__ volatile("fldt %3; fldt %2; fldpi; fldl2e; fld1; mov $400000, %%ecx; 1: dec %%ecx; jnz 1b;"
				 "fstp %%st(0); fstp %%st(0); fstp %%st(0); fstpt %0; fstpt %1"
				 : "=m"(x), "=m"(y) : "m"(a), "m"(b) : "ecx", "cc");
		if (!check(x == a && y == b, "x87 registers"))
			break;
		__asm__ volatile("fnstcw %0" : "=m"(got));
		got_mxcsr = _mm_getcsr() & ~0x3fu;
		if (!check(got == control, "x87 control word %04x", got) || !check(got_mxcsr == mxcsr, "MXCSR %08x", got_mxcsr))
			break;
	}
	control = 0x037f;
	__asm__ volatile("fldcw %0" : : "m"(control));
	_mm_setcsr(0x1f80);
	puts("x87 and MXCSR");
}

/* Fills all registers, spins, stores them; the fill differs each time. */
#define REGISTERS(load, store, count, bytes)                                                                                         \
	for (int64_t until = check_now(CLOCK_MONOTONIC) + milliseconds * INT64_C(1000000); check_now(CLOCK_MONOTONIC) < until;) {    \
		for (unsigned i = 0; i < (count) * (bytes); i++)                                                                     \
			in[i] = next_byte();                                                                                         \
		memset(out, 0, sizeof out);                                                                                          \
		__asm__ volatile(load "mov $400000, %%ecx; 1: dec %%ecx; jnz 1b;" store                                              \
				 : : "r"(in), "r"(out) : "ecx", "cc", "memory", CLOBBERS);                                           \
		if (!check(memcmp(in, out, (count) * (bytes)) == 0, "registers of %u bytes", bytes))                                 \
			break;                                                                                                       \
	}

#define CLOBBERS "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define EACH16(move) move(0) move(1) move(2) move(3) move(4) move(5) move(6) move(7) move(8) move(9) move(10) move(11) move(12) move(13) move(14) move(15)
#define LOAD_X(n) "movups " #n "*16(%0), %%xmm" #n ";"
#define STORE_X(n) "movups %%xmm" #n ", " #n "*16(%1);"
#define LOAD_Y(n) "vmovups " #n "*32(%0), %%ymm" #n ";"
#define STORE_Y(n) "vmovups %%ymm" #n ", " #n "*32(%1);"
#define LOAD_Z(n) "vmovups " #n "*64(%0), %%zmm" #n ";"
#define STORE_Z(n) "vmovups %%zmm" #n ", " #n "*64(%1);"
#define MORE16(move) move(16) move(17) move(18) move(19) move(20) move(21) move(22) move(23) move(24) move(25) move(26) move(27) move(28) move(29) move(30) move(31)

static unsigned char in[2048], out[2048];
static uint64_t seed = 9;

static unsigned char next_byte(void)
{
	seed = check_work(seed, 1);
	return (unsigned char)(seed >> 37);
}

static void sse(int milliseconds)
{
	REGISTERS(EACH16(LOAD_X), EACH16(STORE_X), 16, 16u)
	puts("16 registers of 16 bytes");
}

__attribute__((target("avx"))) static void avx(int milliseconds)
{
	REGISTERS(EACH16(LOAD_Y), EACH16(STORE_Y), 16, 32u)
	_mm256_zeroupper();
	puts("16 registers of 32 bytes");
}

__attribute__((target("avx512f"))) static void avx512(int milliseconds)
{
	for (int part = 0; part < 4; part++)
		REGISTERS("mov $0x5aa5, %%ecx; kmovw %%ecx, %%k3;" EACH16(LOAD_Z) MORE16(LOAD_Z),
			  "kmovw %%k3, %%ecx; xor $0x5aa5, %%ecx; add %%ecx, (%1);" EACH16(STORE_Z) MORE16(STORE_Z), 32, 64u)
	_mm256_zeroupper();
	puts("32 registers of 64 bytes");
}

int main(void)
{
	legacy(500);
	fesetround(FE_UPWARD);
	volatile double one = 1, three = 3;
	double up = one / three;
	check_compute(300);
	check(one / three == up && fegetround() == FE_UPWARD, "the rounding mode has changed");
	fesetround(FE_TONEAREST);
	feclearexcept(FE_ALL_EXCEPT);
	feraiseexcept(FE_OVERFLOW);
	check_compute(200);
	check(fetestexcept(FE_OVERFLOW | FE_DIVBYZERO) == FE_OVERFLOW, "the exception flags have changed");
	sse(400);
	if (__builtin_cpu_supports("avx"))
		avx(400);
	if (__builtin_cpu_supports("avx512f"))
		avx512(150);
	return check_result();
}
