/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "elf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define PAGE 4096ull
#define UNWIND_HEADER 12	/* of .eh_frame_hdr: version, three encodings, pointer, count */
#define UNWIND_ENTRY  8		/* start of a function and its description, both relative to the header */

/* Linux Standard Base, Core: "The .eh_frame_hdr section"; DW_EH_PE_… */
enum { UNWIND_VERSION = 1, ENCODED_UDATA4 = 0x03, ENCODED_DATAREL_SDATA4 = 0x3b };

static bool lies_in(uint64_t offset, uint64_t count, uint64_t each, uint64_t size)
{
	return offset <= size && count <= (size - offset) / each;
}

static Elf64_Phdr segment(const struct elf *e, uint64_t n)
{
	Elf64_Phdr p;

	memcpy(&p, e->bytes + e->headers + n * sizeof p, sizeof p);
	return p;
}

static void find_segments(struct elf *e)
{
	bool found = false;

	for (uint64_t n = 0; n < e->header_count; n++) {
		Elf64_Phdr p = segment(e, n);

		if (p.p_type == PT_LOAD && !found) {
			e->first = p.p_vaddr & ~(PAGE - 1);
			found = true;
		}
		if (p.p_type == PT_GNU_EH_FRAME)
			e->unwind = p.p_vaddr;
	}
}

static void take_symbols(struct elf *e, const Elf64_Shdr *table, const Elf64_Shdr *names)
{
	uint64_t count = table->sh_size / sizeof(Elf64_Sym);

	if (!lies_in(table->sh_offset, count, sizeof(Elf64_Sym), e->size) ||
	    !lies_in(names->sh_offset, names->sh_size, 1, e->size))
		return;
	if (!names->sh_size || e->bytes[names->sh_offset + names->sh_size - 1])
		return;
	e->symbols = (struct elf_symbols){ table->sh_offset, count, names->sh_offset, names->sh_size };
}

static void find_symbols(struct elf *e, const Elf64_Ehdr *head)
{
	Elf64_Shdr s, names;
	bool full = false;

	if (head->e_shentsize != sizeof s || !lies_in(head->e_shoff, head->e_shnum, sizeof s, e->size))
		return;
	for (unsigned n = 0; n < head->e_shnum && !full; n++) {
		memcpy(&s, e->bytes + head->e_shoff + n * sizeof s, sizeof s);
		if ((s.sh_type != SHT_SYMTAB && s.sh_type != SHT_DYNSYM) || s.sh_link >= head->e_shnum)
			continue;
		memcpy(&names, e->bytes + head->e_shoff + s.sh_link * sizeof s, sizeof s);
		take_symbols(e, &s, &names);
		full = s.sh_type == SHT_SYMTAB;
	}
}

int elf_open(const void *bytes, size_t size, struct elf *ret)
{
	struct elf e = { .bytes = bytes, .size = size };
	Elf64_Ehdr head;

	if (size < sizeof head)
		return -ENOEXEC;
	memcpy(&head, bytes, sizeof head);
	if (memcmp(head.e_ident, ELFMAG, SELFMAG) || head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_machine != EM_X86_64 ||
	    head.e_phentsize != sizeof(Elf64_Phdr) || !lies_in(head.e_phoff, head.e_phnum, sizeof(Elf64_Phdr), size))
		return -ENOEXEC;
	e.headers = head.e_phoff;
	e.header_count = head.e_phnum;
	find_segments(&e);
	find_symbols(&e, &head);
	*ret = e;
	return 0;
}

int elf_address(const struct elf *e, uint64_t offset, uint64_t *ret)
{
	for (uint64_t n = 0; n < e->header_count; n++) {
		Elf64_Phdr p = segment(e, n);
		uint64_t start = p.p_offset & ~(PAGE - 1);

		/* A mapping begins at a page and may end inside one. */
		if (p.p_type != PT_LOAD || offset < start || offset - start >= p.p_filesz + (p.p_offset - start))
			continue;
		*ret = p.p_vaddr - p.p_offset + offset;
		return 0;
	}
	return -ENOENT;
}

int elf_read(const struct elf *e, uint64_t address, void *ret, size_t size)
{
	for (uint64_t n = 0; n < e->header_count; n++) {
		Elf64_Phdr p = segment(e, n);
		uint64_t at = address - p.p_vaddr;

		if (p.p_type != PT_LOAD || at >= p.p_filesz || size > p.p_filesz - at)
			continue;
		if (!lies_in(p.p_offset, p.p_filesz, 1, e->size))
			return -EFAULT;
		memcpy(ret, e->bytes + p.p_offset + at, size);
		return 0;
	}
	return -EFAULT;
}

const char *elf_function(const struct elf *e, uint64_t address, uint64_t *ret_start)
{
	const char *best = NULL;
	uint64_t start = 0;
	bool sized = false;

	for (uint64_t n = 0; n < e->symbols.count; n++) {
		Elf64_Sym s;
		unsigned type;

		memcpy(&s, e->bytes + e->symbols.at + n * sizeof s, sizeof s);
		type = ELF64_ST_TYPE(s.st_info);
		if ((type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE) || s.st_shndx == SHN_UNDEF ||
		    s.st_name >= e->symbols.names_size || !e->bytes[e->symbols.names + s.st_name])
			continue;
		/* One of known size beats a mere label before it. */
		if (s.st_value > address || (s.st_size ? address - s.st_value >= s.st_size : sized))
			continue;
		if (best && s.st_value <= start && (sized || !s.st_size))
			continue;
		best = (const char *)e->bytes + e->symbols.names + s.st_name;
		start = s.st_value;
		sized = s.st_size != 0;
	}
	if (best)
		*ret_start = start;
	return best;
}

int elf_unwind_table(const struct elf *e, uint64_t *ret_table, uint64_t *ret_count)
{
	uint8_t head[UNWIND_HEADER];
	uint32_t count;

	if (!e->unwind || elf_read(e, e->unwind, head, sizeof head))
		return -ENOENT;
	memcpy(&count, head + 8, sizeof count);
	if (head[0] != UNWIND_VERSION || head[2] != ENCODED_UDATA4 || head[3] != ENCODED_DATAREL_SDATA4 || !count ||
	    count > e->size / UNWIND_ENTRY)
		return -ENOENT;
	*ret_table = e->unwind + UNWIND_HEADER;
	*ret_count = count;
	return 0;
}
