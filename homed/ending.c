/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "homed/ending.h"

#include <stdlib.h>
#include "common/log.h"
#include "homed/births.h"
#include "homed/moves.h"
#include "homed/process.h"

#define PATIENCE_MS 60000
#define LOOK_MS     50

struct ending {
	struct homed *homed;
	uv_timer_t timer;
	bool begun, everybody;
	uint64_t until;
	void (*done)(void *data);
	void *data;
};

struct ending *ending_new(struct homed *homed)
{
	struct ending *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->homed = homed;
	uv_timer_init(homed->loop, &e->timer);
	e->timer.data = e;
	return e;
}

struct calls { const struct ending *ending; unsigned open; };

static void call_home(struct process *p, void *data)
{
	struct calls *c = data;

	/* a move that is under way decides where it is: look again when that has ended */
	if (p->move && (c->ending->everybody || p->relayed)) {
		c->open++;
	} else if (process_away(p) && (c->ending->everybody || p->relayed)) {
		c->open++;
		moves_request(p, "home", MOVE_BY_USER, NULL);
	}
}

static void finish(struct ending *e)
{
	uv_timer_stop(&e->timer);
	if (e->done)
		e->done(e->data);
	e->homed->stopping = true;
	moves_stop(e->homed);
	uv_stop(e->homed->loop);
}

static void look(uv_timer_t *timer)
{
	struct ending *e = timer->data;
	struct calls calls = { .ending = e, .open = births_awaited() };

	processes_each(e->homed, call_home, &calls);
	if (calls.open && uv_now(e->homed->loop) < e->until)
		return;
	if (calls.open)
		log_warning("%u processes could not be called home", calls.open);
	finish(e);
}

void ending_begin(struct homed *homed, bool everybody, void (*done)(void *data), void *data)
{
	struct ending *e = homed->ending;

	if (e->begun && !done) {
		finish(e);
		return;
	}
	homed->blocked = true;
	e->begun = true;
	e->everybody |= everybody;
	e->until = uv_now(homed->loop) + PATIENCE_MS;
	e->done = done;
	e->data = data;
	uv_timer_start(&e->timer, look, 0, LOOK_MS);
}

void ending_forget(struct homed *homed, const void *data)
{
	struct ending *e = homed->ending;

	if (e->data == data)
		e->done = NULL;
}
