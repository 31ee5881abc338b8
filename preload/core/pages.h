/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which pages of a mapping hold something of the program's own, and their way over a page channel. */
#ifndef MOSIX_CORE_PAGES_H
#define MOSIX_CORE_PAGES_H

#include <stdint.h>
#include <mosix/manifest.h>

struct page_runs {
	struct mosix_run *run;
	uint64_t count, most;
	uint64_t floor;		/* runs below this index belong to earlier mappings and are not extended */
	uint64_t pages;
};

/*
 * Appends the runs of [start, end) that are anonymous memory of this process, present or swapped out; clean pages of files
 * and never-touched pages are not among them. With PAGEMAP_SCAN (Linux 6.7) where the kernel has it and scan is set, else
 * by reading pagemap (Documentation/admin-guide/mm/pagemap.rst). -E2BIG: more runs than fit; -EPERM: guard markings.
 */
int pages_find(int pagemap, int scan, uint64_t start, uint64_t end, struct page_runs *runs);

/* Appends the whole range, for files the other side has not: pages beyond the file's end are found when they are sent. */
int pages_all(uint64_t start, uint64_t end, struct page_runs *runs);

/* Sends all runs and the end run. Pages that cannot be read (beyond a file's end) are left out. */
int pages_send(int fd, const struct page_runs *runs);

#endif
