/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tools print: JSON made of homed's answers, and tables. */
#ifndef MOSIX_SHOW_H
#define MOSIX_SHOW_H

#include <stdint.h>
#include <msgpack.h>

/*
 * Prints a map without its "t" and "id", or, when key is not NULL, the value of that key, as JSON with a newline behind it.
 * Returns 0, or -ENOENT when there is no such key, -ENOMEM.
 */
int show_json(const msgpack_object *map, const char *key);

/* A table of texts, columns as wide as their widest cell, two blanks between. Bit n of `right`: column n holds numbers. */
struct show_table;
struct show_table *show_table_new(unsigned columns, const char *const titles[], unsigned right);
/* The next cell, row by row from the left; the text is copied. */
void show_table_add(struct show_table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints and frees. */
void show_table_end(struct show_table *table);

/* " (clone)" for the system call that homed's answer has under "call", "" if it has none. */
const char *show_call(const msgpack_object *map, char ret_text[static 40]);

/* "512K", "17M", "2.5G": at most 5 characters. */
const char *show_bytes(uint64_t bytes, char ret_text[static 16]);

/* "0:07", "12:31", "3:02:11". */
const char *show_time(uint64_t ms, char ret_text[static 24]);

/* Nothing in text that came from elsewhere may control the terminal: such characters become '?'. In place. */
void show_clean(char *text);

#endif
