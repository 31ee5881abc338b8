/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remoted/landing.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mosix/plan.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/reason.h"
#include "common/step.h"
#include "remoted/guest.h"
#include "remoted/node.h"
#include "remoted/plan_send.h"

/* Home's clocks are ahead by as long as the offer was on its way: more than this was not its way. */
#define CLOCK_WAIT_MOST_NS 5000000000ll

static void read_manifest(void *data);

void landing_start(struct guest *g)
{
	g->manifest_size = sizeof *g->manifest;
	g->manifest_got = 0;
	g->manifest = malloc(g->manifest_size);
	g->watch = watch_new(g->home->node->loop, g->channels[MOSIX_CHANNEL_PAGE], read_manifest, g);
	if (!g->manifest || !g->watch)
		guest_fail(g, MOSIX_WHY_NO_MEMORY, 0, NULL);
}

/* ---- handing over ---- */

static enum mosix_why explain(const struct mosix_plan_failure *f, char text[HOME_TEXT_MAX])
{
	enum mosix_why reason = f->reason ? (enum mosix_why)f->reason : MOSIX_WHY_LOADER;
	int error = f->error < 0 && f->error > INT_MIN ? -f->error : f->error;

	if (f->detail)
		snprintf(text, HOME_TEXT_MAX, "%s: %s at %#" PRIx64, reason_sentence(reason), strerror(error), f->detail);
	else
		snprintf(text, HOME_TEXT_MAX, "%s: %s", reason_sentence(reason), strerror(error));
	return reason;
}

static void hear_loader(void *data)
{
	struct guest *g = data;
	struct mosix_plan_failure failure;
	char text[HOME_TEXT_MAX];
	bool done;
	int r = plan_answer(g->loader, &done, &failure);

	if (r == -EAGAIN)
		return;
	if (r < 0) {
		guest_fail(g, MOSIX_WHY_LOADER, -r, "the loader died: %s", strerror(-r));
	} else if (!done) {
		enum mosix_why reason = explain(&failure, text);

		guest_fail(g, reason, failure.error, "%s", text);
	} else {
		watch_end(&g->watch);	/* the socket stays: it is the guest's link */
		guest_enter(g, GUEST_RUNNING);
	}
}

bool landing_result(struct guest *g)
{
	struct mosix_plan_failure failure;
	bool done = false;
	int r = plan_answer(g->loader, &done, &failure);

	if (r == 0 && !done) {
		g->reason = explain(&failure, g->text);
		g->detail = failure.error;
	} else if (r < 0) {
		g->reason = MOSIX_WHY_LOADER;
		snprintf(g->text, sizeof g->text, "the loader died");
	}
	return done;
}

static int send_plan(struct guest *g)
{
	struct mosix_plan plan = {
		.magic = MOSIX_PLAN_MAGIC, .gate_secret = g->secret, .filter_length = g->filter_length,
		.files = g->file_count, .manifest_size = g->manifest_size, .channels = g->channel_count,
		.step = step_of("loader.") | step_of("guest."),
	};
	const struct mosix_mapping *mapping = manifest_mappings(g->manifest);
	const uint32_t channels = g->channel_count, nfds = channels + g->file_count;
	int *fds = malloc(nfds * sizeof *fds);

	if (!fds)
		return -ENOMEM;
	for (uint32_t i = 0; i < channels; i++) {
		int flags = fcntl(g->channels[i], F_GETFL);

		/* The loop wants its descriptors non-blocking, guest and loader want theirs to block; it is one flag for both. */
		fcntl(g->channels[i], F_SETFL, flags & ~O_NONBLOCK);
		fds[i] = g->channels[i];
	}
	for (uint32_t i = 0; i < g->file_count; i++)
		fds[channels + i] = -1;
	for (uint32_t i = 0; i < g->manifest->mappings; i++)
		if (mapping[i].file != MOSIX_NO_FILE)
			fds[channels + mapping[i].file] = cache_fd(g->files[mapping[i].file].file);
	int r = plan_send(g->loader, &plan, g->filter, g->manifest, fds, nfds);

	free(fds);
	return r;
}

static void hand_over(struct guest *g)
{
	watch_end(&g->watch);
	int r = send_plan(g);

	if (r < 0) {
		guest_fail(g, MOSIX_WHY_LOADER, -r, "the loader does not take its plan: %s", strerror(-r));
		return;
	}
	/* The guest's end of a channel must be the only one: its end of file is what home goes by. */
	guest_close_channels(g);
	free(g->manifest);
	g->manifest = NULL;
	guest_enter(g, GUEST_PLANNED);
	g->watch = watch_new(g->home->node->loop, g->loader, hear_loader, g);
	if (!g->watch)
		guest_fail(g, MOSIX_WHY_NO_MEMORY, 0, NULL);
}

/* ---- the clocks ---- */

/* home_ns and offset are the other machine's word: their difference may be anything, also more than 64 bits hold. */
static int64_t behind(clockid_t clock, int64_t offset, uint64_t home_ns)
{
	__int128 ns = (__int128)home_ns - offset - (__int128)clock_ns(clock);

	return ns > INT64_MAX ? INT64_MAX : ns < INT64_MIN ? INT64_MIN : (int64_t)ns;
}

/*
 * The guest's clocks lag behind home's by as long as the offer took to be read. Normally the image takes longer than that, but
 * if it does not, the guest has to wait: its clocks must have passed what the program read last at home.
 */
static int64_t clocks_behind(const struct guest *g)
{
	int64_t mono = behind(CLOCK_MONOTONIC, g->mono_offset, g->manifest->monotonic_ns);
	int64_t boot = behind(CLOCK_BOOTTIME, g->boot_offset, g->manifest->boottime_ns);

	return mono > boot ? mono : boot;
}

static void settle_clocks(struct guest *g)
{
	int64_t ns = clocks_behind(g);

	if (ns > CLOCK_WAIT_MOST_NS) {
		guest_fail(g, MOSIX_WHY_BAD_IMAGE, ns, "its last reading of a clock lies in the future");
	} else if (ns > 0) {
		g->settling = true;
		watch_end(&g->watch);
		alarm_set(g->alarm, (uint64_t)ns / 1000000 + 1);
	} else {
		hand_over(g);
	}
}

bool landing_continue(struct guest *g)
{
	if (!g->settling)
		return false;
	settle_clocks(g);
	return true;
}

/* ---- the manifest ---- */

/* What manifest_check() cannot know: what was offered. */
static const char *contradiction(const struct guest *g)
{
	const struct mosix_mapping *mapping = manifest_mappings(g->manifest);

	if (g->manifest->pid != g->pid || g->manifest->epoch != g->epoch)
		return "it is the image of another process";
	for (uint32_t i = 0; i < g->manifest->threads; i++)
		if (manifest_thread(g->manifest, i)->channel >= g->channel_count)
			return "a thread has a channel that was not offered";
	for (uint32_t i = 0; i < g->manifest->mappings; i++)
		if (mapping[i].file != MOSIX_NO_FILE && mapping[i].file >= g->file_count)
			return "a mapping has a file that was not offered";
	return NULL;
}

static void whole(struct guest *g)
{
	uint64_t available = machine_available();
	const char *why = NULL;
	int r = manifest_check(g->manifest, g->manifest_size - sizeof *g->manifest, &why);

	if (r == 0)
		why = contradiction(g);
	if (why)
		guest_fail(g, MOSIX_WHY_BAD_IMAGE, 0, "the image is malformed: %s", why);
	else if (available > 0 && g->manifest->pages > available / MOSIX_PAGE)
		guest_fail(g, MOSIX_WHY_NO_MEMORY, (int64_t)g->manifest->pages, NULL);
	else
		settle_clocks(g);
}

/* The head says how long the tail is: capped first, allocated then. */
static int make_room_for_tail(struct guest *g)
{
	struct mosix_manifest *m = g->manifest;

	if (m->magic != MOSIX_MANIFEST_MAGIC || m->mappings > MOSIX_MAPPINGS_MAX || m->xsave_size > MOSIX_XSAVE_MAX ||
	    m->threads == 0 || m->threads > MOSIX_THREADS_MAX)
		return -EINVAL;
	m = realloc(m, sizeof *m + manifest_tail(m));
	if (!m)
		return -ENOMEM;
	g->manifest = m;
	g->manifest_size = sizeof *m + manifest_tail(m);
	return 0;
}

static void read_manifest(void *data)
{
	struct guest *g = data;
	ssize_t n = recv(g->channels[MOSIX_CHANNEL_PAGE], (char *)g->manifest + g->manifest_got,
			 g->manifest_size - g->manifest_got, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		guest_fail(g, MOSIX_WHY_CUT, n < 0 ? errno : 0, "the page channel ended before the image was whole");
		return;
	}
	g->manifest_got += (size_t)n;
	if (g->manifest_got < g->manifest_size)
		return;
	if (g->manifest_got == sizeof *g->manifest) {
		int r = make_room_for_tail(g);

		if (r < 0) {
			guest_fail(g, r == -ENOMEM ? MOSIX_WHY_NO_MEMORY : MOSIX_WHY_BAD_IMAGE, 0, NULL);
			return;
		}
	}
	if (g->manifest_got == g->manifest_size) {
		step_pass("remoted.", "manifest");
		whole(g);
	}
}
