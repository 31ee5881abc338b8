/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One guest, from the offer until its process is gone. The states follow each other; guest_states[] in guest.c says for
 * each how long it may last and what its end means.
 *
 *   offering  its files are looked up, one in a turn of the loop
 *   needing   home sends contents of files
 *   spawning  the cage starts the process (after an earlier guest of that pid has gone)
 *   accepted  the process waits for its plan, the door for its channels
 *   linked    channels are there; home freezes the process; its manifest is read from the page channel
 *   awaited   it is to be a child of another guest, which has its channels (child.h)
 *   planned   the loader has everything and builds
 *   running   it computes
 *   dying     it was killed, or must be as soon as it exists; its end is reported when the cage says so
 */
#ifndef MOSIX_REMOTED_GUEST_H
#define MOSIX_REMOTED_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <linux/filter.h>
#include <mosix/manifest.h>
#include <mosix/order.h>
#include <mosix/reason.h>
#include <mosix/wire.h>

#include "remoted/cache.h"
#include "remoted/cage.h"
#include "remoted/home.h"

enum guest_state { GUEST_OFFERING, GUEST_NEEDING, GUEST_SPAWNING, GUEST_ACCEPTED, GUEST_LINKED, GUEST_AWAITED,
		   GUEST_PLANNED, GUEST_RUNNING, GUEST_DYING, GUEST_STATES };

enum guest_process { GUEST_NO_PROCESS, GUEST_ASKED_FOR, GUEST_ALIVE };

struct guest_file {
	char *path;
	uint64_t size;
	uint8_t digest[DIGEST_SIZE];
	struct cache_file *file;	/* NULL until the content is here */
	struct cache_fill *fill;	/* being sent */
};

struct guest {
	LIST_ENTRY(guest) link;
	struct home *home;
	struct visitor *visitor;	/* whose offer it is; NULL once linked, or when that session is gone */
	enum guest_state state;
	enum guest_process process;
	bool refused;			/* home has its answer and does not know this guest */
	uint64_t id;			/* of the offer */
	uint32_t pid, epoch;
	uint8_t token[MOSIX_TOKEN_SIZE];
	uint64_t bytes;			/* expected resident size */
	uint64_t stack;
	int64_t mono_offset, boot_offset;	/* home's clocks minus this machine's, at the offer */
	struct alarm *alarm;		/* the state's deadline, or the next step */

	struct guest_file *files;
	uint32_t file_count;
	uint32_t looked;		/* files looked up so far */
	uint32_t missing;		/* files that home has to send, or is sending */

	uint64_t secret;
	struct sock_filter *filter;
	uint32_t filter_length;
	int loader;			/* this end of the loader's socket, which is the guest's link later; -1 none */
	uint32_t parent_pid, parent_epoch;	/* of a child of another guest; else 0 */
	int control;			/* of such a child, until its doorbell hangs; -1 none */
	int *channels;			/* by number; -1 until they come */
	uint32_t channel_count, linked;	/* that were offered, that have come */
	struct watch *watch;		/* on the page channel while linked, on the loader while planned */

	struct mosix_manifest *manifest;
	size_t manifest_size, manifest_got;
	bool settling;			/* all is read, but its clocks would step back */

	enum mosix_why reason;		/* why it is dying */
	int64_t detail;
	char text[HOME_TEXT_MAX];
};

/*
 * A new guest in state offering; the caller fills in what the offer says and calls guest_begin(). NULL: no memory.
 */
struct guest *guest_new(struct home *home, struct visitor *visitor, uint32_t pid, uint32_t epoch);
void guest_begin(struct guest *guest);

/* NULL when there is none. Among all homes of that node: messages name no user, pids of a node are one set. */
struct guest *guest_find(struct node *node, const char *home, uint32_t pid, uint32_t epoch);

void guest_enter(struct guest *guest, enum guest_state state);

/*
 * Gives the guest up: refuses it if it was not accepted yet, else kills it and reports when it is gone. format may be NULL.
 * The guest may be freed: do not touch it afterwards.
 */
void guest_fail(struct guest *guest, enum mosix_why reason, int64_t detail, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* All contents are here: ask the cage for the process, if its pid is free. */
void guest_spawn(struct guest *guest);

/* What the cage says; ended frees the guest. */
void guest_spawned(struct guest *guest);
void guest_not_spawned(struct guest *guest, int error);
void guest_ended(struct guest *guest, int status);

/* Makes room for that many channels: 0 or -ENOMEM. Then: closes those that have come, and awaits none. */
int guest_await_channels(struct guest *guest, uint32_t count);
void guest_close_channels(struct guest *guest);

/* A channel with this hello has come to the door. Takes over fd and returns true if it is awaited, else false. */
bool guest_link(struct node *node, int fd, const struct mosix_channel_hello *hello);

/* Frees the record and all it holds. */
void guest_free(struct guest *guest);

#endif
