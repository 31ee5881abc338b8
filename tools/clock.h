/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time for deadlines. */
#ifndef MOSIX_CLOCK_H
#define MOSIX_CLOCK_H

#include <time.h>

static inline long clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

#endif
