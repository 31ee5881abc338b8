/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "homed/process.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <mosix/paths.h>
#include "common/log.h"
#include "common/proc.h"
#include "common/runtime.h"
#include "homed/book.h"
#include "homed/churn.h"
#include "homed/moves.h"
#include "homed/orders.h"
#include "homed/stops.h"

#define BUCKETS 4096

struct processes {
	unsigned count, away;
	LIST_HEAD(bucket, process) bucket[BUCKETS];
};

struct processes *processes_new(struct homed *homed)
{
	(void)homed;
	return calloc(1, sizeof(struct processes));	/* a zero LIST_HEAD is an empty one */
}

static struct bucket *bucket_of(struct homed *homed, pid_t pid)
{
	return &homed->processes->bucket[(unsigned)pid % BUCKETS];
}

struct process *process_find(struct homed *homed, pid_t pid)
{
	struct process *p;

	LIST_FOREACH(p, bucket_of(homed, pid), bucket)
		if (p->pid == pid)
			return p;
	return NULL;
}

void processes_each(struct homed *homed, void (*each)(struct process *p, void *data), void *data)
{
	struct process *p;

	for (unsigned i = 0; i < BUCKETS; i++)
		LIST_FOREACH(p, &homed->processes->bucket[i], bucket)
			each(p, data);
}

const char *process_where(const struct process *p)
{
	return p->where[0] ? p->where : "home";
}

void process_save(struct process *p)
{
	struct book_record record = {
		.pid = p->pid,
		.flags = (p->stay ? BOOK_STAY : 0) | (p->noauto ? BOOK_NOAUTO : 0),
		.start = p->start,
		.secret = p->secret,
		.arena = p->arena,
		.epoch = p->epoch,
		.returned_epoch = p->returned_epoch,
		.moves = p->moves,
	};
	int r;

	memcpy(record.where, p->where, sizeof(record.where));
	memcpy(record.intended, p->intended, sizeof(record.intended));
	r = book_write(p->homed->book, &p->slot, &record);
	if (r < 0)
		log_warning("the book cannot be written: %s", strerror(-r));
}

static void set_name(char to[CONF_NAME], const char *name)
{
	memset(to, 0, CONF_NAME);
	strncpy(to, name, CONF_NAME - 1);
}

void process_set_where(struct process *p, const char *node)
{
	bool was_away = process_away(p);

	set_name(p->where, node);
	set_name(p->intended, "");
	if (process_away(p) != was_away)
		stops_count(p->homed->stops, was_away ? -1 : 1);
	process_save(p);
}

void process_set_intended(struct process *p, const char *node)
{
	set_name(p->intended, node);
	process_save(p);
}

uint32_t process_next_epoch(struct process *p)
{
	p->epoch++;
	process_save(p);
	return p->epoch;
}

static void handle_closed(uv_handle_t *handle)
{
	struct process *p = handle->data;

	if (--p->handles == 0)
		free(p);
}

static void drop(struct process *p)
{
	p->dropped = true;
	LIST_REMOVE(p, bucket);
	p->homed->processes->count--;
	book_erase(p->homed->book, p->slot);
	moves_process_ended(p);
	stops_ended(p);
	if (process_away(p))
		stops_count(p->homed->stops, -1);
	uv_close((uv_handle_t *)&p->watch, handle_closed);
	uv_close((uv_handle_t *)&p->churn, handle_closed);
	close(p->pidfd);
	p->pidfd = -1;
}

static void process_ended(uv_poll_t *watch, int status, int events)
{
	struct process *p = watch->data;

	(void)status;
	(void)events;
	uv_poll_stop(watch);
	orders_drain(p->homed->orders, p->pid);
	log_debug("process %d has ended (%s)", p->pid, process_where(p));
	drop(p);
}

static int add(struct homed *homed, pid_t pid, uint64_t start, struct process **ret)
{
	struct process *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->homed = homed;
	p->pid = pid;
	p->start = start;
	p->slot = -1;
	r = proc_pidfd(pid, start, &p->pidfd);
	if (r < 0) {
		free(p);
		return r;
	}
	r = uv_poll_init(homed->loop, &p->watch, p->pidfd);
	if (r < 0) {
		close(p->pidfd);
		free(p);
		return r;
	}
	uv_timer_init(homed->loop, &p->churn);
	p->handles = 2;
	p->watch.data = p;
	p->churn.data = p;
	uv_poll_start(&p->watch, UV_READABLE, process_ended);
	LIST_INSERT_HEAD(bucket_of(homed, pid), p, bucket);
	homed->processes->count++;
	*ret = p;
	return 0;
}

int process_register(struct homed *homed, pid_t pid, uint64_t secret, uint64_t arena, struct process **ret_process)
{
	struct process *p = process_find(homed, pid), *parent;
	struct proc_stat st;
	int r = proc_read_stat(pid, &st);

	if (r < 0)
		return r;
	if (p && p->start != st.start) {
		drop(p);	/* the pid is used again, and the old one's end is still waiting in the loop */
		p = NULL;
	}
	if (p) {
		p->secret = secret;
		p->arena = arena;
		p->checked_ms = 0;
		p->threads_most = 0;
		process_set_where(p, "");
		moves_process_replaced(p);
		*ret_process = p;
		return 0;
	}
	r = add(homed, pid, st.start, &p);
	if (r < 0)
		return r;
	p->secret = secret;
	p->arena = arena;
	parent = process_find(homed, st.ppid);
	if (parent) {
		p->stay = parent->stay;
		p->noauto = parent->noauto;
		p->trace = parent->trace;
	}
	process_save(p);
	churn_begin(p);
	*ret_process = p;
	return 0;
}

static int known(const struct book_record *record, int slot, void *data)
{
	struct homed *homed = data;
	struct process *p;

	if (record->pid <= 0 || !record->secret || process_find(homed, record->pid) ||
	    add(homed, record->pid, record->start, &p) < 0)
		return -ESRCH;
	p->slot = slot;
	p->secret = record->secret;
	p->arena = record->arena;
	p->stay = record->flags & BOOK_STAY;
	p->noauto = record->flags & BOOK_NOAUTO;
	p->epoch = record->epoch;
	p->returned_epoch = record->returned_epoch;
	p->moves = record->moves;
	memcpy(p->where, record->where, CONF_NAME);
	memcpy(p->intended, record->intended, CONF_NAME);
	if (process_away(p))
		stops_count(homed->stops, 1);
	return 0;
}

static void resume(struct process *p, void *data)
{
	(void)data;
	log_info("process %d is known from before, %s%s", p->pid, process_where(p), p->intended[0] ? ", maybe elsewhere" : "");
	if (p->intended[0] || process_away(p))
		moves_ask(p);	/* what it said meanwhile nobody heard */
	churn_begin(p);
}

int processes_recall(struct homed *homed)
{
	char path[PATH_MAX];
	int r = runtime_path(MOSIX_PATH_BOOK, path, sizeof(path));

	if (r == 0)
		r = book_open(path, known, homed, &homed->book);
	if (r == 0)
		processes_each(homed, resume, NULL);
	return r;
}
