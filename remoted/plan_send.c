/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan_send.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mosix/reason.h>

#include "common/pass.h"

static int write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

static int make_image(const struct mosix_plan *plan, const struct sock_filter *filter, const void *manifest, const int *files,
		      int *ret_fd)
{
	uint8_t present[MOSIX_ORDER_FILES] = { 0 };
	int fd, r;

	for (unsigned i = 0; i < plan->files; i++)
		present[i] = files[i] >= 0;
	fd = memfd_create("mosix-plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	r = write_all(fd, filter, plan->filter_length * sizeof(*filter));
	if (r == 0)
		r = write_all(fd, present, (plan->files + 7u) & ~7u);
	if (r == 0)
		r = write_all(fd, manifest, plan->manifest_size);
	/* Nobody else has it; sealed all the same, so that what was checked is what is read. */
	if (r == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		r = -errno;
	if (r != 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static int send_batch(int socket, const void *data, size_t size, const int *fds, unsigned nfds)
{
	return pass_descriptors(socket, &(struct iovec){ (void *)data, size }, 1, fds, nfds);
}

int plan_send(int socket, const struct mosix_plan *plan, const struct sock_filter *filter, const void *manifest,
	      const int *fds, unsigned nfds)
{
	int all[1 + MOSIX_CHANNELS_MAX + MOSIX_ORDER_FILES];
	struct mosix_plan head = *plan;
	unsigned count = 1, sent;
	int r;

	if (plan->channels < MOSIX_CHANNELS || plan->channels > MOSIX_CHANNELS_MAX || plan->files > MOSIX_ORDER_FILES ||
	    nfds != plan->channels + plan->files || plan->filter_length > BPF_MAXINSNS)
		return -EINVAL;
	for (unsigned i = 0; i < nfds; i++) {
		if (fds[i] >= 0)
			all[count++] = fds[i];
		else if (i < plan->channels)
			return -EBADF;
	}
	r = make_image(plan, filter, manifest, fds + plan->channels, &all[0]);
	if (r != 0)
		return r;
	head.magic = MOSIX_PLAN_MAGIC;
	sent = count < MOSIX_PLAN_BATCH ? count : MOSIX_PLAN_BATCH;
	r = send_batch(socket, &head, sizeof(head), all, sent);
	while (r == 0 && sent < count) {
		unsigned n = count - sent < MOSIX_PLAN_BATCH ? count - sent : MOSIX_PLAN_BATCH;

		r = send_batch(socket, "", 1, all + sent, n);
		sent += n;
	}
	close(all[0]);
	return r;
}

int plan_answer(int socket, bool *ret_done, struct mosix_plan_failure *ret_failure)
{
	struct mosix_plan_failure failure;
	/* The loader writes it in one piece, which a unix socket keeps together. */
	ssize_t n = recv(socket, &failure, sizeof(failure), MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
	if (n == 0)
		return -ECONNRESET;
	if (n != sizeof(failure))
		return -EPROTO;
	*ret_done = failure.reason == MOSIX_WHY_NONE;
	if (!*ret_done)
		*ret_failure = failure;
	return 0;
}
