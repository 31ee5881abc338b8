/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "vdso.h"
#include <elf.h>
#include <string.h>
#include <sys/auxv.h>

static const char *const names[MOSIX_VDSO_KINDS] = {
	[MOSIX_VDSO_CLOCK_GETTIME] = "__vdso_clock_gettime",
	[MOSIX_VDSO_GETTIMEOFDAY]  = "__vdso_gettimeofday",
	[MOSIX_VDSO_TIME]          = "__vdso_time",
	[MOSIX_VDSO_CLOCK_GETRES]  = "__vdso_clock_getres",
	[MOSIX_VDSO_GETCPU]        = "__vdso_getcpu",
	[MOSIX_VDSO_GETRANDOM]     = "__vdso_getrandom",
};

struct tables {
	const Elf64_Sym *symbols;
	const char *strings;
	const uint32_t *hash, *gnu;
};

/* Newer kernels leave DT_HASH out; the other table gives the count only by its last chain. */
static uint32_t count_symbols(const struct tables *t)
{
	uint32_t last = 0, buckets, first;
	const uint32_t *bucket, *chain;

	if (t->hash)
		return t->hash[1];
	if (!t->gnu)
		return 0;
	buckets = t->gnu[0];
	first = t->gnu[1];
	bucket = t->gnu + 4 + 2 * (uint64_t)t->gnu[2];
	chain = bucket + buckets;
	for (uint32_t i = 0; i < buckets; i++)
		if (bucket[i] > last)
			last = bucket[i];
	if (last < first)
		return 0;
	while (!(chain[last - first] & 1))
		last++;
	return last + 1;
}

void vdso_learn(uint64_t *ret_start, uint64_t *ret_end, uint64_t ret_entry[MOSIX_VDSO_KINDS])
{
	uint64_t base = getauxval(AT_SYSINFO_EHDR), bias = 0, end = 0;
	const Elf64_Ehdr *ehdr = (const Elf64_Ehdr *)base;
	const Elf64_Phdr *phdr;
	const Elf64_Dyn *dynamic = NULL;
	struct tables t = { NULL, NULL, NULL, NULL };

	*ret_start = *ret_end = 0;
	memset(ret_entry, 0, MOSIX_VDSO_KINDS * sizeof(*ret_entry));
	if (!base)
		return;
	phdr = (const Elf64_Phdr *)(base + ehdr->e_phoff);
	for (int i = 0; i < ehdr->e_phnum; i++) {
		if (phdr[i].p_type == PT_LOAD) {
			bias = base + phdr[i].p_offset - phdr[i].p_vaddr;
			end = bias + phdr[i].p_vaddr + phdr[i].p_memsz;
		} else if (phdr[i].p_type == PT_DYNAMIC) {
			dynamic = (const Elf64_Dyn *)(base + phdr[i].p_offset);
		}
	}
	*ret_start = base;
	*ret_end = (end + 4095) & ~4095ull;
	for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
		const void *at = (const void *)(bias + dynamic->d_un.d_ptr);

		switch (dynamic->d_tag) {
		case DT_SYMTAB:   t.symbols = at; break;
		case DT_STRTAB:   t.strings = at; break;
		case DT_HASH:     t.hash = at;    break;
		case DT_GNU_HASH: t.gnu = at;     break;
		default: break;
		}
	}
	if (!t.symbols || !t.strings)
		return;
	for (uint32_t i = 0, n = count_symbols(&t); i < n; i++) {
		if (t.symbols[i].st_shndx == SHN_UNDEF || ELF64_ST_TYPE(t.symbols[i].st_info) != STT_FUNC)
			continue;
		for (int kind = 0; kind < MOSIX_VDSO_KINDS; kind++)
			if (strcmp(t.strings + t.symbols[i].st_name, names[kind]) == 0)
				ret_entry[kind] = bias + t.symbols[i].st_value;
	}
}
