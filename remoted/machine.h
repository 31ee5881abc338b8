/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What this machine has, and what it lacks to take guests. */
#ifndef MOSIX_REMOTED_MACHINE_H
#define MOSIX_REMOTED_MACHINE_H

#include <stdint.h>

#include "common/cpu.h"

struct machine {
	uint32_t cpus;			/* this process may run on */
	uint64_t mem_total;		/* bytes */
	uint32_t pid_max;
	uint32_t descriptors;		/* remoted and each guest may have (RLIMIT_NOFILE) */
	struct cpu_features features;
	char lacks[256];		/* why no guest can live here, without a full stop; "" if nothing stands against it */
};

/* Looks once, at start-up, before other threads exist: makes a cage for a try. Takes milliseconds. */
void machine_look(struct machine *ret_machine);

/* Bytes the kernel thinks can be had without swapping (MemAvailable). 0 if it does not say. */
uint64_t machine_available(void);

/* Descriptors that this process has open. */
uint32_t machine_descriptors(void);

/* Tasks that run or want to, without the asking one. */
uint32_t machine_runnable(void);

#endif
