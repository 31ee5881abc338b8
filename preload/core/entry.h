/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What entry.S offers to the core; contracts stand there. */
#ifndef MOSIX_CORE_ENTRY_H
#define MOSIX_CORE_ENTRY_H

#include <stdint.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)	/* their addresses are taken: never through the GOT */

void core_restorer(void);
__attribute__((noreturn)) void core_sigreturn(void *ucontext);
void core_call_on(void *top, void (*f)(void *), void *argument);
__attribute__((noreturn)) void core_guest_entry(void);

struct clone_args;
long core_clone(struct clone_args *args, size_t size, void (*f)(void *), void *argument);
__attribute__((noreturn)) void core_thread_exit(uint32_t *slot, int status);

long deputy_window(uint64_t nr, const uint64_t arg[6], const uint32_t *stop);
extern const char deputy_window_begin[], deputy_window_call[], deputy_window_end[], deputy_window_abort[];

int core_guarded_copy(void *dst, const void *src, size_t size);
int core_guarded_touch(void *address);
uint64_t core_fs_base(void);
extern const char core_fix_copy[], core_fix_touch[], core_fix_fs_base[], core_fix_landing[];

#pragma GCC visibility pop

#endif
