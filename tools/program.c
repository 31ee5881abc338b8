/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "descriptor.h"

#define INTERPRETERS 5   /* the kernel's limit for scripts that are read by scripts */
#define SCRIPT_LINE  256 /* BINPRM_BUF_SIZE */
#define SEGMENTS_MAX 512
#define DEFAULT_PATH "/bin:/usr/bin" /* execvp(3) without $PATH */

static int look(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return errno == ENOTDIR ? -ENOENT : -errno;
	if (!S_ISREG(st.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS))
		return -EACCES;
	return 0;
}

static int search(const char *name, char ret_path[static PATH_MAX])
{
	const char *path = getenv("PATH"), *end;
	int result = -ENOENT;

	if (strchr(name, '/')) {
		if ((size_t)snprintf(ret_path, PATH_MAX, "%s", name) >= PATH_MAX)
			return -ENAMETOOLONG;
		return look(name);
	}
	if (!*name)
		return -ENOENT;
	for (path = path ? path : DEFAULT_PATH;; path = end + 1) {
		end = strchrnul(path, ':');
		if (snprintf(ret_path, PATH_MAX, "%.*s%s%s", (int)(end - path), path, end > path ? "/" : "./", name) < PATH_MAX) {
			int error = look(ret_path);

			if (!error)
				return 0;
			if (error == -EACCES)
				result = -EACCES;
		}
		if (!*end)
			return result;
	}
}

/* The dynamic linker decides what LD_PRELOAD means: none in a static program, and another libc's cannot load a glibc library. */
static const char *check_elf(int fd, const Elf64_Ehdr *elf)
{
	Elf64_Phdr segment[SEGMENTS_MAX];
	size_t size = elf->e_phnum * sizeof *segment;
	char interpreter[256];

	if (elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_machine != EM_X86_64)
		return "is not an x86-64 program, so libmosix cannot be loaded";
	if (elf->e_phentsize != sizeof *segment || elf->e_phnum > SEGMENTS_MAX ||
	    pread(fd, segment, size, (off_t)elf->e_phoff) != (ssize_t)size)
		return "is not an executable that can be understood";
	for (int i = 0; i < elf->e_phnum; i++) {
		ssize_t length;

		if (segment[i].p_type != PT_INTERP)
			continue;
		length = pread(fd, interpreter, sizeof interpreter - 1, (off_t)segment[i].p_offset);
		if (length <= 0)
			return "is not an executable that can be understood";
		interpreter[length] = 0;
		if (!strstr(interpreter, "ld-linux-x86-64.so.2"))
			return "is not linked with glibc, so libmosix cannot be loaded";
		return NULL;
	}
	return "is statically linked, so libmosix cannot be loaded";
}

/* Whether an exec of it changes who we are: then the dynamic linker ignores LD_PRELOAD. */
static const char *check_privilege(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return NULL;
	if ((st.st_mode & S_ISUID && st.st_uid != geteuid()) ||
	    ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st.st_gid != getegid()))
		return "is setuid or setgid, so libmosix cannot be loaded";
	if (getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return "has file capabilities, so libmosix cannot be loaded";
	return NULL;
}

/* The interpreter of a "#!" line. */
static bool parse_script(char line[static SCRIPT_LINE + 1], char ret_path[static PATH_MAX])
{
	char *start = line + 2 + strspn(line + 2, " \t");

	start[strcspn(start, " \t\n")] = 0;
	if (!*start)
		return false;
	snprintf(ret_path, PATH_MAX, "%s", start);
	return true;
}

int program_find(const char *name, struct program *ret_program)
{
	struct program program = { .native = NULL };
	char path[PATH_MAX];
	int error = search(name, program.path);

	if (error)
		return error;
	strcpy(path, program.path);
	for (int depth = 0; depth <= INTERPRETERS; depth++) {
		union {
			char line[SCRIPT_LINE + 1];
			Elf64_Ehdr elf;
		} head;
		CLOSE_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t length;

		if (fd < 0) /* executable but not readable: nothing speaks against it */
			break;
		memset(&head, 0, sizeof head);
		length = read(fd, head.line, SCRIPT_LINE);
		if (length >= (ssize_t)sizeof head.elf && !memcmp(head.elf.e_ident, ELFMAG, SELFMAG)) {
			program.native = check_privilege(fd);
			if (!program.native)
				program.native = check_elf(fd, &head.elf);
			break;
		}
		if (head.line[0] != '#' || head.line[1] != '!') {
			if (depth > 0)
				break;
			program.shell = 1;
			strcpy(path, "/bin/sh");
			continue;
		}
		if (!parse_script(head.line, path))
			break;
	}
	*ret_program = program;
	return 0;
}
