/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A cancellable raw system call.
 *
 * select, pselect and ppoll of glibc hand the kernel a copy of the time-out on their own stack, where a move could not
 * shorten it. So their wrappers make the system call themselves, as glibc does it: a plain call while there is one thread
 * (after acting on a cancellation the thread has asked of itself), else with asynchronous cancellation for the length of
 * the call. Unwinding passes through wrappers: they are compiled with unwind tables and hold nothing that needs undoing.
 */
#define _GNU_SOURCE
#include "wrap.h"
#include <sys/single_threaded.h>

long wrap_cancellable(long nr, long a, long b, long c, long d, long e, long f)
{
	int old;
	long result;

	if (__libc_single_threaded) {
		pthread_testcancel();
		result = wrap_raw(nr, a, b, c, d, e, f);
	} else {
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
		result = wrap_raw(nr, a, b, c, d, e, f);
		pthread_setcanceltype(old, &old);
	}
	if (result < 0) {
		errno = (int)-result;
		return -1;
	}
	return result;
}
