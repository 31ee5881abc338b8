/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mosix.conf: [node] name, listen; [nodes] NAME = ADDR:PORT; [security] key, trusted_network; [policy] churn_ms.
 * What is wrong comes back as one sentence with file and line.
 */
#ifndef MOSIX_CONF_H
#define MOSIX_CONF_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_NAME    64		/* as mosix_order.node */
#define CONF_HOST    256
#define CONF_ERROR   512
#define CONF_NODES   4096
#define CONF_CHURN_MAX 3600000u

struct conf_address {
	char host[CONF_HOST];	/* number or name, without the brackets of IPv6 */
	uint16_t port;
};

struct conf_node {
	char name[CONF_NAME];
	struct conf_address address;
};

struct conf {
	char name[CONF_NAME];		/* of this node; the host's name up to its first dot unless given */
	bool has_listen;
	struct conf_address listen;
	struct conf_node *node;
	size_t nodes;
	char key[PATH_MAX];		/* "": the default place, see key.h */
	bool trusted_network;		/* channels may go in the clear to other machines */
	uint32_t churn_ms;		/* 0: no churn */
};

/*
 * Reads path alone, or, when it is NULL, those of /etc/mosix/mosix.conf, ~/.config/mosix/mosix.conf and $MOSIX_CONF that
 * exist, the later one overriding the earlier ($MOSIX_CONF must exist if it is set). $MOSIX_CHURN_MS overrides last.
 * No file at all is a configuration without nodes. Returns 0; or -errno with a sentence in ret_error and *ret_conf empty.
 * The caller frees with conf_free(), which may be called on an empty one.
 */
int conf_read(const char *path, struct conf *ret_conf, char ret_error[static CONF_ERROR]);
void conf_free(struct conf *conf);

/* NULL when there is no such node. */
const struct conf_node *conf_find(const struct conf *conf, const char *name);

/* "ADDR:PORT", "[V6]:PORT", port 0 … 65535. 0 or -EINVAL. */
int conf_address_parse(const char *text, struct conf_address *ret_address);

/* Names of nodes: letters, digits, '-', '_', '.'; not "home" or "best", which mean something else to tools. */
bool conf_name_valid(const char *name);

#endif
