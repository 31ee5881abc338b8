/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One line a message, to standard error or to a file: "time name[pid] level: text". For the main side of daemons and tools;
 * library code returns errors instead. Any thread.
 */
#ifndef MOSIX_LOG_H
#define MOSIX_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/*
 * Sets the name that lines carry (kept, not copied) and where they go: path NULL is standard error, else the file is appended
 * to (0600). $MOSIX_LOG (error, warning, info, debug) sets the level; without it, info. Returns 0 or -errno; on failure lines
 * go where they went before.
 */
int log_open(const char *name, const char *path);

void log_set_level(enum log_level level);

/* 0, or -EINVAL when the word names no level. */
int log_level_parse(const char *word, enum log_level *ret_level);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
