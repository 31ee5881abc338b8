/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mosctl stack: asks homed for a snapshot of a process's stacks and prints them with the names of functions. */
#ifndef MOSIX_TOOLS_STACK_H
#define MOSIX_TOOLS_STACK_H

#include <stdint.h>
#include "ask.h"

/* Prints on stdout. 0, or -errno and a sentence in ret_text. */
int stack_show(uint32_t pid, int timeout_ms, char ret_text[static ASK_TEXT]);

#endif
