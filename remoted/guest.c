/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remoted/guest.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gnutls/gnutls.h>

#include "common/log.h"
#include "common/reason.h"
#include "common/step.h"
#include "remoted/child.h"
#include "remoted/filter.h"
#include "remoted/landing.h"
#include "remoted/node.h"
#include "remoted/offer.h"
#include "remoted/visitor.h"

/* How long each state may last (0: as long as it wants) and what is said when it lasts longer. */
static const struct {
	const char *name;
	uint32_t patience_ms;
	enum mosix_why why;
	const char *text;
} guest_states[GUEST_STATES] = {
	[GUEST_OFFERING] = { "offering",     0, MOSIX_WHY_NONE,       NULL },
	[GUEST_NEEDING]  = { "needing",  60000, MOSIX_WHY_TIMED_OUT,  "home stopped sending the contents of files" },
	[GUEST_SPAWNING] = { "spawning",  5000, MOSIX_WHY_PID_TAKEN,  NULL },
	[GUEST_ACCEPTED] = { "accepted", 15000, MOSIX_WHY_NO_CHANNEL, "its channels did not come" },
	[GUEST_LINKED]   = { "linked",   60000, MOSIX_WHY_TIMED_OUT,  "no image came on the page channel" },
	[GUEST_AWAITED]  = { "awaited",      0, MOSIX_WHY_NONE,       NULL },
	[GUEST_PLANNED]  = { "planned",      0, MOSIX_WHY_NONE,       NULL },
	[GUEST_RUNNING]  = { "running",      0, MOSIX_WHY_NONE,       NULL },
	[GUEST_DYING]    = { "dying",        0, MOSIX_WHY_NONE,       NULL },
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void ring(void *data)
{
	struct guest *g = data;

	if (g->state == GUEST_OFFERING)
		offer_look(g);
	else if (g->state == GUEST_LINKED && landing_continue(g))
		return;
	else if (guest_states[g->state].text)
		guest_fail(g, guest_states[g->state].why, 0, "%s", guest_states[g->state].text);
	else
		guest_fail(g, guest_states[g->state].why, 0, NULL);
}

void guest_enter(struct guest *g, enum guest_state state)
{
	log_debug("guest %u/%u of %s: %s -> %s", g->pid, g->epoch, g->home->name, guest_states[g->state].name,
		  guest_states[state].name);
	g->state = state;
	if (guest_states[state].patience_ms)
		alarm_set(g->alarm, guest_states[state].patience_ms);
	else
		alarm_off(g->alarm);
	step_pass("remoted.", guest_states[state].name);
}

/* ---- life ---- */

struct guest *guest_new(struct home *home, struct visitor *visitor, uint32_t pid, uint32_t epoch)
{
	struct guest *g = calloc(1, sizeof *g);

	if (!g)
		return NULL;
	g->alarm = alarm_new(home->node->loop, ring, g);
	if (!g->alarm) {
		free(g);
		return NULL;
	}
	g->home = home;
	g->visitor = visitor;
	g->pid = pid;
	g->epoch = epoch;
	g->loader = g->control = -1;
	LIST_INSERT_HEAD(&home->guests, g, link);
	return g;
}

void guest_begin(struct guest *g)
{
	step_pass("remoted.", "offering");
	alarm_set(g->alarm, 0);
}

int guest_await_channels(struct guest *g, uint32_t count)
{
	g->channels = malloc(count * sizeof *g->channels);
	if (!g->channels)
		return -ENOMEM;
	g->channel_count = count;
	for (uint32_t i = 0; i < count; i++)
		g->channels[i] = -1;
	return 0;
}

void guest_close_channels(struct guest *g)
{
	for (uint32_t i = 0; i < g->channel_count; i++)
		close_fd(&g->channels[i]);
	free(g->channels);
	g->channels = NULL;
	g->channel_count = g->linked = 0;
}

/* Everything but the record: what a dying guest has no use for. */
static void release(struct guest *g)
{
	watch_end(&g->watch);
	close_fd(&g->loader);
	close_fd(&g->control);
	guest_close_channels(g);
	for (uint32_t i = 0; i < g->file_count; i++) {
		if (g->files[i].file)
			cache_drop(g->home->node->cache, g->files[i].file);
		cache_fill_abort(g->files[i].fill);
		free(g->files[i].path);
	}
	free(g->files);
	free(g->filter);
	free(g->manifest);
	g->files = NULL;
	g->file_count = 0;
	g->filter = NULL;
	g->manifest = NULL;
}

void guest_free(struct guest *g)
{
	release(g);
	alarm_end(&g->alarm);
	LIST_REMOVE(g, link);
	explicit_bzero(g->token, sizeof g->token);
	free(g);
}

struct guest *guest_find(struct node *node, const char *name, uint32_t pid, uint32_t epoch)
{
	struct home *home;
	struct guest *g;

	LIST_FOREACH(home, &node->homes, link)
		if (strcmp(home->name, name) == 0)
			LIST_FOREACH(g, &home->guests, link)
				if (g->pid == pid && g->epoch == epoch)
					return g;
	return NULL;
}

void guest_fail(struct guest *g, enum mosix_why reason, int64_t detail, const char *format, ...)
{
	struct home *home = g->home;
	enum guest_state was = g->state;
	va_list args;

	if (was == GUEST_DYING)
		return;
	g->reason = reason;
	g->detail = detail;
	snprintf(g->text, sizeof g->text, "%s", reason_sentence(reason));
	if (format) {
		va_start(args, format);
		vsnprintf(g->text, sizeof g->text, format, args);
		va_end(args);
	}
	log_info("guest %u/%u of %s given up while %s: %s", g->pid, g->epoch, home->name, guest_states[was].name, g->text);
	if (was < GUEST_ACCEPTED || (g->parent_pid && was <= GUEST_AWAITED)) {
		visitor_refuse(g->visitor, g->id, g->reason, g->detail, g->text);
		g->refused = true;
	}
	g->visitor = NULL;
	guest_enter(g, GUEST_DYING);
	release(g);
	if (g->process == GUEST_NO_PROCESS)
		guest_free(g);
	else if (g->process == GUEST_ALIVE && home->cage)
		cage_signal(home->cage, g->pid, g->epoch, SIGKILL);
	home_changed(home);
}

/* ---- the process ---- */

/* Random, page aligned because it travels as an offset, and never 0. */
static int make_secret(uint64_t *ret_secret)
{
	uint64_t secret;

	do {
		if (getrandom(&secret, sizeof secret, 0) != sizeof secret)
			return -EIO;
		secret &= MOSIX_TASK_SIZE;
	} while (secret == 0);
	*ret_secret = secret;
	return 0;
}

static bool pid_is_free(const struct guest *g)
{
	const struct guest *other;

	LIST_FOREACH(other, &g->home->guests, link)
		if (other != g && other->pid == g->pid && other->process != GUEST_NO_PROCESS)
			return false;
	return true;
}

void guest_spawn(struct guest *g)
{
	int pair[2], r;

	if (g->state != GUEST_SPAWNING)
		guest_enter(g, GUEST_SPAWNING);
	if (!pid_is_free(g))
		return;		/* home_changed() tries again when that one has gone */
	r = home_enclose(g->home);
	if (r < 0) {
		guest_fail(g, MOSIX_WHY_NO_CAGE, -r, "%s: %s", reason_sentence(MOSIX_WHY_NO_CAGE), strerror(-r));
		return;
	}
	/* Now, because it takes milliseconds, and the process is not frozen yet. */
	if (!g->filter && (make_secret(&g->secret) < 0 || filter_build(g->secret, &g->filter, &g->filter_length) < 0)) {
		guest_fail(g, MOSIX_WHY_NO_CAGE, 0, "its system call filter cannot be built");
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		guest_fail(g, MOSIX_WHY_NO_CAGE, errno, "no socket for its loader: %s", strerror(errno));
		return;
	}
	r = cage_spawn(g->home->cage, g->pid, g->epoch, g->mono_offset, g->boot_offset, g->stack, pair[1]);
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		if (r != -EAGAIN)	/* that one is tried again at the cage's next event */
			guest_fail(g, MOSIX_WHY_NO_CAGE, -r, "the cage does not take it: %s", strerror(-r));
		return;
	}
	g->loader = pair[0];
	g->process = GUEST_ASKED_FOR;
}

void guest_spawned(struct guest *g)
{
	struct msg m;

	g->process = GUEST_ALIVE;
	if (g->state != GUEST_SPAWNING) {	/* given up meanwhile */
		cage_signal(g->home->cage, g->pid, g->epoch, SIGKILL);
		return;
	}
	guest_enter(g, GUEST_ACCEPTED);
	msg_begin(&m, "accept");
	msg_add_uint(&m, "id", g->id);
	visitor_send(g->visitor, &m);
}

void guest_not_spawned(struct guest *g, int error)
{
	bool taken = error == -EEXIST;
	struct home *home = g->home;

	g->process = GUEST_NO_PROCESS;
	if (g->state == GUEST_DYING)
		guest_free(g);
	else
		guest_fail(g, taken ? MOSIX_WHY_PID_TAKEN : MOSIX_WHY_NO_CAGE, -error, taken ? NULL : "it cannot be started: %s",
			   strerror(-error));
	home_changed(home);
}

void guest_ended(struct guest *g, int status)
{
	struct home *home = g->home;

	step_pass("remoted.", "home_ended");
	/* The end of a guest that ran is no failure: its status says all. */
	if (g->state == GUEST_PLANNED && !landing_result(g))
		log_info("guest %u/%u of %s was not built: %s", g->pid, g->epoch, home->name, g->text);
	if (g->state == GUEST_ACCEPTED || g->state == GUEST_LINKED) {
		g->reason = MOSIX_WHY_LOADER;
		snprintf(g->text, sizeof g->text, "its process ended before it was built");
	}
	if (!g->refused)
		home_tell_ended(home, g->pid, g->epoch, status, g->reason, g->detail, g->text);
	guest_free(g);
	home_changed(home);
}

/* ---- the channels ---- */

static struct guest *awaited(struct node *node, const struct mosix_channel_hello *hello)
{
	struct guest *g, *found = NULL;
	struct home *home;

	/* Each token is compared whole and none is skipped: how long it takes says nothing about any of them. */
	LIST_FOREACH(home, &node->homes, link)
		LIST_FOREACH(g, &home->guests, link) {
			bool same = gnutls_memcmp(g->token, hello->token, MOSIX_TOKEN_SIZE) == 0;

			if (same && g->state == GUEST_ACCEPTED && g->pid == hello->pid)
				found = g;
		}
	return found;
}

/* A link that is cut without a word is noticed within a minute, by the guest too, which has these sockets later. */
static void tune(int fd)
{
	const int on = 1, idle = 20, interval = 5, probes = 6;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

bool guest_link(struct node *node, int fd, const struct mosix_channel_hello *hello)
{
	struct msg m;

	if (hello->magic != MOSIX_HELLO_MAGIC || hello->version != MOSIX_PROTOCOL)
		return false;

	struct guest *g = awaited(node, hello);

	if (!g || hello->channel >= g->channel_count || g->channels[hello->channel] >= 0)
		return false;
	tune(fd);
	g->channels[hello->channel] = fd;
	if (++g->linked < g->channel_count)
		return true;
	explicit_bzero(g->token, sizeof g->token);
	if (g->parent_pid) {
		child_linked(g);
		return true;
	}
	msg_begin(&m, "linked");
	msg_add_uint(&m, "id", g->id);
	visitor_send(g->visitor, &m);
	g->visitor = NULL;
	guest_enter(g, GUEST_LINKED);
	landing_start(g);
	return true;
}
