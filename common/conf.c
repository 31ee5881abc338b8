/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/conf.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What one file's reading carries along. inih tells a handler no line, so its reader, which is ours, counts. */
struct reading {
	struct conf *conf;
	const char *path;
	FILE *file;
	unsigned line, wrong_line;
	size_t inherited;	/* nodes that earlier files gave: these may be overridden */
	bool *set;		/* of inherited ones: already overridden by this file */
	char *error;		/* the first thing that was wrong */
	int result;
};

static int wrong(struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int wrong(struct reading *r, const char *format, ...)
{
	char text[CONF_ERROR / 2];
	va_list ap;

	if (r->result)
		return 0;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	snprintf(r->error, CONF_ERROR, "%.200s:%u: %s", r->path, r->line, text);
	r->result = -EINVAL;
	r->wrong_line = r->line;
	return 0;
}

bool conf_name_valid(const char *name)
{
	size_t n = strlen(name);

	if (!n || n >= CONF_NAME || !strcmp(name, "home") || !strcmp(name, "best") || name[0] == '.' || name[0] == '-')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("-_.", *name))
			return false;
	return true;
}

int conf_address_parse(const char *text, struct conf_address *ret_address)
{
	const char *host = text, *host_end, *port;
	unsigned long number;
	char *end;

	if (text[0] == '[') {
		host = text + 1;
		host_end = strchr(host, ']');
		if (!host_end || host_end[1] != ':')
			return -EINVAL;
		port = host_end + 2;
	} else {
		host_end = strrchr(text, ':');
		if (!host_end || memchr(text, ':', host_end - text))
			return -EINVAL;
		port = host_end + 1;
	}
	if (host_end == host || (size_t)(host_end - host) >= CONF_HOST || !isdigit((unsigned char)*port))
		return -EINVAL;
	number = strtoul(port, &end, 10);
	if (*end || number > 65535)
		return -EINVAL;
	memcpy(ret_address->host, host, host_end - host);
	ret_address->host[host_end - host] = 0;
	ret_address->port = (uint16_t)number;
	return 0;
}

const struct conf_node *conf_find(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->nodes; i++)
		if (!strcmp(conf->node[i].name, name))
			return &conf->node[i];
	return NULL;
}

static int parse_milliseconds(const char *text, uint32_t *ret)
{
	unsigned long value;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (*end || errno || value > CONF_CHURN_MAX)
		return -EINVAL;
	*ret = (uint32_t)value;
	return 0;
}

static int set_name(struct reading *r, const char *name, const char *value)
{
	(void)name;
	if (!conf_name_valid(value))
		return wrong(r, "name = %s: a node's name has 1 to %d letters, digits, '-', '_' or '.'", value, CONF_NAME - 1);
	strcpy(r->conf->name, value);
	return 1;
}

static int set_listen(struct reading *r, const char *name, const char *value)
{
	(void)name;
	if (conf_address_parse(value, &r->conf->listen) < 0)
		return wrong(r, "listen = %s: this is not ADDRESS:PORT", value);
	r->conf->has_listen = true;
	return 1;
}

static int set_key(struct reading *r, const char *name, const char *value)
{
	const char *user = getenv("HOME");
	int n;

	(void)name;
	if (!strncmp(value, "~/", 2) && user)
		n = snprintf(r->conf->key, sizeof(r->conf->key), "%s/%s", user, value + 2);
	else
		n = snprintf(r->conf->key, sizeof(r->conf->key), "%s", value);
	if (n <= 0 || (size_t)n >= sizeof(r->conf->key) || r->conf->key[0] != '/')
		return wrong(r, "key = %s: this is not an absolute path", value);
	return 1;
}

static int set_trusted(struct reading *r, const char *name, const char *value)
{
	(void)name;
	if (!strcmp(value, "yes"))
		r->conf->trusted_network = true;
	else if (!strcmp(value, "no"))
		r->conf->trusted_network = false;
	else
		return wrong(r, "trusted_network = %s: it is yes or no", value);
	return 1;
}

static int set_churn(struct reading *r, const char *name, const char *value)
{
	(void)name;
	if (parse_milliseconds(value, &r->conf->churn_ms) < 0)
		return wrong(r, "churn_ms = %s: this is no number of milliseconds up to %u", value, CONF_CHURN_MAX);
	return 1;
}

static int set_node(struct reading *r, const char *name, const char *value)
{
	struct conf_address address;
	struct conf_node *grown;
	size_t i;

	if (!conf_name_valid(name))
		return wrong(r, "a node cannot be named '%s'", name);
	if (conf_address_parse(value, &address) < 0 || !address.port)
		return wrong(r, "%s = %s: this is not ADDRESS:PORT", name, value);
	for (i = 0; i < r->conf->nodes; i++)
		if (!strcmp(r->conf->node[i].name, name)) {
			if (i >= r->inherited || r->set[i])
				return wrong(r, "node %s is given twice", name);
			r->set[i] = true;
			r->conf->node[i].address = address;
			return 1;
		}
	if (r->conf->nodes == CONF_NODES)
		return wrong(r, "more than %d nodes", CONF_NODES);
	grown = realloc(r->conf->node, (r->conf->nodes + 1) * sizeof(*grown));
	if (!grown)
		return wrong(r, "out of memory");
	r->conf->node = grown;
	grown += r->conf->nodes++;
	memset(grown, 0, sizeof(*grown));
	strcpy(grown->name, name);
	grown->address = address;
	return 1;
}

/* name NULL: any name of that section. */
static const struct { const char *section, *name; int (*set)(struct reading *, const char *, const char *); } settings[] = {
	{ "node",     "name",            set_name    },
	{ "node",     "listen",          set_listen  },
	{ "nodes",    NULL,              set_node    },
	{ "security", "key",             set_key     },
	{ "security", "trusted_network", set_trusted },
	{ "policy",   "churn_ms",        set_churn   },
};

static int take_setting(void *user, const char *section, const char *name, const char *value)
{
	struct reading *r = user;
	bool known = false;

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (strcmp(section, settings[i].section))
			continue;
		known = true;
		if (!settings[i].name || !strcmp(name, settings[i].name))
			return settings[i].set(r, name, value);
	}
	if (!*section)
		return wrong(r, "'%s' stands before the first [section]", name);
	return known ? wrong(r, "section [%s] has no '%s'", section, name) : wrong(r, "there is no section [%s]", section);
}

static char *read_line(char *line, int size, void *user)
{
	struct reading *r = user;

	if (!fgets(line, size, r->file))
		return NULL;
	r->line++;
	if (!strchr(line, '\n') && !feof(r->file)) {
		int c;

		wrong(r, "the line is longer than %d characters", size - 2);
		while ((c = fgetc(r->file)) != EOF && c != '\n')
			;
		line[0] = 0;
	}
	return line;
}

static int read_file(struct conf *conf, const char *path, bool must, char *error)
{
	struct reading r = { .conf = conf, .path = path, .error = error, .inherited = conf->nodes };
	int line;

	r.file = fopen(path, "re");
	if (!r.file) {
		if (errno == ENOENT && !must)
			return 0;
		r.result = -errno;
		snprintf(error, CONF_ERROR, "%.200s: %s", path, strerror(errno));
		return r.result;
	}
	r.set = calloc(conf->nodes + 1, sizeof(bool));
	if (!r.set) {
		fclose(r.file);
		snprintf(error, CONF_ERROR, "%.200s: out of memory", path);
		return -ENOMEM;
	}
	line = ini_parse_stream(read_line, &r, take_setting, &r);
	if (line > 0 && (!r.result || (unsigned)line < r.wrong_line)) {
		/* the parser goes on behind what it does not understand, so ours may be a later complaint */
		r.line = line;
		r.result = 0;
		wrong(&r, "this is neither [section] nor NAME = VALUE");
	} else if (line < 0 && !r.result) {
		wrong(&r, "out of memory");
	}
	if (!r.result && ferror(r.file)) {	/* a directory opens, but cannot be read */
		r.result = -EIO;
		snprintf(error, CONF_ERROR, "%.200s: cannot be read", path);
	}
	free(r.set);
	fclose(r.file);
	return r.result;
}

static void default_name(struct conf *conf)
{
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	host[strcspn(host, ".")] = 0;
	strcpy(conf->name, conf_name_valid(host) ? host : "localhost");
}

static int read_all(struct conf *conf, const char *path, char *error)
{
	const char *user = getenv("HOME"), *named = getenv("MOSIX_CONF"), *churn = getenv("MOSIX_CHURN_MS");
	char own[PATH_MAX];
	int r;

	if (path) {
		r = read_file(conf, path, true, error);
	} else {
		r = read_file(conf, "/etc/mosix/mosix.conf", false, error);
		if (r == 0 && user && (size_t)snprintf(own, sizeof(own), "%s/.config/mosix/mosix.conf", user) < sizeof(own))
			r = read_file(conf, own, false, error);
		if (r == 0 && named && *named)
			r = read_file(conf, named, true, error);
	}
	if (r == 0 && churn && *churn && parse_milliseconds(churn, &conf->churn_ms) < 0) {
		snprintf(error, CONF_ERROR, "MOSIX_CHURN_MS=%.64s: this is no number of milliseconds up to %u", churn,
			 CONF_CHURN_MAX);
		r = -EINVAL;
	}
	return r;
}

int conf_read(const char *path, struct conf *ret_conf, char ret_error[static CONF_ERROR])
{
	struct conf conf = { 0 };
	int r;

	ret_error[0] = 0;
	default_name(&conf);
	r = read_all(&conf, path, ret_error);
	if (r < 0) {
		conf_free(&conf);
		memset(ret_conf, 0, sizeof(*ret_conf));
		return r;
	}
	*ret_conf = conf;
	return 0;
}

void conf_free(struct conf *conf)
{
	free(conf->node);
	conf->node = NULL;
	conf->nodes = 0;
}
