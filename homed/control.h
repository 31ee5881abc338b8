/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control socket: one request of a tool, one answer, and the connection is closed. The requests: requests table in
   control.c. */
#ifndef HOMED_CONTROL_H
#define HOMED_CONTROL_H

#include "homed/homed.h"

/* 0 or -errno. */
int control_start(struct homed *homed, struct control **ret_control);

#endif
