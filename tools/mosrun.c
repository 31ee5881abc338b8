/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mosrun: starts a program that may migrate. It tells homed what this pid is about to become, puts libmosix into LD_PRELOAD and
 * becomes the program; nothing else of it stays.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <mosix/paths.h>
#include "common/conf.h"
#include "ask.h"
#include "daemon.h"
#include "locate.h"
#include "program.h"

#define ANSWER_MS 10000

enum { EXIT_OWN = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };
enum { OPTION_TRACE = 256 };

const char *argp_program_version = "mosrun (mosix) " PACKAGE_VERSION;
error_t argp_err_exit_status = EXIT_OWN;

static const struct argp_option options[] = {
	/* clang-format off */
	{ NULL,    'r',          "NODE", 0, "Move to NODE at once", 0 },
	{ NULL,    'b',          NULL,   0, "Move to the best node at once", 0 },
	{ NULL,    'h',          NULL,   0, "Stay at home: never move, not even when asked", 0 },
	{ NULL,    'L',          NULL,   0, "Never move automatically, only when asked", 0 },
	{ NULL,    'e',          NULL,   0, "Fail (125) instead of running PROG unmovable at home", 0 },
	{ NULL,    'w',          NULL,   0, "Say on standard error why PROG cannot move", 0 },
	{ NULL,    'J',          "ID",   0, "Job that PROG belongs to (not served by this version)", 1 },
	{ NULL,    'm',          "MB",   0, "Memory that PROG will need (not served by this version)", 1 },
	{ "trace", OPTION_TRACE, NULL,   0, "Show on standard error the system calls that PROG makes while away, and where each ran", 0 },
	{ 0 }
	/* clang-format on */
};

struct request {
	const char *node; /* "best", a name, or NULL */
	bool stay, noauto;
	bool must; /* -e */
	bool say;  /* -w */
	bool trace;
	char **command;
};

static void __attribute__((noreturn, format(printf, 2, 3))) die(int status, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fputs("mosrun: ", stderr);
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
	va_end(list);
	exit(status);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;

	switch (key) {
	case 'r':
		if (request->node)
			die(EXIT_OWN, "only one of -r and -b can be given, and only once");
		if (strcmp(arg, "best") && strcmp(arg, "home") && !conf_name_valid(arg))
			die(EXIT_OWN, "-r: \"%s\" cannot be the name of a node", arg);
		if (!strcmp(arg, "home"))
			request->stay = true;
		else
			request->node = arg;
		return 0;
	case 'b':
		if (request->node)
			die(EXIT_OWN, "only one of -r and -b can be given, and only once");
		request->node = "best";
		return 0;
	case 'h':
		request->stay = true;
		return 0;
	case 'L':
		request->noauto = true;
		return 0;
	case 'e':
		request->must = true;
		return 0;
	case 'w':
		request->say = true;
		return 0;
	case 'J':
		die(EXIT_OWN, "-J: jobs are not served by this version");
	case 'm':
		die(EXIT_OWN, "-m: memory requirements are not served by this version");
	case OPTION_TRACE:
		request->trace = true;
		return 0;
	case ARGP_KEY_ARGS:
		request->command = state->argv + state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which program?");
		return EINVAL;
	case ARGP_KEY_SUCCESS:
		if (request->stay && request->node)
			die(EXIT_OWN, "-h and -%c contradict each other", strcmp(request->node, "best") ? 'r' : 'b');
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "PROG [ARG...]",
	.doc = "Run PROG so that it may migrate to other nodes of the cluster.\v"
	       "homed is started if none runs. PROG runs in this very process: same pid, terminal, files and parent. A program "
	       "that cannot be moved (static, setuid, 32-bit) runs at home like any other, unless -e is given.\n\n"
	       "Exit status: that of PROG; 125 if mosrun itself fails, 126 if PROG cannot be executed, 127 if it is not found.",
};

/* The program runs as it would without mosrun; under -e it does not run at all. */
static void decline(const struct request *request, const char *who, const char *why)
{
	if (request->must)
		die(EXIT_OWN, "%s%s%s", who, *who ? " " : "", why);
	if (request->say)
		fprintf(stderr, "mosrun: %s%s%s; it runs at home and cannot move\n", who, *who ? " " : "", why);
}

/*
 * The number under which PROG will have this standard error for its trace, whatever it does with its own: as high as its limit
 * lets it be, where nobody meets it.
 */
static int trace_descriptor(void)
{
	struct rlimit limit;
	int fd = -1;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > 16)
		fd = fcntl(STDERR_FILENO, F_DUPFD, (int)(limit.rlim_cur < INT_MAX ? limit.rlim_cur : INT_MAX) - 8);
	if (fd < 0)
		die(EXIT_OWN, "--trace: standard error cannot be kept for it: %s", strerror(errno));
	return fd;
}

/* Tells homed what this process is about to become. 0 or -errno, with a sentence in ret_text. */
static int place(const struct request *request, char ret_text[static DAEMON_TEXT])
{
	int trace = request->trace ? trace_descriptor() : 0;

	for (bool started = false;; started = true) {
		ANSWER_AUTO struct answer answer;
		MSG_AUTO struct msg question;
		int error;

		msg_begin(&question, "place");
		msg_add_uint(&question, "pid", (uint64_t)getpid());
		msg_add_str(&question, "node", request->node ? request->node : "");
		msg_add_bool(&question, "stay", request->stay);
		msg_add_bool(&question, "noauto", request->noauto);
		msg_add_uint(&question, "trace", (uint64_t)trace);
		error = ask(&question, ANSWER_MS, &answer);
		snprintf(ret_text, DAEMON_TEXT, "%s", answer.text);
		if (error != -ECONNREFUSED || started)
			return error;
		error = daemon_start_homed(ret_text);
		if (error)
			return error;
	}
}

/* Puts libmosix in front of what LD_PRELOAD holds. */
static void preload(const char *library)
{
	const char *old;
	char *value;

	daemon_clean_preload(); /* a mosrun under mosrun: once is enough */
	old = getenv("LD_PRELOAD");
	if (asprintf(&value, "%s%s%s", library, old && *old ? ":" : "", old ? old : "") < 0 || setenv("LD_PRELOAD", value, 1))
		die(EXIT_OWN, "there is not enough memory");
	free(value);
}

static void opt_in(const struct request *request, const struct program *program)
{
	char library[PATH_MAX], text[DAEMON_TEXT];
	int error;

	if (program->native) {
		decline(request, program->path, program->native);
		return;
	}
	if (locate(PART_LIBRARY, library, sizeof library)) {
		snprintf(text, sizeof text, "there is no libmosix at %.900s", library);
		decline(request, "", text);
		return;
	}
	if (strpbrk(library, ": ")) {
		decline(request, library, "cannot be named in LD_PRELOAD, which knows no blanks and colons in a path");
		return;
	}
	error = place(request, text);
	if (error == -EREMOTEIO && (request->must || request->say)) {
		/* homed is there, but cannot do what -r or -b wants: PROG may still move later. */
		if (request->must)
			die(EXIT_OWN, "%s", text);
		fprintf(stderr, "mosrun: %s; it starts at home\n", text);
	}
	if (error && error != -EREMOTEIO) {
		decline(request, "", text);
		return;
	}
	preload(library);
}

static void __attribute__((noreturn)) become(const struct program *program, char **command)
{
	size_t count = 0;
	char **shell;

	if (!program->shell)
		execv(program->path, command);
	if (program->shell || errno == ENOEXEC) {
		while (command[count])
			count++;
		shell = calloc(count + 2, sizeof *shell);
		if (!shell)
			die(EXIT_OWN, "there is not enough memory");
		shell[0] = "/bin/sh";
		shell[1] = (char *)program->path;
		memcpy(shell + 2, command + 1, count * sizeof *shell);
		execv(shell[0], shell);
	}
	/* It was there a moment ago: what is missing is what its first line or its ELF header names. */
	die(EXIT_NOT_EXECUTABLE, "%s: %s", program->path, errno == ENOENT ? "its interpreter is missing" : strerror(errno));
}

int main(int argc, char **argv)
{
	struct request request = { .node = NULL };
	struct program program;
	int error;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &request);
	error = program_find(request.command[0], &program);
	if (error == -ENOENT)
		die(EXIT_NOT_FOUND, "%s: no such program", request.command[0]);
	if (error == -EACCES)
		die(EXIT_NOT_EXECUTABLE, "%s: it may not be executed", request.command[0]);
	if (error)
		die(EXIT_NOT_EXECUTABLE, "%s: %s", request.command[0], strerror(-error));
	opt_in(&request, &program);
	become(&program, request.command);
}
