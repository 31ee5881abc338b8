/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* remoted: lends this machine's memory and processors to the processes of its user's other nodes. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/log.h"
#include "common/runtime.h"
#include "remoted/door.h"
#include "remoted/node.h"

enum { EXIT_USAGE = 2 };

struct options {
	const char *conf;
	const char *name;
	const char *listen;
	bool foreground;
	int ready_fd;
};

enum { OPTION_READY_FD = 256 };

const char *argp_program_version = "remoted (mosix) " PACKAGE_VERSION;

static const struct argp_option argp_options[] = {
	{ "conf",       'c', "FILE",      0, "Read FILE only, not mosix.conf in its usual places", 0 },
	{ "name",       'n', "NAME",      0, "The name of this node (else: name = in [node], else the host's)", 0 },
	{ "listen",     'l', "ADDR:PORT", 0, "Where homes may call (else: listen = in [node]); port 0: any free one, written "
					     "into NAME.port in the runtime directory", 0 },
	{ "foreground", 'f', NULL,        0, "Stay in the foreground and log to standard error", 0 },
	{ "ready-fd",   OPTION_READY_FD, "N", 0, "With --foreground: write `ready' and a newline to descriptor N when homes may "
						 "call", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static const char argp_doc[] =
	"Takes in the migrated processes of this user's other nodes: lends them memory and processors of this machine, each "
	"home's in a cage of its own."
	"\v"
	"Without --foreground it goes to the background once homes may call, and then logs to NAME.log in the runtime directory "
	"($MOSIX_RUNTIME_DIR, else $XDG_RUNTIME_DIR/mosix, else /tmp/mosix-UID). A file NAME.block there keeps new guests out. "
	"All guests end with it; SIGTERM and SIGINT end it.\n\n"
	"Exit status: 0 it was told to end, 1 it could not run (one line says why), 2 wrong usage.\n\n"
	"Environment: MOSIX_CONF, MOSIX_RUNTIME_DIR, MOSIX_LOADER (the guests' loader), MOSIX_LOG (error, warning, info, debug).";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	char *end;
	long number;

	switch (key) {
	case 'c':
		o->conf = arg;
		break;
	case 'n':
		if (!conf_name_valid(arg))
			argp_error(state, "`%s' is no name for a node", arg);
		o->name = arg;
		break;
	case 'l':
		o->listen = arg;
		break;
	case 'f':
		o->foreground = true;
		break;
	case OPTION_READY_FD:
		number = strtol(arg, &end, 10);
		if (!*arg || *end || number < 0 || number > INT_MAX || fcntl((int)number, F_GETFD) < 0)
			argp_error(state, "--ready-fd: `%s' is no open descriptor", arg);
		o->ready_fd = (int)number;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = { .options = argp_options, .parser = parse, .doc = argp_doc };

/* ---- to the background and back to whoever waits ---- */

static void say_ready(int fd)
{
	if (fd < 0)
		return;
	if (write(fd, "ready\n", 6) != 6)
		log_warning("nobody hears that remoted is ready");
	close(fd);
}

/* The parent stays until the child is ready, so that its exit status tells whether it is. Returns in the child only. */
static int go_to_background(int *ret_ready_fd)
{
	int ready[2];
	char line[6];

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (child > 0) {
		close(ready[1]);
		ssize_t n = read(ready[0], line, sizeof line);

		_exit(n == (ssize_t)sizeof line ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	close(ready[0]);
	setsid();
	*ret_ready_fd = ready[1];
	return 0;
}

static int leave_terminal(const char *name)
{
	char file[NAME_MAX + 1], path[PATH_MAX];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	snprintf(file, sizeof file, "%s.log", name);
	int r = null < 0 ? -errno : runtime_path(file, path, sizeof path);

	if (r == 0)
		r = log_open("remoted", path);
	if (r == 0 && (chdir("/") < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0))
		r = -errno;
	if (null > 2)
		close(null);
	return r;
}

/* ---- the port file ---- */

static int port_path(const char *name, char *ret_path, size_t size)
{
	char file[NAME_MAX + 1];

	snprintf(file, sizeof file, "%s.port", name);
	return runtime_path(file, ret_path, size);
}

/* By rename, so that nobody reads half a number. */
static int write_port(const char *name, uint16_t port)
{
	char path[PATH_MAX], temporary[PATH_MAX + 8];
	int r = port_path(name, path, sizeof path);

	if (r < 0)
		return r;
	snprintf(temporary, sizeof temporary, "%s.new", path);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	if (dprintf(fd, "%u\n", port) < 0 || rename(temporary, path) < 0)
		r = -errno;
	close(fd);
	return r;
}

static void remove_port(const char *name)
{
	char path[PATH_MAX];

	if (port_path(name, path, sizeof path) == 0)
		unlink(path);
}

/* ---- the loop ---- */

static void told_to_end(uv_signal_t *handle, int number)
{
	log_info("ends (signal %d)", number);
	uv_stop(handle->loop);
}

/* Two signals at once, as "kill; wait" in scripts brings about: the second must not cut the tidying short. */
static void be_deaf(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void close_handle(uv_handle_t *handle, void *data)
{
	(void)data;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* Until homes may call, whatever goes wrong is said where remoted was started. */
static int become_ready(struct node *node, const struct options *o, uint16_t port, int ready_fd)
{
	int r = write_port(node->name, port);

	if (r < 0) {
		log_error("cannot write its port into the runtime directory: %s", strerror(-r));
		return r;
	}
	if (node->machine.lacks[0])
		log_warning("this machine cannot take guests: %s", node->machine.lacks);
	if (!o->foreground)
		r = leave_terminal(node->name);
	if (r < 0) {
		log_error("cannot go to the background: %s", strerror(-r));
		return r;
	}
	log_info("node %s takes calls at port %u, %u processors", node->name, port, node->machine.cpus);
	say_ready(ready_fd);
	return 0;
}

static int serve(struct node *node, const struct options *o, const struct sockaddr *address, int ready_fd)
{
	uv_signal_t terminate, interrupt;
	struct door *door;
	uint16_t port;
	int r = node_start(node);

	if (r < 0) {
		log_error("cannot start: %s", strerror(-r));
		return r;
	}
	r = door_open(node, address, &door, &port);
	if (r < 0) {
		log_error("cannot listen where it was told to: %s", strerror(-r));
		node_stop(node);
		return r;
	}
	uv_signal_init(node->loop, &terminate);
	uv_signal_init(node->loop, &interrupt);
	uv_signal_start(&terminate, told_to_end, SIGTERM);
	uv_signal_start(&interrupt, told_to_end, SIGINT);
	r = become_ready(node, o, port, ready_fd);
	if (r == 0)
		uv_run(node->loop, UV_RUN_DEFAULT);
	be_deaf();
	door_close(door);
	node_stop(node);
	remove_port(node->name);
	uv_walk(node->loop, close_handle, NULL);
	uv_run(node->loop, UV_RUN_DEFAULT);
	return r;
}

/* ---- start ---- */

static int resolve(const struct conf_address *listen, struct sockaddr_storage *ret_address)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *found;
	char port[8];

	snprintf(port, sizeof port, "%u", listen->port);
	int r = getaddrinfo(listen->host, port, &hints, &found);

	if (r != 0) {
		log_error("cannot listen at %s: %s", listen->host, gai_strerror(r));
		return -EADDRNOTAVAIL;
	}
	memcpy(ret_address, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

/* Descriptors of channels, files and homes: as many as the machine lets us have. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int configure(const struct options *o, struct conf *conf, struct key *key, struct sockaddr_storage *address)
{
	char why[CONF_ERROR > KEY_WHY_MAX ? CONF_ERROR : KEY_WHY_MAX];

	if (conf_read(o->conf, conf, why) < 0) {
		log_error("%s", why);
		return -EINVAL;
	}
	if (o->name)
		snprintf(conf->name, sizeof conf->name, "%s", o->name);
	if (o->listen && conf_address_parse(o->listen, &conf->listen) < 0) {
		log_error("`%s' is no ADDR:PORT to listen at", o->listen);
		return -EINVAL;
	}
	if (!o->listen && !conf->has_listen) {
		log_error("no address to listen at: give --listen, or listen = in [node]");
		return -EINVAL;
	}
	if (key_load(conf->key, key, why) < 0) {
		log_error("%s", why);
		return -EACCES;
	}
	return resolve(&conf->listen, address);
}

static int run(const struct options *o, const struct conf *conf, const struct key *key, const struct sockaddr *address)
{
	static uv_loop_t loop;
	static struct node node;
	int lock, ready_fd = o->ready_fd, r = 0;

	node.loop = &loop;
	node.name = conf->name;
	node.key = *key;
	node.trusted_network = conf->trusted_network;
	if (!o->foreground)
		r = go_to_background(&ready_fd);
	if (r == 0)
		r = runtime_pid_hold(conf->name, &lock);
	if (r == -EBUSY)
		log_error("node %s runs already", conf->name);
	else if (r < 0)
		log_error("node %s cannot use its runtime directory: %s", conf->name, strerror(-r));
	if (r < 0)
		return r;
	r = uv_loop_init(&loop);
	if (r == 0) {
		machine_look(&node.machine);
		r = serve(&node, o, address, ready_fd);
		uv_loop_close(&loop);
	}
	runtime_pid_drop(conf->name, lock);
	return r;
}

int main(int argc, char **argv)
{
	struct options options = { .ready_fd = -1 };
	struct sockaddr_storage address;
	struct conf conf;
	struct key key;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &options);
	log_open("remoted", NULL);
	signal(SIGPIPE, SIG_IGN);
	raise_limits();
	if (configure(&options, &conf, &key, &address) < 0)
		return EXIT_FAILURE;
	int r = run(&options, &conf, &key, (struct sockaddr *)&address);

	key_wipe(&key);
	conf_free(&conf);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
