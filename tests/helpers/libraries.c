/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loads libraries, calls them, tells what /proc/self/maps says of them, and unloads them. With an argument it loads each after a
 * line on stdin, and does not ask for /proc/self/maps.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "check.h"

enum { ROUNDS = 12 };

static const char *const library[] = { "libz.so.1", "libm.so.6", "liblzma.so.5",
				       "libbz2.so.1.0", "libcrypt.so.1", "libstdc++.so.6" };
enum { LIBRARIES = sizeof library / sizeof library[0] };

static const char *base_name(const char *path)
{
	return strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
}

/* Its lines as they are, relative to its beginning. */
static void tell(const struct link_map *map)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from, to, offset;
	char text[400], access[5], name[300];
	const char *own = base_name(map->l_name);

	printf("%s\n", own);
	while (fgets(text, sizeof text, maps)) {
		name[0] = 0;
		sscanf(text, "%lx-%lx %4s %lx %*s %*s %299s", &from, &to, access, &offset, name);
		if (strncmp(base_name(name), own, strcspn(own, ".") + 1) == 0)	/* the name is a link to a longer one */
			printf("  %lx-%lx %s %lx %s\n", from - map->l_addr, to - map->l_addr, access, offset, name);
	}
	fclose(maps);
}

static void call(const char *name, void *handle)
{
	if (strcmp(name, "libz.so.1") == 0) {
		unsigned long (*crc32)(unsigned long, const char *, unsigned) = dlsym(handle, "crc32");

		printf("crc32 %lx\n", crc32(0, "a text of some bytes", 20));
	} else if (strcmp(name, "libm.so.6") == 0) {
		double (*cosine)(double) = dlsym(handle, "cos");

		printf("cos %.17g\n", cosine(0.7));
	} else if (strcmp(name, "liblzma.so.5") == 0) {
		const char *(*version)(void) = dlsym(handle, "lzma_version_string");

		printf("lzma %s\n", version());
	}
}

static void *load(const char *name)
{
	void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);

	if (handle == NULL)
		puts(dlerror());
	else
		call(name, handle);
	return handle;
}

static void wait_for_line(void)
{
	char line[80];

	if (!fgets(line, sizeof line, stdin))
		exit(1);
}

static void load_slowly(void)
{
	puts("ready");
	for (int i = 0; i < LIBRARIES; i++) {
		wait_for_line();
		load(library[i]);
	}
	puts("loaded");
	wait_for_line();
}

int main(int argc, char **argv)
{
	(void)argv;
	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc > 1)
		load_slowly();
	for (int round = 0; round < ROUNDS && argc == 1; round++) {
		void *handle[LIBRARIES];

		for (int i = 0; i < LIBRARIES; i++) {
			check_compute(8);
			handle[i] = load(library[(i + round) % LIBRARIES]);
		}
		check_compute(8);
		for (int i = 0; i < LIBRARIES; i++) {
			struct link_map *map;

			if (handle[i] && (round + i) % 3 == 0 && dlinfo(handle[i], RTLD_DI_LINKMAP, &map) == 0)
				tell(map);
			if (handle[i] && round % 3 != 2)
				dlclose(handle[i]);
		}
	}
	return check_result();
}
