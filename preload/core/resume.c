/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <asm/stat.h>
#include <linux/stat.h>
#include <mosix/call.h>
#include <mosix/wire.h>
#include "arena.h"
#include "capture.h"
#include "core.h"
#include "entry.h"
#include "resume.h"
#include "../record.h"

#define ARCH_GET_FS 0x1003

static int is_syscall(uint64_t address)
{
	uint8_t code[2];

	return core_copy_in(code, address, 2) == 0 && code[0] == 0x0f && code[1] == 0x05;
}

/*
 * Whether the system call that has just returned was read(2) or pread64(2). The kernel does not keep the number; what the C
 * library's functions load it with stands before the instruction. Of others it is not known, and they count as neither.
 */
static int was_read(uint64_t rip)
{
	static const uint8_t zeroed[] = { 0x31, 0xc0, 0x0f, 0x05 };				/* xor %eax,%eax; syscall */
	static const uint8_t loaded[2][7] = { { 0xb8, __NR_read, 0, 0, 0, 0x0f, 0x05 },		/* mov $NR,%eax; syscall */
					      { 0xb8, __NR_pread64, 0, 0, 0, 0x0f, 0x05 } };
	uint8_t code[7];

	if (core_copy_in(code, rip - sizeof(code), sizeof(code)) != 0)
		return 0;
	return memcmp(code + 3, zeroed, sizeof(zeroed)) == 0 || memcmp(code, loaded[0], sizeof(code)) == 0 ||
	       memcmp(code, loaded[1], sizeof(code)) == 0;
}

static uint64_t ask_fs_base(void)
{
	uint64_t fs = 0;

	SYS2(__NR_arch_prctl, ARCH_GET_FS, &fs);
	return fs;
}

/* Whether this kernel lets programs read it (5.9 and later, if the processor can): tried once after each landing. */
static uint32_t try_fs_base(uint64_t fs)
{
	const uint64_t open = ksigset_bit(KSIG_ILL);
	uint32_t works;

	SYS4(__NR_rt_sigprocmask, KSIG_UNBLOCK, &open, NULL, 8);
	works = core_fs_base() == fs ? 1 : 2;
	SYS4(__NR_rt_sigprocmask, KSIG_BLOCK, &open, NULL, 8);
	return works;
}

/* In a guest every call that can block asks. */
static uint64_t fs_base(void)
{
	struct core_state *s = core_here;
	uint64_t fs;

	if (s->place == PLACE_GUEST && s->fs_direct == 1)
		return core_fs_base();
	fs = ask_fs_base();
	if (s->place == PLACE_GUEST && s->fs_direct == 0)
		s->fs_direct = try_fs_base(fs);
	return fs;
}

/* The innermost record, if it is alive for these registers. */
static int find_record(const struct mosix_registers *regs, struct mosix_record *ret)
{
	uint64_t at = 0;

	if (core_copy_in(&at, fs_base() + (uint64_t)core_here->config.records_offset, 8) != 0 || at == 0 || at < regs->rsp ||
	    core_copy_in(ret, at, sizeof(*ret)) != 0)
		return 0;
	if (ret->magic != MOSIX_RECORD_MAGIC || (uint64_t)ret->self != at)
		return 0;
	for (int i = 0; i < 6; i++)
		if (ret->arg_mask & 1u << i && kernel_call_argument(regs, i) != ret->arg[i])
			return 0;
	return 1;
}

static void put_record(const struct mosix_record *record)
{
	core_copy_out((uint64_t)record->self, record, sizeof(*record));
}

static void set_argument(struct mosix_registers *regs, int n, uint64_t value)
{
	uint64_t *at[6] = { &regs->rdi, &regs->rsi, &regs->rdx, &regs->r10, &regs->r8, &regs->r9 };

	*at[n] = value;
}

/* Moves a gather list forward by done bytes, in program memory. */
static void advance_iov(uint64_t *list, uint64_t *count, uint64_t done)
{
	struct { uint64_t base, length; } iov;

	while (done > 0 && *count > 0 && core_copy_in(&iov, *list, sizeof(iov)) == 0) {
		uint64_t step = done < iov.length ? done : iov.length;

		iov.base += step;
		iov.length -= step;
		done -= step;
		core_copy_out(*list, &iov, sizeof(iov));
		if (iov.length > 0)
			return;
		*list += sizeof(iov);
		(*count)--;
	}
}

/* Only where a signal really cuts transfers short: a file that is full or at its limit must say so itself, and once. */
static int cut_short(const struct mosix_registers *regs, const struct mosix_record *record, uint64_t done)
{
	struct stat file;

	if (record->rest < MOSIX_REST_COUNT || record->rest > MOSIX_REST_SPLICE || record->done + done >= record->asked)
		return 0;
	return SYS2(__NR_fstat, regs->rdi, &file) != 0 || (file.st_mode & S_IFMT) != S_IFREG;
}

static void take_count(struct mosix_registers *regs, struct mosix_record *record, uint64_t done)
{
	uint64_t message[2];

	record->done += done;
	switch (record->rest) {
	case MOSIX_REST_COUNT:
		regs->rsi += done;
		regs->rdx -= done;
		record->arg[1] = regs->rsi;
		record->arg[2] = regs->rdx;
		break;
	case MOSIX_REST_IOV:
		advance_iov(&regs->rsi, &regs->rdx, done);
		record->arg[1] = regs->rsi;
		record->arg[2] = regs->rdx;
		break;
	case MOSIX_REST_MSG:	/* msg_iov and msg_iovlen follow msg_name and msg_namelen: bytes 16 to 31 of struct msghdr */
		if (core_copy_in(message, regs->rsi + 16, 16) == 0) {
			advance_iov(&message[0], &message[1], done);
			core_copy_out(regs->rsi + 16, message, 16);
			if (record->nr == __NR_sendmsg) {	/* descriptors and credentials went with the first bytes */
				message[0] = message[1] = 0;
				core_copy_out(regs->rsi + 32, message, 16);
			}
		}
		break;
	case MOSIX_REST_SPLICE:
		record->arg[record->place] = kernel_call_argument(regs, record->place) - done;
		set_argument(regs, record->place, record->arg[record->place]);
		break;
	default:
		break;
	}
}

static void put_left(struct mosix_registers *regs, struct mosix_record *record, uint64_t left)
{
	switch (record->rest) {
	case MOSIX_REST_MS:
		if ((int32_t)kernel_call_argument(regs, record->place) < 0)
			break;
		record->arg[record->place] = (left + 999999) / 1000000;
		set_argument(regs, record->place, record->arg[record->place]);
		break;
	case MOSIX_REST_TIMESPEC:
		record->left.ts.tv_sec = (int64_t)(left / 1000000000);
		record->left.ts.tv_nsec = (int64_t)(left % 1000000000);
		break;
	case MOSIX_REST_TIMEVAL:
		left += 999;
		record->left.tv.tv_sec = (int64_t)(left / 1000000000);
		record->left.tv.tv_usec = (int64_t)(left % 1000000000 / 1000);
		break;
	default:
		break;
	}
}

int resume_is_endless(int fd)
{
	struct stat file;

	return SYS2(__NR_fstat, fd, &file) == 0 && (file.st_mode & S_IFMT) == S_IFCHR && file.st_rdev >> 8 == 1 &&
	       ((file.st_rdev & 0xff) == 5 || (file.st_rdev & 0xff) == 8 || (file.st_rdev & 0xff) == 9);
}

uint64_t resume_fill(int fd, uint64_t address, uint64_t count)
{
	uint64_t done = 0;

	while (done < count) {
		long n = SYS3(__NR_read, fd, address + done, count - done);

		if (n <= 0)
			break;
		done += (uint64_t)n;
	}
	return done;
}

uint32_t resume_rewind(struct kernel_ucontext *uc)
{
	struct mosix_registers *regs = &uc->mc.regs;
	struct mosix_record record;
	uint64_t arg[6];
	int64_t result = (int64_t)regs->rax;

	for (int i = 0; i < 6; i++)
		arg[i] = kernel_call_argument(regs, i);
	if (is_syscall(regs->rip) && regs->rax < CALL_NUMBERS)
		return call_find(regs->rax, arg)->blocking == CALL_NEVER ? 0 : (uint32_t)regs->rax + 1;
	if ((result != -EINTR && result <= 0) || !is_syscall(regs->rip - 2))
		return 0;
	if (result > 0 && (uint64_t)result < regs->rdx && was_read(regs->rip) && resume_is_endless((int)regs->rdi)) {
		regs->rax += resume_fill((int)regs->rdi, regs->rsi + (uint64_t)result, regs->rdx - (uint64_t)result);
		return 0;
	}
	if (!find_record(regs, &record))
		return 0;
	if (result > 0) {
		if (!cut_short(regs, &record, (uint64_t)result))
			return 0;
		take_count(regs, &record, (uint64_t)result);
	} else if (!record.restart) {
		return 0;
	} else if (record.rest == MOSIX_REST_SOCKET && record.deadline_ns <= core_clock(CLOCK_MONOTONIC)) {
		regs->rax = (uint64_t)-EAGAIN;
		return 0;
	}
	if (record.deadline_ns != UINT64_MAX) {
		uint64_t now = core_clock(CLOCK_MONOTONIC);

		put_left(regs, &record, record.deadline_ns > now ? record.deadline_ns - now : 0);
	}
	put_record(&record);
	regs->rip -= 2;
	regs->rax = (uint64_t)record.nr;
	return (uint32_t)record.nr + 1;
}

/* signal(7): what SA_RESTART does not help. Absolute waits are those of semaphores. */
static int never_restarts(const struct mosix_record *record)
{
	switch (record->rest) {
	case MOSIX_REST_NONE: return 0;
	case MOSIX_REST_MS: case MOSIX_REST_TIMESPEC: case MOSIX_REST_TIMEVAL: case MOSIX_REST_ABSOLUTE: return 1;
	case MOSIX_REST_SOCKET: return record->deadline_ns != UINT64_MAX;
	default: return record->done > 0;
	}
}

uint16_t resume_recorded(const struct mosix_registers *regs, uint64_t nr)
{
	struct mosix_record record;

	if (!find_record(regs, &record) || (uint64_t)record.nr != nr)
		return 0;
	return MOSIX_F_RECORD | (never_restarts(&record) ? MOSIX_F_STARTED : 0);
}

/* Calls whose time-out is a register need no record. */
static int registers_left(struct mosix_registers *regs, int64_t left_ns)
{
	uint64_t ms = ((uint64_t)left_ns + 999999) / 1000000;

	switch (regs->rax) {
	case __NR_poll:        regs->rdx = ms; return 1;
	case __NR_epoll_wait:
	case __NR_epoll_pwait: regs->r10 = ms; return 1;
	default:               return 0;
	}
}

int resume_rest(struct mosix_registers *regs, int64_t left_ns, uint64_t done)
{
	struct mosix_record record;

	if (left_ns < 0 && done == 0)
		return 0;
	if (!find_record(regs, &record) && done == 0 && registers_left(regs, left_ns))
		return 0;
	if (!find_record(regs, &record) || (done > 0 && record.done + done >= record.asked))
		return -EINVAL;
	if (done > 0)
		take_count(regs, &record, done);
	if (left_ns >= 0)
		put_left(regs, &record, (uint64_t)left_ns);
	put_record(&record);
	return 0;
}

void resume_interrupt(struct mosix_registers *regs, uint32_t inside, uint64_t pending)
{
	uint64_t arg[6];
	const struct call *call;
	struct mosix_record record;
	int never;

	if (inside == 0 || pending == 0 || regs->rax != inside - 1 || !is_syscall(regs->rip))
		return;
	for (int i = 0; i < 6; i++)
		arg[i] = kernel_call_argument(regs, i);
	call = call_find(inside - 1, arg);
	never = find_record(regs, &record) && (uint32_t)record.nr + 1 == inside && never_restarts(&record);
	for (int signo = ksigset_first(pending); signo != 0; pending &= pending - 1, signo = ksigset_first(pending)) {
		const struct mosix_sigaction *action = &core_here->action[signo];

		if (action->handler == KSIG_DFL || action->handler == KSIG_IGN)
			continue;
		if (!never && call->blocking == CALL_RESTART && action->flags & KSA_RESTART)
			continue;
		if (!never && call->blocking == CALL_NEVER)
			continue;
		regs->rax = (uint64_t)-EINTR;
		regs->rip += 2;
		return;
	}
}

void resume_pending(struct mosix_registers *regs, uint32_t inside, uint64_t mask)
{
	struct core_state *s = core_here;
	struct { int64_t sec, nsec; } now = { 0, 0 };
	struct kernel_siginfo info;
	uint64_t pending = 0, handled = 0;
	long signo;

	if (inside == 0 || SYS2(__NR_rt_sigpending, &pending, 8) != 0)
		return;
	/* SIGURG is never the kernel's to give the program. */
	pending &= ~(mask | KSIGSET_UNBLOCKABLE | ksigset_bit(KSIG_URG));
	for (uint64_t left = pending; left != 0; left &= left - 1) {
		int n = ksigset_first(left);

		SYS4(__NR_rt_sigaction, n, NULL, &s->action[n], 8);
		if (s->action[n].handler != KSIG_DFL && s->action[n].handler != KSIG_IGN)
			handled |= ksigset_bit(n);
	}
	if (handled == 0)
		return;
	if (capture_is_single()) {
		resume_interrupt(regs, inside, handled);
		return;
	}
	signo = SYS4(__NR_rt_sigtimedwait, &handled, &info, &now, 8);
	if (signo <= 0)
		return;		/* another thread has it */
	resume_interrupt(regs, inside, ksigset_bit((int)signo));
	SYS4(__NR_rt_tgsigqueueinfo, s->pid, SYS0(__NR_gettid), signo, &info);
}
