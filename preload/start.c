/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What happens before main(). Without a trusted runtime directory and a homed that listens in it: 1 to 3 system calls, and
 * the wrappers stay out of the way. With one: newfstatat, socket, connect, getrandom, getpid, what core_start() needs, four
 * rt_sigaction, rt_sigprocmask, sendto, close. A child of fork: getpid, getrandom, socket, connect, sendto, close. Children of
 * vfork and posix_spawn are left alone.
 */
#define _GNU_SOURCE
#include "altstack.h"
#include "enroll.h"
#include "syscall.h"
#include "urgent.h"
#include "vdso.h"
#include <mosix/step.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

int wrap_on;

/* glibc's since 2.35. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

/* The linker's: first and last byte of this library. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

/* The debug point that the environment names, if any. */
static uint32_t step_find(void)
{
	static const char names[][24] = {
#define STEP(who, name, way, copy, what) #who "." #name,
#include <mosix/step.def>
#undef STEP
	};
	const char *wanted = getenv(MOSIX_STEP_VARIABLE);

	for (uint32_t i = 0; wanted && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(wanted, names[i]))
			return i + 1;
	return MOSIX_STEP_NONE;
}

static void learn(struct core_config *config)
{
	memset(config, 0, sizeof(*config));
	config->secret = enroll_secret();
	memcpy(config->orders_path, enroll_orders(), sizeof(config->orders_path));
	config->library_start = (uintptr_t)__ehdr_start;
	config->library_end = ((uintptr_t)_end + 4095) & ~4095ull;
	vdso_learn(&config->vdso_start, &config->vdso_end, config->vdso);
	config->records_offset = (const char *)&mosix_records - (const char *)__builtin_thread_pointer();
	config->own_offset = (const char *)&mosix_own - (const char *)__builtin_thread_pointer();
	if (&__rseq_offset && &__rseq_size) {
		config->rseq_offset = __rseq_offset;
		config->rseq_size = __rseq_size;
	}
	config->step = step_find();
}

static void after_fork(void)
{
	uint64_t secret;
	int fd;

	if (!wrap_on)
		return;
	wrap_on = (int)wrap_raw_(SYS_getpid, 0);
	mosix_own.pending = 0;	/* pending signals are not inherited, nor is CPU time */
	mosix_own.away_ns = 0;
	altstack_forked();
	if (core_is_guest())	/* its deputy has done the rest */
		return;
	secret = enroll_secret();
	core_forked(secret);
	fd = enroll_connect();
	if (fd >= 0)
		enroll_send(fd, (uint32_t)wrap_on, secret, core_arena());
}

/* A mask inherited across execve may block SIGURG: the kernel's must not, the program's view keeps it. */
static void unblock(void)
{
	uint64_t urgent = 1ull << (SIGURG - 1), before = 0;

	if (wrap_raw_(SYS_rt_sigprocmask, SIG_UNBLOCK, &urgent, &before, 8) == 0)
		mosix_own.blocked = (before & urgent) != 0;
}

__attribute__((constructor(101))) static void start(void)
{
	struct core_config config;
	int saved = errno, fd;

	if (getauxval(AT_SECURE))
		return;
	wrap_resolve_all();
	syscall_learn(wrap_reals.syscall, (const void *)&getauxval);
	if (enroll_find((uint32_t)getauxval(AT_EUID)) == 0) {
		fd = enroll_connect();
		if (fd >= 0) {
			learn(&config);
			if (core_start(&config) == 0 && pthread_atfork(NULL, NULL, after_fork) == 0) {
				urgent_learn();
				unblock();
				wrap_on = (int)wrap_raw_(SYS_getpid, 0);
				enroll_send(fd, (uint32_t)wrap_on, config.secret, core_arena());
			} else {
				wrap_raw_(SYS_close, fd);
			}
			memset(&config.secret, 0, sizeof(config.secret));
		}
	}
	errno = saved;
}
