/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "wrap.h"
#include <dlfcn.h>

struct wrap_reals wrap_reals;

static const char *const names[] = {
#define REAL(result, name, parameters) [WRAP_##name] = #name,
#include "reals.def"
#undef REAL
};

void *wrap_resolve(enum wrap_index index)
{
	int saved = errno;
	void *found = dlsym(RTLD_NEXT, names[index]);

	((void **)&wrap_reals)[index] = found;
	errno = saved;
	return found;
}

void wrap_resolve_all(void)
{
	for (int i = 0; i < WRAP_REALS; i++) {
		/* libaio's: resolved when somebody who has it calls; a failing dlsym allocates. */
		if (i != WRAP_io_getevents && !((void **)&wrap_reals)[i])
			wrap_resolve((enum wrap_index)i);
	}
}
