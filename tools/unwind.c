/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unwind.h"

#include <errno.h>
#include <string.h>
#include <libunwind.h>

#define WORD sizeof(unw_word_t)

/* In the library since its beginning and used by others (perf), but in no header. */
int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t space, unw_word_t ip, unw_dyn_info_t *table, unw_proc_info_t *ret_info,
				       int need_unwind_info, void *argument);

struct source {
	const struct snapshot *snapshot;
	struct images *images;
	const struct mosix_stack_thread *thread;
};

/* ---- what libunwind asks for ---- */

static int find_procedure(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *ret_info, int need_unwind_info, void *argument)
{
	struct source *s = argument;
	unw_dyn_info_t di = { .format = UNW_INFO_FORMAT_REMOTE_TABLE };
	uint64_t table, count;
	struct image image;

	if (images_find(s->images, ip, &image) || !image.elf || elf_unwind_table(image.elf, &table, &count))
		return -UNW_ENOINFO;
	di.start_ip = ip;
	di.end_ip = ip + 1;
	di.u.rti.segbase = image.elf->unwind + image.bias;
	di.u.rti.table_data = table + image.bias;
	di.u.rti.table_len = count * 8 / WORD;
	return UNW_OBJ(dwarf_search_unwind_table)(space, ip, &di, ret_info, need_unwind_info, argument);
}

static void put_unwind_info(unw_addr_space_t space, unw_proc_info_t *info, void *argument)
{
	(void)space;
	(void)info;
	(void)argument;
}

static int no_dynamic_info(unw_addr_space_t space, unw_word_t *ret_address, void *argument)
{
	(void)space;
	(void)ret_address;
	(void)argument;
	return -UNW_ENOINFO;
}

/* The last word of a segment may be cut short. */
static int read_image(struct images *images, uint64_t address, unw_word_t *ret)
{
	struct image image;
	uint8_t word[WORD] = { 0 };
	size_t n = WORD;

	if (images_find(images, address, &image) || !image.elf)
		return -UNW_EINVAL;
	while (n > 0 && elf_read(image.elf, address - image.bias, word, n))
		n--;
	if (n == 0)
		return -UNW_EINVAL;
	memcpy(ret, word, WORD);
	return 0;
}

static int access_memory(unw_addr_space_t space, unw_word_t address, unw_word_t *value, int write, void *argument)
{
	struct source *s = argument;

	(void)space;
	if (write)
		return -UNW_EINVAL;
	return snapshot_read(s->snapshot, address, value, WORD) ? read_image(s->images, address, value) : 0;
}

static int access_register(unw_addr_space_t space, unw_regnum_t number, unw_word_t *value, int write, void *argument)
{
	const struct mosix_registers *r = &((struct source *)argument)->thread->regs;
	const uint64_t *const registers[] = {
		[UNW_X86_64_RAX] = &r->rax, [UNW_X86_64_RDX] = &r->rdx, [UNW_X86_64_RCX] = &r->rcx, [UNW_X86_64_RBX] = &r->rbx,
		[UNW_X86_64_RSI] = &r->rsi, [UNW_X86_64_RDI] = &r->rdi, [UNW_X86_64_RBP] = &r->rbp, [UNW_X86_64_RSP] = &r->rsp,
		[UNW_X86_64_R8] = &r->r8, [UNW_X86_64_R9] = &r->r9, [UNW_X86_64_R10] = &r->r10, [UNW_X86_64_R11] = &r->r11,
		[UNW_X86_64_R12] = &r->r12, [UNW_X86_64_R13] = &r->r13, [UNW_X86_64_R14] = &r->r14, [UNW_X86_64_R15] = &r->r15,
		[UNW_X86_64_RIP] = &r->rip,
	};

	(void)space;
	if (write || number < 0 || (size_t)number >= sizeof registers / sizeof *registers)
		return -UNW_EBADREG;
	*value = *registers[number];
	return 0;
}

static int access_float(unw_addr_space_t space, unw_regnum_t number, unw_fpreg_t *value, int write, void *argument)
{
	(void)space;
	(void)number;
	(void)value;
	(void)write;
	(void)argument;
	return -UNW_EBADREG;
}

static int no_resume(unw_addr_space_t space, unw_cursor_t *cursor, void *argument)
{
	(void)space;
	(void)cursor;
	(void)argument;
	return -UNW_EINVAL;
}

static unw_accessors_t accessors = {
	.find_proc_info = find_procedure,
	.put_unwind_info = put_unwind_info,
	.get_dyn_info_list_addr = no_dynamic_info,
	.access_mem = access_memory,
	.access_reg = access_register,
	.access_fpreg = access_float,
	.resume = no_resume,
};

/* ---- frames ---- */

/* A return address may already be the next function's. */
static struct unwind_frame describe(struct images *images, uint64_t address, bool returns)
{
	struct unwind_frame frame = { .address = address };
	uint64_t at = returns ? address - 1 : address, start;
	struct image image;

	if (images_find(images, at, &image))
		return frame;
	frame.file = image.name;
	if (image.elf)
		frame.function = elf_function(image.elf, at - image.bias, &start);
	if (frame.function)
		frame.offset = address - image.bias - start;
	return frame;
}

/*
 * Whether a handler returns there: where rt_sigreturn(2) is called, as the C library and others do it. libunwind says so only of
 * the frame behind it.
 */
static bool is_restorer(struct images *images, uint64_t address)
{
	static const uint8_t codes[][9] = {
		{ 0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05 },	/* mov $15, %rax; syscall */
		{ 0xb8, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05 },			/* mov $15, %eax; syscall */
	};
	struct image image;
	uint8_t code[9];

	if (images_find(images, address, &image) || !image.elf || elf_read(image.elf, address - image.bias, code, sizeof code))
		return false;
	return !memcmp(code, codes[0], 9) || !memcmp(code, codes[1], 7);
}

/*
 * 1: cursor and ret_address are the caller's. A stack is followed upwards only, so that no circle is; except from a signal's
 * handler to what it interrupted, which may have another stack.
 */
static int step(unw_cursor_t *cursor, bool from_signal, uint64_t *ret_address)
{
	unw_word_t before, after, ip;
	int r;

	unw_get_reg(cursor, UNW_REG_SP, &before);
	r = unw_step(cursor);
	if (r <= 0)
		return r;
	if (unw_get_reg(cursor, UNW_REG_SP, &after) || unw_get_reg(cursor, UNW_REG_IP, &ip) || (!from_signal && after <= before))
		return -UNW_EBADFRAME;
	*ret_address = ip;
	return ip ? 1 : 0;
}

static enum unwind_end follow(unw_cursor_t *cursor, struct source *s, void (*each)(const struct unwind_frame *frame, void *data),
			      void *data)
{
	uint64_t address = s->thread->regs.rip;
	bool returns = false;

	for (int n = 0; n < UNWIND_FRAMES; n++) {
		bool signal = is_restorer(s->images, address);
		struct unwind_frame frame = describe(s->images, address, returns && !signal);
		int r;

		frame.signal = signal;
		each(&frame, data);
		if (!frame.file)
			return UNWIND_LOST;
		r = step(cursor, signal, &address);
		if (r <= 0)
			return r < 0 ? UNWIND_LOST : UNWIND_OUTERMOST;
		returns = !signal;
	}
	return UNWIND_DEEP;
}

enum unwind_end unwind_thread(const struct snapshot *snapshot, struct images *images, const struct mosix_stack_thread *thread,
			      void (*each)(const struct unwind_frame *frame, void *data), void *data)
{
	struct source source = { snapshot, images, thread };
	unw_addr_space_t space = unw_create_addr_space(&accessors, 0);
	enum unwind_end end = UNWIND_LOST;
	struct unwind_frame frame;
	unw_cursor_t cursor;

	if (space)
		unw_set_caching_policy(space, UNW_CACHE_NONE);
	if (space && unw_init_remote(&cursor, space, &source) == 0) {
		end = follow(&cursor, &source, each, data);
	} else {
		frame = describe(images, thread->regs.rip, false);
		each(&frame, data);
	}
	if (space)
		unw_destroy_addr_space(space);
	return end;
}
