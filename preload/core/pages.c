/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core.h"
#include "pages.h"
#include "step.h"

/* PAGEMAP_SCAN, from linux/fs.h of 6.7 and later (Debian 12's headers end before it). */
struct pm_scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
struct pm_region { uint64_t start, end, categories; };
#define PAGEMAP_SCAN 0xc0606610u	/* _IOWR('f', 16, struct pm_scan) */
enum { PAGE_IS_FILE = 1 << 2, PAGE_IS_PRESENT = 1 << 3, PAGE_IS_SWAPPED = 1 << 4, PAGE_IS_PFNZERO = 1 << 5,
       PAGE_IS_GUARD = 1 << 8 /* 6.15 */ };

#define PM_PRESENT (1ull << 63)
#define PM_SWAP    (1ull << 62)
#define PM_FILE    (1ull << 61)
#define PM_GUARD   (1ull << 58)

static int add(struct page_runs *runs, uint64_t start, uint64_t end)
{
	struct mosix_run *last = &runs->run[runs->count - 1];

	runs->pages += (end - start) / MOSIX_PAGE;
	if (runs->count > runs->floor && last->start + last->pages * MOSIX_PAGE == start) {
		last->pages += (end - start) / MOSIX_PAGE;
		return 0;
	}
	if (runs->count == runs->most) {	/* full: what lies between is empty, or as in the file, on both sides */
		if (runs->count == runs->floor)
			return -E2BIG;
		runs->pages += (start - last->start) / MOSIX_PAGE - last->pages;
		last->pages = (end - last->start) / MOSIX_PAGE;
		return 0;
	}
	runs->run[runs->count++] = (struct mosix_run){ start, (end - start) / MOSIX_PAGE };
	return 0;
}

static int find_by_scan(int pagemap, uint64_t start, uint64_t end, struct page_runs *runs)
{
	struct pm_region region[64];

	while (start < end) {
		struct pm_scan scan = {
			.size = sizeof(scan), .start = start, .end = end, .vec = (uint64_t)region, .vec_len = 64,
			.category_inverted = PAGE_IS_FILE | PAGE_IS_PFNZERO, .category_mask = PAGE_IS_FILE | PAGE_IS_PFNZERO,
			.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED, .return_mask = PAGE_IS_GUARD,
		};
		long n = SYS3(__NR_ioctl, pagemap, PAGEMAP_SCAN, &scan);

		if (n == -EINVAL) {	/* it knows no guards, then there are none */
			scan.return_mask = 0;
			n = SYS3(__NR_ioctl, pagemap, PAGEMAP_SCAN, &scan);
		}
		if (n < 0)
			return (int)n;
		for (long i = 0; i < n; i++) {
			int error = region[i].categories & PAGE_IS_GUARD ? -EPERM : add(runs, region[i].start, region[i].end);

			if (error != 0)
				return error;
		}
		if (scan.walk_end <= start)
			return -EIO;
		start = scan.walk_end;
	}
	return 0;
}

static int find_by_reading(int pagemap, uint64_t start, uint64_t end, struct page_runs *runs)
{
	uint64_t entry[512];

	while (start < end) {
		uint64_t left = (end - start) / MOSIX_PAGE;
		long n = SYS4(__NR_pread64, pagemap, entry, (left < 512 ? left : 512) * 8, start / MOSIX_PAGE * 8);

		if (n <= 0)
			return n == 0 ? -EIO : (int)n;
		for (long i = 0; i < n / 8; i++, start += MOSIX_PAGE) {
			int error;

			if (entry[i] & PM_GUARD)
				return -EPERM;
			if (!(entry[i] & (PM_PRESENT | PM_SWAP)) || entry[i] & PM_FILE)
				continue;
			error = add(runs, start, start + MOSIX_PAGE);
			if (error != 0)
				return error;
		}
	}
	return 0;
}

int pages_find(int pagemap, int scan, uint64_t start, uint64_t end, struct page_runs *runs)
{
	if (scan) {
		struct page_runs before = *runs;
		int error = find_by_scan(pagemap, start, end, runs);

		if (error != -ENOTTY && error != -EINVAL && error != -EIO)
			return error;
		*runs = before;
	}
	return find_by_reading(pagemap, start, end, runs);
}

int pages_all(uint64_t start, uint64_t end, struct page_runs *runs)
{
	return add(runs, start, end);
}

/* The run is announced page by page only where memory cannot be read as a whole. */
static int send_run(int fd, uint64_t start, uint64_t pages)
{
	struct mosix_run head = { start, pages };
	uint64_t size = pages * MOSIX_PAGE;
	int error = core_write_all(fd, &head, sizeof(head));

	return error ? error : core_write_all(fd, (const void *)start, size);
}

/* Whether the kernel can read the last byte of the range: a probe that neither faults nor sends. */
static int readable(uint64_t address)
{
	uint8_t byte;

	return core_copy_in(&byte, address, 1) == 0;
}

int pages_send(int fd, const struct page_runs *runs)
{
	struct mosix_run end = { 0, 0 };
	uint64_t sent = 0;

	for (uint64_t i = 0; i < runs->count; i++) {
		uint64_t start = runs->run[i].start, pages = runs->run[i].pages;
		int error;

		if (sent <= runs->pages / 2 && sent + pages > runs->pages / 2)
			core_step_either(MOSIX_STEP_deputy_half, MOSIX_STEP_guest_home_half);
		sent += pages;
		while (pages > 0 && !readable(start + pages * MOSIX_PAGE - 1))
			pages--;
		if (pages == 0)
			continue;
		error = send_run(fd, start, pages);
		if (error != 0)
			return error;
	}
	return core_write_all(fd, &end, sizeof(end));
}
