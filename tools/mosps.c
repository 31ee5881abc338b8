/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mosps: the processes of this user that mosrun started, and where they run. */
#include <argp.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/conf.h"
#include "common/reason.h"
#include "ask.h"
#include "show.h"

#define ASK_MS 10000

enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE };
enum { OPTION_JSON = 256 };

const char *argp_program_version = "mosps (mosix) " PACKAGE_VERSION;
error_t argp_err_exit_status = EXIT_USAGE;

static const struct argp_option options[] = {
	{ "json", OPTION_JSON, NULL, 0, "Print JSON: one array with an object for each process", 0 }, { 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	bool *json = state->input;

	switch (key) {
	case OPTION_JSON:
		*json = true;
		return 0;
	case ARGP_KEY_ARG:
		fprintf(stderr, "mosps: \"%s\" is too much: mosps takes no arguments\n", arg);
		exit(EXIT_USAGE);
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Show the processes of this user that may migrate: pid at home, where they run, how often they have moved, CPU "
	       "time and memory wherever used, and why they cannot move or why they came home last.\v"
	       "Exit status: 0 done; 1 it could not be done, one line on standard error says why; 2 wrong usage.",
};

/* What is worth a remark: that it cannot move, else why it is home again. */
static void note(const msgpack_object *process, char *ret_text, size_t size)
{
	const msgpack_object *home;
	uint32_t reason = 0;
	bool movable = true;
	char call[40];

	*ret_text = 0;
	msg_get_bool(process, "movable", &movable);
	if (!movable) {
		msg_get_u32(process, "reason", &reason);
		if (msg_get_str(process, "text", ret_text, size) || !*ret_text)
			snprintf(ret_text, size, "%s", reason_sentence(reason));
		return;
	}
	if (msg_get_map(process, "came_home", &home) || msg_get_u32(home, "reason", &reason) || !reason ||
	    reason == MOSIX_WHY_ORDERED)
		return;
	if (msg_get_str(home, "text", ret_text, size) || !*ret_text)
		snprintf(ret_text, size, "%s", reason_sentence(reason));
	snprintf(ret_text + strlen(ret_text), size - strlen(ret_text), "%s", show_call(home, call));
}

static void add_process(struct show_table *table, const msgpack_object *process)
{
	char comm[64] = "?", where[CONF_NAME] = "?", text[ASK_TEXT], bytes[16], time[24];
	uint64_t pid = 0, moves = 0, cpu = 0, rss = 0;

	msg_get_uint(process, "pid", &pid);
	msg_get_str(process, "comm", comm, sizeof comm);
	msg_get_str(process, "where", where, sizeof where);
	msg_get_uint(process, "moves", &moves);
	msg_get_uint(process, "cpu_ms", &cpu);
	msg_get_uint(process, "rss", &rss);
	note(process, text, sizeof text);
	show_table_add(table, "%" PRIu64, pid);
	show_table_add(table, "%s", where);
	show_table_add(table, "%" PRIu64, moves);
	show_table_add(table, "%s", show_time(cpu, time));
	show_table_add(table, "%s", show_bytes(rss, bytes));
	show_table_add(table, "%s", comm);
	show_table_add(table, "%s", text);
}

int main(int argc, char **argv)
{
	static const char *const titles[] = { "PID", "WHERE", "MOVES", "CPU", "MEMORY", "COMMAND", "NOTE" };
	ANSWER_AUTO struct answer answer;
	MSG_AUTO struct msg question;
	const msgpack_object *items;
	struct show_table *table;
	bool json = false;
	uint32_t count;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	msg_begin(&question, "ps");
	if (ask(&question, ASK_MS, &answer)) {
		fprintf(stderr, "mosps: %s\n", answer.text);
		return EXIT_FAILED;
	}
	if (msg_get_array(&answer.message.data, "processes", &items, &count)) {
		fputs("mosps: homed's answer is not understood\n", stderr);
		return EXIT_FAILED;
	}
	if (json)
		return show_json(&answer.message.data, "processes") ? EXIT_FAILED : EXIT_DONE;
	table = show_table_new(sizeof titles / sizeof *titles, titles, 0x1d);
	for (uint32_t i = 0; i < count; i++)
		add_process(table, &items[i]);
	show_table_end(table);
	return EXIT_DONE;
}
