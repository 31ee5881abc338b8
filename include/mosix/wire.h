/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a deputy (at home) and its guest (away) say to each other, and the hello that binds a TCP connection to a session.
 *
 * At least three channels belong to a guest, each a stream socket:
 *   call     guest asks, deputy answers; strictly one frame each way in turn. Each thread has one of its own: the first thread
 *            channel 0, others one of those from MOSIX_CHANNELS on, of which there are more than threads when the process
 *            leaves, for those that it makes while it is away
 *   control  home to guest only: rings, "ask me with MOSIX_POLL", each the number of a thread, 4 bytes, 0 for every thread;
 *            its end of file is the end of the guest
 *   page     images: a manifest (manifest.h), page runs, an end run; outward at the start, homeward at homecoming
 *
 * Both ends are little-endian x86-64, so structs travel as they are. Everything here is used by the core and must stay
 * free of pointers.
 */
#ifndef MOSIX_WIRE_H
#define MOSIX_WIRE_H

#include <stdint.h>

#define MOSIX_PROTOCOL     3
#define MOSIX_TOKEN_SIZE   32
#define MOSIX_HELLO_MAGIC  0x316e6168437858ull	/* first byte is never 0x16, with which a TLS record begins */

enum mosix_channel { MOSIX_CHANNEL_CALL, MOSIX_CHANNEL_CONTROL, MOSIX_CHANNEL_PAGE, MOSIX_CHANNELS };

#define MOSIX_CALLS_MAX    512u		/* call channels of a guest */
#define MOSIX_CHANNELS_MAX (MOSIX_CHANNELS + MOSIX_CALLS_MAX - 1)

/* For how many threads to come a process of so many is equipped when it leaves: as many again, within bounds. */
#define MOSIX_SPARE_LEAST  4u
#define MOSIX_SPARE_MOST   64u

static inline uint32_t mosix_spare(uint32_t threads)
{
	return threads < MOSIX_SPARE_LEAST ? MOSIX_SPARE_LEAST : threads > MOSIX_SPARE_MOST ? MOSIX_SPARE_MOST : threads;
}

/* First bytes on every channel, home to remote. A wrong one is closed without a byte in return. */
struct mosix_channel_hello {
	uint64_t magic;
	uint16_t version;
	uint16_t channel;	/* enum mosix_channel, or a further call channel: less than the offer's `channels` */
	uint32_t pid;
	uint8_t  token[MOSIX_TOKEN_SIZE];
};

/* The largest payload a call frame may carry; a call that needs more goes home (P5). */
#define MOSIX_PAYLOAD_MAX (16u << 20)

/* Bytes of one file that a guest is sent for one mapping, and in one frame: whole pages. */
#define MOSIX_CONTENT_MOST (64ull << 20)
#define MOSIX_FETCH_MOST   (1ull << 20)

enum mosix_frame_type {
	/* guest to home */
	MOSIX_READY = 1,	/* the guest stands and is about to run: arg[0] local nanoseconds it took */
	MOSIX_CALL,		/* execute nr(arg…); payload as the table of calls says */
	MOSIX_POLL,		/* no call: set the mask, is there a signal or an order? */
	MOSIX_COMING,		/* the guest is frozen and sends its image on the page channel: arg[0] reason, arg[1] call */
	MOSIX_THREAD = 9,	/* make a thread: arg[0] its slot, on whose channel it will be heard; answered with its number */
	MOSIX_WISH,		/* another thread than the first: the process must come home, arg[0] reason, arg[1] call or
				   signal */
	MOSIX_STAYING,		/* the first thread: not all others could be brought to stand, so they go on */
	MOSIX_FORK,		/* make a child; answered with its number in arg[0] (0: not possible here, go home), its epoch
				   in arg[1], and in arg[2] the birth under which its channels lie at the guest's link (0: none do, also with
				   RESTART). arg[0] 1: as vfork(2); if there is a birth, it is answered once without a number, before the
				   child is made, and once when that has executed another program or ended */
	MOSIX_UNBORN,		/* the guest's side of the child arg[0] could not be made: home's is to vanish. Also on the channel
				   of that child */
	MOSIX_WHO,		/* on the channel of a vfork child that the guest is about to make; answered with its number */
	MOSIX_MAP,		/* map a file where the guest has a place for it: arg as of mmap(2), no flag that says where. Answered
				   with the result (0: it must be done at home), and of the file device, inode, size, and times of
				   the last changes (ns; 0 if those are too recent to know it again) */
	MOSIX_FETCH,		/* arg[1] bytes, MOSIX_FETCH_MOST at most, at address arg[0] of what MOSIX_MAP has just mapped */
	MOSIX_TRACE = 20,	/* nr(arg…) has run at the node; its result in the payload, not known with RESTART */
	/* home to guest */
	MOSIX_REPLY = 5,	/* answer to CALL and POLL: arg[0] result */
	MOSIX_WELCOME,		/* answer to COMING: start sending */
	MOSIX_GOT,		/* home has the whole image: the guest ends */
	MOSIX_STAY,		/* home cannot take it: the guest goes on */
};

enum mosix_frame_flag {
	MOSIX_F_SIGNAL   = 1 << 0,	/* REPLY: payload begins with a siginfo (128 bytes) for signo; take it after the result */
	MOSIX_F_RESTART  = 1 << 1,	/* REPLY: the call did not run (or the kernel wants it restarted); begin it again
					   afterwards */
	MOSIX_F_COMEHOME = 1 << 2,	/* REPLY: freeze and come home, in the state this reply leaves you in */
	MOSIX_F_LEFT     = 1 << 3,	/* REPLY with RESTART: arg[1] nanoseconds of the call's time-out are left */
	MOSIX_F_PARTIAL  = 1 << 4,	/* REPLY with RESTART: arg[1] bytes of the call are already done */
	MOSIX_F_RESET    = 1 << 5,	/* POLL: signo had SA_RESETHAND and was delivered: its disposition is SIG_DFL now */
	MOSIX_F_TEMPMASK = 1 << 6,	/* REPLY with SIGNAL: arg[2] is the mask in force (sigsuspend, ppoll…); the frame saves
					   the old one */
	MOSIX_F_INSIDE   = 1 << 7,	/* CALL: the program was moved while inside this call; a pending signal interrupts it */
	MOSIX_F_RECORD   = 1 << 8,	/* CALL: a wrapper's record is live, so a rest (time, count) can be carried over */
	MOSIX_F_PLAIN    = 1 << 9,	/* CALL: answer with the result only; signals and orders wait for the next request */
	MOSIX_F_STARTED  = 1 << 10,	/* CALL: bytes of it are done already, so any handled signal ends it */
	MOSIX_F_BLOCK    = 1 << 11,	/* POLL: mask shall hold from now on, unless a signal comes with the reply: that came
					   before */
	MOSIX_F_BACK     = 1 << 12,	/* POLL: signo, its siginfo in the payload, found no handler any more: home's kernel has
					   it back */
};

struct mosix_frame {
	uint16_t type;
	uint16_t flags;
	uint32_t length;	/* payload bytes that follow, ≤ MOSIX_PAYLOAD_MAX */
	uint32_t sequence;	/* of the request; a reply repeats it */
	uint32_t epoch;
	int32_t  nr;		/* call number */
	int32_t  signo;
	uint64_t mask;		/* CALL, POLL: the program's signal mask from now on */
	uint64_t arg[6];
};

#endif
