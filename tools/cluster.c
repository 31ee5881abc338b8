/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cluster.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <mosix/paths.h>
#include "common/conf.h"
#include "common/key.h"
#include "common/runtime.h"
#include "ask.h"
#include "daemon.h"
#include "descriptor.h"
#include "locate.h"

#define HOME_NODE    "n1"
#define CONF_FILE    "mosix.conf"
#define KEY_FILE     "key"
#define START_MS     10000
#define SESSIONS_MS  20000
#define POLL_MS      20		/* between looks at a state that only homed knows */
#define ASK_MS       5000
#define BRING_MS     70000	/* homed itself gives up after 60 s */
#define TERM_MS      5000
#define KILL_MS      5000

static int fail(char *ret_text, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(char *ret_text, int error, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(ret_text, CLUSTER_TEXT, format, list);
	va_end(list);
	return error;
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t a = strlen(name), b = strlen(suffix);

	return a > b && !strcmp(name + a - b, suffix);
}

/* ---- the runtime directory ---- */

/* Everything that daemons and mosctl up put there; a file of any other name is somebody else's and stays. */
static bool is_ours(const char *name)
{
	static const char *const names[] = { MOSIX_PATH_REGISTER, MOSIX_PATH_ORDERS, MOSIX_PATH_CONTROL, MOSIX_PATH_BOOK,
					     MOSIX_PATH_BOOK ".new", CONF_FILE, CONF_FILE ".new", KEY_FILE };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (!strcmp(name, names[i]))
			return true;
	}
	return has_suffix(name, ".pid") || has_suffix(name, ".port") || has_suffix(name, ".port.new") || has_suffix(name, ".block") ||
	       has_suffix(name, ".log");
}

/* Calls `each` with the names in the runtime directory that it may want; the first result that is not 0 ends it. */
static int each_file(int (*each)(const char *name, void *data), void *data)
{
	char directory[PATH_MAX];
	struct dirent *entry;
	DIR *dir;
	int error = runtime_directory(directory, sizeof directory);

	if (error)
		return error;
	dir = opendir(directory);
	if (!dir)
		return -errno;
	while (!error && (entry = readdir(dir)))
		error = each(entry->d_name, data);
	closedir(dir);
	return error;
}

static int remove_file(const char *name, void *data)
{
	char path[PATH_MAX];
	const bool *spare_logs = data;

	if (is_ours(name) && !(*spare_logs && has_suffix(name, ".log")) && !runtime_path(name, path, sizeof path))
		unlink(path);
	return 0;
}

static void remove_files(bool spare_logs)
{
	each_file(remove_file, &spare_logs);
}

static void remove_all(void)
{
	char directory[PATH_MAX];
	const char *own = getenv("MOSIX_RUNTIME_DIR");

	remove_files(false);
	/* A directory that the user made and named stays; rmdir() spares one that is not empty. */
	if (!(own && *own) && !runtime_directory(directory, sizeof directory))
		rmdir(directory);
}

/* ---- daemons ---- */

struct daemons {
	size_t count;
	struct { char name[NAME_MAX + 1]; pid_t pid; int pidfd; } daemon[CLUSTER_MAX + 16];
};

static int note_daemon(const char *name, void *data)
{
	struct daemons *all = data;
	char *own;
	int error;

	if (!has_suffix(name, ".pid") || all->count == sizeof all->daemon / sizeof *all->daemon)
		return 0;
	own = all->daemon[all->count].name;
	snprintf(own, NAME_MAX + 1, "%.*s", (int)(strlen(name) - 4), name);
	error = runtime_pid_find(own, &all->daemon[all->count].pid, &all->daemon[all->count].pidfd);
	if (!error)
		all->count++;
	return 0;
}

static int find_daemons(struct daemons *ret_daemons)
{
	ret_daemons->count = 0;
	return each_file(note_daemon, ret_daemons);
}

static void free_daemons(struct daemons *daemons)
{
	for (size_t i = 0; i < daemons->count; i++)
		close(daemons->daemon[i].pidfd);
	daemons->count = 0;
}

static bool wait_end(int pidfd, int timeout_ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	long end = now_ms() + timeout_ms, left;

	while ((left = end - now_ms()) > 0) {
		int n = poll(&p, 1, (int)left);

		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
	return false;
}

static bool is_homed(const struct daemons *daemons, size_t i)
{
	return !strcmp(daemons->daemon[i].name, "homed");
}

/* homed goes first: a remoted that ends under it would look like a node that dies. */
static int end_daemons(struct daemons *daemons, char *ret_text)
{
	int result = 0;

	for (int turn = 0; turn < 2; turn++) {
		bool homed = turn == 0;

		for (size_t i = 0; i < daemons->count; i++) {
			if (is_homed(daemons, i) == homed)
				pidfd_send_signal(daemons->daemon[i].pidfd, SIGTERM, NULL, 0);
		}
		for (size_t i = 0; i < daemons->count; i++) {
			int pidfd = daemons->daemon[i].pidfd;

			if (is_homed(daemons, i) != homed || wait_end(pidfd, TERM_MS))
				continue;
			pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
			if (!wait_end(pidfd, KILL_MS))
				result = fail(ret_text, -ETIMEDOUT, "%s (pid %d) does not end", daemons->daemon[i].name,
					      daemons->daemon[i].pid);
		}
	}
	return result;
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
	int error = runtime_path(KEY_FILE, path, sizeof path);

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
	int error = runtime_path(KEY_FILE, key, sizeof key);
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
	error = fclose(file) ? -ENOMEM : write_file(CONF_FILE, text, size, ret_text);
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
	error = runtime_path(CONF_FILE, conf, sizeof conf);
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
		if (!strcmp(state, "refused"))	/* it will not change its mind */
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
	struct daemons daemons;
	struct pollfd p[sizeof daemons.daemon / sizeof *daemons.daemon];
	long end = now_ms() + SESSIONS_MS;
	unsigned up = 0;
	int error = find_daemons(&daemons);

	if (error)
		return fail(ret_text, error, "the runtime directory cannot be read: %s", strerror(-error));
	for (size_t i = 0; i < daemons.count; i++)
		p[i] = (struct pollfd){ .fd = daemons.daemon[i].pidfd, .events = POLLIN };
	for (;;) {
		error = count_up(&up, ret_text);
		if (error || up == nodes - 1)
			break;
		if (now_ms() > end) {
			error = -ETIMEDOUT;
			break;
		}
		if (poll(p, daemons.count, POLL_MS) <= 0)
			continue;
		for (size_t i = 0; i < daemons.count; i++) {
			if (p[i].revents)
				error = fail(ret_text, -ECHILD, "%s ended (its log in the runtime directory says why)",
					     daemons.daemon[i].name);
		}
		break;
	}
	free_daemons(&daemons);
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
	struct daemons daemons;
	char forget[CLUSTER_TEXT];
	int error = daemon_lock(&lock);

	if (!error)
		error = find_daemons(&daemons);
	if (error)
		return fail(ret_text, error, "the runtime directory cannot be used: %s", strerror(-error));
	if (daemons.count) {
		error = fail(ret_text, -EEXIST, "%s runs already (pid %d): mosctl down ends it", daemons.daemon[0].name,
			     daemons.daemon[0].pid);
		free_daemons(&daemons);
		return error;
	}
	remove_files(false);
	error = make_absolute(ret_text);
	if (!error)
		error = start_all(nodes, churn_ms, ret_text);
	if (error && !find_daemons(&daemons)) {
		end_daemons(&daemons, forget);
		free_daemons(&daemons);
		remove_files(true);	/* logs say more than one line can */
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
	struct daemons daemons;
	int error = daemon_lock(&lock);

	if (!error)
		error = find_daemons(&daemons);
	if (error)
		return fail(ret_text, error, "the runtime directory cannot be used: %s", strerror(-error));
	*ret_text = 0;
	if (daemons.count)
		stop_homed(ret_text);
	error = end_daemons(&daemons, ret_text);
	free_daemons(&daemons);
	if (!error)
		remove_all();
	return error;
}
