/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots of stacks, real and hostile, and what is unwound from them. */
#include <alloca.h>
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <ucontext.h>
#include "common/proc.h"
#include "tools/unwind.h"

#define APART __attribute__((noinline, noclone))
#define STACK 8192
#define FRAMES 64

static struct { uint8_t bytes[MOSIX_STACK_MAX]; size_t size; } made;
static struct mosix_stack_thread me;
static char *maps;

/* ---- making a snapshot ---- */

/* Also of what the sanitizers have put between variables. */
APART __attribute__((no_sanitize_address)) static void copy_raw(volatile uint8_t *to, const volatile uint8_t *from, size_t size)
{
	while (size-- > 0)
		*to++ = *from++;
}

static void piece(uint32_t kind, uint64_t address, const void *bytes, size_t size)
{
	struct mosix_stack_piece p = { kind, (uint32_t)size, address };

	memcpy(made.bytes + made.size, &p, sizeof p);
	copy_raw(made.bytes + made.size + sizeof p, bytes, size);
	made.size += sizeof p + ((size + 7) & ~(size_t)7);
}

static void thread(uint32_t tid)
{
	struct mosix_stack_thread t = me;

	t.tid = tid;
	piece(MOSIX_STACK_THREAD, 0, &t, sizeof t);
}

static void take_registers(struct mosix_registers *to, const ucontext_t *uc)
{
	const greg_t *r = uc->uc_mcontext.gregs;

	to->rip = (uint64_t)r[REG_RIP];
	to->rsp = (uint64_t)r[REG_RSP];
	to->rbp = (uint64_t)r[REG_RBP];
	to->rbx = (uint64_t)r[REG_RBX];
	to->r12 = (uint64_t)r[REG_R12];
	to->r13 = (uint64_t)r[REG_R13];
	to->r14 = (uint64_t)r[REG_R14];
	to->r15 = (uint64_t)r[REG_R15];
}

static size_t to_the_end(uint64_t address)
{
	uint64_t start, end;
	const char *at = maps;

	while (at && sscanf(at, "%lx-%lx", &start, &end) == 2 && !(address >= start && address < end)) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	ck_assert_ptr_nonnull(at);
	return end - address;
}

APART static int stack_inner(void)
{
	ucontext_t uc;
	size_t most;

	getcontext(&uc);
	take_registers(&me.regs, &uc);
	most = to_the_end(me.regs.rsp);
	made.size = 0;
	thread(4711);
	piece(MOSIX_STACK_MEMORY, me.regs.rsp, (const void *)me.regs.rsp, most < STACK ? most : STACK);
	return (int)made.size;
}

/* The sum keeps it from being a tail call. */
APART static int stack_middle(int n) { return stack_inner() + n; }
/* With a frame pointer, whatever the options are. */
APART static int stack_outer(int n)
{
	volatile char *room = alloca((size_t)n);

	room[0] = 1;
	return stack_middle(n) + room[0];
}

static void set_up(void)
{
	size_t size;

	ck_assert_int_eq(proc_read_text("/proc/self/maps", 64 << 20, &maps, &size), 0);
	memset(&me, 0, sizeof me);
	me.tid = 4711;
	ck_assert_int_gt(stack_outer(100), 0);
}

static void tear_down(void)
{
	free(maps);
}

/* ---- unwinding it ---- */

struct seen { unsigned count; struct unwind_frame frame[FRAMES]; };

static void each(const struct unwind_frame *frame, void *data)
{
	struct seen *seen = data;

	ck_assert(frame->file || !frame->function);
	if (seen->count < FRAMES)
		seen->frame[seen->count] = *frame;
	seen->count++;
}

/* Frames of the only thread; names live until the images go, so they are compared here. */
static enum unwind_end unwind(struct seen *seen, const char *const names[], unsigned count)
{
	struct snapshot s;
	struct images *images;
	enum unwind_end end;

	memset(seen, 0, sizeof *seen);
	ck_assert_int_eq(snapshot_parse(made.bytes, made.size, &s), 0);
	ck_assert_int_eq(images_new(maps, &s, &images), 0);
	end = unwind_thread(&s, images, &s.thread[0], each, seen);
	for (unsigned i = 0; i < count; i++) {
		ck_assert_uint_lt(i, seen->count);
		ck_assert_ptr_nonnull(seen->frame[i].function);
		ck_assert_str_eq(seen->frame[i].function, names[i]);
	}
	images_free(images);
	snapshot_free(&s);
	return end;
}

START_TEST(a_real_stack)
{
	static const char *const names[] = { "stack_inner", "stack_middle", "stack_outer", "set_up" };
	struct seen seen;

	unwind(&seen, names, 4);
	ck_assert_uint_eq(seen.frame[0].address, me.regs.rip);
	ck_assert_uint_gt(seen.count, 4);
	ck_assert_uint_le(seen.count, UNWIND_FRAMES);
}
END_TEST

START_TEST(a_stack_cut_short)
{
	static const char *const names[] = { "stack_inner" };
	struct seen seen;

	made.size = 0;
	thread(4711);
	ck_assert_int_eq(unwind(&seen, names, 1), UNWIND_LOST);
	ck_assert_uint_eq(seen.count, 1);
}
END_TEST

/* stack_outer() finds its frame by %rbp, which is what the stack says: itself. */
START_TEST(a_circle)
{
	uint64_t address = 0x10000, stack[4], inside = 0;
	struct seen seen;

	for (const uint8_t *at = (const uint8_t *)stack_outer; !inside; at++)
		if (at[0] == 0xe8)	/* behind its call */
			inside = (uint64_t)at + 5;
	stack[0] = stack[2] = address;
	stack[1] = stack[3] = inside;
	memset(&me.regs, 0, sizeof me.regs);
	me.regs.rip = inside;
	me.regs.rsp = me.regs.rbp = address;
	made.size = 0;
	thread(4711);
	piece(MOSIX_STACK_MEMORY, address, stack, sizeof stack);
	ck_assert_int_eq(unwind(&seen, NULL, 0), UNWIND_LOST);
	ck_assert_uint_le(seen.count, 2);
}
END_TEST

/* As deep as recursion that never ends. */
START_TEST(many_frames)
{
	static uint64_t stack[2 * 2000];
	uint64_t address = 0x100000, inside = 0;
	struct seen seen;

	for (const uint8_t *at = (const uint8_t *)stack_outer; !inside; at++)
		if (at[0] == 0xe8)
			inside = (uint64_t)at + 5;
	for (unsigned i = 0; i < 2000; i++) {
		stack[2 * i] = address + 16 * (i + 1);
		stack[2 * i + 1] = inside;
	}
	me.regs.rip = inside;
	me.regs.rsp = me.regs.rbp = address;
	made.size = 0;
	thread(4711);
	piece(MOSIX_STACK_MEMORY, address, stack, sizeof stack);
	ck_assert_int_eq(unwind(&seen, NULL, 0), UNWIND_DEEP);
	ck_assert_uint_eq(seen.count, UNWIND_FRAMES);
}
END_TEST

START_TEST(no_file)
{
	struct seen seen;

	me.regs.rip = 0x1234;
	made.size = 0;
	thread(4711);
	ck_assert_int_eq(unwind(&seen, NULL, 0), UNWIND_LOST);
	ck_assert_uint_eq(seen.count, 1);
	ck_assert_ptr_null(seen.frame[0].function);
	ck_assert_ptr_null(seen.frame[0].file);
}
END_TEST

START_TEST(vdso)
{
	uint64_t at = getauxval(AT_SYSINFO_EHDR), address = 0;
	struct elf elf;
	struct seen seen;

	if (!at)
		return;
	ck_assert_int_eq(elf_open((const void *)at, to_the_end(at), &elf), 0);
	/* By its symbol; weak gettimeofday has the same address. */
	for (uint64_t offset = 0; offset < to_the_end(at) && !address; offset++) {
		uint64_t start;
		const char *name = elf_function(&elf, offset, &start);

		if (name && start == offset && strstr(name, "gettimeofday"))
			address = at + offset;
	}
	ck_assert_uint_ne(address, 0);
	me.regs.rip = address;
	made.size = 0;
	thread(4711);
	piece(MOSIX_STACK_MEMORY, at, (const void *)at, to_the_end(at));
	unwind(&seen, NULL, 0);
	ck_assert_ptr_nonnull(seen.frame[0].file);
}
END_TEST

/* A file that was replaced, and one that is no ELF file. */
START_TEST(other_files)
{
	char text[512];
	struct snapshot s;
	struct images *images;
	struct image image;

	ck_assert_int_eq(snapshot_parse(made.bytes, made.size, &s), 0);
	snprintf(text, sizeof text,
		 "1000-2000 r-xp 00000000 08:01 1 /proc/self/exe\nnonsense\n2000-1000 r-xp 0 8:1 5 /x\n"
		 "3000-4000 r-xp 00000000 08:01 7 /no/such (deleted)\n5000-6000 r-xp 00000000 00:00 0 \n"
		 "7000-8000 r-xp 00000000 08:01 7 /dev/zero");
	ck_assert_int_eq(images_new(text, &s, &images), 0);
	ck_assert_int_eq(images_find(images, 0x1000, &image), 0);
	ck_assert_ptr_null(image.elf);
	ck_assert_int_eq(images_find(images, 0x3fff, &image), 0);
	ck_assert_str_eq(image.name, "/no/such (deleted)");
	ck_assert_ptr_null(image.elf);
	ck_assert_int_eq(images_find(images, 0x7000, &image), 0);
	ck_assert_ptr_null(image.elf);
	ck_assert_int_eq(images_find(images, 0x2000, &image), -ENOENT);
	ck_assert_int_eq(images_find(images, 0x5000, &image), -ENOENT);
	images_free(images);
	snapshot_free(&s);
}
END_TEST

/* ---- hostile snapshots ---- */

static void refused(int error)
{
	struct snapshot s;

	ck_assert_int_eq(snapshot_parse(made.bytes, made.size, &s), error);
	snapshot_free(&s);
}

START_TEST(malformed)
{
	struct mosix_stack_piece p = { MOSIX_STACK_MEMORY, UINT32_MAX, 0x1000 };
	size_t whole = made.size;

	for (made.size = 0; made.size < whole; made.size++)
		if (made.size != sizeof p + sizeof me)	/* the thread alone is well-formed */
			refused(-EPROTO);
	made.size = 0;
	thread(0);
	refused(-EPROTO);
	made.size = 0;
	thread(1u << 31);
	refused(-EPROTO);
	made.size = 0;
	thread(5);
	thread(5);
	refused(-EPROTO);
	made.size = 0;
	thread(5);
	piece(3, 0, "abcdefgh", 8);
	refused(-EPROTO);
	made.size = 0;
	thread(5);
	memcpy(made.bytes + made.size, &p, sizeof p);
	made.size += sizeof p;
	refused(-EPROTO);
	made.size = 0;
	thread(5);
	piece(MOSIX_STACK_MEMORY, UINT64_MAX - 3, "abcdefgh", 8);
	refused(-EPROTO);
	made.size = 0;
	thread(5);
	piece(MOSIX_STACK_MEMORY, 0x1000, "", 0);
	refused(-EPROTO);
	made.size = 0;
	piece(MOSIX_STACK_MEMORY, 0x1000, "abcdefgh", 8);
	refused(-EPROTO);
	for (made.size = 0; made.size < MOSIX_STACK_MAX - 1000;)
		thread((uint32_t)made.size + 1);
	refused(-EPROTO);
}
END_TEST

START_TEST(memory_in_pieces)
{
	struct snapshot s;
	char text[9] = "";

	made.size = 0;
	thread(9);
	thread(8);
	piece(MOSIX_STACK_MEMORY, 0x1008, "ijkl", 4);
	piece(MOSIX_STACK_MEMORY, 0x1000, "abcdefgh", 8);
	piece(MOSIX_STACK_MEMORY, 0x1004, "EFGHIJ", 6);
	piece(MOSIX_STACK_MEMORY, 0x1001, "bc", 2);
	piece(MOSIX_STACK_MEMORY, 0x2000, "x", 1);
	ck_assert_int_eq(snapshot_parse(made.bytes, made.size, &s), 0);
	ck_assert_uint_eq(s.threads, 2);
	ck_assert_uint_eq(s.thread[0].tid, 8);
	ck_assert_int_eq(snapshot_read(&s, 0x1000, text, 8), 0);
	ck_assert_str_eq(text, "abcdefgh");
	ck_assert_int_eq(snapshot_read(&s, 0x1004, text, 8), 0);
	ck_assert_str_eq(text, "efghIJkl");
	ck_assert_int_eq(snapshot_read(&s, 0x1005, text, 8), -EFAULT);
	ck_assert_int_eq(snapshot_read(&s, 0xfff, text, 8), -EFAULT);
	ck_assert_int_eq(snapshot_read(&s, 0x2000, text, 2), -EFAULT);
	ck_assert_int_eq(snapshot_read(&s, UINT64_MAX - 1, text, 8), -EFAULT);
	snapshot_free(&s);
}
END_TEST

START_TEST(random_stacks)
{
	uint64_t code = (uint64_t)stack_outer & ~0xfffull, address = me.regs.rsp;
	static uint64_t stack[512];
	struct seen seen;

	srandom((unsigned)_i + 1);
	for (int n = 0; n < 500; n++) {
		for (unsigned i = 0; i < 512; i++) {
			switch (random() % 3) {
			case 0:  stack[i] = code + (uint64_t)random() % 8192; break;
			case 1:  stack[i] = address + (uint64_t)random() % sizeof stack; break;
			default: stack[i] = (uint64_t)random() << 33 ^ (uint64_t)random() << 8; break;
			}
		}
		me.regs.rip = n % 2 ? code + (uint64_t)random() % 8192 : (uint64_t)getauxval + (uint64_t)random() % 4096;
		me.regs.rbp = address + (uint64_t)random() % sizeof stack;
		made.size = 0;
		thread(4711);
		piece(MOSIX_STACK_MEMORY, address, stack, sizeof stack);
		unwind(&seen, NULL, 0);
		ck_assert_uint_ge(seen.count, 1);
		ck_assert_uint_le(seen.count, UNWIND_FRAMES);
	}
}
END_TEST

/* ---- damaged files ---- */

static void use(const struct elf *e)
{
	uint64_t value, count;
	char byte;

	for (uint64_t i = 0; i < 64; i++) {
		elf_function(e, i << 12, &value);
		elf_address(e, i << 12, &value);
		elf_read(e, i << 12, &byte, 1);
	}
	elf_read(e, UINT64_MAX, &byte, 1);
	elf_unwind_table(e, &value, &count);
}

START_TEST(damaged_files)
{
	char *text, *copy;
	size_t size;
	struct elf e;

	ck_assert_int_eq(proc_read_text("/bin/true", 4 << 20, &text, &size), 0);
	copy = malloc(size);
	for (size_t n = 0; n < size; n += n < 4096 ? 7 : 997) {
		memcpy(copy, text, n);
		if (elf_open(copy, n, &e) == 0)
			use(&e);
	}
	srandom((unsigned)_i + 1);
	for (int n = 0; n < 300; n++) {
		memcpy(copy, text, size);
		for (int i = 0; i < 20; i++)	/* headers of the file, of its segments and of its sections */
			copy[random() % 2 ? random() % 1024 : (long)size - 1 - random() % 2048] = (char)random();
		if (elf_open(copy, size, &e) == 0)
			use(&e);
	}
	free(copy);
	free(text);
}
END_TEST

/* ---- signal frames on alternate stacks ---- */

static uint8_t on_alternate[32768] __attribute__((aligned(64))), copy[sizeof on_alternate];
static uint64_t interrupted;

static void on_signal(int signo, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;

	(void)signo;
	(void)info;
	interrupted = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
	copy_raw(copy, on_alternate, sizeof copy);
}

START_TEST(signal_frame)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_ONSTACK | SA_SIGINFO };
	struct mosix_stack_frame frame;
	uint64_t at = (uint64_t)on_alternate;

	ck_assert_int_eq(sigaltstack(&(stack_t){ .ss_sp = on_alternate, .ss_size = sizeof on_alternate }, NULL), 0);
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	ck_assert_int_eq(stack_find_frame(copy, at, sizeof copy, &frame), 1);
	ck_assert_uint_eq(frame.regs.rip, interrupted);
	ck_assert_int_eq(frame.signo, SIGUSR1);
	ck_assert_uint_eq(frame.altstack.sp, at);
	ck_assert_uint_eq(frame.altstack.size, sizeof on_alternate);
	ck_assert_int_eq(stack_find_frame(copy, at + (1 << 20), sizeof copy, &frame), 0);
	for (uint64_t size = 0; size < 1024; size++)
		stack_find_frame(copy + sizeof copy - size, at, size, &frame);
	memset(copy, 0xff, sizeof copy);
	ck_assert_int_eq(stack_find_frame(copy, at, sizeof copy, &frame), 0);
	memset(copy, 0, sizeof copy);
	ck_assert_int_eq(stack_find_frame(copy, 0, sizeof copy, &frame), 0);
}
END_TEST

START_TEST(shares)
{
	ck_assert_uint_eq(stack_share(1), MOSIX_STACK_EACH);
	ck_assert_uint_eq(stack_share(MOSIX_THREADS_MAX), MOSIX_PAGE);
	ck_assert_uint_eq(stack_share(UINT64_MAX), MOSIX_PAGE);
	for (uint64_t n = 1; n <= MOSIX_THREADS_MAX; n++)
		ck_assert_uint_le(n * stack_share(n), MOSIX_STACK_TOTAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stack");
	TCase *t = tcase_create("stack");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_real_stack);
	tcase_add_test(t, a_stack_cut_short);
	tcase_add_test(t, a_circle);
	tcase_add_test(t, many_frames);
	tcase_add_test(t, no_file);
	tcase_add_test(t, vdso);
	tcase_add_test(t, other_files);
	tcase_add_test(t, malformed);
	tcase_add_test(t, memory_in_pieces);
	tcase_add_loop_test(t, random_stacks, 0, 4);
	tcase_add_loop_test(t, damaged_files, 0, 4);
	tcase_add_test(t, signal_frame);
	tcase_add_test(t, shares);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
