/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What unwinding needs of an ELF file: its table of unwind information and its symbols. Nothing in the file is trusted. */
#ifndef MOSIX_ELF_H
#define MOSIX_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf {
	const uint8_t *bytes;		/* of the file; must stay */
	size_t size;
	uint64_t headers, header_count;	/* offset of the program headers */
	uint64_t first;			/* address of the first loaded segment, without its alignment */
	uint64_t unwind;		/* address of .eh_frame_hdr, 0 if there is none */
	struct elf_symbols { uint64_t at, count, names, names_size; } symbols;
};

/* A shared library or program for x86-64. 0 or -ENOEXEC. */
int elf_open(const void *bytes, size_t size, struct elf *ret_elf);

/* The address, as the file has it, of what is loaded from this offset. 0, or -ENOENT: nothing is. */
int elf_address(const struct elf *elf, uint64_t offset, uint64_t *ret_address);

/* Reads what is loaded at an address, as the file has it: 0 or -EFAULT. */
int elf_read(const struct elf *elf, uint64_t address, void *ret, size_t size);

/* The function around an address: its name, which lies in the file, and where it begins. NULL: none is known. .symtab if the file
   has one, else .dynsym. */
const char *elf_function(const struct elf *elf, uint64_t address, uint64_t *ret_start);

/*
 * The table of .eh_frame_hdr, if it is of the usual kind, which can be searched: *ret_table is its address, *ret_count its length
 * in entries. 0 or -ENOENT.
 */
int elf_unwind_table(const struct elf *elf, uint64_t *ret_table, uint64_t *ret_count);

#endif
