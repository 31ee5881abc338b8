/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A new thread has its maker's signal mask; what the program believes of SIGURG in it is ours to hand on. */
#define _GNU_SOURCE
#include "urgent.h"
#include <pthread.h>
#include <stdlib.h>

struct beginning { void *(*routine)(void *); void *argument; int held; };

static void *begin(void *argument)
{
	struct beginning b = *(struct beginning *)argument;

	free(argument);
	urgent_block(1);
	if (b.held)
		urgent_release();
	return b.routine(b.argument);
}

WRAP_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*routine)(void *), void *argument)
{
	struct beginning *b;
	int error, held;

	if (!urgent_ours() || core_is_guest() || !mosix_own.blocked)
		return REAL_OF(pthread_create)(thread, attr, routine, argument);
	b = malloc(sizeof(*b));
	if (!b)
		return EAGAIN;
	/* Until it has begun it must not take one that its maker blocks. */
	held = urgent_hold();
	*b = (struct beginning){ routine, argument, held };
	error = REAL_OF(pthread_create)(thread, attr, begin, b);
	if (held)
		urgent_release();
	if (error)
		free(b);
	return error;
}
