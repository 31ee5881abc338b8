/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The connections of a move, from homed to the door of a node, each announced by its hello: a few are opened at a time. They are
 * plain TCP where the network is trusted or does not leave this machine; else each runs through a relay (common/relay.h).
 */
#ifndef HOMED_CHANNELS_H
#define HOMED_CHANNELS_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <mosix/wire.h>
#include "homed/homed.h"

struct channels;

/*
 * How many a process with so many threads gets: one for each thread's calls and some more for threads to come, and the other
 * two. MOSIX_CHANNELS … MOSIX_CHANNELS_MAX.
 */
unsigned channels_needed(uint32_t threads);

/*
 * Connects `count` of them, MOSIX_CHANNELS … MOSIX_CHANNELS_MAX. done() comes once, from the loop: 0 when all stand and their
 * hellos are on the way, else -errno; it may call channels_close(). Returns 0 or -errno (then done() is not called).
 */
int channels_open(struct homed *homed, const struct sockaddr *peer, pid_t pid, const uint8_t token[MOSIX_TOKEN_SIZE],
		  unsigned count, void (*done)(void *data, int error), void *data, struct channels **ret_channels);

/* The descriptors by the channels' numbers: blocking mode, still owned by the object. Returns how many. */
unsigned channels_descriptors(const struct channels *c, int ret_fd[MOSIX_CHANNELS_MAX]);

/* Whether they run through this process, and would end with it. */
bool channels_relayed(const struct channels *c);

/* Closes this side's descriptors and frees; done() will not be called any more. NULL is allowed. */
void channels_close(struct channels *c);

#endif
