/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/cpu.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <cpuid.h>

/*
 * Only bits that user-mode code can depend on: what the kernel alone uses (SMEP, PCID, x2APIC, VMX…) may differ, and so may
 * what describes a bug rather than an ability. Names as in /proc/cpuinfo.
 */
#define WORD(field) offsetof(struct cpu_features, field)

static const struct { uint16_t word; uint8_t bit; char name[16]; } features[] = {
	{ WORD(l1_ecx),  0, "sse3"            }, { WORD(l1_ecx),  1, "pclmulqdq"       }, { WORD(l1_ecx),  9, "ssse3"           },
	{ WORD(l1_ecx), 12, "fma"             }, { WORD(l1_ecx), 13, "cx16"            }, { WORD(l1_ecx), 19, "sse4_1"          },
	{ WORD(l1_ecx), 20, "sse4_2"          }, { WORD(l1_ecx), 22, "movbe"           }, { WORD(l1_ecx), 23, "popcnt"          },
	{ WORD(l1_ecx), 25, "aes"             }, { WORD(l1_ecx), 26, "xsave"           }, { WORD(l1_ecx), 27, "osxsave"         },
	{ WORD(l1_ecx), 28, "avx"             }, { WORD(l1_ecx), 29, "f16c"            }, { WORD(l1_ecx), 30, "rdrand"          },
	{ WORD(l1_edx),  0, "fpu"             }, { WORD(l1_edx),  4, "tsc"             }, { WORD(l1_edx),  8, "cx8"             },
	{ WORD(l1_edx), 15, "cmov"            }, { WORD(l1_edx), 19, "clflush"         }, { WORD(l1_edx), 23, "mmx"             },
	{ WORD(l1_edx), 24, "fxsr"            }, { WORD(l1_edx), 25, "sse"             }, { WORD(l1_edx), 26, "sse2"            },
	{ WORD(l7_ebx),  0, "fsgsbase"        }, { WORD(l7_ebx),  3, "bmi1"            }, { WORD(l7_ebx),  5, "avx2"            },
	{ WORD(l7_ebx),  8, "bmi2"            }, { WORD(l7_ebx),  9, "erms"            }, { WORD(l7_ebx), 11, "rtm"             },
	{ WORD(l7_ebx), 16, "avx512f"         }, { WORD(l7_ebx), 17, "avx512dq"        }, { WORD(l7_ebx), 18, "rdseed"          },
	{ WORD(l7_ebx), 19, "adx"             }, { WORD(l7_ebx), 21, "avx512ifma"      }, { WORD(l7_ebx), 23, "clflushopt"      },
	{ WORD(l7_ebx), 24, "clwb"            }, { WORD(l7_ebx), 26, "avx512pf"        }, { WORD(l7_ebx), 27, "avx512er"        },
	{ WORD(l7_ebx), 28, "avx512cd"        }, { WORD(l7_ebx), 29, "sha_ni"          }, { WORD(l7_ebx), 30, "avx512bw"        },
	{ WORD(l7_ebx), 31, "avx512vl"        },
	{ WORD(l7_ecx),  1, "avx512vbmi"      }, { WORD(l7_ecx),  4, "ospke"           }, { WORD(l7_ecx),  5, "waitpkg"         },
	{ WORD(l7_ecx),  6, "avx512_vbmi2"    }, { WORD(l7_ecx),  8, "gfni"            }, { WORD(l7_ecx),  9, "vaes"            },
	{ WORD(l7_ecx), 10, "vpclmulqdq"      }, { WORD(l7_ecx), 11, "avx512_vnni"     }, { WORD(l7_ecx), 12, "avx512_bitalg"   },
	{ WORD(l7_ecx), 14, "avx512_vpopc"    }, { WORD(l7_ecx), 22, "rdpid"           }, { WORD(l7_ecx), 27, "movdiri"         },
	{ WORD(l7_ecx), 28, "movdir64b"       },
	{ WORD(l7_edx),  2, "avx512_4vnniw"   }, { WORD(l7_edx),  3, "avx512_4fmaps"   }, { WORD(l7_edx),  4, "fsrm"            },
	{ WORD(l7_edx),  8, "avx512_vp2int"   }, { WORD(l7_edx), 14, "serialize"       }, { WORD(l7_edx), 16, "tsxldtrk"        },
	{ WORD(l7_edx), 22, "amx_bf16"        }, { WORD(l7_edx), 23, "avx512_fp16"     }, { WORD(l7_edx), 24, "amx_tile"        },
	{ WORD(l7_edx), 25, "amx_int8"        },
	{ WORD(l7_1_eax),  0, "sha512"          }, { WORD(l7_1_eax),  1, "sm3"             },
	{ WORD(l7_1_eax),  2, "sm4"             }, { WORD(l7_1_eax),  3, "raoint"          },
	{ WORD(l7_1_eax),  4, "avx_vnni"        }, { WORD(l7_1_eax),  5, "avx512_bf16"     },
	{ WORD(l7_1_eax),  7, "cmpccxadd"       }, { WORD(l7_1_eax), 10, "fzrm"            },
	{ WORD(l7_1_eax), 11, "fsrs"            }, { WORD(l7_1_eax), 12, "fsrc"            },
	{ WORD(l7_1_eax), 21, "amx_fp16"        }, { WORD(l7_1_eax), 23, "avx_ifma"        },
	{ WORD(l7_1_eax), 31, "movrs"           },
	{ WORD(l7_1_edx),  4, "avx_vnni_int8"   }, { WORD(l7_1_edx),  5, "avx_ne_convert"  },
	{ WORD(l7_1_edx),  8, "amx_complex"     }, { WORD(l7_1_edx), 10, "avx_vnni_int16"  },
	{ WORD(l7_1_edx), 14, "prefetchi"       }, { WORD(l7_1_edx), 19, "avx10"           },
	{ WORD(l7_1_edx), 21, "apx_f"           },
	{ WORD(ld_1_eax),  0, "xsaveopt"        }, { WORD(ld_1_eax),  1, "xsavec"          },
	{ WORD(ld_1_eax),  2, "xgetbv1"         },
	{ WORD(e1_ecx),  0, "lahf_lm"         }, { WORD(e1_ecx),  5, "abm"             }, { WORD(e1_ecx),  6, "sse4a"           },
	{ WORD(e1_ecx),  7, "misalignsse"     }, { WORD(e1_ecx),  8, "3dnowprefetch"   }, { WORD(e1_ecx), 11, "xop"             },
	{ WORD(e1_ecx), 15, "lwp"             }, { WORD(e1_ecx), 16, "fma4"            }, { WORD(e1_ecx), 21, "tbm"             },
	{ WORD(e1_ecx), 29, "mwaitx"          },
	{ WORD(e1_edx), 11, "syscall"         }, { WORD(e1_edx), 22, "mmxext"          }, { WORD(e1_edx), 27, "rdtscp"          },
	{ WORD(e1_edx), 29, "lm"              }, { WORD(e1_edx), 30, "3dnowext"        }, { WORD(e1_edx), 31, "3dnow"           },
};

/* User states of XCR0; supervisor states are not in it. */
static const struct { uint8_t bit; char name[16]; } states[] = {
	{  0, "x87 state"     }, {  1, "SSE state"     }, {  2, "AVX state"     }, {  5, "AVX-512 masks" },
	{  6, "AVX-512 upper" }, {  7, "AVX-512 high"  }, {  9, "PKRU state"    }, { 17, "AMX config"    },
	{ 18, "AMX tiles"     }, { 19, "APX registers" },
};

static uint64_t read_xcr0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

void cpu_read(struct cpu_features *ret_cpu)
{
	struct cpu_features c = { .version = CPU_FEATURES_VERSION, .size = sizeof(c) };
	uint32_t a, b, x, d;

	if (__get_cpuid(1, &a, &b, &x, &d)) {
		c.l1_ecx = x;
		c.l1_edx = d;
	}
	if (__get_cpuid_count(7, 0, &a, &b, &x, &d)) {
		uint32_t subleaves = a;

		c.l7_ebx = b;
		c.l7_ecx = x;
		c.l7_edx = d;
		if (subleaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &x, &d)) {
			c.l7_1_eax = a;
			c.l7_1_ebx = b;
			c.l7_1_ecx = x;
			c.l7_1_edx = d;
		}
	}
	if ((c.l1_ecx & bit_XSAVE) && __get_cpuid_count(0xd, 1, &a, &b, &x, &d))
		c.ld_1_eax = a;
	if (__get_cpuid(0x80000001, &a, &b, &x, &d)) {
		c.e1_ecx = x;
		c.e1_edx = d;
	}
	if (c.l1_ecx & bit_OSXSAVE)
		c.xcr0 = read_xcr0();
	*ret_cpu = c;
}

static uint32_t word_of(const struct cpu_features *c, uint16_t offset)
{
	uint32_t word;

	memcpy(&word, (const uint8_t *)c + offset, sizeof(word));
	return word;
}

int cpu_lacks(const struct cpu_features *home, const struct cpu_features *local, const char **ret_feature)
{
	if (home->version != CPU_FEATURES_VERSION || home->size != sizeof(*home))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		uint32_t missing = word_of(home, features[i].word) & ~word_of(local, features[i].word);

		if (missing >> features[i].bit & 1) {
			*ret_feature = features[i].name;
			return 1;
		}
	}
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if ((home->xcr0 & ~local->xcr0) >> states[i].bit & 1) {
			*ret_feature = states[i].name;
			return 1;
		}
	return 0;
}
