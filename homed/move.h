/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One move from the inside: shared by moves.c (states), offer.c (talk with the node) and truth.c (where a process is). */
#ifndef HOMED_MOVE_H
#define HOMED_MOVE_H

#include <mosix/order.h>
#include <mosix/wire.h>
#include "homed/channels.h"
#include "homed/files.h"
#include "homed/moves.h"
#include "homed/nodes.h"
#include "homed/process.h"

enum move_kind {
	MOVE_LEAVE,		/* home to a node */
	MOVE_HOME,		/* a node to home, and from there to `then` if that is set */
	MOVE_ASK,		/* nowhere: where is it? */
	MOVE_STACK,		/* nowhere: what are its stacks? */
};

enum move_state {
	MOVE_IDLE,
	MOVE_WAITING,		/* for the first session with the node */
	MOVE_CHECKING,		/* /proc is looked at, files are hashed */
	MOVE_OFFERING,		/* the node has the offer, maybe wants files */
	MOVE_LINKING,		/* the channels are being opened */
	MOVE_LOOKING,		/* the node takes a snapshot of the guest */
	MOVE_SIGNALLED,		/* the process has been rung and will connect */
	MOVE_ORDERED,		/* it has its orders */
	MOVE_SETTLING,		/* it refused; the node may know better why */
	MOVE_ASKING,		/* its connection broke: rung again to learn where it is */
	MOVE_DONE,
	MOVE_STATES,
};

struct check_job;

struct move {
	LIST_ENTRY(move) list;
	struct homed *homed;
	struct process *process;
	enum move_kind kind;
	enum move_state state;
	enum move_by by;
	char target[CONF_NAME], then[CONF_NAME];
	struct node *node;		/* of LEAVE; of STACK while it is asked */
	uint32_t epoch;
	uint64_t started_ms;
	struct check_job *job;
	uint64_t rss;

	/* the offer */
	uint64_t id;
	bool offered;			/* the node may have a guest for us */
	unsigned retries, passed;	/* of the offer; of orders that met the process at a moment that passes */
	uint8_t token[MOSIX_TOKEN_SIZE];
	struct files files;
	uint32_t *need;			/* indices of files whose content the node wants */
	uint32_t needs, next;
	int content;			/* descriptor of files.file[need[next]], -1 none */
	uint64_t offset;

	unsigned channel_count;		/* as offered */
	struct channels *channels;
	bool connected, linked;
	bool rung;			/* the signal could be sent once at least */
	struct order_link *link;
	bool overdue;			/* nobody waits for it any more, but it is not over */
	struct outcome refusal;		/* of SETTLING */
	struct outcome guest_end;	/* what the node said about the end of the guest */
	uint8_t *snapshot;		/* of STACK, as far as it has come */
	size_t snapshot_size;

	uv_timer_t deadline, ring;
	unsigned handles;
	struct move_waiter *waiter;
};

/* ---- offer.c ---- */

/* A number that no message to a node has had. */
uint64_t offer_next_id(void);
/* Sends the offer with a new epoch, id and token. 0 or -errno. */
int offer_send(struct move *m);
/* The node wants these: takes the list. -EPROTO: it makes no sense. */
int offer_take_needs(struct move *m, const msgpack_object *map);
/* Sends as much of the wanted content as the session takes. 1: something was sent; 0: nothing; or -errno. */
int offer_pump(struct move *m);
/* The guest is not wanted (any more). */
void offer_cancel(struct node *node, pid_t pid, uint32_t epoch);
/* The node's list of wanted files and what belongs to it; offer_free() also frees the list of the offer itself. */
void offer_free_needs(struct move *m);
void offer_free(struct move *m);

/* ---- truth.c ---- */

/* A word corrects what homed believes about the place of a process. */
void truth_here(struct process *p, const struct mosix_word *word);
void truth_moved(struct process *p, const char *node, const struct mosix_word *word);
void truth_home(struct process *p, const struct mosix_word *word);
void truth_lost(struct process *p, const struct mosix_word *word);

/* The outcome that a word's reason and detail make. */
void truth_outcome(const struct mosix_word *word, struct outcome *ret_outcome);

/* ---- ring.c ---- */

/* Queues the migration signal. 0; -EAGAIN: blocked now; -ENOTCONN: not caught; -ESRCH. */
int ring_process(const struct process *p);

#endif
