/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the warden's files share: building the cage from inside (warden_enclose.c) and starting a guest (warden_spawn.c). */
#ifndef MOSIX_REMOTED_WARDEN_PARTS_H
#define MOSIX_REMOTED_WARDEN_PARTS_H

#include "warden.h"

/* All close-on-exec, none below WARDEN_FD_FIRST: guests get theirs there. */
struct warden {
	int socket;	/* to remoted */
	int loader;
	int proc;	/* the outer /proc, O_PATH */
	int offsets;	/* timens_offsets of the warden, opened while it had CAP_SYS_TIME */
};

enum { WARDEN_FD_FIRST = 16 };

/* Turns the process into the first one of a cage. w->socket and w->loader are set; all other descriptors are closed. 0, or -errno
   and the step that failed. */
int warden_enclose(struct warden *w, const char *home, uint32_t uid, uint32_t gid, enum warden_step *ret_step);

/* Reduces what is permitted and effective to these capabilities: 0 or -errno. What is inheritable is CAP_CHECKPOINT_RESTORE. */
int warden_keep(uint64_t capabilities);

/* Starts a guest; returns when it executes the loader: 0 or -errno. loader_socket stays open here. */
int warden_spawn(const struct warden *w, const struct warden_request *q, int loader_socket);

#endif
