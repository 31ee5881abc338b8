/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remoted/home.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/msg.h"
#include "remoted/guest.h"
#include "remoted/node.h"
#include "remoted/visitor.h"

struct ended {
	TAILQ_ENTRY(ended) link;
	uint32_t pid, epoch;
	int status;
	enum mosix_why reason;
	int64_t detail;
	char text[HOME_TEXT_MAX];
};

static void tidy(void *data);

int home_get(struct node *node, const char *name, uint32_t uid, struct visitor *visitor, struct home **ret_home)
{
	struct home *h;

	LIST_FOREACH(h, &node->homes, link)
		if (h->uid == uid && strcmp(h->name, name) == 0)
			break;
	if (!h) {
		h = calloc(1, sizeof *h);
		if (!h)
			return -ENOMEM;
		h->alarm = alarm_new(node->loop, tidy, h);
		if (!h->alarm) {
			free(h);
			return -ENOMEM;
		}
		snprintf(h->name, sizeof h->name, "%s", name);
		h->uid = uid;
		h->node = node;
		LIST_INIT(&h->guests);
		TAILQ_INIT(&h->ended);
		LIST_INSERT_HEAD(&node->homes, h, link);
	}
	h->visitor = visitor;
	*ret_home = h;
	return 0;
}

static struct guest *find(struct home *h, uint32_t pid, uint32_t epoch)
{
	struct guest *g;

	LIST_FOREACH(g, &h->guests, link)
		if (g->pid == pid && g->epoch == epoch && g->process != GUEST_NO_PROCESS)
			return g;
	return NULL;
}

/* ---- the cage ---- */

static void leave_cage(struct home *h)
{
	watch_end(&h->watch);
	cage_close(h->cage);
	h->cage = NULL;
}

static void cage_broke(struct home *h)
{
	struct guest *g;

	log_error("the cage of %s (uid %u) broke down; its guests are gone", h->name, h->uid);
	leave_cage(h);
	do {
		LIST_FOREACH(g, &h->guests, link)
			if (g->process != GUEST_NO_PROCESS)
				break;
		if (g && g->state != GUEST_DYING)
			guest_fail(g, MOSIX_WHY_NO_CAGE, 0, "the cage broke down");
		else if (g)
			guest_ended(g, SIGKILL);
	} while (g);
}

static void take_event(struct home *h, const struct cage_event *event)
{
	struct guest *g = find(h, event->pid, event->epoch);

	if (!g)
		return;
	switch (event->kind) {
	case CAGE_SPAWNED:
		guest_spawned(g);
		break;
	case CAGE_FAILED:
		guest_not_spawned(g, event->error);
		break;
	case CAGE_ENDED:
		guest_ended(g, event->status);
		break;
	}
}

static void cage_readable(void *data)
{
	struct home *h = data;
	struct cage_event event;
	int r = 0;

	while (h->cage && (r = cage_read(h->cage, &event)) == 0)
		take_event(h, &event);
	if (h->cage && r != -EAGAIN)
		cage_broke(h);
	home_changed(h);
}

int home_enclose(struct home *h)
{
	char name[SESSION_NODE_MAX + 16];

	if (h->cage)
		return 0;
	snprintf(name, sizeof name, "%s.%u", h->name, h->uid);
	int r = cage_open(name, &h->cage);

	if (r < 0)
		return r;
	h->watch = watch_new(h->node->loop, cage_fd(h->cage), cage_readable, h);
	if (!h->watch) {
		leave_cage(h);
		return -ENOMEM;
	}
	return 0;
}

/* ---- news ---- */

static void tell(struct home *h, const struct ended *e)
{
	struct msg m;

	msg_begin(&m, "ended");
	msg_add_uint(&m, "pid", e->pid);
	msg_add_uint(&m, "epoch", e->epoch);
	msg_add_int(&m, "status", e->status);
	msg_add_uint(&m, "reason", e->reason);
	msg_add_int(&m, "detail", e->detail);
	msg_add_str(&m, "text", e->text);
	visitor_send(h->visitor, &m);
}

static void forget_first(struct home *h)
{
	struct ended *e = TAILQ_FIRST(&h->ended);

	TAILQ_REMOVE(&h->ended, e, link);
	h->ended_count--;
	free(e);
}

void home_tell_ended(struct home *h, uint32_t pid, uint32_t epoch, int status, enum mosix_why reason, int64_t detail,
		     const char *text)
{
	struct ended *e = calloc(1, sizeof *e);

	if (!e) {
		log_error("no memory to report the end of guest %u of %s", pid, h->name);
		return;
	}
	e->pid = pid;
	e->epoch = epoch;
	e->status = status;
	e->reason = reason;
	e->detail = detail;
	snprintf(e->text, sizeof e->text, "%s", text);
	TAILQ_INSERT_TAIL(&h->ended, e, link);
	if (++h->ended_count > HOME_ENDED_MAX)
		forget_first(h);
	tell(h, e);
}

/* A session that broke may have taken news with it, and nobody acknowledges them: the last ones are told again. Home knows
   pid and epoch of its guests and takes what it knows already for what it is. */
void home_visited(struct node *node, const char *name, struct visitor *visitor)
{
	struct home *h;
	struct ended *e;

	LIST_FOREACH(h, &node->homes, link) {
		if (strcmp(h->name, name) != 0)
			continue;
		h->visitor = visitor;
		TAILQ_FOREACH(e, &h->ended, link)
			tell(h, e);
	}
}

/* Also the one whose place a newer session of the same home had taken may still be there. */
static struct visitor *another(struct node *node, const char *name)
{
	struct visitor *v;

	LIST_FOREACH(v, &node->visitors, link)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

void home_left(struct node *node, struct visitor *visitor)
{
	struct home *h;
	struct guest *g;

	LIST_FOREACH(h, &node->homes, link) {
		if (h->visitor == visitor)
			h->visitor = another(node, h->name);
		do {
			LIST_FOREACH(g, &h->guests, link)
				if (g->visitor == visitor)
					break;
			if (g) {
				g->visitor = NULL;
				guest_fail(g, MOSIX_WHY_CUT, 0, "the session ended before the guest was linked");
			}
		} while (g);
		home_changed(h);
	}
}

/* ---- life ---- */

void home_changed(struct home *h)
{
	alarm_set(h->alarm, 0);
}

static void tidy(void *data)
{
	struct home *h = data;
	struct guest *g, *next;

	for (g = LIST_FIRST(&h->guests); g; g = next) {
		next = LIST_NEXT(g, link);
		if (g->state == GUEST_SPAWNING && g->process == GUEST_NO_PROCESS)
			guest_spawn(g);
	}
	if (!LIST_EMPTY(&h->guests))
		return;
	if (h->cage)
		cage_sweep(h->cage);	/* a hostile guest may have cloned processes of which nobody knows */
	if (h->visitor)
		return;
	leave_cage(h);
	if (TAILQ_EMPTY(&h->ended))
		home_end(h);
}

void home_end(struct home *h)
{
	leave_cage(h);
	while (!LIST_EMPTY(&h->guests))
		guest_free(LIST_FIRST(&h->guests));
	while (!TAILQ_EMPTY(&h->ended))
		forget_first(h);
	alarm_end(&h->alarm);
	LIST_REMOVE(h, link);
	free(h);
}
