/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "homed/move.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "common/proc.h"

/* Through the pidfd, so that it never reaches a stranger who has got the pid. */
int ring_process(const struct process *p)
{
	uint64_t bit = 1ull << (MOSIX_SIGNAL - 1);
	struct proc_status st;
	siginfo_t info;
	int r = proc_read_status(p->pid, &st);

	if (r < 0)
		return r;
	if (!(st.caught & bit))
		return -ENOTCONN;
	if (st.blocked & bit)
		return -EAGAIN;
	memset(&info, 0, sizeof(info));
	info.si_signo = MOSIX_SIGNAL;
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_ptr = (void *)p->secret;
	return syscall(SYS_pidfd_send_signal, p->pidfd, MOSIX_SIGNAL, &info, 0) < 0 ? -errno : 0;
}
