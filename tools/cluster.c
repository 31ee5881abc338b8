/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/key.h"
#include "common/runtime.h"
#include "ask.h"
#include "clock.h"
#include "crew.h"
#include "daemon.h"
#include "descriptor.h"
#include "locate.h"

#define HOME_NODE   "n1"
#define START_MS    10000
#define SESSIONS_MS 20000
#define POLL_MS     20 /* between looks at a state that only homed knows */
#define ASK_MS      5000
#define BRING_MS    70000 /* homed itself gives up after 60 s */

static int fail(char *ret_text, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(char *ret_text, int error, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(ret_text, CLUSTER_TEXT, format, list);
	va_end(list);
	return error;
}

/* ---- up ---- */

static int write_file(const char *name, const void *data, size_t size, char *ret_text)
{
	char path[PATH_MAX], fresh[PATH_MAX + 8];
	CLOSE_AUTO int fd = -1;
	int error = runtime_path(name, path, sizeof path);

	if (error)
		return fail(ret_text, error, "the runtime directory cannot be used: %s", strerror(-error));
	snprintf(fresh, sizeof fresh, "%s.new", path);
	unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size || rename(fresh, path)) {
		error = errno ? -errno : -EIO;
		unlink(fresh);
		return fail(ret_text, error, "%s: %s", path, strerror(-error));
	}
	return 0;
}

static int make_key(char *ret_text)
{
	char path[PATH_MAX], why[KEY_WHY_MAX];
	struct key key;
	int error = runtime_path(CREW_KEY, path, sizeof path);

	if (error)
		return fail(ret_text, error, "the runtime directory cannot be used: %s", strerror(-error));
	error = key_load(path, &key, why);
	key_wipe(&key);
	return error ? fail(ret_text, error, "%s", why) : 0;
}

/* port: of the nodes n2 …; NULL while they are not known. */
static int write_conf(unsigned nodes, const unsigned *port, uint32_t churn_ms, char *ret_text)
{
	char key[PATH_MAX], *text = NULL;
	size_t size;
	int error = runtime_path(CREW_KEY, key, sizeof key);
	FILE *file = error ? NULL : open_memstream(&text, &size);

	if (!file)
		return fail(ret_text, -ENOMEM, "mosix.conf cannot be made");
	fprintf(file, "# Made by mosctl up --local %u\n[node]\nname = %s\n\n[security]\nkey = %s\n", nodes, HOME_NODE, key);
	if (churn_ms)
		fprintf(file, "\n[policy]\nchurn_ms = %u\n", churn_ms);
	if (port) {
		fputs("\n[nodes]\n", file);
		for (unsigned n = 2; n <= nodes; n++)
			fprintf(file, "n%u = 127.0.0.%u:%u\n", n, n, port[n]);
	}
	error = fclose(file) ? -ENOMEM : write_file(CREW_CONF, text, size, ret_text);
	free(text);
	return error;
}

static int read_port(const char *name, unsigned *ret_port, char *ret_text)
{
	char path[PATH_MAX], file[64];
	unsigned port;
	FILE *stream;
	int count;

	snprintf(file, sizeof file, "%s.port", name);
	stream = runtime_path(file, path, sizeof path) ? NULL : fopen(path, "re");
	if (!stream)
		return fail(ret_text, -ENOENT, "%s did not say its port", name);
	count = fscanf(stream, "%u", &port);
	fclose(stream);
	if (count != 1 || port == 0 || port > 65535)
		return fail(ret_text, -EPROTO, "%s wrote no port into %s", name, path);
	*ret_port = port;
	return 0;
}

static int start(enum part part, const char *name, const char *listen, char *ret_text)
{
	char program[PATH_MAX], conf[PATH_MAX], log[PATH_MAX], file[64], node[64], text[DAEMON_TEXT];
	char *argv[10];
	int error, count = 0;

	error = locate(part, program, sizeof program);
	if (error)
		return fail(ret_text, error, "there is no %.900s", program);
	snprintf(file, sizeof file, "%s.log", listen ? name : "homed");
	snprintf(node, sizeof node, "%s", name);
	error = runtime_path(CREW_CONF, conf, sizeof conf);
	if (!error)
		error = runtime_path(file, log, sizeof log);
	if (error)
		return fail(ret_text, error, "the runtime directory cannot be used: %s", strerror(-error));
	argv[count++] = program;
	argv[count++] = "--conf";
	argv[count++] = conf;
	argv[count++] = "--name";
	argv[count++] = node;
	if (listen) {
		argv[count++] = "--listen";
		argv[count++] = (char *)listen;
	}
	argv[count] = NULL;
	error = daemon_start(argv, log, START_MS, text);
	return error ? fail(ret_text, error, "%s: %.960s", name, text) : 0;
}

/* How many of the nodes are up, and what the first that is not, or that is but takes no guests, says of itself. */
static int count_up(unsigned *ret_up, char *ret_text)
{
	ANSWER_AUTO struct answer answer;
	MSG_AUTO struct msg question;
	const msgpack_object *items;
	uint32_t count;
	unsigned up = 0;
	int error;

	msg_begin(&question, "nodes");
	error = ask(&question, ASK_MS, &answer);
	if (error)
		return fail(ret_text, error, "%s", answer.text);
	error = msg_get_array(&answer.message.data, "nodes", &items, &count);
	if (error)
		return fail(ret_text, error, "homed's list of nodes is not understood");
	*ret_text = 0;
	for (uint32_t i = 0; i < count; i++) {
		char state[16] = "", name[CONF_NAME] = "", text[ASK_TEXT] = "", lacks[ASK_TEXT] = "";

		msg_get_str(&items[i], "state", state, sizeof state);
		msg_get_str(&items[i], "name", name, sizeof name);
		msg_get_str(&items[i], "text", text, sizeof text);
		msg_get_str(&items[i], "lacks", lacks, sizeof lacks);
		if (!strcmp(state, "refused")) /* it will not change its mind */
			return fail(ret_text, -EPERM, "%s takes no guests: %s", name, *text ? text : lacks);
		if (!strcmp(state, "up"))
			up++;
		if (!strcmp(state, "up") && *lacks)
			snprintf(ret_text, CLUSTER_TEXT, "%s takes no guests: %s", name, lacks);
		else if (strcmp(state, "up") && strcmp(state, "home") && !*ret_text)
			snprintf(ret_text, CLUSTER_TEXT, "%s is %s%s%s", name, state, *text ? ": " : "", text);
	}
	*ret_up = up;
	return 0;
}

/* homed has no way to announce a session, so it is asked again and again; a daemon that ends meanwhile ends the wait at once. */
static int await_sessions(unsigned nodes, char *ret_text)
{
	struct crew crew;
	struct pollfd p[CREW_MAX];
	long end = clock_ms() + SESSIONS_MS;
	unsigned up = 0;
	int error = crew_find(&crew);

	if (error)
		return fail(ret_text, error, "the runtime directory cannot be read: %s", strerror(-error));
	for (size_t i = 0; i < crew.count; i++)
		p[i] = (struct pollfd){ .fd = crew.member[i].pidfd, .events = POLLIN };
	for (;;) {
		error = count_up(&up, ret_text);
		if (error || up == nodes - 1)
			break;
		if (clock_ms() > end) {
			error = -ETIMEDOUT;
			break;
		}
		if (poll(p, crew.count, POLL_MS) <= 0)
			continue;
		for (size_t i = 0; i < crew.count; i++) {
			if (p[i].revents)
				error = fail(ret_text, -ECHILD, "%s ended (its log in the runtime directory says why)",
					     crew.member[i].name);
		}
		break;
	}
	crew_free(&crew);
	return error;
}

static int start_all(unsigned nodes, uint32_t churn_ms, char *ret_text)
{
	unsigned port[CLUSTER_MAX + 1] = { 0 };
	int error = make_key(ret_text);

	if (!error)
		error = write_conf(nodes, NULL, 0, ret_text);
	for (unsigned n = 2; !error && n <= nodes; n++) {
		char name[16], listen[32];

		snprintf(name, sizeof name, "n%u", n);
		snprintf(listen, sizeof listen, "127.0.0.%u:0", n);
		error = start(PART_REMOTED, name, listen, ret_text);
		if (!error)
			error = read_port(name, &port[n], ret_text);
	}
	if (!error)
		error = write_conf(nodes, port, churn_ms, ret_text);
	if (!error)
		error = start(PART_HOMED, HOME_NODE, NULL, ret_text);
	return error ? error : await_sessions(nodes, ret_text);
}

/* mosix.conf names the key by a whole path, and daemons change their directory. */
static int make_absolute(char *ret_text)
{
	char path[PATH_MAX], whole[PATH_MAX];
	int error = runtime_directory(path, sizeof path);

	if (!error && (!realpath(path, whole) || (path[0] != '/' && setenv("MOSIX_RUNTIME_DIR", whole, 1))))
		error = -errno;
	return error ? fail(ret_text, error, "the runtime directory cannot be used: %s", strerror(-error)) : 0;
}

int cluster_up(unsigned nodes, uint32_t churn_ms, char ret_text[static CLUSTER_TEXT])
{
	CLOSE_AUTO int lock = -1;
	struct crew crew;
	size_t who;
	int error = daemon_lock(&lock);

	if (!error)
		error = crew_find(&crew);
	if (error)
		return fail(ret_text, error, "the runtime directory cannot be used: %s", strerror(-error));
	if (crew.count) {
		error = fail(ret_text, -EEXIST, "%s runs already (pid %d): mosctl down ends it", crew.member[0].name,
			     crew.member[0].pid);
		crew_free(&crew);
		return error;
	}
	crew_remove_files(false);
	error = make_absolute(ret_text);
	if (!error)
		error = start_all(nodes, churn_ms, ret_text);
	if (error && !crew_find(&crew)) {
		crew_end(&crew, &who);
		crew_free(&crew);
		crew_remove_files(true); /* logs say more than one line can */
	}
	return error;
}

/* ---- down ---- */

static int stop_homed(char *ret_text)
{
	ANSWER_AUTO struct answer answer;
	MSG_AUTO struct msg question;
	int error;

	msg_begin(&question, "stop");
	msg_add_bool(&question, "bring", true);
	error = ask(&question, BRING_MS, &answer);
	if (error && error != -ECONNREFUSED)
		return fail(ret_text, error, "not everything could be brought home: %.900s", answer.text);
	return 0;
}

int cluster_down(char ret_text[static CLUSTER_TEXT])
{
	CLOSE_AUTO int lock = -1;
	struct crew crew;
	size_t who;
	int error = daemon_lock(&lock);

	if (!error)
		error = crew_find(&crew);
	if (error)
		return fail(ret_text, error, "the runtime directory cannot be used: %s", strerror(-error));
	*ret_text = 0;
	if (crew.count)
		stop_homed(ret_text);
	error = crew_end(&crew, &who);
	if (error)
		fail(ret_text, error, "%s (pid %d) does not end", crew.member[who].name, crew.member[who].pid);
	crew_free(&crew);
	if (!error)
		crew_remove_all();
	return error;
}
