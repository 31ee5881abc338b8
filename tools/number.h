/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers on the command line. */
#ifndef MOSIX_NUMBER_H
#define MOSIX_NUMBER_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

/* Decimal digits and nothing else, within the range. 0 or -EINVAL. */
static inline int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number)
{
	unsigned long long number;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || *end || number < min || number > max)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

#endif
