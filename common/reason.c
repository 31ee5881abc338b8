/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/reason.h"

#include <stddef.h>

static const struct { uint32_t number; const char *name, *sentence; } reasons[] = {
#define REASON(number, name, sentence) { number, #name, sentence },
#include <mosix/reason.def>
#undef REASON
};

const char *reason_name(uint32_t number)
{
	if (number == MOSIX_WHY_NONE)
		return "NONE";
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].number == number)
			return reasons[i].name;
	return "UNKNOWN";
}

const char *reason_sentence(uint32_t number)
{
	if (number == MOSIX_WHY_NONE)
		return "";
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].number == number)
			return reasons[i].sentence;
	return "for a reason that this version does not know";
}
