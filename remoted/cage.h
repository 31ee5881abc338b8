/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A cage: the namespaces in which the guests of one home live, and the warden (warden.h) that is their first process.
 * remoted holds one end of a socket to the warden; this is that end.
 *
 * A caged process has no file system, no network, no capability but CAP_CHECKPOINT_RESTORE, by which it gives its threads and
 * children the numbers they have at home, no way to make further namespaces, and sees no process but those of its own home. What
 * it clones stays in the cage: it ends with the last guest there at the latest, or with the cage. What it may ask the kernel
 * for is the filter's business (filter.h), not the cage's.
 *
 * Functions return 0 or -errno. From one thread only: the warden dies with the thread that opened the cage.
 */
#ifndef MOSIX_REMOTED_CAGE_H
#define MOSIX_REMOTED_CAGE_H

#include <stdint.h>
#include <sys/types.h>

struct cage;

/* Descriptors that a guest must be allowed: the loader puts the channels in their places while it has all of them twice. */
static inline uint64_t cage_descriptors(uint32_t channels, uint32_t files) { return 2ull * channels + files + 64; }

enum cage_event_kind {
	CAGE_SPAWNED = 1,	/* the loader runs as pid and awaits its plan */
	CAGE_FAILED,		/* it could not be started: error, -EEXIST when the pid is still taken. No ENDED will follow */
	CAGE_ENDED,		/* it has ended and its pid is free again: status as wait(2) has it. Once for each SPAWNED */
};

struct cage_event {
	enum cage_event_kind kind;
	uint32_t pid, epoch;
	int error;		/* FAILED: -errno, else 0 */
	int status;		/* ENDED */
};

/*
 * Makes the namespaces and starts the warden; returns when the cage stands, which takes milliseconds, or after 10 s with
 * -ETIMEDOUT. home is a name for people (process name and host name inside), not checked. Works with and without privilege.
 * -EPERM, -ENOSPC, -EACCES mean that this machine does not let its users have namespaces: cage_probe() says which.
 * The loader is opened here: $MOSIX_LOADER, else mosix-loader beside the running program or, in a build tree,
 * ../guest/mosix-loader from there, else MOSIX_LIBEXECDIR/mosix-loader.
 */
int cage_open(const char *home, struct cage **ret);

/* Opens a cage and closes it again. On failure *ret_step is the step that failed, as half a sentence (static), for the one
   line that remoted prints when it starts. */
int cage_probe(const char **ret_step);

/* Kills the warden, hence every guest, and waits until they are gone. NULL is fine. No events come afterwards. */
void cage_close(struct cage *c);

/* Poll this for reading, then call cage_read() until -EAGAIN. Belongs to the cage. */
int cage_fd(const struct cage *c);

/* The next event. -EAGAIN: none now. -EPIPE: the warden is gone and every guest with it; close the cage. Does not block. */
int cage_read(struct cage *c, struct cage_event *ret);

/*
 * Asks for a guest: a process with that pid (in the cage), in a time namespace whose monotonic and boot-time clocks are those
 * of this machine's initial namespace plus the offsets, executing the loader with loader_socket as descriptor 3 and an O_PATH
 * descriptor of the outer /proc as 4. loader_socket stays the caller's. stack_limit is the soft RLIMIT_STACK at home:
 * it decides how much room the kernel leaves below the stack. Answered by SPAWNED or FAILED.
 * -EAGAIN: too many requests are on their way. -EPIPE: as above. Does not block.
 */
int cage_spawn(struct cage *c, uint32_t pid, uint32_t epoch, int64_t mono_offset_ns, int64_t boot_offset_ns,
	       uint64_t stack_limit, int loader_socket);

/*
 * A guest has made this process, which is the warden's child: it is a guest, too, and its end is told by ENDED, at once if it has
 * ended already. Does not block.
 */
int cage_adopt(struct cage *c, uint32_t pid, uint32_t epoch);

/* The last guest has gone: so does whatever else it may have left there. Does not block. */
int cage_sweep(struct cage *c);

/* The warden's number here. */
pid_t cage_warden(const struct cage *c);

/* SIGSTOP, SIGCONT or SIGKILL (else -EINVAL) to the guest if it lives, in that epoch. Does not block. */
int cage_signal(struct cage *c, uint32_t pid, uint32_t epoch, int sig);

#endif
