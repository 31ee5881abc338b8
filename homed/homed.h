/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What belongs to homed as a whole: made by main, read by everybody. All of homed runs in the loop's thread, but for the
   work that check.c and files.c do in libuv's pool on data of their own. */
#ifndef HOMED_HOMED_H
#define HOMED_HOMED_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "common/conf.h"
#include "common/cpu.h"
#include "common/digest.h"
#include "common/key.h"

struct book;
struct control;
struct ending;
struct nodes;
struct orders;
struct past;
struct places;
struct processes;
struct registrar;
struct relays;
struct stops;

struct homed {
	uv_loop_t *loop;
	struct conf conf;
	struct key key;
	struct cpu_features cpu;
	struct digest_cache *digests;
	struct book *book;
	struct processes *processes;
	struct past *past;
	struct places *places;
	struct nodes *nodes;
	struct relays *relays;
	struct registrar *registrar;
	struct orders *orders;
	struct stops *stops;
	struct control *control;
	struct ending *ending;
	uint64_t started_ms;	/* uv_now() */
	uint64_t moves;		/* since then, of all processes, homecomings included */
	bool blocked;		/* takes no orders to send processes away */
	bool stopping;		/* nothing begins any more */
};

#endif
