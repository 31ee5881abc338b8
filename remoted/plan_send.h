/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hands a checked plan to the loader, in the form that plan.h describes. The bulk (filter, manifest: up to a megabyte)
 * goes into a sealed memfd, so that what crosses the socket is a few bytes and the descriptors: it always fits the
 * socket's buffer, and the caller neither blocks nor has a half-sent state to drive.
 */
#ifndef MOSIX_REMOTED_PLAN_SEND_H
#define MOSIX_REMOTED_PLAN_SEND_H

#include <stdbool.h>
#include <linux/filter.h>
#include <mosix/plan.h>

/*
 * socket is remoted's end of the loader socket (SOCK_STREAM). plan: gate_secret, filter_length, files, manifest_size and channels
 * filled in by the caller, the rest is set here. manifest: manifest_size bytes. fds: plan->channels channels by their numbers,
 * then plan->files file descriptors in the offer's order, -1 for one that no mapping needs; nfds is the sum of both. All stay the
 * caller's; close the channels afterwards. Does not block. 0 or -errno: -ETOOMANYREFS when RLIMIT_NOFILE here is below the
 * descriptors in flight. On failure close the socket: the loader then ends.
 */
int plan_send(int socket, const struct mosix_plan *plan, const struct sock_filter *filter, const void *manifest,
	      const int *fds, unsigned nfds);

/*
 * When the socket becomes readable: 0 and *ret_done = true (the guest has left the loader and runs), or *ret_done = false and
 * *ret_failure filled in; -EAGAIN when nothing is there yet; -ECONNRESET when the loader was killed without a word.
 * Does not block.
 * Failures before the jump come here, with CAGE_ENDED (status 1) about the same time.
 */
int plan_answer(int socket, bool *ret_done, struct mosix_plan_failure *ret_failure);

#endif
