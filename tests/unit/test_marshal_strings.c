/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Marshalling of vectors of strings (argv, envp): away as natively, and the deputy against a hostile guest. */
#define _GNU_SOURCE
#include "marshal_pair.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BAD       0x10000ull	/* nothing is ever mapped there */
#define LONGEST   131072u	/* MAX_ARG_STRLEN, with the NUL */
#define MANY      1000

/*
 * A file that may be executed and is no program. The kernel says ENOEXEC when it has taken all strings, and what is wrong with
 * them before.
 */
static char nothing[32];
static int nothing_fd;

static void make_nothing(void)
{
	nothing_fd = memfd_create("nothing", 0);
	ck_assert_int_ge(nothing_fd, 0);
	ck_assert_int_eq(write(nothing_fd, "no program", 10), 10);
	snprintf(nothing, sizeof(nothing), "/proc/self/fd/%d", nothing_fd);
}

/* size bytes of 'x' without a NUL, right before a page that cannot be read. */
static char *endless(size_t size)
{
	size_t pages = (size + 4095) & ~4095ul;
	char *at = mmap(NULL, pages + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(at, MAP_FAILED);
	ck_assert_int_eq(mprotect(at + pages, 4096, PROT_NONE), 0);
	memset(at, 'x', pages);
	return at + pages - size;
}

static void scene_vectors(pair_call call, struct notes *n)
{
	uint8_t *edge = pair_edge(), shifted[32] = { 0 };
	char *none[] = { NULL }, *some[] = { "one", "", "three", NULL };
	char **last = (char **)edge - 2, **open = (char **)(pair_edge() - 16), **cut = (char **)(pair_edge() - 4);

	make_nothing();
	last[0] = "last";			/* and a NULL that ends with the page */
	open[0] = open[1] = "open";
	memcpy(shifted + 3, some, sizeof(some) / 2);
	NOTED(n, call, SYS_execve, nothing, none, none);
	NOTED(n, call, SYS_execve, nothing, NULL, NULL);
	NOTED(n, call, SYS_execve, nothing, some, NULL);
	NOTED(n, call, SYS_execve, nothing, NULL, some);
	NOTED(n, call, SYS_execve, nothing, some, some);
	NOTED(n, call, SYS_execve, nothing, last, last);
	NOTED(n, call, SYS_execve, nothing, shifted + 3, none);
	NOTED(n, call, SYS_execve, nothing, open, none);
	NOTED(n, call, SYS_execve, nothing, none, open);
	NOTED(n, call, SYS_execve, nothing, cut, none);
	NOTED(n, call, SYS_execve, nothing, edge, none);
	NOTED(n, call, SYS_execve, nothing, some, edge);
	NOTED(n, call, SYS_execve, nothing, 8, none);
	NOTED(n, call, SYS_execve, nothing, some, 0xffff800000000000);
	NOTED(n, call, SYS_execve, nothing, some, -1l);
	NOTED(n, call, SYS_execveat, nothing_fd, "", some, some, AT_EMPTY_PATH);
	NOTED(n, call, SYS_execveat, nothing_fd, "", open, some, AT_EMPTY_PATH);
	/* What is wrong with the file comes first, or last. */
	NOTED(n, call, SYS_execve, "/nowhere", edge, open);
	NOTED(n, call, SYS_execve, "/", edge, open);
	NOTED(n, call, SYS_execve, NULL, edge, open);
	NOTED(n, call, SYS_execve, edge, some, some);
	NOTED(n, call, SYS_execveat, 999, "x", edge, some, 0);
	NOTED(n, call, SYS_execveat, nothing_fd, "", edge, some, -1);
	close(nothing_fd);
}

static void scene_strings(pair_call call, struct notes *n)
{
	uint8_t *edge = pair_edge();
	char *longest = endless(LONGEST), *fits = endless(LONGEST), *open = endless(3);
	char *none[] = { NULL }, *one[] = { NULL, NULL }, *three[] = { "first", NULL, "last", NULL };
	char *const strings[] = { (char *)edge - 4, (char *)edge - 1, (char *)edge, open, longest, longest + 1, fits,
				  (char *)8, (char *)0xffff800000000000, (char *)-1l };

	make_nothing();
	memcpy(edge - 4, "end", 4);
	fits[LONGEST - 1] = '\0';
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		one[0] = three[1] = strings[i];
		NOTED(n, call, SYS_execve, nothing, one, none);
		NOTED(n, call, SYS_execve, nothing, none, one);
		NOTED(n, call, SYS_execve, nothing, three, three);
		NOTED(n, call, SYS_execve, "/nowhere", three, three);
	}
	close(nothing_fd);
}

/* The kernel's limit for all strings together is a quarter of the stack's, or 128 KiB. */
static void scene_total(pair_call call, struct notes *n)
{
	char *half = endless(LONGEST / 2), *none[] = { NULL }, *two[] = { half, half, NULL }, *many[MANY + 1];
	struct rlimit limit, low;

	make_nothing();
	half[LONGEST / 2 - 1] = '\0';
	for (int i = 0; i < MANY; i++)
		many[i] = half + LONGEST / 2 - 1 - i % 200;
	many[MANY] = NULL;
	ck_assert_int_eq(getrlimit(RLIMIT_STACK, &limit), 0);
	for (int round = 0; round < 2; round++) {
		NOTED(n, call, SYS_execve, nothing, two, none);
		NOTED(n, call, SYS_execve, nothing, two, two);
		NOTED(n, call, SYS_execve, nothing, many, none);
		NOTED(n, call, SYS_execve, nothing, many, many);
		low = (struct rlimit){ 4 * LONGEST, limit.rlim_max };
		ck_assert_int_eq(setrlimit(RLIMIT_STACK, &low), 0);
	}
	ck_assert_int_eq(setrlimit(RLIMIT_STACK, &limit), 0);
	close(nothing_fd);
}

/* What a program gets to see. */
static void run(pair_call call, struct notes *n, char *const argv[], char *const envp[])
{
	char bytes[4096];
	ssize_t size;
	pid_t pid;
	int p[2], status;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(p[1], 1);
		_exit((int)-DO(call, SYS_execve, "/bin/sh", argv, envp));
	}
	close(p[1]);
	while ((size = read(p[0], bytes, sizeof(bytes))) > 0)
		note(n, bytes, (size_t)size);
	close(p[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	note_value(n, status);
	ck_assert_int_eq(status, 0);
}

static void scene_programs(pair_call call, struct notes *n)
{
	char *argv[MANY + 4] = { "a shell", "-c", "cat /proc/$$/cmdline /proc/$$/environ; :" }, *none[] = { NULL };
	char *envp[] = { "B=2", "A=1", "=", "", "no variable", "A=again", NULL }, text[MANY][16], *fits = endless(LONGEST);

	run(call, n, argv, envp);
	run(call, n, argv, none);
	run(call, n, argv, NULL);
	fits[LONGEST - 1] = '\0';
	argv[3] = fits;
	run(call, n, argv, envp);
	for (int i = 0; i < MANY; i++) {
		snprintf(text[i], sizeof(text[i]), "%.*d", i % 10, i);
		argv[3 + i] = text[i];
	}
	run(call, n, argv, argv + 3);
	ck_assert_uint_gt(n->used, LONGEST + 3 * MANY);
}

START_TEST(bad_vectors) { pair_compare(scene_vectors); }  END_TEST
START_TEST(bad_strings) { pair_compare(scene_strings); }  END_TEST
START_TEST(total)       { pair_compare(scene_total); }    END_TEST
START_TEST(programs)    { pair_compare(scene_programs); } END_TEST

/* What does not fit into a frame. */
START_TEST(goes_home)
{
	char *none[] = { NULL }, *longest = endless(LONGEST), *two[] = { longest, longest, NULL }, *many[MANY + 1];
	const struct { char **argv; uint64_t capacity; int result; } of[] = {
		{ none, 8192,                 0      },
		{ many, 8 * MANY,             -E2BIG },	/* no room for the vector */
		{ many, 8 * MANY + LONGEST,   -E2BIG },	/* nor for the strings */
		{ many, 32 * MANY + LONGEST,  0      },
		{ two,  2 * LONGEST,          -E2BIG },	/* they must fit even if they have no end */
		{ two,  2 * LONGEST + 4096,   0      },
	};
	uint8_t *payload = malloc(4 * LONGEST);
	struct mosix_frame f;

	for (int i = 0; i < MANY; i++)
		many[i] = "many";
	many[MANY] = NULL;
	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		const uint64_t arg[6] = { (uint64_t)"x", (uint64_t)of[i].argv, (uint64_t)none };

		ck_assert_int_eq(gate_pack(call_find(SYS_execve, arg), arg, &f, payload, of[i].capacity), of[i].result);
		ck_assert(of[i].result != 0 || f.length <= of[i].capacity);
	}
	free(payload);
}
END_TEST

/* ---- the deputy alone ---- */

#define AT_STRING 8ull		/* behind the path */
#define AT_VECTOR 16ull

static uint8_t scratch[4096] __attribute__((aligned(4096)));
static struct deputy_call dc;

/*
 * A request with this argv (its reference, and what its words are), whose payload is exactly as long as it says, so that the
 * sanitizer sees one byte too many. *ret_payload, where wanted, is the caller's.
 */
static int unpack(uint64_t reference, const uint64_t *words, size_t count, uint8_t **ret_payload)
{
	struct mosix_frame f = { .nr = SYS_execve, .length = (uint32_t)(AT_VECTOR + count * 8),
				 .arg = { reference_data(0, 5), reference } };
	uint8_t *payload = malloc(f.length);
	int error;

	memcpy(payload, "path\0\0\0\0" "string\0\0", AT_VECTOR);
	memcpy(payload + AT_VECTOR, words, count * 8);
	dc = (struct deputy_call){ .nr = SYS_execve, .scratch = scratch, .capacity = sizeof(scratch), .bad = BAD, .fd_high = -1 };
	error = deputy_unpack(call_find(SYS_execve, f.arg), &f, payload, &dc);
	if (ret_payload)
		*ret_payload = payload;
	else
		free(payload);
	return error;
}

START_TEST(deputy_takes)
{
	const uint64_t text = reference_data(AT_STRING, 7);
	const uint64_t words[] = { text, REFERENCE_BAD, REFERENCE_HERE, reference_data(AT_STRING + 6, 1),
				   reference_data(AT_VECTOR + 40, 8), 0 };
	uint8_t *payload;
	uint64_t *got;

	ck_assert_int_eq(unpack(reference_data(AT_VECTOR, sizeof(words)), words, 6, &payload), 0);
	got = (uint64_t *)dc.arg[1];
	ck_assert_ptr_eq(got, scratch);
	ck_assert_uint_eq(got[0], (uint64_t)payload + AT_STRING);
	ck_assert_uint_eq(got[1], BAD);
	ck_assert_uint_eq(got[2], BAD);
	ck_assert_uint_eq(got[3], (uint64_t)payload + AT_STRING + 6);
	ck_assert_uint_eq(got[4], (uint64_t)payload + AT_VECTOR + 40);
	ck_assert_uint_eq(got[5], 0);
	ck_assert_uint_eq(dc.arg[2], 0);
	free(payload);
	ck_assert_int_eq(unpack(reference_data(AT_VECTOR + 40, 8), words, 6, NULL), 0);
	ck_assert_uint_eq(*(uint64_t *)dc.arg[1], 0);
	ck_assert_int_eq(unpack(REFERENCE_NULL, words, 6, NULL), 0);
	ck_assert_uint_eq(dc.arg[1], 0);
	ck_assert_int_eq(unpack(REFERENCE_BAD, words, 6, NULL), 0);
	ck_assert_uint_eq(dc.arg[1], BAD);
	ck_assert_int_eq(unpack(REFERENCE_HERE, words, 6, NULL), 0);
	ck_assert_uint_eq(dc.arg[1], BAD);
}
END_TEST

/* Vectors that the gate never makes. */
START_TEST(deputy_refuses_vectors)
{
	const uint64_t words[] = { reference_data(AT_STRING, 7), reference_data(AT_STRING, 7), 0 };
	const uint64_t references[] = {
		reference_data(AT_VECTOR, 0),				/* nothing, not even a NULL */
		reference_data(AT_VECTOR, 23),				/* no whole words */
		reference_data(AT_VECTOR, 25),
		reference_data(AT_VECTOR, 4),
		reference_data(AT_VECTOR, 8),				/* no NULL */
		reference_data(AT_VECTOR, 16),
		reference_data(AT_VECTOR, 32),				/* more than there is */
		reference_data(AT_VECTOR + 8, 24),
		reference_data(AT_VECTOR + 24, 8),
		reference_data(AT_VECTOR + 32, 8),
		reference_data(REFERENCE_MAX, 8),
		reference_data(REFERENCE_MAX - 7, REFERENCE_MAX - 7),
		reference_data(AT_VECTOR, REFERENCE_MAX - 7),
		REFERENCE_DATA,
		(uint64_t)words,					/* an address */
		REFERENCE_BAD | 1,
		REFERENCE_HERE | 24ull << REFERENCE_BITS,
		reference_data(AT_VECTOR, 24) | 4ull << 60,
		~0ull,
	};

	ck_assert_int_eq(unpack(reference_data(AT_VECTOR, 24), words, 3, NULL), 0);
	for (size_t i = 0; i < sizeof(references) / sizeof(references[0]); i++)
		ck_assert_msg(unpack(references[i], words, 3, NULL) == -EBADMSG, "vector %zu is taken", i);
}
END_TEST

/* Strings that it never makes. */
START_TEST(deputy_refuses_strings)
{
	const uint64_t vector = reference_data(AT_VECTOR, 32), text = reference_data(AT_STRING, 7);
	const uint64_t strings[] = {
		reference_data(AT_STRING, 0),				/* nothing, not even a NUL */
		reference_data(AT_STRING, 6),				/* no NUL */
		reference_data(AT_STRING, 1),
		reference_data(AT_VECTOR + 32, 1),			/* behind the end */
		reference_data(AT_VECTOR + 31, 2),
		reference_data(AT_STRING, 1 << 20),
		reference_data(AT_STRING, REFERENCE_MAX),
		reference_data(REFERENCE_MAX, 1),
		reference_data(REFERENCE_MAX, REFERENCE_MAX),
		REFERENCE_DATA,
		REFERENCE_NULL,						/* in the midst */
		(uint64_t)"an address",
		REFERENCE_BAD | 1,
		REFERENCE_HERE | 1ull << REFERENCE_BITS,
		REFERENCE_HERE | AT_STRING,
		text | 4ull << 60,
		~0ull,
	};

	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		const uint64_t words[][4] = { { strings[i], text, text, 0 }, { text, text, strings[i], 0 },
					      { text, strings[i], text, 0 }, { text, text, text, strings[i] } };

		for (size_t at = 0; at < (strings[i] == REFERENCE_NULL ? 3 : 4); at++)
			ck_assert_msg(unpack(vector, words[at], 4, NULL) == -EBADMSG, "string %zu at %zu is taken", i, at);
	}
}
END_TEST

/* Without room in scratch for both vectors, which the deputy's copies are in. */
START_TEST(deputy_without_room)
{
	struct mosix_frame f = { .nr = SYS_execve, .arg = { reference_data(0, 8), reference_data(0, 8), reference_data(0, 8) },
				 .length = 8 };
	const uint8_t payload[8] = { 0 };

	for (uint64_t capacity = 0; capacity <= 16; capacity += 8) {
		dc = (struct deputy_call){ .nr = SYS_execve, .scratch = scratch, .capacity = capacity, .bad = BAD,
					    .fd_high = -1 };
		ck_assert_int_eq(deputy_unpack(call_find(SYS_execve, f.arg), &f, payload, &dc), capacity < 16 ? -EBADMSG : 0);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("marshal-strings");
	TCase *t = tcase_create("marshal-strings");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_test(t, bad_vectors);
	tcase_add_test(t, bad_strings);
	tcase_add_test(t, total);
	tcase_add_test(t, programs);
	tcase_add_test(t, goes_home);
	tcase_add_test(t, deputy_takes);
	tcase_add_test(t, deputy_refuses_vectors);
	tcase_add_test(t, deputy_refuses_strings);
	tcase_add_test(t, deputy_without_room);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
