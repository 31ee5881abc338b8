/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "homed/client.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/proc.h"
#include "homed/check.h"
#include "homed/past.h"
#include "homed/process.h"

struct looked {
	pid_t pid;
	uint64_t start;
	bool away, there;
	struct proc_stat stat;
	struct outcome check;
};

struct survey {
	uv_work_t work;
	struct client *client;	/* NULL: gone */
	bool why;
	size_t count, room;
	struct looked *item;
};

void survey_forget(struct survey *survey)
{
	survey->client = NULL;
}

void survey_absent(pid_t pid, struct outcome *ret_outcome)
{
	struct proc_status status;
	struct proc_stat st;

	if (pid <= 0 || proc_read_stat(pid, &st) < 0 || proc_read_status(pid, &status) < 0) {
		outcome_set(ret_outcome, MOSIX_WHY_NO_PROCESS, 0, NULL);
	} else if (status.uid != getuid()) {
		outcome_set(ret_outcome, MOSIX_WHY_NOT_OURS, 0, NULL);
	} else {
		check_process(pid, st.start, 0, ret_outcome);
		if (ret_outcome->reason == MOSIX_WHY_ENDED)
			outcome_set(ret_outcome, MOSIX_WHY_NO_PROCESS, 0, NULL);
		else if (ret_outcome->reason != MOSIX_WHY_NOT_LOADED)
			outcome_set(ret_outcome, MOSIX_WHY_NOT_REGISTERED, 0, NULL);
	}
}

static void look(uv_work_t *work)
{
	struct survey *s = (struct survey *)work;

	for (size_t i = 0; i < s->count; i++) {
		struct looked *l = &s->item[i];

		l->there = proc_read_stat(l->pid, &l->stat) == 0 && l->stat.start == l->start;
		if (l->there)
			check_process(l->pid, l->start, l->away ? CHECK_AWAY : 0, &l->check);
	}
}

static void add_came_home(struct msg *m, const struct process *p)
{
	msg_open_map(m, "came_home");
	msg_add_uint(m, "reason", p->came_home.reason);
	msg_add_str(m, "text", p->came_home.text);
	msg_add_int(m, "call", p->came_home.reason == MOSIX_WHY_RETURN ? p->came_home.detail : -1);
	msg_close(m);
}

/* What stands against a move, from the look and from what homed itself knows. */
static struct outcome judge(const struct process *p, const struct looked *l)
{
	struct outcome o = l->check;

	if (!o.reason && p->stay)
		outcome_set(&o, MOSIX_WHY_STAY, 0, NULL);
	return o;
}

static void add_process(struct msg *m, struct process *p, const struct looked *l)
{
	struct outcome o = judge(p, l);

	msg_open_map(m, NULL);
	msg_add_uint(m, "pid", (uint64_t)p->pid);
	msg_add_str(m, "comm", l->stat.comm);
	msg_add_str(m, "where", process_where(p));
	msg_add_uint(m, "moves", p->moves);
	msg_add_bool(m, "moving", p->move != NULL);
	msg_add_bool(m, "movable", !o.reason);
	msg_add_uint(m, "reason", o.reason);
	msg_add_str(m, "text", o.text);
	msg_add_uint(m, "cpu_ms", l->stat.user_ms + l->stat.system_ms);
	msg_add_uint(m, "rss", l->stat.rss);
	msg_open_map(m, "last");
	msg_add_uint(m, "freeze_us", p->numbers.freeze_us);
	msg_add_uint(m, "total_us", p->numbers.total_us);
	msg_add_uint(m, "pages", p->numbers.pages);
	msg_add_uint(m, "bytes", p->numbers.bytes);
	msg_close(m);
	add_came_home(m, p);
	msg_close(m);
}

/* What a process is now, if it still is the one that was looked at. */
static struct process *still(struct homed *homed, const struct looked *l)
{
	struct process *p = l->there ? process_find(homed, l->pid) : NULL;

	return p && p->start == l->start ? p : NULL;
}

static void answer_ps(struct client *c, struct survey *s)
{
	struct msg m;

	msg_begin(&m, "done");
	msg_open_array(&m, "processes");
	for (size_t i = 0; i < s->count; i++) {
		struct process *p = still(c->homed, &s->item[i]);

		if (p)
			add_process(&m, p, &s->item[i]);
	}
	client_answer(c, &m);
}

static void answer_past(struct client *c, pid_t pid)
{
	const struct past_entry *past = past_find(c->homed->past, pid);
	struct outcome o;
	struct msg m;

	survey_absent(pid, &o);
	if ((!past && o.reason == MOSIX_WHY_NO_PROCESS) || o.reason == MOSIX_WHY_NOT_OURS) {
		client_refuse(c, &o);
		return;
	}
	msg_begin(&m, "done");
	msg_add_uint(&m, "pid", (uint64_t)pid);
	msg_add_str(&m, "where", past && o.reason == MOSIX_WHY_NO_PROCESS ? past->where : "home");
	msg_add_bool(&m, "movable", false);
	msg_add_uint(&m, "reason", o.reason);
	msg_add_str(&m, "text", o.text);
	msg_add_uint(&m, "last_reason", past ? past->outcome.reason : 0);
	msg_add_str(&m, "last_text", past ? past->outcome.text : "");
	msg_add_int(&m, "call", -1);
	client_answer(c, &m);
}

static void answer_why(struct client *c, struct survey *s)
{
	struct process *p = still(c->homed, &s->item[0]);
	const struct outcome *last;
	struct outcome o;
	struct msg m;

	if (!p) {
		answer_past(c, s->item[0].pid);
		return;
	}
	o = judge(p, &s->item[0]);
	/* a move that failed says more than a homecoming before it */
	last = p->last.reason ? &p->last : &p->came_home;
	msg_begin(&m, "done");
	msg_add_uint(&m, "pid", (uint64_t)p->pid);
	msg_add_str(&m, "where", process_where(p));
	msg_add_bool(&m, "movable", !o.reason);
	msg_add_uint(&m, "reason", o.reason);
	msg_add_str(&m, "text", o.text);
	msg_add_uint(&m, "last_reason", last->reason);
	msg_add_str(&m, "last_text", last->text);
	msg_add_int(&m, "call", last->reason == MOSIX_WHY_RETURN ? last->detail : -1);
	client_answer(c, &m);
}

static void looked(uv_work_t *work, int status)
{
	struct survey *s = (struct survey *)work;

	(void)status;
	if (s->client) {
		s->client->survey = NULL;
		if (s->why)
			answer_why(s->client, s);
		else
			answer_ps(s->client, s);
	}
	free(s->item);
	free(s);
}

static void collect(struct process *p, void *data)
{
	struct survey *s = data;

	if (s->count == s->room) {
		size_t room = s->room ? s->room * 2 : 64;
		struct looked *grown = realloc(s->item, room * sizeof(*grown));

		if (!grown)
			return;
		s->item = grown;
		s->room = room;
	}
	s->item[s->count++] = (struct looked){ .pid = p->pid, .start = p->start, .away = process_away(p) };
}

static void begin(struct client *c, struct survey *s)
{
	struct outcome o;

	s->client = c;
	c->survey = s;
	if (uv_queue_work(c->homed->loop, &s->work, look, looked) == 0)
		return;
	c->survey = NULL;
	free(s->item);
	free(s);
	outcome_set(&o, MOSIX_WHY_NO_MEMORY, 0, "in homed");
	client_refuse(c, &o);
}

void survey_ps(struct client *c)
{
	struct survey *s = calloc(1, sizeof(*s));

	if (!s)
		return;
	processes_each(c->homed, collect, s);
	begin(c, s);
}

void survey_why(struct client *c, pid_t pid)
{
	struct process *p = process_find(c->homed, pid);
	struct survey *s;

	if (!p) {
		answer_past(c, pid);
		return;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return;
	s->why = true;
	collect(p, s);
	begin(c, s);
}
