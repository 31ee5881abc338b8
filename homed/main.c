/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * homed: the daemon at home. One a user: it knows the user's processes that may migrate, decides who goes where, opens the
 * channels and gives the orders. Everything it must not forget is in the book, so it may be killed and started at any time.
 */
#define _GNU_SOURCE
#include "homed/homed.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <mosix/paths.h>
#include "common/log.h"
#include "common/relay.h"
#include "common/runtime.h"
#include "homed/book.h"
#include "homed/control.h"
#include "homed/ending.h"
#include "homed/nodes.h"
#include "homed/orders.h"
#include "homed/past.h"
#include "homed/place.h"
#include "homed/process.h"
#include "homed/register.h"
#include "homed/stops.h"

#define DIGESTS 8192

const char *argp_program_version = "homed (mosix) " PACKAGE_VERSION;

struct options { const char *conf, *name; bool foreground; int ready_fd; };

enum { OPT_READY_FD = 256 };

static const struct argp_option option_list[] = {
	{ "conf",       'c',          "FILE", 0, "Read FILE instead of /etc/mosix/mosix.conf, ~/.config/mosix/mosix.conf and "
						 "$MOSIX_CONF", 0 },
	{ "foreground", 'f',          NULL,   0, "Stay in the foreground and log to standard error instead of homed.log in the "
						 "runtime directory", 0 },
	{ "name",       'n',          "NAME", 0, "Name of this node (default: [node] name, or the name of the host)", 0 },
	{ "ready-fd",   OPT_READY_FD, "N",    0, "Write \"ready\" and a newline to descriptor N when requests are taken, and "
						 "close it", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	char *end;
	long n;

	switch (key) {
	case 'c':
		o->conf = arg;
		return 0;
	case 'f':
		o->foreground = true;
		return 0;
	case 'n':
		if (!conf_name_valid(arg))
			argp_error(state, "'%s' is no name of a node", arg);
		o->name = arg;
		return 0;
	case OPT_READY_FD:
		n = strtol(arg, &end, 10);
		if (*end || end == arg || n < 0 || n > INT_MAX || fcntl((int)n, F_GETFD) < 0)
			argp_error(state, "'%s' is no open descriptor", arg);
		o->ready_fd = (int)n;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = option_list,
	.parser = parse_option,
	.doc = "The daemon of the home node: knows the processes that mosrun started, moves them to other nodes and back."
	       "\vmosrun and mosctl up start homed by themselves. The runtime directory is $MOSIX_RUNTIME_DIR, "
	       "$XDG_RUNTIME_DIR/mosix or /tmp/mosix-UID. $MOSIX_LOG sets how much is logged: error, warning, info or debug; "
	       "$MOSIX_CHURN_MS overrides [policy] churn_ms. SIGTERM and SIGINT end homed; processes that are away stay away and "
	       "are known to the next homed, but those on a network that is not trusted are called home first.\n\n"
	       "Exit status: 0 done, 1 it could not start (one line says why), 2 wrong usage.",
};

static void terminated(uv_signal_t *handle, int signo)
{
	log_info("ends by signal %d", signo);
	ending_begin(handle->data, false, NULL, NULL);
}

/* ---- into the background ---- */

/* Returns in the child; *ret_ready is the pipe on which the parent waits for "ready". */
static int go_background(int *ret_ready)
{
	int ends[2], null, status = 1;
	char word;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child < 0)
		return -errno;
	if (child) {
		close(ends[1]);
		/* a child that cannot start has said why, and its end of the pipe closes without a byte */
		if (read(ends[0], &word, 1) == 1)
			status = 0;
		_exit(status);
	}
	close(ends[0]);
	setsid();
	if (chdir("/") < 0)
		return -errno;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		return -errno;
	close(null);
	*ret_ready = ends[1];
	return 0;
}

static int log_to_file(void)
{
	char path[PATH_MAX];
	int r = runtime_path("homed.log", path, sizeof(path));

	return r < 0 ? r : log_open("homed", path);
}

/* The last word of a start that goes well: what would have gone wrong has been said there. */
static void leave_terminal(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null < 0)
		return;
	dup2(null, 2);
	close(null);
}

static void say_ready(int fd)
{
	if (fd < 0)
		return;
	if (write(fd, "ready\n", 6) != 6)
		log_warning("nobody reads that homed is ready");
	close(fd);
}

/* ---- putting it together ---- */

static int cannot(const char *what, int error)
{
	fprintf(stderr, "homed: %s: %s\n", what, strerror(-error));
	return error;
}

static int make_parts(struct homed *homed)
{
	homed->digests = digest_cache_new(DIGESTS);
	homed->processes = processes_new(homed);
	homed->past = past_new();
	homed->places = places_new();
	homed->stops = stops_new(homed);
	homed->relays = relays_new(homed->loop);
	homed->ending = ending_new(homed);
	if (!homed->digests || !homed->processes || !homed->past || !homed->places || !homed->stops || !homed->relays ||
	    !homed->ending)
		return -ENOMEM;
	return nodes_start(homed, &homed->nodes);
}

static int start_parts(struct homed *homed)
{
	int r = make_parts(homed);

	if (r < 0)
		return cannot("starting", r);
	r = processes_recall(homed);
	if (r < 0)
		return cannot("the book in the runtime directory", r);
	r = orders_start(homed, &homed->orders);
	if (r == 0)
		r = registrar_start(homed, &homed->registrar);
	if (r == 0)
		r = control_start(homed, &homed->control);
	return r < 0 ? cannot("sockets in the runtime directory", r) : 0;
}

static int configure(struct homed *homed, const struct options *o)
{
	char why[CONF_ERROR > KEY_WHY_MAX ? CONF_ERROR : KEY_WHY_MAX];
	int r = conf_read(o->conf, &homed->conf, why);

	if (r == 0)
		r = key_load(homed->conf.key, &homed->key, why);
	if (r < 0) {
		fprintf(stderr, "homed: %s\n", why);
		return r;
	}
	if (o->name)
		strcpy(homed->conf.name, o->name);
	cpu_read(&homed->cpu);
	return 0;
}

static void remove_traces(struct homed *homed)
{
	static const char *const names[] = { MOSIX_PATH_REGISTER, MOSIX_PATH_ORDERS, MOSIX_PATH_CONTROL, MOSIX_PATH_BOOK };
	bool known = book_count(homed->book) > 0;
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((!known || strcmp(names[i], MOSIX_PATH_BOOK)) && runtime_path(names[i], path, sizeof(path)) == 0)
			unlink(path);
}

static int serve(struct homed *homed, const struct options *o, int ready)
{
	static uv_signal_t term, interrupt;
	int pid_fd, r = runtime_pid_hold("homed", &pid_fd);

	if (r < 0) {
		if (r != -EBUSY)
			return cannot("the runtime directory", r);
		fprintf(stderr, "homed: it runs already\n");
		return r;
	}
	homed->started_ms = uv_now(homed->loop);
	r = o->foreground ? 0 : log_to_file();
	if (r < 0)
		cannot("homed.log", r);
	else
		r = start_parts(homed);
	if (r == 0) {
		if (!o->foreground)
			leave_terminal();
		uv_signal_init(homed->loop, &term);
		uv_signal_init(homed->loop, &interrupt);
		term.data = interrupt.data = homed;
		uv_signal_start(&term, terminated, SIGTERM);
		uv_signal_start(&interrupt, terminated, SIGINT);
		log_info("homed of node %s takes requests (%zu nodes, churn %u ms)", homed->conf.name, homed->conf.nodes,
			 homed->conf.churn_ms);
		say_ready(o->ready_fd);
		say_ready(ready);
		uv_run(homed->loop, UV_RUN_DEFAULT);
		nodes_stop(homed->nodes);
		remove_traces(homed);
		log_info("homed has ended");
	}
	runtime_pid_drop("homed", pid_fd);
	return r;
}

/* Each process costs a descriptor, each move one for each of its channels (five and up), or three if they are relayed. homed
   starts no programs that could inherit the limit. */
static void raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

int main(int argc, char **argv)
{
	struct options o = { .ready_fd = -1 };
	static struct homed homed;
	int ready = -1, r;

	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	log_open("homed", NULL);
	raise_limits();
	r = configure(&homed, &o);
	if (r == 0 && !o.foreground) {
		r = go_background(&ready);
		if (r < 0)
			cannot("going into the background", r);
	}
	if (r == 0) {
		homed.loop = uv_default_loop();
		r = homed.loop ? serve(&homed, &o, ready) : -ENOMEM;
	}
	key_wipe(&homed.key);
	return r < 0 ? 1 : 0;
}
