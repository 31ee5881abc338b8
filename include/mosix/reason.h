/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The reasons of reason.def as numbers. Their sentences: common/reason.h. */
#ifndef MOSIX_REASON_H
#define MOSIX_REASON_H

enum mosix_why {
	MOSIX_WHY_NONE = 0,
#define REASON(number, name, sentence) MOSIX_WHY_##name = number,
#include <mosix/reason.def>
#undef REASON
};

#endif
