/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "gather.h"

int gather_copy(struct gather *gather, const struct iovec *list, long count)
{
	if (count <= 0)
		return -EINVAL;
	if (count > GATHER_MAX)
		return -E2BIG;
	if (!wrap_readable(list, (size_t)count * sizeof(*list)))
		return -EFAULT;
	gather->bytes = 0;
	for (long i = 0; i < count; i++) {
		gather->list[i] = list[i];
		gather->bytes += list[i].iov_len;
	}
	return 0;
}
