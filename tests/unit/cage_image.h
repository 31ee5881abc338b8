/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of cage and loader share: a hand-made image, whose guest (cage_guest.c) tells what it sees, and its way into a
 * cage. They run as any user who may have namespaces; the loader is found by $MOSIX_LOADER or beside the program. Whatever
 * fails, fails the test.
 */
#ifndef MOSIX_TESTS_CAGE_IMAGE_H
#define MOSIX_TESTS_CAGE_IMAGE_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mosix/manifest.h>
#include <mosix/plan.h>
#include "cage_guest.h"
#include "remoted/cage.h"
#include "test_cage.h"

#define OFFSET 1000	/* seconds by which the guest's monotonic clock is ahead */
enum { PID = CAGE_PID, EPOCH = 3, XSAVE = 576, PATIENCE_MS = 10000, PAGES = 2048, THREADS = 3 };

struct image {
	struct mosix_manifest m;
	uint8_t xsave[XSAVE];
	union {
		struct mosix_thread thread;
		uint8_t bytes[MOSIX_THREAD_SIZE + XSAVE];
	} more[THREADS - 1];
	struct mosix_mapping mapping[16];
} __attribute__((aligned(64)));

_Static_assert(offsetof(struct image, mapping) == sizeof(struct mosix_manifest) + THREADS * XSAVE +
	       (THREADS - 1) * MOSIX_THREAD_SIZE, "");

struct guest {
	struct cage *cage;
	int loader, call, control, page;	/* our ends */
	unsigned channels;
	int ours[MOSIX_CHANNELS_MAX], theirs[MOSIX_CHANNELS_MAX];
	struct image image;
};

/* Into an open cage (g->cage), with g->channels channels, and an image that may still be changed. */
void guest_spawn(struct guest *g);

/* files: how many the offer has; the last is the one mapped, of the others every second comes as well. */
void guest_plan(struct guest *g, unsigned files);
/* The loader's answer to plan and pages. */
void guest_answer(const struct guest *g, bool *ret_done, struct mosix_plan_failure *ret);

/* All of it, from opening the cage to the loader's answer. */
void guest_start(struct guest *g, unsigned files);

/* The guest's next report. */
struct cage_report guest_hear(const struct guest *g);

struct cage_event cage_await(struct cage *c);
void send_all(int fd, const void *data, size_t size);
void pair(int *ours, int *theirs);

/* Runs the tests and returns what main() shall; takes tcase. Skips them where nobody may make a cage. */
int cage_suite(const char *name, TCase *tcase);

#endif
