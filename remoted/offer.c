/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remoted/offer.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/cpu.h"
#include "common/log.h"
#include "common/reason.h"
#include "remoted/guest.h"
#include "remoted/node.h"
#include "remoted/visitor.h"

#define MEBI           (UINT64_C(1) << 20)
#define RESERVE_MOST   (256 * MEBI)	/* of memory, for the node itself; or a sixteenth, if that is less */
#define CONTENT_MOST   (256u << 10)

/* An offer as read; everything points into the message. */
struct offer {
	uint64_t id, mono, boot, bytes, stack;
	uint32_t pid, epoch, uid, channels;
	const uint8_t *token;
	char comm[64];
	struct cpu_features cpu;
	char kernel[CLOCK_KERNEL_SIZE];
	int64_t mono_ahead, boot_ahead;	/* if measured */
	bool measured;
	const msgpack_object *files;
	uint32_t file_count;
};

static int get_fixed(const msgpack_object *map, const char *key, size_t size, const void **ret_data)
{
	const void *data;
	size_t got;

	if (msg_get_bin(map, key, &data, &got) < 0 || got != size)
		return -EPROTO;
	*ret_data = data;
	return 0;
}

static int read_offer(const msgpack_object *map, struct offer *ret_offer)
{
	struct offer o = { .file_count = 0 };
	const void *token, *cpu;

	if (msg_get_uint(map, "id", &o.id) < 0 || msg_get_u32(map, "pid", &o.pid) < 0 ||
	    msg_get_u32(map, "epoch", &o.epoch) < 0 || msg_get_u32(map, "uid", &o.uid) < 0 ||
	    msg_get_str(map, "comm", o.comm, sizeof o.comm) < 0 || msg_get_uint(map, "mono", &o.mono) < 0 ||
	    msg_get_uint(map, "boot", &o.boot) < 0 || msg_get_uint(map, "bytes", &o.bytes) < 0 ||
	    msg_get_uint(map, "stack", &o.stack) < 0 || msg_get_u32(map, "channels", &o.channels) < 0 ||
	    get_fixed(map, "token", MOSIX_TOKEN_SIZE, &token) < 0 ||
	    get_fixed(map, "cpu", sizeof o.cpu, &cpu) < 0 || msg_get_array(map, "files", &o.files, &o.file_count) < 0 ||
	    o.channels < MOSIX_CHANNELS || o.file_count > MOSIX_ORDER_FILES || o.mono > INT64_MAX || o.boot > INT64_MAX)
		return -EPROTO;
	if (msg_get_str(map, "kernel", o.kernel, sizeof o.kernel) < 0)
		o.kernel[0] = 0;
	o.measured = msg_get_int(map, "mono_ahead", &o.mono_ahead) == 0 && msg_get_int(map, "boot_ahead", &o.boot_ahead) == 0;
	o.token = token;
	memcpy(&o.cpu, cpu, sizeof o.cpu);
	*ret_offer = o;
	return 0;
}

/* ---- what speaks against it: 0, or a reason with detail and text ---- */

struct refusal {
	enum mosix_why reason;
	int64_t detail;
	char text[HOME_TEXT_MAX];
};

static void refuse_incapable(const struct node *node, const struct offer *o, struct refusal *ret)
{
	(void)o;
	if (!node->machine.lacks[0])
		return;
	ret->reason = MOSIX_WHY_NO_CAGE;
	snprintf(ret->text, sizeof ret->text, "%s: %.200s", reason_sentence(ret->reason), node->machine.lacks);
}

static void refuse_blocked(const struct node *node, const struct offer *o, struct refusal *ret)
{
	(void)o;
	if (node_blocked(node))
		ret->reason = MOSIX_WHY_REFUSED;
}

static void refuse_pid(const struct node *node, const struct offer *o, struct refusal *ret)
{
	/* 1 is the warden, and the kernel's own first choices in a new pid namespace follow it. */
	if (o->pid < 2) {
		ret->reason = MOSIX_WHY_PID_TAKEN;
	} else if (o->pid >= node->machine.pid_max) {
		ret->reason = MOSIX_WHY_PID_RANGE;
		ret->detail = node->machine.pid_max;
	}
}

static void refuse_cpu(const struct node *node, const struct offer *o, struct refusal *ret)
{
	const char *feature = "a version of the list of features";
	int r = cpu_lacks(&o->cpu, &node->machine.features, &feature);

	if (r == 0)
		return;
	ret->reason = MOSIX_WHY_CPU_LACKS;
	snprintf(ret->text, sizeof ret->text, "%s: %s", reason_sentence(ret->reason), feature);
}

static void refuse_memory(const struct node *node, const struct offer *o, struct refusal *ret)
{
	uint64_t reserve = node->machine.mem_total / 16;
	uint64_t available = machine_available(), taken = node_promised(node);

	taken += reserve < RESERVE_MOST ? reserve : RESERVE_MOST;
	uint64_t left = available > taken ? available - taken : 0;

	if (available == 0 || o->bytes <= left)
		return;
	ret->reason = MOSIX_WHY_NO_MEMORY;
	ret->detail = (int64_t)(left / MEBI);
	snprintf(ret->text, sizeof ret->text, "%s: it needs %" PRIu64 " MiB, %" PRIu64 " MiB are left",
		 reason_sentence(ret->reason), (o->bytes + MEBI - 1) / MEBI, left / MEBI);
}

static void refuse_channels(const struct node *node, const struct offer *o, struct refusal *ret)
{
	uint64_t guest = cage_descriptors(o->channels, o->file_count), most = node->machine.descriptors;

	if (o->channels > MOSIX_CHANNELS_MAX) {
		most = MOSIX_CHANNELS_MAX;
		snprintf(ret->text, sizeof ret->text, "%s: it needs %u, guests have %u at most",
			 reason_sentence(MOSIX_WHY_NO_CHANNEL), o->channels, (unsigned)MOSIX_CHANNELS_MAX);
	} else if (guest > most || !node_has_descriptors(node, o->channels)) {
		snprintf(ret->text, sizeof ret->text, "%s: for its %u channels the node has too few descriptors (RLIMIT_NOFILE "
			 "is %" PRIu64 ")", reason_sentence(MOSIX_WHY_NO_CHANNEL), o->channels, most);
	} else {
		return;
	}
	ret->reason = MOSIX_WHY_NO_CHANNEL;
	ret->detail = (int64_t)most;
}

static void (*const objections[])(const struct node *node, const struct offer *o, struct refusal *ret) = {
	refuse_incapable, refuse_blocked, refuse_pid, refuse_cpu, refuse_memory, refuse_channels,
};

/* ---- taking it ---- */

static int read_files(struct guest *g, const struct offer *o)
{
	char path[PATH_MAX];

	g->files = calloc(o->file_count ? o->file_count : 1, sizeof *g->files);
	if (!g->files)
		return -ENOMEM;
	g->file_count = o->file_count;
	for (uint32_t i = 0; i < o->file_count; i++) {
		const msgpack_object *item = o->files[i].via.array.ptr;
		struct guest_file *f = &g->files[i];
		const void *digest;
		size_t size;

		if (o->files[i].type != MSGPACK_OBJECT_ARRAY || o->files[i].via.array.size < 3 ||
		    msg_item_str(&item[0], path, sizeof path) < 0 || msg_item_uint(&item[1], &f->size) < 0 ||
		    msg_item_bin(&item[2], &digest, &size) < 0 || size != DIGEST_SIZE || f->size > INT64_MAX)
			return -EPROTO;
		memcpy(f->digest, digest, DIGEST_SIZE);
		f->path = strdup(path);
		if (!f->path)
			return -ENOMEM;
	}
	return 0;
}

/*
 * What to add to this machine's clock for a guest. On home's own kernel it is nothing (unless a container has its clocks
 * shifted); else home has measured it; a home that could not yet gets a clock that is ahead for certain.
 */
static int64_t clock_offset(clockid_t clock, uint64_t home_ns, const struct offer *o, int64_t measured)
{
	const int64_t near = 1000000000, certain = 5000000;
	int64_t plain = (int64_t)(home_ns - clock_ns(clock));
	char kernel[CLOCK_KERNEL_SIZE];

	clock_kernel(kernel);
	if (kernel[0] && !strcmp(kernel, o->kernel) && plain > -near && plain < near)
		return 0;
	return o->measured ? measured : plain + certain;
}

/* An earlier move of the process that got no further than here is off, or home would not offer it anew. One that runs is left
   alone: if it has gone home it ends by itself, and only home may say that it is to be killed. */
static void revoke_earlier(struct home *home, const struct guest *g)
{
	struct guest *other;

	do {
		LIST_FOREACH(other, &home->guests, link)
			if (other != g && other->pid == g->pid && other->state < GUEST_RUNNING)
				break;
		if (other)
			guest_fail(other, MOSIX_WHY_REVOKED, 0, NULL);
	} while (other);
}

static int take(struct visitor *v, const struct offer *o)
{
	struct home *home;
	struct guest *g = NULL;
	int r = home_get(v->node, v->name, o->uid, v, &home);

	if (r == 0) {
		g = guest_new(home, v, o->pid, o->epoch);
		r = g ? guest_await_channels(g, o->channels) : -ENOMEM;
		if (r == 0)
			r = read_files(g, o);
	}
	if (r == -ENOMEM)
		visitor_refuse(v, o->id, MOSIX_WHY_NO_MEMORY, 0, reason_sentence(MOSIX_WHY_NO_MEMORY));
	if (r < 0) {
		if (g)
			guest_free(g);
		return r == -ENOMEM ? 0 : r;
	}
	g->id = o->id;
	memcpy(g->token, o->token, MOSIX_TOKEN_SIZE);
	g->bytes = o->bytes;
	g->stack = o->stack;
	g->mono_offset = clock_offset(CLOCK_MONOTONIC, o->mono, o, o->mono_ahead);
	g->boot_offset = clock_offset(CLOCK_BOOTTIME, o->boot, o, o->boot_ahead);
	revoke_earlier(home, g);
	log_info("%s offers %u/%u (%s), %" PRIu64 " MiB, %u files, %u channels", v->name, g->pid, g->epoch, o->comm,
		 g->bytes / MEBI, g->file_count, g->channel_count);
	guest_begin(g);
	return 0;
}

int offer_take(struct visitor *v, const msgpack_object *map)
{
	struct refusal no = { .reason = MOSIX_WHY_NONE };
	struct offer o;
	int r = read_offer(map, &o);

	if (r < 0)
		return r;
	if (guest_find(v->node, v->name, o.pid, o.epoch))
		no.reason = MOSIX_WHY_BUSY;
	for (unsigned i = 0; i < sizeof objections / sizeof objections[0] && no.reason == MOSIX_WHY_NONE; i++)
		objections[i](v->node, &o, &no);
	if (no.reason == MOSIX_WHY_NONE)
		return take(v, &o);
	if (!no.text[0])
		snprintf(no.text, sizeof no.text, "%s", reason_sentence(no.reason));
	log_info("%s offers %u/%u (%s): refused, %s", v->name, o.pid, o.epoch, o.comm, no.text);
	visitor_refuse(v, o.id, no.reason, no.detail, no.text);
	return 0;
}

/* ---- its files ---- */

static void ask(struct guest *g)
{
	struct msg m;

	msg_begin(&m, "need");
	msg_add_uint(&m, "id", g->id);
	msg_open_array(&m, "files");
	for (uint32_t i = 0; i < g->file_count; i++)
		if (!g->files[i].file)
			msg_add_uint(&m, NULL, i);
	msg_close(&m);
	visitor_send(g->visitor, &m);
	guest_enter(g, GUEST_NEEDING);
}

void offer_look(struct guest *g)
{
	if (g->looked < g->file_count) {
		struct guest_file *f = &g->files[g->looked++];

		if (cache_find(g->home->node->cache, f->path, f->size, f->digest, &f->file) < 0)
			g->missing++;
		guest_begin(g);
	} else if (g->missing > 0) {
		ask(g);
	} else {
		guest_spawn(g);
	}
}

static struct guest *needing(struct visitor *v, uint64_t id)
{
	struct home *home;
	struct guest *g;

	LIST_FOREACH(home, &v->node->homes, link)
		LIST_FOREACH(g, &home->guests, link)
			if (g->visitor == v && g->id == id && g->state == GUEST_NEEDING)
				return g;
	return NULL;
}

/* 0, or -errno that ends the guest. */
static int add_piece(struct guest *g, struct guest_file *f, uint64_t offset, const void *data, size_t size, bool last)
{
	int r = 0;

	if (!f->fill)
		r = cache_fill_begin(g->home->node->cache, f->size, f->digest, &f->fill);
	if (r == 0)
		r = cache_fill_add(f->fill, offset, data, size);
	if (r < 0 || !last)
		return r;
	r = cache_fill_end(f->fill, &f->file);
	f->fill = NULL;
	if (r == 0)
		g->missing--;
	return r;
}

int offer_content(struct visitor *v, const msgpack_object *map)
{
	uint64_t id, offset;
	uint32_t index;
	const void *data;
	size_t size;
	bool last;

	if (msg_get_uint(map, "id", &id) < 0 || msg_get_u32(map, "file", &index) < 0 || msg_get_uint(map, "off", &offset) < 0 ||
	    msg_get_bin(map, "data", &data, &size) < 0 || msg_get_bool(map, "last", &last) < 0 || size > CONTENT_MOST)
		return -EPROTO;

	struct guest *g = needing(v, id);

	if (!g)
		return 0;	/* refused meanwhile */
	if (index >= g->file_count || g->files[index].file)
		return -EPROTO;

	int r = add_piece(g, &g->files[index], offset, data, size, last);

	if (r == -ENOSPC || r == -ENOMEM)
		guest_fail(g, MOSIX_WHY_NO_MEMORY, 0, "there is no room for the contents of its files");
	else if (r < 0)
		guest_fail(g, MOSIX_WHY_BAD_IMAGE, -r, "the content of %.200s is not what it was said to be",
			   g->files[index].path);
	else if (g->missing == 0)
		guest_spawn(g);
	else
		guest_enter(g, GUEST_NEEDING);	/* its patience begins anew */
	return 0;
}
