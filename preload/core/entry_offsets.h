/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Offsets of struct core_state that entry.S uses; entry_check.c compares them with the compiler's. */
#ifndef MOSIX_CORE_ENTRY_OFFSETS_H
#define MOSIX_CORE_ENTRY_OFFSETS_H

#define STATE_GATE_SECRET 256

#endif
