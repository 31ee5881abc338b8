/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MOSIX_FUZZ_CAGE_DOUBLE_H
#define MOSIX_FUZZ_CAGE_DOUBLE_H

/* The loader's end of the socket of the guest that was started last, or -1. */
extern int cage_double_loader;

#endif
