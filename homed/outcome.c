/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "homed/outcome.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void outcome_set(struct outcome *o, uint32_t reason, int64_t detail, const char *format, ...)
{
	struct outcome new = { .reason = reason, .detail = detail };
	int n = snprintf(new.text, sizeof(new.text), "%s", reason_sentence(reason));
	va_list ap;

	if (format && n > 0 && (size_t)n + 3 < sizeof(new.text)) {
		memcpy(new.text + n, ": ", 2);
		va_start(ap, format);
		vsnprintf(new.text + n + 2, sizeof(new.text) - n - 2, format, ap);
		va_end(ap);
		if (!new.text[n + 2])
			new.text[n] = 0;
		else if (!strncmp(new.text + n + 2, new.text, (size_t)n))	/* what a node says begins with its sentence */
			memmove(new.text, new.text + n + 2, strlen(new.text + n + 2) + 1);
	}
	/* what a node says is shown on the user's terminal */
	for (char *at = new.text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	*o = new;
}

void outcome_clear(struct outcome *o)
{
	memset(o, 0, sizeof(*o));
}
