/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/fcntl.h>
#include <linux/mman.h>
#include "core.h"
#include "maps.h"
#include <mosix/manifest.h>

static uint64_t hex(const char **at)
{
	uint64_t n = 0;

	for (;; (*at)++) {
		char c = **at;

		if (c >= '0' && c <= '9')
			n = n << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			n = n << 4 | (uint64_t)(c - 'a' + 10);
		else
			return n;
	}
}

static uint64_t decimal(const char **at)
{
	uint64_t n = 0;

	for (; **at >= '0' && **at <= '9'; (*at)++)
		n = n * 10 + (uint64_t)(**at - '0');
	return n;
}

/* The names the kernel gives (fs/proc/task_mmu.c, show_map_vma; 6.13 added [vvar_vclock], 6.16 [uprobes]). */
static enum maps_kind kind_of(const char *name, uint64_t inode)
{
	static const struct { char prefix[16]; uint8_t kind; } names[] = {
		{ "[stack]",        MAPS_STACK   },
		{ "[heap]",         MAPS_HEAP    },
		{ "[vdso]",         MAPS_VDSO    },
		{ "[vvar]",         MAPS_SPECIAL },
		{ "[vvar_vclock]",  MAPS_SPECIAL },
		{ "[uprobes]",      MAPS_SPECIAL },
		{ "[anon:",         MAPS_ANON    },
		{ "/[aio]",         MAPS_AIO     },
		{ "anon_inode:",    MAPS_RING    },
		{ "/anon_hugepage", MAPS_HUGE    },
		{ "/dev/zero",      MAPS_FILE    },
		{ "/dev/shm/",      MAPS_FILE    },
		{ "/dev/",          MAPS_DEVICE  },
		{ "[",              MAPS_UNKNOWN },
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (core_starts(name, names[i].prefix))
			return names[i].kind;
	return inode ? MAPS_FILE : MAPS_ANON;
}

/* makedev() of glibc, which is what stat(2) gives to programs. */
static uint64_t device_number(uint64_t major, uint64_t minor)
{
	return (major & 0xfff) << 8 | (minor & 0xff) | (minor & ~0xffull) << 12 | (major & ~0xfffull) << 32;
}

int maps_read(int fd, char *text, uint64_t capacity, struct maps_entry *entries, int most)
{
	uint64_t length = 0;
	int count = 0;

	for (;;) {
		long n = SYS4(__NR_pread64, fd, text + length, capacity - 1 - length, length);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		length += (uint64_t)n;
		if (length >= capacity - 1)
			return -E2BIG;
	}
	text[length] = '\0';

	for (const char *at = text; *at;) {
		struct maps_entry e = { 0 };
		uint64_t major;

		e.start = hex(&at);
		at++;
		e.end = hex(&at);
		at++;
		e.prot = (uint8_t)((at[0] == 'r' ? PROT_READ : 0) | (at[1] == 'w' ? PROT_WRITE : 0) |
				   (at[2] == 'x' ? PROT_EXEC : 0));
		e.shared = at[3] == 's';
		at += 5;
		e.offset = hex(&at);
		at++;
		major = hex(&at);
		at++;
		e.device = device_number(major, hex(&at));
		at++;
		e.inode = decimal(&at);
		while (*at == ' ')
			at++;
		e.name = (uint32_t)(at - text);
		e.kind = (uint8_t)kind_of(at, e.inode);
		e.system = core_starts(at, "/usr/") || core_starts(at, "/lib");
		while (*at && *at != '\n')
			at++;
		if (*at)
			at++;
		if (e.start >= MOSIX_TASK_SIZE)
			continue;
		if (count == most)
			return -E2BIG;
		entries[count++] = e;
	}
	return count;
}

int maps_open(const char *name)
{
	return (int)SYS4(__NR_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0);
}
