/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The runtime directory (include/mosix/paths.h) and what daemons leave in it. */
#ifndef MOSIX_RUNTIME_H
#define MOSIX_RUNTIME_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Finds the runtime directory, makes it (0700) if it is not there, and verifies that it is a directory of this user that
 * nobody else may write. 0, or -errno: -ENAMETOOLONG, -ENOTDIR, -EPERM (somebody else's, or writable by others).
 */
int runtime_directory(char *ret_path, size_t size);

/* The same with "/name" appended; -ENAMETOOLONG also when it does not fit a unix socket's address (108 bytes). */
int runtime_path(const char *name, char *ret_path, size_t size);

/*
 * Takes NAME.pid for this process: it holds "pid start-time" and stays locked as long as *ret_fd is open, so that a second
 * daemon of the same name is told -EBUSY. The file is removed by runtime_pid_drop().
 */
int runtime_pid_hold(const char *name, int *ret_fd);
void runtime_pid_drop(const char *name, int fd);

/*
 * Reads NAME.pid and verifies that the process it names still is the one that wrote it. On success *ret_pidfd refers to it
 * (close-on-exec, the caller closes it). -ENOENT: no file; -ESRCH: that process is gone; -EINVAL: the file is no pid file.
 */
int runtime_pid_find(const char *name, pid_t *ret_pid, int *ret_pidfd);

/* A listening unix socket of this type (SOCK_… with flags) at NAME, 0600, replacing what a dead daemon left. */
int runtime_listen(const char *name, int type, int *ret_fd);

/* A socket connected to NAME. */
int runtime_connect(const char *name, int type, int *ret_fd);

#endif
