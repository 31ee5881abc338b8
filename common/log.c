/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

static const char *const level_name[] = {
	[LOG_LEVEL_ERROR]   = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO]    = "info",
	[LOG_LEVEL_DEBUG]   = "debug",
};

static const char *log_name = "mosix";
static int log_fd = STDERR_FILENO;
static enum log_level log_limit = LOG_LEVEL_INFO;

int log_level_parse(const char *word, enum log_level *ret_level)
{
	for (size_t i = 0; i < sizeof(level_name) / sizeof(level_name[0]); i++)
		if (!strcmp(word, level_name[i])) {
			*ret_level = i;
			return 0;
		}
	return -EINVAL;
}

void log_set_level(enum log_level level)
{
	log_limit = level;
}

int log_open(const char *name, const char *path)
{
	const char *word = getenv("MOSIX_LOG");
	int fd = STDERR_FILENO;

	if (path) {
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return -errno;
	}
	if (log_fd != STDERR_FILENO)
		close(log_fd);
	log_fd = fd;
	log_name = name;
	if (word)
		log_level_parse(word, &log_limit);
	return 0;
}

/* One write(2) a line, so that lines of several processes in one file never mix. */
void log_write(enum log_level level, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	struct timespec now;
	struct tm day;
	size_t length, begin;
	va_list ap;
	int n;

	if (level > log_limit)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &day);
	length = strftime(line, sizeof(line), "%F %T", &day);
	n = snprintf(line + length, sizeof(line) - length, ".%03ld %s[%d] %s: ", now.tv_nsec / 1000000, log_name, getpid(),
		     level_name[level]);
	length += n > 0 ? (size_t)n : 0;
	begin = length;
	va_start(ap, format);
	n = vsnprintf(line + length, sizeof(line) - length, format, ap);
	va_end(ap);
	length += n > 0 ? (size_t)n : 0;
	if (length > sizeof(line) - 1)
		length = sizeof(line) - 1;
	/* Names and texts of other machines are in here: they begin no lines of their own and speak to no terminal. */
	for (; begin < length; begin++)
		if ((unsigned char)line[begin] < ' ' || line[begin] == 0x7f)
			line[begin] = '?';
	line[length++] = '\n';
	if (write(log_fd, line, length) < 0)
		return;		/* a log that cannot be written has nowhere to say so */
}
