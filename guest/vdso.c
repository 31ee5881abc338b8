/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The program goes on calling home's vdso, whose addresses its libc has remembered. Home's data pages are not here, so each entry
 * becomes a jump to the local vdso's function, or the system call where the local one lacks it. x86-64.
 */
#include "loader.h"

#include <elf.h>
#include <errno.h>

enum { ENTRY_SIZE = 14 };

static const struct { const char *name; uint32_t nr; } kinds[MOSIX_VDSO_KINDS] = {
	[MOSIX_VDSO_CLOCK_GETTIME] = { "__vdso_clock_gettime", SYS_clock_gettime },
	[MOSIX_VDSO_GETTIMEOFDAY]  = { "__vdso_gettimeofday",  SYS_gettimeofday },
	[MOSIX_VDSO_TIME]          = { "__vdso_time",          SYS_time },
	[MOSIX_VDSO_CLOCK_GETRES]  = { "__vdso_clock_getres",  SYS_clock_getres },
	[MOSIX_VDSO_GETCPU]        = { "__vdso_getcpu",        SYS_getcpu },
	[MOSIX_VDSO_GETRANDOM]     = { "__vdso_getrandom",     SYS_getrandom },
};

const struct special *vdso_local(const struct loader *l)
{
	for (unsigned i = 0; i < l->specials; i++)
		if (l->special[i].is_vdso)
			return &l->special[i];
	loader_fail(MOSIX_WHY_LOADER, ENOENT, 0);
}

static int same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

/* Number of symbols, from whichever hash table the vdso has. */
static uint32_t count_symbols(const uint32_t *hash, const uint32_t *gnu)
{
	uint32_t last = 0;

	if (hash != NULL)
		return hash[1];
	if (gnu == NULL)
		return 0;
	const uint32_t *bucket = gnu + 4 + gnu[2] * 2, *chain = bucket + gnu[0];

	for (uint32_t i = 0; i < gnu[0]; i++)
		if (bucket[i] > last)
			last = bucket[i];
	if (last < gnu[1])
		return gnu[1];
	while (!(chain[last - gnu[1]] & 1))
		last++;
	return last + 1;
}

/* The local kernel made this ELF image: it is believed. Linked at 0, as every x86-64 vdso is. */
static uint64_t find_symbol(uint64_t base, const char *name)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)base;
	const Elf64_Phdr *p = (const Elf64_Phdr *)(base + e->e_phoff);
	const Elf64_Dyn *d = NULL;
	const Elf64_Sym *symbols = NULL;
	const char *strings = NULL;
	const uint32_t *hash = NULL, *gnu = NULL;
	uint32_t count;

	for (unsigned i = 0; i < e->e_phnum; i++)
		if (p[i].p_type == PT_DYNAMIC)
			d = (const Elf64_Dyn *)(base + p[i].p_offset);
	for (; d != NULL && d->d_tag != DT_NULL; d++) {
		uint64_t at = base + d->d_un.d_ptr;

		if (d->d_tag == DT_SYMTAB)
			symbols = (const Elf64_Sym *)at;
		else if (d->d_tag == DT_STRTAB)
			strings = (const char *)at;
		else if (d->d_tag == DT_HASH)
			hash = (const uint32_t *)at;
		else if (d->d_tag == DT_GNU_HASH)
			gnu = (const uint32_t *)at;
	}
	if (symbols == NULL || strings == NULL)
		return 0;
	count = count_symbols(hash, gnu);
	for (uint32_t i = 0; i < count; i++)
		if (symbols[i].st_shndx != SHN_UNDEF && same(strings + symbols[i].st_name, name))
			return base + symbols[i].st_value;
	return 0;
}

static int inside_home_vdso(const struct loader *l, uint64_t address)
{
	for (uint32_t i = 0; i < l->manifest->mappings; i++) {
		const struct mosix_mapping *m = &l->mapping[i];

		if (m->flags & MOSIX_MAP_VDSO && address >= m->start && address + ENTRY_SIZE <= m->end)
			return 1;
	}
	return 0;
}

static void write_entry(uint8_t *at, uint64_t target, uint32_t nr)
{
	if (target != 0) {
		memcpy(at, "\xff\x25\0\0\0\0", 6);	/* jmp *0(%rip) */
		memcpy(at + 6, &target, 8);
	} else {
		at[0] = 0xb8;				/* mov $nr, %eax */
		memcpy(at + 1, &nr, 4);
		memcpy(at + 5, "\x0f\x05\xc3", 3);	/* syscall; ret */
	}
}

void vdso_patch(struct loader *l)
{
	uint64_t local = vdso_local(l)->start;

	for (int i = 0; i < MOSIX_VDSO_KINDS; i++) {
		uint64_t entry = l->manifest->vdso[i];

		if (entry == 0)
			continue;
		if (!inside_home_vdso(l, entry))
			loader_fail(MOSIX_WHY_BAD_IMAGE, EINVAL, entry);
		write_entry((uint8_t *)entry, find_symbol(local, kinds[i].name), kinds[i].nr);
	}
}
