/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The states of a move. What may happen in a state, and what is done then, is the table near the end; what is not in the
 * table is ignored there. Requests and what comes from outside is in requests.c.
 */
#include "homed/states.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "common/log.h"
#include "common/proc.h"
#include "common/step.h"
#include "homed/check.h"
#include "homed/orders.h"

#define RING_MS       100
#define RETRY_MS      50
#define RETRIES       60	/* of an offer while the pid's last life is not reaped there yet */
#define MOMENTS       20	/* how often it may be inside the vDSO, or have mapped another file, when the orders come */
#define READY_MS      60000
#define READY_BYTES   (16u << 20)	/* a second more for each of these that are resident */
#define OVERDUE_MS    5000	/* the core has READY_MS; only when it does not keep to it is it late for us */

static const struct { const char *name; uint32_t deadline_ms; uint32_t reason; } states[MOVE_STATES] = {
	[MOVE_IDLE]      = { "idle",      0,        0                    },
	[MOVE_WAITING]   = { "waiting",   6000,     MOSIX_WHY_NODE_DEAD  },
	[MOVE_CHECKING]  = { "checking",  60000,    MOSIX_WHY_TIMED_OUT  },
	[MOVE_OFFERING]  = { "offering",  20000,    MOSIX_WHY_TIMED_OUT  },
	[MOVE_LINKING]   = { "linking",   20000,    MOSIX_WHY_NO_CHANNEL },
	[MOVE_LOOKING]   = { "looking",   15000,    MOSIX_WHY_TIMED_OUT  },
	[MOVE_SIGNALLED] = { "signalled", 5000,     MOSIX_WHY_NO_ANSWER  },
	[MOVE_ORDERED]   = { "ordered",   READY_MS, MOSIX_WHY_TIMED_OUT  },
	[MOVE_SETTLING]  = { "settling",  300,      0                    },
	[MOVE_ASKING]    = { "asking",    60000,    MOSIX_WHY_CUT        },
	[MOVE_DONE]      = { "done",      0,        0                    },
};

static void on_deadline(uv_timer_t *timer);

void move_enter(struct move *m, enum move_state state)
{
	log_debug("process %d: %s -> %s", m->process->pid, states[m->state].name, states[state].name);
	m->state = state;
	uv_timer_stop(&m->ring);
	uv_timer_start(&m->deadline, on_deadline, states[state].deadline_ms, 0);
	step_pass(m->kind == MOVE_HOME ? "homed.home_" : "homed.", states[state].name);
}

void move_deadline(struct move *m, uint64_t ms)
{
	uv_timer_start(&m->deadline, on_deadline, ms, 0);
}

void move_wait(struct move *m)
{
	if (m->state != MOVE_WAITING)
		move_enter(m, MOVE_WAITING);
}

/* ---- checking ---- */

struct check_job {
	uv_work_t work;
	struct move *move;	/* NULL: it has ended meanwhile */
	pid_t pid;
	uint64_t start;
	bool no_files;
	struct digest_cache *cache;
	struct outcome outcome;
	struct files files;
	int error;
};

static void check_work(uv_work_t *work)
{
	struct check_job *job = (struct check_job *)work;

	check_process(job->pid, job->start, CHECK_PATIENT, &job->outcome);
	if (!job->outcome.reason)
		job->error = files_collect(job->pid, job->no_files, job->cache, &job->files);
}

static void check_done(uv_work_t *work, int status)
{
	struct check_job *job = (struct check_job *)work;
	struct move *m = job->move;

	(void)status;
	if (m) {
		m->job = NULL;
		m->process->check = job->outcome;
		m->process->checked_ms = uv_now(m->homed->loop);
		m->files = job->files;
		if (job->outcome.reason)
			move_finish(m, &job->outcome);
		else if (job->error)
			move_fail(m, MOSIX_WHY_NO_MEMORY, "in homed");
		else
			move_event(m, EV_CHECKED, NULL);
	} else {
		files_free(&job->files);
	}
	free(job);
}

void move_forget_job(struct move *m)
{
	if (m->job)
		m->job->move = NULL;
	m->job = NULL;
}

void move_begin_leave(struct move *m)
{
	struct check_job *job;

	m->kind = MOVE_LEAVE;
	move_enter(m, MOVE_CHECKING);
	job = calloc(1, sizeof(*job));
	if (!job) {
		move_fail(m, MOSIX_WHY_NO_MEMORY, "in homed");
		return;
	}
	job->move = m;
	job->pid = m->process->pid;
	job->start = m->process->start;
	job->cache = m->homed->digests;
	job->no_files = m->passed == MOMENTS;
	if (uv_queue_work(m->homed->loop, &job->work, check_work, check_done) < 0) {
		free(job);
		move_fail(m, MOSIX_WHY_NO_MEMORY, "in homed");
		return;
	}
	m->job = job;
}

/* ---- offering ---- */

static void make_offer(struct move *m)
{
	int r;

	if (m->node->state != NODE_UP) {
		move_finish(m, &m->node->outcome);
		return;
	}
	if (m->node->pid_max && (uint32_t)m->process->pid >= m->node->pid_max) {
		move_fail(m, MOSIX_WHY_PID_RANGE, NULL);
		return;
	}
	offer_free_needs(m);
	r = offer_send(m);
	if (r < 0)
		move_fail(m, r == -ESRCH ? MOSIX_WHY_ENDED : MOSIX_WHY_CUT, r == -ESRCH ? NULL : strerror(-r));
	else
		m->node->guests++;	/* until it tells better: several may go out within one ping */
}

static void on_checked(struct move *m, const struct move_event_data *e)
{
	(void)e;
	move_enter(m, MOVE_OFFERING);
	make_offer(m);
}

static void pump(struct move *m)
{
	int r = offer_pump(m);

	if (r < 0)
		move_fail(m, MOSIX_WHY_CUT, strerror(-r));
	else if (r > 0)
		uv_timer_start(&m->deadline, on_deadline, states[MOVE_OFFERING].deadline_ms, 0);	/* it goes forward */
}

static void on_need(struct move *m, const struct move_event_data *e)
{
	int r = offer_take_needs(m, e->map);

	if (r < 0)
		move_fail(m, r == -ENOMEM ? MOSIX_WHY_NO_MEMORY : MOSIX_WHY_MALFORMED, "the node's list of files");
	else
		pump(m);
}

static void on_drained(struct move *m, const struct move_event_data *e)
{
	(void)e;
	pump(m);
}

static void retry(uv_timer_t *timer)
{
	make_offer(timer->data);
}

static void on_refuse(struct move *m, const struct move_event_data *e)
{
	uint32_t reason = MOSIX_WHY_REFUSED;
	struct outcome out;
	char text[OUTCOME_TEXT / 2] = "";
	int64_t detail = 0;

	msg_get_u32(e->map, "reason", &reason);
	msg_get_int(e->map, "detail", &detail);
	msg_get_str(e->map, "text", text, sizeof(text));
	m->offered = false;
	if (m->state == MOVE_OFFERING && reason == MOSIX_WHY_PID_TAKEN && m->retries++ < RETRIES) {
		uv_timer_start(&m->ring, retry, RETRY_MS, 0);
		return;
	}
	outcome_set(&out, reason ? reason : MOSIX_WHY_REFUSED, detail, "%s", strcmp(text, reason_sentence(reason)) ? text : "");
	move_finish(m, &out);
}

static void channels_done(void *data, int error)
{
	struct move *m = data;

	if (error)
		move_fail(m, MOSIX_WHY_NO_CHANNEL, strerror(-error));
	else
		move_event(m, EV_CONNECTED, NULL);
}

static void on_accept(struct move *m, const struct move_event_data *e)
{
	int r;

	(void)e;
	move_enter(m, MOVE_LINKING);
	r = channels_open(m->homed, (struct sockaddr *)&m->node->peer, m->process->pid, m->token, m->channel_count, channels_done,
			  m, &m->channels);
	if (r < 0)
		move_fail(m, MOSIX_WHY_NO_CHANNEL, strerror(-r));
}

/* ---- signalled ---- */

static void ring(uv_timer_t *timer)
{
	struct move *m = timer->data;
	int r = ring_process(m->process);

	m->rung |= r == 0;
	if (r == 0)
		step_pass(m->kind == MOVE_HOME ? "homed.home_" : "homed.", "rung");
	if (r == -ESRCH)
		move_fail(m, MOSIX_WHY_ENDED, NULL);
	else if (r == -EPERM)
		move_fail(m, MOSIX_WHY_NOT_OURS, NULL);
	else
		uv_timer_start(&m->ring, ring, RING_MS, 0);
}

void move_begin_signal(struct move *m)
{
	m->rung = false;
	move_enter(m, MOVE_SIGNALLED);
	ring(&m->ring);
}

static void on_linked(struct move *m, const struct move_event_data *e)
{
	(void)e;
	m->linked = true;
	if (m->connected)
		move_begin_signal(m);
}

static void on_connected(struct move *m, const struct move_event_data *e)
{
	(void)e;
	m->connected = true;
	if (m->linked)
		move_begin_signal(m);
}

static uint64_t ready_ms(const struct move *m)
{
	return READY_MS + m->rss / READY_BYTES * 1000;
}

static void give_leave(struct move *m, struct order_link *link)
{
	int fd[MOSIX_CHANNELS_MAX], r;
	unsigned fds = channels_descriptors(m->channels, fd);

	process_set_intended(m->process, m->target);
	r = order_leave(link, m->epoch, m->process->trace, ready_ms(m) * 1000000u, m->target, &m->files, fd, fds);
	if (r < 0) {
		process_set_intended(m->process, "");
		move_fail(m, MOSIX_WHY_CUT, strerror(-r));
		return;
	}
	m->process->relayed = channels_relayed(m->channels);
	channels_close(m->channels);
	m->channels = NULL;
	offer_free(m);
	move_enter(m, MOVE_ORDERED);
	uv_timer_start(&m->deadline, on_deadline, ready_ms(m) + OVERDUE_MS, 0);
}

/* It stands now. */
static void let_leave(struct move *m, struct order_link *link)
{
	struct outcome outcome;

	check_descriptors(m->process->pid, &outcome);
	if (outcome.reason) {
		order_none(link);
		move_finish(m, &outcome);
		return;
	}
	m->link = link;
	order_link_bind(link, m);
	give_leave(m, link);
}

static void give_home(struct move *m, struct order_link *link)
{
	int r = order_home(link, m->process->epoch);

	if (r < 0) {
		move_fail(m, MOSIX_WHY_CUT, strerror(-r));
		return;
	}
	move_enter(m, MOVE_ORDERED);
}

static void on_here(struct move *m, const struct move_event_data *e)
{
	bool away = e->word->state;

	if (m->kind == MOVE_STACK) {
		snapshot_here(m, e);
	} else if (m->kind == MOVE_LEAVE && !away) {
		let_leave(m, e->link);
	} else if (m->kind == MOVE_HOME && away) {
		m->link = e->link;
		order_link_bind(e->link, m);
		give_home(m, e->link);
	} else {
		order_none(e->link);
		if (m->kind == MOVE_HOME)
			move_arrived_home(m);
		else if (m->kind == MOVE_ASK)
			move_succeed(m);
		else
			move_fail(m, MOSIX_WHY_REVOKED, "it is away already");
	}
}

/* ---- ordered ---- */

static void on_moved(struct move *m, const struct move_event_data *e)
{
	truth_moved(m->process, m->target, e->word);
	if (m->kind == MOVE_LEAVE)
		move_succeed(m);
	else
		move_fail(m, MOSIX_WHY_MALFORMED, "it says that it left");
}

static void on_home(struct move *m, const struct move_event_data *e)
{
	if (m->kind == MOVE_HOME)
		move_arrived_home(m);
	else if (m->kind == MOVE_STACK)
		snapshot_moved(m);
	else if (m->kind == MOVE_ASK || m->state != MOVE_SIGNALLED)
		move_succeed(m);	/* LEAVE: it was there, and is back by itself: its word MOVED comes later or never */
	(void)e;
}

/* The core saw its channel break; the node may be about to say what broke it. */
static bool vague(const struct outcome *o)
{
	return o->reason == MOSIX_WHY_CUT || o->reason == MOSIX_WHY_LOADER || o->reason == MOSIX_WHY_NONE;
}

/* Reasons that lie in the moment: it is let go and asked again, with its files as they are then. */
static bool passes(const struct outcome *o)
{
	return o->reason == MOSIX_WHY_IN_VDSO || o->reason == MOSIX_WHY_NEW_FILE || o->reason == MOSIX_WHY_NEW_THREADS;
}

static void on_refused(struct move *m, const struct move_event_data *e)
{
	truth_outcome(e->word, &m->refusal);
	if (!m->refusal.reason)
		outcome_set(&m->refusal, MOSIX_WHY_REFUSED, 0, NULL);
	if (m->process->intended[0])
		process_set_intended(m->process, "");
	if (m->refusal.reason == MOSIX_WHY_NEW_THREADS && m->refusal.detail > 0 && m->refusal.detail <= MOSIX_CALLS_MAX)
		process_saw_threads(m->process, (uint32_t)m->refusal.detail);
	if (m->kind == MOVE_LEAVE && passes(&m->refusal) && m->passed++ < MOMENTS) {
		move_let_go(m, true);
		move_begin_leave(m);
	} else if (m->kind != MOVE_LEAVE || !vague(&m->refusal)) {
		move_finish(m, &m->refusal);
	} else if (m->guest_end.reason) {
		move_finish(m, &m->guest_end);
	} else if (m->node->state != NODE_UP) {
		move_fail(m, MOSIX_WHY_NODE_GONE, NULL);
	} else {
		move_enter(m, MOVE_SETTLING);
	}
}

static void on_lost(struct move *m, const struct move_event_data *e)
{
	(void)e;
	if (m->process->guest_end.reason)
		move_finish(m, &m->process->guest_end);
	else
		move_fail(m, MOSIX_WHY_NODE_GONE, "it was lost");
}

static void on_cut(struct move *m, const struct move_event_data *e)
{
	(void)e;
	if (m->kind == MOVE_STACK) {
		move_fail(m, MOSIX_WHY_CUT, "to the process");
		return;
	}
	move_enter(m, MOVE_ASKING);
	ring(&m->ring);
}

/* The new connection of a process whose old one broke: its place is known now. */
static void on_here_again(struct move *m, const struct move_event_data *e)
{
	order_none(e->link);
	if (m->kind == MOVE_HOME && !process_away(m->process))
		move_arrived_home(m);
	else if (m->kind == MOVE_LEAVE && !strcmp(m->process->where, m->target))
		move_succeed(m);
	else
		move_fail(m, MOSIX_WHY_CUT, "to the process");
}

static void on_guest_ended(struct move *m, const struct move_event_data *e)
{
	m->guest_end = *e->outcome;
	if (m->state == MOVE_SETTLING || m->state < MOVE_ORDERED)
		move_finish(m, &m->guest_end);
}

static void on_node_down(struct move *m, const struct move_event_data *e)
{
	(void)e;
	if (m->state == MOVE_SETTLING)
		move_fail(m, MOSIX_WHY_NODE_GONE, NULL);
	else
		move_finish(m, &m->node->outcome);
}

/* ---- the table ---- */

typedef void handler(struct move *m, const struct move_event_data *e);

static handler *const table[MOVE_STATES][EVENTS] = {
	[MOVE_WAITING] = {
		[EV_NODE_UP]     = move_resolve,
		[EV_NODE_DOWN]   = move_resolve,
	},
	[MOVE_CHECKING] = {
		[EV_CHECKED]     = on_checked,
	},
	[MOVE_OFFERING] = {
		[EV_NEED]        = on_need,
		[EV_DRAINED]     = on_drained,
		[EV_ACCEPT]      = on_accept,
		[EV_REFUSE]      = on_refuse,
		[EV_GUEST_ENDED] = on_guest_ended,
		[EV_NODE_DOWN]   = on_node_down,
	},
	[MOVE_LINKING] = {
		[EV_CONNECTED]   = on_connected,
		[EV_LINKED]      = on_linked,
		[EV_REFUSE]      = on_refuse,
		[EV_GUEST_ENDED] = on_guest_ended,
		[EV_NODE_DOWN]   = on_node_down,
	},
	[MOVE_LOOKING] = {
		[EV_STACKED]     = snapshot_part,
		[EV_REFUSE]      = on_refuse,
		[EV_HOME]        = on_home,
		[EV_LOST]        = on_lost,
		[EV_NODE_DOWN]   = on_node_down,
	},
	[MOVE_SIGNALLED] = {
		[EV_HERE]        = on_here,
		[EV_HOME]        = on_home,
		[EV_LOST]        = on_lost,
		[EV_REFUSE]      = on_refuse,
		[EV_GUEST_ENDED] = on_guest_ended,
		[EV_NODE_DOWN]   = on_node_down,
	},
	[MOVE_ORDERED] = {
		[EV_HERE]        = on_here_again,
		[EV_MOVED]       = on_moved,
		[EV_REFUSED]     = on_refused,
		[EV_HOME]        = on_home,
		[EV_LOST]        = on_lost,
		[EV_CUT]         = on_cut,
		[EV_STACK]       = snapshot_word,
		[EV_GUEST_ENDED] = on_guest_ended,
	},
	[MOVE_SETTLING] = {
		[EV_GUEST_ENDED] = on_guest_ended,
		[EV_NODE_DOWN]   = on_node_down,
	},
	[MOVE_ASKING] = {
		[EV_HERE]        = on_here_again,
		[EV_HOME]        = on_home,
		[EV_LOST]        = on_lost,
	},
};

bool move_event(struct move *m, enum move_event event, const struct move_event_data *e)
{
	static const struct move_event_data nothing;
	handler *h = table[m->state][event];

	if (!h)
		return false;
	h(m, e ? e : &nothing);
	return true;
}

/* ---- the end ---- */

void move_fail(struct move *m, uint32_t reason, const char *more)
{
	struct outcome out;

	outcome_set(&out, reason, 0, "%s", more ? more : "");
	move_finish(m, &out);
}

/* Why did it not answer the signal? */
static void explain_silence(struct move *m, struct outcome *out)
{
	struct proc_status st;
	uint64_t bit = 1ull << (MOSIX_SIGNAL - 1);

	outcome_set(out, MOSIX_WHY_NO_ANSWER, 0, NULL);
	if (proc_read_status(m->process->pid, &st) < 0)
		return;
	if (st.tracer)
		outcome_set(out, MOSIX_WHY_TRACED, 0, NULL);
	else if (st.state == 'T' || st.state == 't')
		outcome_set(out, MOSIX_WHY_STOPPED, 0, NULL);
	else if (!m->rung && (!(st.caught & bit) || (st.blocked & bit)))
		outcome_set(out, MOSIX_WHY_BLOCKED, 0, NULL);
	else if (st.state == 'D')
		outcome_set(out, MOSIX_WHY_SYSTEM_CALL, 0, NULL);
}

static void on_deadline(uv_timer_t *timer)
{
	struct move *m = timer->data;
	struct outcome out;

	switch (m->state) {
	case MOVE_SIGNALLED:
		explain_silence(m, &out);
		move_finish(m, &out);
		break;
	case MOVE_SETTLING:
		move_finish(m, &m->refusal);
		break;
	case MOVE_ORDERED:
		if (m->kind == MOVE_STACK) {
			move_fail(m, MOSIX_WHY_TIMED_OUT, NULL);
			break;
		}
		/* Only the process knows whether it has committed: tell those who wait, and wait for its word. */
		m->overdue = true;
		outcome_set(&out, MOSIX_WHY_TIMED_OUT, 0, NULL);
		move_tell(m, &out);
		break;
	default:
		move_fail(m, states[m->state].reason, NULL);
	}
}
