/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses of the image that cage_image.c makes. */
#ifndef MOSIX_TESTS_TEST_CAGE_H
#define MOSIX_TESTS_TEST_CAGE_H

/* Over the place where the kernel puts the vdso of a process that is not randomised. */
#define CAGE_ARENA      0x7ffff4000000ull
#define CAGE_ARENA_TEXT "0x7ffff4000000"
#define CAGE_CODE       0x555555554000ull
#define CAGE_DATA       0x555555600000ull
#define CAGE_BRK        0x555555700000ull
#define CAGE_FILE       0x7f0000000000ull
#define CAGE_SPARSE     0x7f0000010000ull
#define CAGE_FRESH      0x7f0000020000ull
#define CAGE_VDSO       0x7ffff0000000ull
#define CAGE_SLOTS      0x7e0000000000ull
#define CAGE_SLOT_COUNT 2

/* Numbers in the cage: of the guest, a thread and a child that it clones. */
#define CAGE_PID    4711
#define CAGE_THREAD 4999
#define CAGE_CHILD  5001

#endif
