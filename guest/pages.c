/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Page runs from the page channel. They come from another machine: every run is checked against the mappings. */
#include "loader.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define HUGE_PAGE  (2ull << 20)
#define PIECE_MOST (64ull << 20)

static void receive(const struct loader *l, void *dst, uint64_t size)
{
	char *at = dst;

	while (size > 0) {
		uint64_t piece = size < PIECE_MOST ? size : PIECE_MOST;
		long n = SYS(recvfrom, l->channel[MOSIX_CHANNEL_PAGE], at, piece, MSG_WAITALL, 0, 0);

		if (n == -EINTR)
			continue;
		if (n == 0)
			loader_fail(MOSIX_WHY_CUT, ECONNRESET, (uint64_t)at);
		if (n < 0)
			loader_fail(n == -EFAULT || n == -ENOMEM ? MOSIX_WHY_NO_MEMORY : MOSIX_WHY_CUT, n, (uint64_t)at);
		at += n;
		size -= (uint64_t)n;
	}
}

/* The end of the stretch of adjoining fillable mappings that contains the address, 0 if none does. *next only moves forward. */
static uint64_t stretch_end(const struct loader *l, uint64_t address, uint32_t *next)
{
	const uint32_t count = l->manifest->mappings;
	uint64_t end;
	uint32_t i;

	while (*next < count && l->mapping[*next].end <= address)
		(*next)++;
	if (*next == count || l->mapping[*next].start > address || !space_fillable(l, &l->mapping[*next]))
		return 0;
	end = l->mapping[*next].end;
	for (i = *next + 1; i < count && l->mapping[i].start == end && space_fillable(l, &l->mapping[i]); i++)
		end = l->mapping[i].end;
	return end;
}

/*
 * Huge pages only where a run fills one: a lone page that arrived in a huge one would make 511 more present, and all of
 * them would travel home.
 */
static void fill(const struct loader *l, uint64_t start, uint64_t end)
{
	uint64_t huge = (start + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1), huge_end = end & ~(HUGE_PAGE - 1);

	if (huge >= huge_end) {
		receive(l, (void *)start, end - start);
		return;
	}
	receive(l, (void *)start, huge - start);
	SYS5(prctl, PR_SET_THP_DISABLE, 0, 0, 0, 0);
	receive(l, (void *)huge, huge_end - huge);
	SYS5(prctl, PR_SET_THP_DISABLE, 1, 0, 0, 0);
	receive(l, (void *)huge_end, end - huge_end);
}

void pages_receive(struct loader *l)
{
	const int page = l->channel[MOSIX_CHANNEL_PAGE];
	uint64_t last = 0, left = l->manifest->pages;
	uint32_t next = 0;
	struct mosix_run run;
	long flags;

	/* remoted's event loop had it non-blocking. */
	flags = SYS3(fcntl, page, F_GETFL, 0);
	loader_must(flags, 0);
	loader_must(SYS3(fcntl, page, F_SETFL, flags & ~O_NONBLOCK), 0);
	SYS5(prctl, PR_SET_THP_DISABLE, 1, 0, 0, 0);
	for (;;) {
		uint64_t end;

		receive(l, &run, sizeof(run));
		if (run.pages == 0)
			break;
		if (run.start % MOSIX_PAGE != 0 || run.start < last || run.pages > left)
			loader_fail(MOSIX_WHY_BAD_IMAGE, EINVAL, run.start);
		end = stretch_end(l, run.start, &next);
		if (end == 0 || run.pages > (end - run.start) / MOSIX_PAGE)
			loader_fail(MOSIX_WHY_BAD_IMAGE, EFAULT, run.start);
		fill(l, run.start, run.start + run.pages * MOSIX_PAGE);
		last = run.start + run.pages * MOSIX_PAGE;
		left -= run.pages;
	}
	SYS5(prctl, PR_SET_THP_DISABLE, 0, 0, 0, 0);
}
