/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mosctl: tells and asks the homed of this user; starts and ends clusters on this machine. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/reason.h"
#include "ask.h"
#include "cluster.h"
#include "number.h"
#include "show.h"
#include "stack.h"

#define ASK_MS     10000
#define STACK_MS   30000  /* longer than homed's deadlines for it */
#define MIGRATE_MS 120000 /* homed's own deadlines are shorter; this is for a homed that hangs */
#define CHURN_MIN  1

enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE };

const char *argp_program_version = "mosctl (mosix) " PACKAGE_VERSION;
error_t argp_err_exit_status = EXIT_USAGE;

/* Options, beyond what could be a letter; each command says which it takes. */
enum {
	OPTION_JSON = 1 << 8,
	OPTION_NO_WAIT = 1 << 9,
	OPTION_BRING = 1 << 10,
	OPTION_LOCAL = 1 << 11,
	OPTION_HOSTS = 1 << 12,
	OPTION_CHURN = 1 << 13,
};

struct request {
	const struct command *command;
	struct argp_state *state;
	char *argument[2];
	unsigned arguments;
	unsigned given; /* OPTION_… */
	uint64_t local, churn_ms;
};

struct command {
	const char *name;
	unsigned arguments; /* exactly so many */
	unsigned options;   /* that it takes */
	int (*run)(const struct request *request);
};

static int __attribute__((format(printf, 1, 2))) failed(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fputs("mosctl: ", stderr);
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
	va_end(list);
	return EXIT_FAILED;
}

static void __attribute__((noreturn, format(printf, 1, 2))) usage(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fputs("mosctl: ", stderr);
	vfprintf(stderr, format, list);
	fputs(" (mosctl --help)\n", stderr);
	va_end(list);
	exit(EXIT_USAGE);
}

/* ---- commands that ask homed ---- */

/* EXIT_DONE with the answer, or EXIT_FAILED when the reason has been printed. */
static int ask_homed(struct msg *question, int timeout_ms, struct answer *ret_answer)
{
	return ask(question, timeout_ms, ret_answer) ? failed("%s", ret_answer->text) : EXIT_DONE;
}

static int ask_word(const char *word)
{
	ANSWER_AUTO struct answer answer;
	MSG_AUTO struct msg question;

	msg_begin(&question, word);
	return ask_homed(&question, ASK_MS, &answer);
}

static uint32_t parse_pid(const char *text)
{
	uint64_t pid;

	if (number_parse(text, 1, INT_MAX, &pid))
		usage("\"%s\" is no pid", text);
	return (uint32_t)pid;
}

static int print_json(const msgpack_object *map, const char *key)
{
	int error = show_json(map, key);

	return error ? failed("homed's answer cannot be shown: %s", strerror(-error)) : EXIT_DONE;
}

static int run_migrate(const struct request *request)
{
	ANSWER_AUTO struct answer answer;
	MSG_AUTO struct msg question;
	const char *node = request->argument[1];
	uint32_t pid = parse_pid(request->argument[0]);

	if (strcmp(node, "home") && strcmp(node, "best") && !conf_name_valid(node))
		usage("\"%s\" cannot be the name of a node", node);
	msg_begin(&question, "migrate");
	msg_add_uint(&question, "pid", pid);
	msg_add_str(&question, "node", node);
	msg_add_bool(&question, "wait", !(request->given & OPTION_NO_WAIT));
	return ask_homed(&question, MIGRATE_MS, &answer);
}

static int run_status(const struct request *request)
{
	ANSWER_AUTO struct answer answer;
	MSG_AUTO struct msg question;
	const msgpack_object *map = &answer.message.data;
	char node[CONF_NAME] = "?", version[32] = "?", text[24];
	uint64_t pid = 0, uptime = 0, processes = 0, away = 0, moves = 0;
	bool trusted = false, blocked = false;

	msg_begin(&question, "status");
	if (ask_homed(&question, ASK_MS, &answer))
		return EXIT_FAILED;
	if (request->given & OPTION_JSON)
		return print_json(map, NULL);
	msg_get_str(map, "node", node, sizeof node);
	msg_get_str(map, "version", version, sizeof version);
	msg_get_uint(map, "pid", &pid);
	msg_get_uint(map, "uptime_ms", &uptime);
	msg_get_uint(map, "processes", &processes);
	msg_get_uint(map, "away", &away);
	msg_get_uint(map, "moves", &moves);
	msg_get_bool(map, "trusted", &trusted);
	msg_get_bool(map, "blocked", &blocked);
	printf("node       %s%s\n", node, blocked ? " (blocked: takes no orders)" : "");
	printf("homed      pid %" PRIu64 ", version %s, running for %s\n", pid, version, show_time(uptime, text));
	printf("processes  %" PRIu64 ", %" PRIu64 " of them away\n", processes, away);
	printf("moves      %" PRIu64 " so far\n", moves);
	printf("network    %s\n", trusted ? "trusted: channels go in the clear" :
					    "not trusted: channels to other machines are encrypted");
	return EXIT_DONE;
}

static void add_node(struct show_table *table, const msgpack_object *node)
{
	char name[CONF_NAME] = "?", address[CONF_HOST] = "", state[16] = "?", text[ASK_TEXT] = "", bytes[16];
	uint64_t port = 0, cpus = 0, total = 0, available = 0, guests = 0, load = 0;

	msg_get_str(node, "name", name, sizeof name);
	msg_get_str(node, "address", address, sizeof address);
	msg_get_str(node, "state", state, sizeof state);
	msg_get_str(node, "text", text, sizeof text);
	if (!*text)
		msg_get_str(node, "lacks", text, sizeof text);
	msg_get_uint(node, "port", &port);
	msg_get_uint(node, "cpus", &cpus);
	msg_get_uint(node, "mem_total", &total);
	msg_get_uint(node, "mem_free", &available);
	msg_get_uint(node, "guests", &guests);
	msg_get_uint(node, "load", &load);
	show_table_add(table, "%s", name);
	show_table_add(table, "%s", state);
	if (*address)
		show_table_add(table, strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, (unsigned)port);
	else
		show_table_add(table, "-");
	if (cpus) {
		show_table_add(table, "%" PRIu64, cpus);
		show_table_add(table, "%.2f", (double)load / 1000);
		show_table_add(table, "%s", show_bytes(available, bytes));
		show_table_add(table, "%s", show_bytes(total, bytes));
		show_table_add(table, "%" PRIu64, guests);
	} else {
		for (int i = 0; i < 5; i++)
			show_table_add(table, "-");
	}
	show_table_add(table, "%s", text);
}

static int run_nodes(const struct request *request)
{
	static const char *const titles[] = { "NODE", "STATE", "ADDRESS", "CPUS", "LOAD", "FREE", "MEMORY", "GUESTS", "NOTE" };
	ANSWER_AUTO struct answer answer;
	MSG_AUTO struct msg question;
	const msgpack_object *items;
	struct show_table *table;
	uint32_t count;

	msg_begin(&question, "nodes");
	if (ask_homed(&question, ASK_MS, &answer))
		return EXIT_FAILED;
	if (request->given & OPTION_JSON)
		return print_json(&answer.message.data, "nodes");
	if (msg_get_array(&answer.message.data, "nodes", &items, &count))
		return failed("homed's answer is not understood");
	table = show_table_new(sizeof titles / sizeof *titles, titles, 0xf8);
	for (uint32_t i = 0; i < count; i++)
		add_node(table, &items[i]);
	show_table_end(table);
	return EXIT_DONE;
}

static int run_why(const struct request *request)
{
	ANSWER_AUTO struct answer answer;
	MSG_AUTO struct msg question;
	const msgpack_object *map = &answer.message.data;
	char where[CONF_NAME] = "?", text[ASK_TEXT] = "", last[ASK_TEXT] = "", call[40];
	uint32_t pid = parse_pid(request->argument[0]), reason = 0, last_reason = 0;
	bool movable = false;

	msg_begin(&question, "why");
	msg_add_uint(&question, "pid", pid);
	if (ask_homed(&question, ASK_MS, &answer))
		return EXIT_FAILED;
	if (request->given & OPTION_JSON)
		return print_json(map, NULL);
	msg_get_str(map, "where", where, sizeof where);
	msg_get_str(map, "text", text, sizeof text);
	msg_get_str(map, "last_text", last, sizeof last);
	msg_get_bool(map, "movable", &movable);
	msg_get_u32(map, "reason", &reason);
	msg_get_u32(map, "last_reason", &last_reason);
	show_clean(text);
	show_clean(last);
	printf("%" PRIu32 " is at %s\n", pid, where);
	if (movable)
		puts("it can move");
	else
		printf("it cannot move: %s\n", *text ? text : reason_sentence(reason));
	if (last_reason)
		printf("last: %s%s\n", *last ? last : reason_sentence(last_reason), show_call(map, call));
	return EXIT_DONE;
}

static int run_stack(const struct request *request)
{
	char text[ASK_TEXT];

	return stack_show(parse_pid(request->argument[0]), STACK_MS, text) ? failed("%s", text) : EXIT_DONE;
}

static int run_block(const struct request *request)
{
	return ask_word(request->command->name);
}

static int run_stop(const struct request *request)
{
	ANSWER_AUTO struct answer answer;
	MSG_AUTO struct msg question;

	msg_begin(&question, "stop");
	msg_add_bool(&question, "bring", request->given & OPTION_BRING);
	return ask_homed(&question, MIGRATE_MS, &answer);
}

/* ---- commands that start and end a cluster ---- */

/* A sentence with success is a warning. */
static int report(int error, const char *text)
{
	if (*text)
		failed("%s", text);
	return error ? EXIT_FAILED : EXIT_DONE;
}

static int run_up(const struct request *request)
{
	char text[CLUSTER_TEXT];

	if (request->given & OPTION_HOSTS)
		return failed("--hosts is not served by this version: start remoted on each host and list it in mosix.conf");
	if (!(request->given & OPTION_LOCAL))
		usage("up: --local N says how many nodes");
	return report(cluster_up((unsigned)request->local, (uint32_t)request->churn_ms, text), text);
}

static int run_down(const struct request *request)
{
	char text[CLUSTER_TEXT];

	(void)request;
	return report(cluster_down(text), text);
}

static const struct command commands[] = {
	/* clang-format off */
	{ "migrate", 2, OPTION_NO_WAIT,                              run_migrate },
	{ "status",  0, OPTION_JSON,                                 run_status },
	{ "nodes",   0, OPTION_JSON,                                 run_nodes },
	{ "why",     1, OPTION_JSON,                                 run_why },
	{ "stack",   1, 0,                                           run_stack },
	{ "block",   0, 0,                                           run_block },
	{ "unblock", 0, 0,                                           run_block },
	{ "stop",    0, OPTION_BRING,                                run_stop },
	{ "up",      0, OPTION_LOCAL | OPTION_HOSTS | OPTION_CHURN,  run_up },
	{ "down",    0, 0,                                           run_down },
	/* clang-format on */
};

static const struct argp_option options[] = {
	/* clang-format off */
	{ NULL,      0,              NULL,   0, "status, nodes, why:", 1 },
	{ "json",    OPTION_JSON,    NULL,   0, "Print JSON", 1 },
	{ NULL,      0,              NULL,   0, "migrate:", 2 },
	{ "no-wait", OPTION_NO_WAIT, NULL,   0, "Return when the order has been given, not when it has been carried out", 2 },
	{ NULL,      0,              NULL,   0, "stop:", 3 },
	{ "bring",   OPTION_BRING,   NULL,   0, "Bring the processes that are away home first", 3 },
	{ NULL,      0,              NULL,   0, "up:", 4 },
	{ "local",   OPTION_LOCAL,   "N",    0, "N nodes on this machine, n1 (the home) to nN, on loopback addresses", 4 },
	{ "hosts",   OPTION_HOSTS,   "FILE", 0, "Nodes on other machines (not served by this version)", 4 },
	{ "churn",   OPTION_CHURN,   "MS",   0, "Move every process at random, every MS milliseconds on average (for tests)", 4 },
	{ 0 }
	/* clang-format on */
};

static void parse_number(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	if (number_parse(text, min, max, ret))
		usage("%s: \"%s\" is no number from %" PRIu64 " to %" PRIu64, option, text, min, max);
}

static void add_word(struct request *request, char *word)
{
	if (!request->command) {
		for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
			if (!strcmp(commands[i].name, word))
				request->command = &commands[i];
		}
		if (!request->command)
			usage("there is no command \"%s\"", word);
		return;
	}
	if (request->arguments == request->command->arguments)
		usage("%s: \"%s\" is too much", request->command->name, word);
	request->argument[request->arguments++] = word;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;

	switch (key) {
	case OPTION_LOCAL:
		parse_number("--local", arg, 1, CLUSTER_MAX, &request->local);
		break;
	case OPTION_CHURN:
		parse_number("--churn", arg, CHURN_MIN, CONF_CHURN_MAX, &request->churn_ms);
		break;
	case OPTION_JSON:
	case OPTION_NO_WAIT:
	case OPTION_BRING:
	case OPTION_HOSTS:
		break;
	case ARGP_KEY_ARG:
		add_word(request, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	request->given |= (unsigned)key;
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "migrate PID NODE|home|best\nstatus\nnodes\nwhy PID\nstack PID\nblock\nunblock\nstop\nup --local N\ndown",
	.doc = "Tell and ask the homed of this user, start and end clusters on this machine.\v"
	       "migrate moves a process that mosrun started and returns when it has moved. status, nodes and why show this home, "
	       "the nodes it knows, and where a process is and why it cannot move or came home. stack shows what each of its "
	       "threads is doing, wherever it is. After block this home carries "
	       "out no orders to move until unblock. stop ends homed; processes at home run on. down brings everything home and "
	       "ends the cluster.\n\n"
	       "Exit status: 0 done; 1 it could not be done, one line on standard error says why; 2 wrong usage.",
};

int main(int argc, char **argv)
{
	struct request request = { .command = NULL };

	argp_parse(&argp, argc, argv, 0, NULL, &request);
	if (!request.command)
		usage("which command?");
	if (request.arguments < request.command->arguments)
		usage("%s: an argument is missing", request.command->name);
	if (request.given & ~request.command->options)
		usage("%s does not take that option", request.command->name);
	return request.command->run(&request);
}
