/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of the test of the wrappers share. */
#ifndef TEST_WRAP_H
#define TEST_WRAP_H

#include "../../preload/urgent.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <threads.h>

extern int failures;
extern struct core_urgent urgent;	/* of the core in test_wrap.c */

#define EXPECT(condition, ...) do { \
	if (!(condition)) { \
		failures++; \
		printf("not ok %s:%d %s: ", __func__, __LINE__, #condition); \
		printf(__VA_ARGS__); \
		printf("\n"); \
	} } while (0)

/* Both sets of functions: the names of reals.def and those that have no entry there. */
#define MORE(X) \
	X(int, semop, (int, struct sembuf *, size_t)) \
	X(int, nanosleep, (const struct timespec *, struct timespec *)) \
	X(int, usleep, (useconds_t)) \
	X(unsigned int, sleep, (unsigned int)) \
	X(int, thrd_sleep, (const struct timespec *, struct timespec *)) \
	X(int, sigwaitinfo, (const sigset_t *, siginfo_t *)) \
	X(int, sigwait, (const sigset_t *, int *)) \
	X(int, sigblock, (int)) \
	X(int, sigsetmask, (int)) \
	X(int, siggetmask, (void)) \
	X(int, __xpg_sigpause, (int)) \
	X(wrap_handler, bsd_signal, (int, wrap_handler))

struct api {
	struct wrap_reals r;
#define X(result, name, parameters) result (*name) parameters;
	MORE(X)
#undef X
};

extern struct api libc_api, wrap_api;

void find_apis(void);
void all_same(void);	/* test_wrap_same.c */
void records(void);	/* test_wrap_record.c */

/* test_wrap_moves.c: the process is moved at chosen moments. */
extern int guest;
void moves(void);
void moved(ucontext_t *context);	/* the migration signal of the core in test_wrap.c */
#define MOVE_VALUE 4711

extern struct mosix_sigaction core_action;

#endif
