/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "homed/move.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/proc.h"

#define PIECE (256u << 10)

static void add_files(struct msg *m, const struct files *files)
{
	msg_open_array(m, "files");
	for (uint32_t i = 0; i < files->count; i++) {
		const struct file *f = &files->file[i];

		msg_open_array(m, NULL);
		msg_add_str(m, NULL, f->path);
		msg_add_uint(m, NULL, f->size);
		msg_add_bin(m, NULL, f->digest, sizeof(f->digest));
		msg_close(m);
	}
	msg_close(m);
}

uint64_t offer_next_id(void)
{
	static uint64_t last;

	return ++last;
}

int offer_send(struct move *m)
{
	struct process *p = m->process;
	struct rlimit stack = { .rlim_cur = RLIM_INFINITY };
	struct proc_stat st;
	struct msg message;
	char kernel[CLOCK_KERNEL_SIZE];
	int r;

	if (getrandom(m->token, sizeof(m->token), 0) != sizeof(m->token))
		return -EIO;
	r = proc_read_stat(p->pid, &st);
	if (r < 0)
		return r;
	prlimit(p->pid, RLIMIT_STACK, NULL, &stack);
	process_saw_threads(p, st.threads);
	m->rss = st.rss;
	m->channel_count = channels_needed(p->threads_most);
	m->id = offer_next_id();	/* a late answer to an earlier offer of this move must not be taken for one to this */
	m->epoch = process_next_epoch(p);
	outcome_clear(&p->guest_end);
	msg_begin(&message, "offer");
	msg_add_uint(&message, "id", m->id);
	msg_add_uint(&message, "pid", (uint64_t)p->pid);
	msg_add_uint(&message, "epoch", m->epoch);
	msg_add_bin(&message, "token", m->token, sizeof(m->token));
	msg_add_uint(&message, "uid", getuid());
	msg_add_str(&message, "comm", st.comm);
	msg_add_uint(&message, "mono", clock_ns(CLOCK_MONOTONIC));
	msg_add_uint(&message, "boot", clock_ns(CLOCK_BOOTTIME));
	clock_kernel(kernel);
	msg_add_str(&message, "kernel", kernel);
	if (m->node->ahead_known) {
		msg_add_int(&message, "mono_ahead", m->node->mono_ahead);
		msg_add_int(&message, "boot_ahead", m->node->boot_ahead);
	}
	msg_add_bin(&message, "cpu", &m->homed->cpu, sizeof(m->homed->cpu));
	msg_add_uint(&message, "bytes", st.rss);
	msg_add_uint(&message, "stack", stack.rlim_cur);
	msg_add_uint(&message, "channels", m->channel_count);
	add_files(&message, &m->files);
	r = node_send(m->node, &message);
	if (r == 0)
		m->offered = true;
	return r;
}

int offer_take_needs(struct move *m, const msgpack_object *map)
{
	const msgpack_object *item;
	uint32_t count;
	int r;

	if (m->need)
		return -EPROTO;
	r = msg_get_array(map, "files", &item, &count);
	if (r < 0)
		return r;
	if (count > m->files.count)
		return -EPROTO;
	m->need = calloc(count + 1, sizeof(*m->need));
	if (!m->need)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t index;

		if (msg_item_uint(&item[i], &index) < 0 || index >= m->files.count)
			return -EPROTO;
		m->need[i] = (uint32_t)index;
	}
	m->needs = count;
	m->next = 0;
	return 0;
}

/* One piece of the current file. 0, -ENOBUFS (try again when the session has drained) or -errno. */
static int send_piece(struct move *m, void *piece)
{
	const struct file *f = &m->files.file[m->need[m->next]];
	struct msg message;
	ssize_t n;
	bool last;
	int r;

	if (m->content < 0) {
		r = file_open(f, &m->content);
		if (r < 0)
			return r;
		m->offset = 0;
	}
	n = pread(m->content, piece, PIECE, (off_t)m->offset);
	if (n < 0)
		return -errno;
	if (n == 0 && m->offset < f->size)
		return -ESTALE;
	last = m->offset + n >= f->size;
	msg_begin(&message, "content");
	msg_add_uint(&message, "id", m->id);
	msg_add_uint(&message, "file", m->need[m->next]);
	msg_add_uint(&message, "off", m->offset);
	msg_add_bin(&message, "data", piece, (size_t)n);
	msg_add_bool(&message, "last", last);
	r = node_send(m->node, &message);
	if (r < 0)
		return r;
	m->offset += n;
	if (last) {
		close(m->content);
		m->content = -1;
		m->next++;
	}
	return 0;
}

int offer_pump(struct move *m)
{
	int sent = 0, r = 0;
	void *piece;

	if (m->next == m->needs)
		return 0;
	piece = malloc(PIECE);
	if (!piece)
		return -ENOMEM;
	while (m->next < m->needs && (r = send_piece(m, piece)) == 0)
		sent = 1;
	free(piece);
	return r < 0 && r != -ENOBUFS ? r : sent;
}

void offer_cancel(struct node *node, pid_t pid, uint32_t epoch)
{
	struct msg message;

	msg_begin(&message, "cancel");
	msg_add_uint(&message, "pid", (uint64_t)pid);
	msg_add_uint(&message, "epoch", epoch);
	node_send(node, &message);	/* without a session the guest's channels tell it */
}

void offer_free_needs(struct move *m)
{
	if (m->content >= 0)
		close(m->content);
	m->content = -1;
	free(m->need);
	m->need = NULL;
	m->needs = m->next = 0;
}

void offer_free(struct move *m)
{
	offer_free_needs(m);
	files_free(&m->files);
}
