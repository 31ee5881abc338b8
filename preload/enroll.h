/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Telling homed that this process exists. Raw system calls only: safe in the child of a fork, no errno, nothing printed. A
 * descriptor exists only while a function here runs.
 */
#ifndef MOSIX_ENROLL_H
#define MOSIX_ENROLL_H

#include <stdint.h>

/* Learns the runtime directory (paths.h) from the environment and whether it can be trusted. 0 or -errno. One system call. */
int enroll_find(uint32_t uid);

/* Absolute path of homed's orders socket, after enroll_find(). */
const char *enroll_orders(void);

/* A socket connected to homed's register, or -errno: nobody listens. Two system calls. */
int enroll_connect(void);

/* Sends the registration and closes the socket. Waits at most 20 ms for a full queue. Two system calls. */
void enroll_send(int fd, uint32_t pid, uint64_t secret, uint64_t arena);

/* A secret, never 0. One system call. */
uint64_t enroll_secret(void);

#endif
