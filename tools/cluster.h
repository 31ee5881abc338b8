/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A cluster on this machine: node n1 is the home, n2 … nN lend to it, each on a loopback address of its own. */
#ifndef MOSIX_CLUSTER_H
#define MOSIX_CLUSTER_H

#include <stdint.h>

#define CLUSTER_MAX  64
#define CLUSTER_TEXT 1024

/*
 * Makes key and mosix.conf in the runtime directory, starts homed and nodes - 1 remoted, and returns when all sessions are up.
 * What a dead cluster has left is cleared away; if one runs, it is -EEXIST. churn_ms: 0, or the mean time between forced random
 * moves. Returns 0, with a sentence in ret_text if a node takes no guests, else ""; or -errno with a sentence in ret_text; then
 * nothing is left running.
 */
int cluster_up(unsigned nodes, uint32_t churn_ms, char ret_text[static CLUSTER_TEXT]);

/*
 * Brings the processes that are away home, ends every daemon of the runtime directory (only processes that still are the ones
 * that wrote the pid files) and removes all their files. Nothing running is no failure. Returns 0, or -errno with a sentence in
 * ret_text; when only bringing home failed, it returns 0 and ret_text says so.
 */
int cluster_down(char ret_text[static CLUSTER_TEXT]);

#endif
