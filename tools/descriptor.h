/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors and strings that close or free themselves at the end of their block. */
#ifndef MOSIX_DESCRIPTOR_H
#define MOSIX_DESCRIPTOR_H

#include <stdlib.h>
#include <unistd.h>

static inline void descriptor_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void pointer_free(void *pointer)
{
	free(*(void **)pointer);
}

#define CLOSE_AUTO __attribute__((cleanup(descriptor_close)))
#define FREE_AUTO  __attribute__((cleanup(pointer_free)))

#endif
