/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unwinds a thread of a snapshot with libunwind: memory is the snapshot's, code and tables are those of home's files. */
#ifndef MOSIX_UNWIND_H
#define MOSIX_UNWIND_H

#include <stdbool.h>
#include <stdint.h>
#include "images.h"
#include "snapshot.h"

#define UNWIND_FRAMES 512	/* of one stack */

struct unwind_frame {
	uint64_t address;
	const char *function;	/* NULL: not known */
	uint64_t offset;	/* from where it begins */
	const char *file;	/* NULL: there is none (code that the program has made itself, or no code at all) */
	bool signal;		/* here a signal's handler returns to: below it is what the signal interrupted */
};

enum unwind_end {
	UNWIND_OUTERMOST,	/* that was all */
	UNWIND_LOST,		/* the stack goes on, but cannot be followed: no unwind information, no memory, or no sense */
	UNWIND_DEEP,		/* more than UNWIND_FRAMES */
};

/*
 * Calls each() for the frames, from the innermost, at least one; what frames point to is the images' or only good for the call.
 * Ends whatever the snapshot says.
 */
enum unwind_end unwind_thread(const struct snapshot *snapshot, struct images *images, const struct mosix_stack_thread *thread,
			      void (*each)(const struct unwind_frame *frame, void *data), void *data);

#endif
