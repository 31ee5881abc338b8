/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan socket and the loader's descriptors; see plan.h. */
#include "loader.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/socket.h>

enum { CHANNELS = 4 };	/* with the image */

/* Receives up to size bytes and the descriptors that come with them. */
static long receive(void *data, size_t size, int *fds, unsigned *nfds)
{
	union {
		char space[CMSG_SPACE(MOSIX_PLAN_BATCH * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { data, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	const struct cmsghdr *c = &control.align;
	long n;

	do
		n = SYS3(recvmsg, MOSIX_PLAN_FD, &msg, MSG_CMSG_CLOEXEC);
	while (n == -EINTR);
	*nfds = 0;
	/* End of file: remoted has thought better of it. */
	if (n == 0)
		for (;;)
			SYS1(exit_group, 1);
	loader_must(n, 0);
	if (msg.msg_flags & MSG_CTRUNC)
		loader_fail(MOSIX_WHY_LOADER, EMFILE, 0);
	if (msg.msg_controllen >= sizeof(*c) && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		*nfds = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), *nfds * sizeof(int));
	}
	return n;
}

static void read_image(const struct loader *l, void *dst, uint64_t size, uint64_t offset)
{
	while (size > 0) {
		long n = SYS4(pread64, l->image, dst, size, offset);

		loader_must(n, 0);
		if (n == 0)
			loader_fail(MOSIX_WHY_BAD_IMAGE, EIO, 0);
		dst = (char *)dst + n;
		offset += (uint64_t)n;
		size -= (uint64_t)n;
	}
}

/* Hands out descriptors in the order in which they come. */
static void assign(struct loader *l, unsigned *next, const int *fds, unsigned nfds)
{
	int *const channel[CHANNELS] = { &l->image, &l->call, &l->control, &l->page };
	unsigned i = 0;

	for (; i < nfds && *next < CHANNELS; i++)
		*channel[(*next)++] = fds[i];
	if (*next < CHANNELS)
		loader_fail(MOSIX_WHY_LOADER, EBADF, 0);
	if (*next == CHANNELS) {
		uint64_t filter = l->plan.filter_length * sizeof(l->filter[0]), present = (l->plan.files + 7ull) & ~7ull;

		read_image(l, l->filter, filter, 0);
		read_image(l, l->present, l->plan.files, filter);
		l->image_offset = filter + present;
	}
	for (; i < nfds; i++) {
		unsigned file = *next - CHANNELS;

		while (file < l->plan.files && !l->present[file])
			file++;
		if (file == l->plan.files)
			loader_fail(MOSIX_WHY_LOADER, EBADF, 0);
		l->file[file] = fds[i];
		*next = CHANNELS + file + 1;
	}
}

static int awaits_files(const struct loader *l, unsigned next)
{
	for (unsigned file = next - CHANNELS; file < l->plan.files; file++)
		if (l->present[file])
			return 1;
	return 0;
}

static int open_self(const char *path)
{
	return (int)loader_must(SYS4(openat, MOSIX_PLAN_PROC_FD, path, O_RDONLY | O_CLOEXEC, 0), 0);
}

void plan_receive(struct loader *l)
{
	int fds[MOSIX_PLAN_BATCH];
	unsigned nfds, next = 0;
	size_t have;
	char byte;

	for (unsigned i = 0; i < MOSIX_ORDER_FILES; i++)
		l->file[i] = -1;
	have = (size_t)receive(&l->plan, sizeof(l->plan), fds, &nfds);
	while (have < sizeof(l->plan)) {
		unsigned none;
		int unused[MOSIX_PLAN_BATCH];

		have += (size_t)receive((char *)&l->plan + have, sizeof(l->plan) - have, unused, &none);
	}
	if (l->plan.magic != MOSIX_PLAN_MAGIC || l->plan.filter_length > BPF_MAXINSNS || l->plan.files > MOSIX_ORDER_FILES)
		loader_fail(MOSIX_WHY_LOADER, EPROTO, 0);
	assign(l, &next, fds, nfds);
	while (awaits_files(l, next)) {
		receive(&byte, 1, fds, &nfds);
		assign(l, &next, fds, nfds);
	}
	l->maps = open_self("self/maps");
	l->pagemap = open_self("self/pagemap");
}

void plan_read_head(struct loader *l, struct mosix_manifest *ret)
{
	read_image(l, ret, sizeof(*ret), l->image_offset);
}

void plan_read_manifest(struct loader *l)
{
	uint64_t size = l->plan.manifest_size;

	l->manifest = (struct mosix_manifest *)(l->arena + MOSIX_ARENA_MANIFEST);
	/* Room to grow: the XSAVE area is rebuilt for this CPU. */
	if (size > MOSIX_ARENA_MANIFEST_MAX - MOSIX_XSAVE_MAX)
		loader_fail(MOSIX_WHY_BAD_IMAGE, E2BIG, 0);
	read_image(l, l->manifest, size, l->image_offset);
	if (l->manifest->arena != l->arena || size != sizeof(*l->manifest) + manifest_tail(l->manifest))
		loader_fail(MOSIX_WHY_BAD_IMAGE, EINVAL, 0);
	l->mapping = manifest_mappings(l->manifest);
}

void plan_settle(struct loader *l, int *plan_fd)
{
	/* In the order of MOSIX_GUEST_CALL … MOSIX_GUEST_PAGEMAP, then the plan. */
	const int order[] = { l->call, l->control, l->page, l->maps, l->pagemap, MOSIX_PLAN_FD };
	enum { COUNT = sizeof(order) / sizeof(*order), PLAN = MOSIX_GUEST_CALL + COUNT - 1, HIGH = 32 };
	int high[COUNT];

	_Static_assert(MOSIX_GUEST_PAGEMAP == PLAN - 1 && PLAN < HIGH, "");
	for (unsigned i = 0; i < MOSIX_ORDER_FILES; i++)
		if (l->file[i] >= 0)
			SYS1(close, l->file[i]);
	for (int i = 0; i < COUNT; i++)
		high[i] = (int)loader_must(SYS3(fcntl, order[i], F_DUPFD, HIGH), 0);
	*plan_fd = high[COUNT - 1];
	for (int i = 0; i < COUNT; i++)
		loader_must(SYS3(dup3, high[i], MOSIX_GUEST_CALL + i, 0), 0);
	*plan_fd = PLAN;
	loader_must(SYS3(close_range, 0, MOSIX_GUEST_CALL - 1, 0), 0);
	loader_must(SYS3(close_range, PLAN + 1, ~0u, 0), 0);
}
