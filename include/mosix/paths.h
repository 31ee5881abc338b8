/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the parts find each other. The runtime directory is, in this order: $MOSIX_RUNTIME_DIR; $XDG_RUNTIME_DIR/mosix;
 * /tmp/mosix-UID. It is made 0700 by whoever comes first, and used only if it belongs to the user and nobody else may
 * write it.
 */
#ifndef MOSIX_PATHS_H
#define MOSIX_PATHS_H

#define MOSIX_PATH_REGISTER "register"	/* SOCK_DGRAM, libmosix to homed (order.h) */
#define MOSIX_PATH_ORDERS   "orders"	/* SOCK_SEQPACKET, core to homed (order.h) */
#define MOSIX_PATH_CONTROL  "control"	/* SOCK_STREAM, tools to homed (msgpack) */
#define MOSIX_PATH_BOOK     "book"	/* homed's register, so that it survives homed: pid, start time, secret, where */

#endif
