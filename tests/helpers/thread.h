/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the helpers with threads share, on top of check.h. */
#ifndef TESTS_HELPERS_THREAD_H
#define TESTS_HELPERS_THREAD_H

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

/* Asks the kernel: nothing that the library remembers. */
__attribute__((unused)) static pid_t thread_tid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

/* With a stack of so many bytes, 0 for the default. A test without its threads is no test: ends the program if it fails. */
__attribute__((unused)) static pthread_t thread_start(void *(*run)(void *), void *argument, size_t stack)
{
	pthread_t thread;
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	if (stack != 0)
		check(pthread_attr_setstacksize(&attributes, stack) == 0, "a stack of %zu bytes", stack);
	int error = pthread_create(&thread, &attributes, run, argument);
	pthread_attr_destroy(&attributes);
	if (!check(error == 0, "pthread_create: %s", strerror(error)))
		exit(check_result());
	return thread;
}

__attribute__((unused)) static void *thread_end(pthread_t thread)
{
	void *result = NULL;
	int error = pthread_join(thread, &result);
	check(error == 0, "pthread_join: %s", strerror(error));
	return result;
}

__attribute__((unused)) static struct timespec thread_span(int64_t nanoseconds)
{
	return (struct timespec){ nanoseconds / 1000000000, nanoseconds % 1000000000 };
}

/* The point of time so many milliseconds from now. */
__attribute__((unused)) static struct timespec thread_after(clockid_t clock, int milliseconds)
{
	return thread_span(check_now(clock) + milliseconds * INT64_C(1000000));
}

/* Computes until *value has at least reached; gives up, with a WRONG line, after 20 seconds. */
__attribute__((unused)) static bool thread_reached(const atomic_int *value, int reached, const char *what)
{
	for (int64_t until = check_now(CLOCK_MONOTONIC) + INT64_C(20000000000); atomic_load(value) < reached;) {
		if (!check(check_now(CLOCK_MONOTONIC) < until, "%s: %d instead of %d", what, atomic_load(value), reached))
			return false;
		check_work(1, 10000);
	}
	return true;
}

#endif
