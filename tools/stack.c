/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stack.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mosix/call.h>
#include "common/conf.h"
#include "common/proc.h"
#include "descriptor.h"
#include "images.h"
#include "show.h"
#include "snapshot.h"
#include "unwind.h"

#define MAPS_SIZE (64u << 20)

/* ---- the snapshot ---- */

struct received {
	uint8_t *bytes;		/* MOSIX_STACK_MAX */
	size_t size;
};

static int receive(const msgpack_object *map, void *data)
{
	struct received *got = data;
	const void *part;
	size_t size;

	if (msg_get_bin(map, "data", &part, &size) || size > MOSIX_STACK_MAX - got->size)
		return -EPROTO;
	memcpy(got->bytes + got->size, part, size);
	got->size += size;
	return 0;
}

static int explain(char text[static ASK_TEXT], int error, const char *what)
{
	snprintf(text, ASK_TEXT, "%s: %s", what, strerror(-error));
	return error;
}

/* ---- what is printed ---- */

static void print_frame(const struct unwind_frame *frame, void *data)
{
	unsigned *number = data;
	char name[256], file[PATH_MAX];

	snprintf(name, sizeof name, "%s", frame->signal ? "<signal handler called>" : frame->function ? frame->function : "??");
	snprintf(file, sizeof file, "%s", frame->file ? frame->file : "");
	show_clean(name);
	show_clean(file);
	printf("#%-3u0x%016" PRIx64 " %s", (*number)++, frame->address, name);
	if (frame->function && !frame->signal)
		printf("+0x%" PRIx64, frame->offset);
	if (*file)
		printf(" (%s)", file);
	putchar('\n');
}

static void print_head(uint32_t pid, const struct mosix_stack_thread *thread, const char *where)
{
	FREE_AUTO char *name = NULL;
	char path[64];
	size_t size;

	snprintf(path, sizeof path, "/proc/%" PRIu32 "/task/%" PRIu32 "/comm", pid, thread->tid);
	printf("thread %" PRIu32, thread->tid);
	if (proc_read_text(path, 64, &name, &size) == 0) {
		name[strcspn(name, "\n")] = 0;
		show_clean(name);
		printf(" (%s)", name);
	}
	printf(", at %s", where);
	if (thread->call)
		printf(", in %s%s", call_base(thread->call - 1)->name, thread->flags & MOSIX_STACK_AT_HOME ? " at home" : "");
	putchar('\n');
}

static void print_threads(uint32_t pid, const struct snapshot *snapshot, struct images *images, const char *where)
{
	for (size_t i = 0; i < snapshot->threads; i++) {
		unsigned number = 0;

		if (i > 0)
			putchar('\n');
		print_head(pid, &snapshot->thread[i], where);
		if (unwind_thread(snapshot, images, &snapshot->thread[i], print_frame, &number) != UNWIND_OUTERMOST)
			puts("    ...");
	}
}

/* The first thread's list is empty when that has ended; then it is another one's that is read. The caller frees. */
static int read_maps(uint32_t pid, const struct snapshot *snapshot, char **ret_maps)
{
	size_t size = 0;
	char path[64];
	int r;

	snprintf(path, sizeof path, "/proc/%" PRIu32 "/maps", pid);
	r = proc_read_text(path, MAPS_SIZE, ret_maps, &size);
	for (size_t i = 0; r == 0 && size == 0 && i < snapshot->threads; i++) {
		free(*ret_maps);
		*ret_maps = NULL;
		snprintf(path, sizeof path, "/proc/%" PRIu32 "/task/%" PRIu32 "/maps", pid, snapshot->thread[i].tid);
		r = proc_read_text(path, MAPS_SIZE, ret_maps, &size);
	}
	return r;
}

static int show(uint32_t pid, const struct snapshot *snapshot, const char *where, char text[static ASK_TEXT])
{
	FREE_AUTO char *maps = NULL;
	struct images *images;
	int r = read_maps(pid, snapshot, &maps);

	if (r == 0)
		r = images_new(maps, snapshot, &images);
	if (r < 0)
		return explain(text, r, "the list of its mappings cannot be read");
	print_threads(pid, snapshot, images, where);
	images_free(images);
	return 0;
}

int stack_show(uint32_t pid, int timeout_ms, char ret_text[static ASK_TEXT])
{
	ANSWER_AUTO struct answer answer = { .reason = 0 };
	MSG_AUTO struct msg question;
	FREE_AUTO uint8_t *bytes = malloc(MOSIX_STACK_MAX);
	struct received got = { bytes, 0 };
	char where[CONF_NAME] = "?";
	struct snapshot snapshot;
	int r;

	msg_begin(&question, "stack");
	msg_add_uint(&question, "pid", pid);
	r = bytes ? ask_parts(&question, timeout_ms, receive, &got, &answer) : -ENOMEM;
	if (r < 0) {
		snprintf(ret_text, ASK_TEXT, "%s", bytes ? answer.text : "there is not enough memory");
		return r;
	}
	msg_get_str(&answer.message.data, "where", where, sizeof where);
	r = snapshot_parse(got.bytes, got.size, &snapshot);
	r = r < 0 ? explain(ret_text, r, "the snapshot of its stacks is not understood") : show(pid, &snapshot, where, ret_text);
	snapshot_free(&snapshot);
	return r;
}
