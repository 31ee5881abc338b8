/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls that are made in several attempts: the time and the bytes that are left. */
#include "core.h"
#include "marshal.h"
#include "marshal_wire.h"

#define SECOND       1000000000ll
#define LONGEST      (1ll << 32)	/* seconds; a longer time-out counts as none */
#define FOR_EVER     0x7fffffff		/* of milliseconds */
#define TIMER_ABSTIME_FLAG 1

/* Where a call has its time-out, and in which form. */
enum form { NO_TIME, MILLISECONDS, TIMESPEC, TIMEVAL, ABSOLUTE };

struct place { enum form form; unsigned arg; int clock; };

struct time { int64_t seconds, part; };

static struct place place_of(const struct deputy_call *dc)
{
	switch (dc->nr) {
	case __NR_poll:            return (struct place){ MILLISECONDS, 2, 0 };
	case __NR_epoll_wait:
	case __NR_epoll_pwait:     return (struct place){ MILLISECONDS, 3, 0 };
	case __NR_ppoll:
	case __NR_rt_sigtimedwait: return (struct place){ TIMESPEC, 2, 0 };
	case __NR_semtimedop:
	case __NR_epoll_pwait2:    return (struct place){ TIMESPEC, 3, 0 };
	case __NR_pselect6:
	case __NR_recvmmsg:        return (struct place){ TIMESPEC, 4, 0 };
	case __NR_select:          return (struct place){ TIMEVAL, 4, 0 };
	case __NR_nanosleep:       return (struct place){ TIMESPEC, 0, 0 };
	case __NR_clock_nanosleep:
		return (struct place){ dc->arg[1] & TIMER_ABSTIME_FLAG ? ABSOLUTE : TIMESPEC, 2, (int)dc->arg[0] };
	case __NR_mq_timedsend:
	case __NR_mq_timedreceive: return (struct place){ ABSOLUTE, 4, 0 };
	default:                   return (struct place){ NO_TIME, 0, 0 };
	}
}

static struct time *time_at(const struct deputy_call *dc, unsigned n)
{
	return dc->arg[n] == 0 || dc->arg[n] == dc->bad ? NULL : (struct time *)dc->arg[n];
}

int deputy_timeout(const struct call *c, const struct deputy_call *dc, int64_t *ret_ns)
{
	const struct place place = place_of(dc);
	const struct time *t;
	int64_t unit = place.form == TIMEVAL ? 1000 : 1, ns;

	(void)c;
	*ret_ns = -1;
	if (place.form == NO_TIME)
		return 0;
	if (place.form == MILLISECONDS) {
		int32_t ms = (int32_t)dc->arg[place.arg];

		*ret_ns = ms < 0 ? -1 : ms * 1000000ll;
		return 0;
	}
	t = time_at(dc, place.arg);
	if (t == NULL || t->seconds < 0 || t->seconds > LONGEST || t->part < 0 || t->part >= SECOND / unit)
		return 0;
	ns = t->seconds * SECOND + t->part * unit;
	if (place.form == ABSOLUTE) {
		ns -= (int64_t)core_clock(place.clock);
		ns = ns < 0 ? 0 : ns;
	}
	*ret_ns = ns;
	return 0;
}

void marshal_set_timeout(const struct call *c, struct deputy_call *dc, int64_t left)
{
	const struct place place = place_of(dc);
	struct time *t;

	(void)c;
	if (place.form == NO_TIME || place.form == ABSOLUTE || left < 0)
		return;
	if (place.form == MILLISECONDS) {
		int64_t ms = (left + 999999) / 1000000;

		dc->arg[place.arg] = (uint64_t)(ms > FOR_EVER ? FOR_EVER : ms);
		return;
	}
	t = time_at(dc, place.arg);
	if (t == NULL)
		return;
	t->seconds = left / SECOND;
	t->part = left % SECOND / (place.form == TIMEVAL ? 1000 : 1);
}

/* The vector of a sending call: array and count. 0 if it has none. */
static uint64_t *vector_of(const struct call *c, struct deputy_call *dc, struct marshal_iov **ret_iov)
{
	struct marshal_msg *m = (struct marshal_msg *)dc->slot[1].data;
	uint64_t *address = &dc->arg[1], *count = &dc->arg[2];

	if (c->arg[1].kind == ARG_MSG_IN && m != NULL) {
		address = &m->iov;
		count = &m->iov_count;
	} else if (c->arg[1].kind != ARG_IOV_IN) {
		return NULL;
	}
	if (*address == 0 || *address == dc->bad || *count > MARSHAL_IOV_MAX)
		return NULL;
	*ret_iov = (struct marshal_iov *)*address;
	return count;
}

/* Which argument counts the bytes of a sending call without a vector; 0 none. */
static unsigned count_of(const struct deputy_call *dc)
{
	switch (dc->nr) {
	case __NR_write:
	case __NR_pwrite64:
	case __NR_sendto:          return 2;
	case __NR_sendfile:        return 3;
	case __NR_splice:
	case __NR_copy_file_range: return 4;
	default:                   return 0;
	}
}

uint64_t marshal_rest(const struct call *c, const struct deputy_call *dc, uint64_t done)
{
	struct deputy_call copy = *dc;
	struct marshal_iov *iov;
	uint64_t *count = vector_of(c, &copy, &iov), sum = 0;

	if (count != NULL)
		for (uint64_t i = 0; i < *count; i++)
			sum += iov[i].length;
	else if (count_of(dc) != 0)
		sum = dc->arg[count_of(dc)];
	return sum > done ? sum - done : 0;
}

static void advance_vector(struct marshal_iov *iov, uint64_t count, uint64_t done)
{
	for (uint64_t i = 0; i < count && done > 0; i++) {
		uint64_t part = marshal_least(iov[i].length, done);

		iov[i].base += part;
		iov[i].length -= part;
		done -= part;
	}
}

void marshal_advance(const struct call *c, struct deputy_call *dc, uint64_t done)
{
	struct marshal_iov *iov;
	uint64_t *count = vector_of(c, dc, &iov);

	if (count != NULL)
		advance_vector(iov, *count, done);
	else if (count_of(dc) != 0)
		dc->arg[count_of(dc)] -= done;
	switch (dc->nr) {
	case __NR_write:
	case __NR_sendto:
		dc->arg[1] += done;
		break;
	case __NR_pwrite64:
		dc->arg[1] += done;
		dc->arg[3] += done;
		break;
	case __NR_pwritev:
	case __NR_pwritev2:
		/* -1: at the file's own offset */
		if (dc->nr == __NR_pwritev || dc->arg[3] != ~0ull)
			dc->arg[3] += done;
		break;
	case __NR_sendmsg: {
		/* Descriptors went with the first byte. */
		struct marshal_msg *m = (struct marshal_msg *)dc->slot[1].data;

		if (m != NULL)
			m->control = m->control_length = 0;
		break;
	}
	default:
		break;
	}
}

int marshal_temporary_mask(const struct call *c, const struct deputy_call *dc, uint64_t *ret_mask)
{
	(void)c;
	if (!dc->masked)
		return -ENOENT;
	*ret_mask = dc->mask;
	return 0;
}
