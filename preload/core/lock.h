/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for each other within the core: futexes of the arena. With all the program's signals closed. */
#ifndef MOSIX_CORE_LOCK_H
#define MOSIX_CORE_LOCK_H

#include <stdint.h>

/* A mutex is a word that begins as 0. Not recursive. */
void core_lock(uint32_t *word);
void core_unlock(uint32_t *word);

/* Waits while *word is value, at most until CLOCK_MONOTONIC has reached until (0: for ever). May return early. */
void core_wait(uint32_t *word, uint32_t value, uint64_t until);

/* Stores or adds and wakes all who wait for the word. */
void core_set(uint32_t *word, uint32_t value);
void core_add(uint32_t *word, uint32_t n);

static inline uint32_t core_get(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }

#endif
