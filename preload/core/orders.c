/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/fcntl.h>
#include <linux/un.h>
#include "arena.h"
#include "core.h"
#include "orders.h"
#include "receive.h"

/* bits/socket.h, asm-generic/socket.h */
enum { CORE_AF_UNIX = 1, CORE_SEQPACKET = 5, CORE_CLOEXEC = 02000000, CORE_SOL_SOCKET = 1, CORE_SO_RCVTIMEO = 20,
       CORE_SO_SNDTIMEO = 21, CORE_MSG_NOSIGNAL = 0x4000 };

#define ORDERS_SECONDS 10
#define RLIMIT_NOFILE  7
#define HIGHEST        65536	/* the kernel allocates a table up to the highest number */
#define HIDDEN         8	/* descriptors of the deputy besides its channels */

int orders_connect(void)
{
	struct sockaddr_un address = { .sun_family = CORE_AF_UNIX };
	struct { int64_t sec, usec; } limit = { ORDERS_SECONDS, 0 };
	int fd = (int)SYS3(__NR_socket, CORE_AF_UNIX, CORE_SEQPACKET | CORE_CLOEXEC, 0);
	long error;

	if (fd < 0)
		return fd;
	memcpy(address.sun_path, core_here->config.orders_path, sizeof(address.sun_path));
	SYS5(__NR_setsockopt, fd, CORE_SOL_SOCKET, CORE_SO_RCVTIMEO, &limit, sizeof(limit));
	SYS5(__NR_setsockopt, fd, CORE_SOL_SOCKET, CORE_SO_SNDTIMEO, &limit, sizeof(limit));
	error = SYS3(__NR_connect, fd, &address, sizeof(address));
	if (error != 0) {
		SYS1(__NR_close, fd);
		return (int)error;
	}
	return fd;
}

int orders_say_more(int fd, struct mosix_word *word, uint64_t more)
{
	uint64_t size = sizeof(*word) + more;
	long n;

	word->magic = MOSIX_ORDER_MAGIC;
	word->version = MOSIX_ORDER_VERSION;
	word->pid = core_here->pid;
	word->epoch = core_here->epoch;
	n = core_syscall6(__NR_sendto, (uint64_t)fd, (uint64_t)word, size, CORE_MSG_NOSIGNAL, 0, 0);
	return n == (long)size ? 0 : n < 0 ? (int)n : -EIO;
}

int orders_say(int fd, struct mosix_word *word)
{
	return orders_say_more(fd, word, 0);
}

static int is_sound(const struct mosix_order *order, uint64_t size)
{
	if (size < sizeof(*order) || order->magic != MOSIX_ORDER_MAGIC || order->version != MOSIX_ORDER_VERSION)
		return 0;
	if (order->files > MOSIX_ORDER_FILES || order->others > MOSIX_ORDER_OTHERS)
		return 0;
	switch (order->kind) {
	case MOSIX_ORDER_LEAVE:
		if (order->channels < MOSIX_CHANNELS || order->channels > MOSIX_CHANNELS_MAX)
			return 0;
		break;
	case MOSIX_ORDER_CHILD:
		if (order->channels != MOSIX_CHANNELS)
			return 0;
		break;
	default:
		if (order->channels != 0)
			return 0;
	}
	return size == sizeof(*order) + ((uint64_t)order->files + order->others) * sizeof(struct mosix_order_file);
}

int orders_hear(int fd, struct mosix_order *order, uint64_t capacity, int *ret_fds)
{
	unsigned got = 0;
	long n = receive_fds(fd, order, capacity, ret_fds, &got, MOSIX_CHANNELS_MAX);
	int sound = n >= 0 && is_sound(order, (uint64_t)n);
	uint8_t more;

	while (sound && got < order->channels) {
		unsigned before = got;

		sound = receive_fds(fd, &more, 1, ret_fds, &got, order->channels) == 1 && got > before;
	}
	if (!sound || got != order->channels) {
		receive_close(ret_fds, got);
		return n < 0 ? (int)n : -EBADMSG;
	}
	order->node[sizeof(order->node) - 1] = '\0';
	return 0;
}

int orders_hear_many(int fd, struct mosix_order *order, uint64_t capacity, int *ret_fds)
{
	struct mosix_rlimit old, raised;
	int error;

	SYS4(__NR_prlimit64, 0, RLIMIT_NOFILE, NULL, &old);
	raised = old;
	raised.soft = old.hard;
	SYS4(__NR_prlimit64, 0, RLIMIT_NOFILE, &raised, NULL);
	error = orders_hear(fd, order, capacity, ret_fds);
	SYS4(__NR_prlimit64, 0, RLIMIT_NOFILE, &old, NULL);
	return error;
}

/*
 * Above the soft limit, which is raised only for that moment, so that no
 * open() of the program ever meets it; at the top of the range where the hard limit leaves no room.
 */
int orders_hide(int fd)
{
	struct mosix_rlimit old, raised;
	uint64_t base;
	uint64_t hidden = core_here->channels + HIDDEN;	/* how far above its own limit the table is stretched for a moment */
	long high = -EMFILE;

	SYS4(__NR_prlimit64, 0, RLIMIT_NOFILE, NULL, &old);
	base = old.soft < HIGHEST ? old.soft : HIGHEST;
	raised = old;
	raised.soft = old.hard - old.soft > hidden ? old.soft + hidden : old.hard;
	if (base == old.soft && raised.soft > old.soft) {
		SYS4(__NR_prlimit64, 0, RLIMIT_NOFILE, &raised, NULL);
		high = SYS3(__NR_fcntl, fd, F_DUPFD_CLOEXEC, base);
		SYS4(__NR_prlimit64, 0, RLIMIT_NOFILE, &old, NULL);
	}
	if (high < 0)
		high = SYS3(__NR_fcntl, fd, F_DUPFD_CLOEXEC, base == old.soft && base > hidden ? base - hidden : base / 2);
	SYS1(__NR_close, fd);
	SYS3(__NR_fcntl, high, F_SETFL, O_RDWR);	/* homed connects without blocking; the deputy waits */
	return (int)high;
}

void orders_guard(int fd)
{
	struct core_state *s = core_here;

	if (fd <= 0)
		return;
	s->fd_low = fd < s->fd_low ? fd : s->fd_low;
	s->fd_high = fd > s->fd_high ? fd : s->fd_high;
}

int orders_report(int fd, struct mosix_word *word)
{
	if (fd >= 0 && orders_say(fd, word) == 0)
		return fd;
	if (fd >= 0)
		SYS1(__NR_close, fd);
	fd = orders_connect();
	if (fd >= 0)
		orders_say(fd, word);
	return fd;
}

void orders_tell(uint32_t kind, uint32_t reason, int64_t detail)
{
	struct mosix_word word = { .kind = kind, .reason = reason, .detail = detail };
	struct core_state *s = core_here;

	word.pages = s->moved_pages;
	word.bytes = s->moved_bytes;
	if (kind == MOSIX_WORD_HOME && s->freeze_at)
		word.freeze_ns = word.total_ns = core_clock(1) - s->freeze_at;
	s->freeze_at = 0;
	if (kind == MOSIX_WORD_REFUSED) {	/* who asked has gone if this connection has */
		if (s->orders_fd > 0)
			orders_say(s->orders_fd, &word);
		return;
	}
	SYS1(__NR_close, orders_report(s->orders_fd > 0 ? s->orders_fd : -1, &word));
	s->orders_fd = 0;
}
