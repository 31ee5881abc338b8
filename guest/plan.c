/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan socket and the loader's descriptors; see plan.h. */
#include "loader.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/socket.h>

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

void plan_read_image(const struct loader *l, void *dst, uint64_t size, uint64_t offset)
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
	const unsigned files = 1 + l->plan.channels;	/* behind the image and the channels */
	unsigned i = 0;

	if (*next == 0) {
		uint64_t filter = l->plan.filter_length * sizeof(l->filter[0]), present = (l->plan.files + 7ull) & ~7ull;

		if (nfds == 0)
			loader_fail(MOSIX_WHY_LOADER, EBADF, 0);
		l->image = fds[i++];
		plan_read_image(l, l->filter, filter, 0);
		plan_read_image(l, l->present, l->plan.files, filter);
		l->image_offset = filter + present;
		*next = 1;
	}
	for (; i < nfds && *next < files; i++)
		l->channel[(*next)++ - 1] = fds[i];
	for (; i < nfds; i++) {
		unsigned file = *next - files;

		while (file < l->plan.files && !l->present[file])
			file++;
		if (file == l->plan.files)
			loader_fail(MOSIX_WHY_LOADER, EBADF, 0);
		l->file[file] = fds[i];
		*next = files + file + 1;
	}
}

static int awaits_more(const struct loader *l, unsigned next)
{
	const unsigned files = 1 + l->plan.channels;

	if (next < files)
		return 1;
	for (unsigned file = next - files; file < l->plan.files; file++)
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
	if (l->plan.magic != MOSIX_PLAN_MAGIC || l->plan.filter_length > BPF_MAXINSNS || l->plan.files > MOSIX_ORDER_FILES ||
	    l->plan.channels < MOSIX_CHANNELS || l->plan.channels > MOSIX_CHANNELS_MAX)
		loader_fail(MOSIX_WHY_LOADER, EPROTO, 0);
	assign(l, &next, fds, nfds);
	while (awaits_more(l, next)) {
		receive(&byte, 1, fds, &nfds);
		assign(l, &next, fds, nfds);
	}
	l->maps = open_self("self/maps");
	l->pagemap = open_self("self/pagemap");
}

void plan_read_head(struct loader *l, struct mosix_manifest *ret)
{
	plan_read_image(l, ret, sizeof(*ret), l->image_offset);
}

void plan_read_manifest(struct loader *l)
{
	uint64_t size = l->plan.manifest_size;

	l->manifest = (struct mosix_manifest *)(l->arena + MOSIX_ARENA_MANIFEST);
	if (size > MOSIX_ARENA_MANIFEST_MAX)
		loader_fail(MOSIX_WHY_BAD_IMAGE, E2BIG, 0);
	plan_read_image(l, l->manifest, size, l->image_offset);
	if (l->manifest->arena != l->arena || size != sizeof(*l->manifest) + manifest_tail(l->manifest))
		loader_fail(MOSIX_WHY_BAD_IMAGE, EINVAL, 0);
	l->mapping = manifest_mappings(l->manifest);
}

void plan_settle(struct loader *l, int *plan_fd)
{
	/* In the order of MOSIX_GUEST_MAPS, MOSIX_GUEST_PAGEMAP, MOSIX_GUEST_CHANNELS …, then the plan. */
	enum { FIRST = MOSIX_GUEST_MAPS, HIGH = MOSIX_GUEST_CHANNELS + MOSIX_CHANNELS_MAX + 1 };
	static int order[HIGH - FIRST];
	const unsigned channels = l->plan.channels, plan = MOSIX_GUEST_CHANNELS + channels, count = plan + 1 - FIRST;

	_Static_assert(MOSIX_GUEST_PAGEMAP == FIRST + 1 && MOSIX_GUEST_CHANNELS == FIRST + 2, "");
	for (unsigned i = 0; i < MOSIX_ORDER_FILES; i++)
		if (l->file[i] >= 0)
			SYS1(close, l->file[i]);
	order[0] = l->maps;
	order[1] = l->pagemap;
	memcpy(order + 2, l->channel, channels * sizeof(int));
	order[count - 1] = MOSIX_PLAN_FD;
	for (unsigned i = 0; i < count; i++)
		order[i] = (int)loader_must(SYS3(fcntl, order[i], F_DUPFD, HIGH), 0);
	*plan_fd = order[count - 1];
	for (unsigned i = 0; i < count; i++)
		loader_must(SYS3(dup3, order[i], FIRST + i, 0), 0);
	*plan_fd = (int)plan;
	loader_must(SYS3(close_range, 0, FIRST - 1, 0), 0);
	loader_must(SYS3(close_range, plan + 1, ~0u, 0), 0);
}
