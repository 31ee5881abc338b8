/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remoted/watch.h"

#include <stdlib.h>

struct watch {
	uv_poll_t poll;
	void (*ready)(void *data);
	void *data;
};

struct alarm {
	uv_timer_t timer;
	void (*ring)(void *data);
	void *data;
};

static void freed(uv_handle_t *handle)
{
	free(handle->data);
}

static void polled(uv_poll_t *poll, int status, int events)
{
	struct watch *w = poll->data;

	(void)events;
	/* After an error libuv stops a handle; the owner finds the error itself when it reads, and may want to go on. */
	if (status < 0)
		uv_poll_start(poll, UV_READABLE, polled);
	w->ready(w->data);
}

struct watch *watch_new(uv_loop_t *loop, int fd, void (*ready)(void *data), void *data)
{
	struct watch *w = calloc(1, sizeof *w);

	if (!w)
		return NULL;
	if (uv_poll_init(loop, &w->poll, fd) < 0) {
		free(w);
		return NULL;
	}
	w->poll.data = w;
	w->ready = ready;
	w->data = data;
	uv_poll_start(&w->poll, UV_READABLE, polled);
	return w;
}

void watch_end(struct watch **watch)
{
	struct watch *w = *watch;

	*watch = NULL;
	if (w)
		uv_close((uv_handle_t *)&w->poll, freed);
}

static void rang(uv_timer_t *timer)
{
	struct alarm *a = timer->data;

	a->ring(a->data);
}

struct alarm *alarm_new(uv_loop_t *loop, void (*ring)(void *data), void *data)
{
	struct alarm *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	uv_timer_init(loop, &a->timer);
	a->timer.data = a;
	a->ring = ring;
	a->data = data;
	return a;
}

void alarm_set(struct alarm *alarm, uint64_t ms)
{
	/* libuv counts from the beginning of the loop's turn, which may have been long. */
	uv_update_time(alarm->timer.loop);
	uv_timer_start(&alarm->timer, rang, ms, 0);
}

void alarm_off(struct alarm *alarm)
{
	uv_timer_stop(&alarm->timer);
}

void alarm_end(struct alarm **alarm)
{
	struct alarm *a = *alarm;

	*alarm = NULL;
	if (a)
		uv_close((uv_handle_t *)&a->timer, freed);
}
