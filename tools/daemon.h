/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting homed and remoted. */
#ifndef MOSIX_DAEMON_H
#define MOSIX_DAEMON_H

#include <stddef.h>

#define DAEMON_TEXT 1024

/*
 * Starts the program at argv[0] with these arguments and --foreground --ready-fd N behind them, and waits until it says that it
 * is ready, at most timeout_ms. It becomes nobody's child, in a session and a clean environment of its own (working directory /,
 * default signals, no descriptor but the standard three and the ready one, libmosix not preloaded); its standard error goes to
 * log_path. Returns 0; -ETIMEDOUT; -ECHILD: it ended instead; or another -errno. On failure ret_text says why (the last line of
 * its log if there is one).
 */
int daemon_start(char *const argv[], const char *log_path, int timeout_ms, char ret_text[static DAEMON_TEXT]);

/* homed as mosrun wants it: one per user, with the configuration found by itself. Safe against others who do the same. */
int daemon_start_homed(char ret_text[static DAEMON_TEXT]);

/* A lock on the runtime directory, held while daemons are started or stopped; closing *ret_fd gives it back. 0 or -errno. */
int daemon_lock(int *ret_fd);

/* LD_PRELOAD without libmosix, for programs that must not be opted in. */
void daemon_clean_preload(void);

#endif
