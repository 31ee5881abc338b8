/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mosix.conf: anything may be in the file. What is refused has one sentence that names the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/conf.h"
#include "tests/fuzz/mutate.h"

const struct fuzz_driver fuzz_driver = { .name = "conf", .rounds = 30000 };

static int file;
static char path[32];

void fuzz_begin(void)
{
	static const char *const texts[] = {
		("[node]\nname = n1\nlisten = 127.0.0.1:7000\n\n[nodes]\nn2 = 127.0.0.2:7001\nn3 = [::1]:7002\n"
		 "long.name-x_1 = host.example:1\n[security]\nkey = /home/user/key\ntrusted_network = yes\n[policy]\n"
		 "churn_ms = 250\n"),
		"[nodes]\nn2 = 127.0.0.1:1\nn2 = 127.0.0.1:2\n",
		"# a comment\n; another\n[security]\nkey = ~/key\n trusted_network = no ; at the end\n",
		"[policy]\nchurn_ms = 99999999999999999999\n[node]\nname = home\nlisten = :0\n",
		"\xef\xbb\xbf[node]\nname: x\n[node\nlisten = [::1\n=\n",
	};

	file = memfd_create("conf", MFD_CLOEXEC);
	FUZZ_MUST(file >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	setenv("HOME", "/home/user", 1);
	unsetenv("MOSIX_CHURN_MS");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		fuzz_seed(texts[i], strlen(texts[i]));
}

void fuzz_one(const uint8_t *data, size_t size)
{
	char error[CONF_ERROR];
	struct conf conf;

	FUZZ_MUST(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
	if (conf_read(path, &conf, error) < 0) {
		FUZZ_MUST(conf.nodes == 0 && strlen(error) < sizeof(error) && !strncmp(error, path, strlen(path)));
		return;
	}
	FUZZ_MUST(conf_name_valid(conf.name) && conf.nodes <= CONF_NODES && conf.churn_ms <= CONF_CHURN_MAX);
	for (size_t i = 0; i < conf.nodes; i++) {
		FUZZ_MUST(conf_name_valid(conf.node[i].name) && conf.node[i].address.port && conf.node[i].address.host[0]);
		FUZZ_MUST(conf_find(&conf, conf.node[i].name) == &conf.node[i]);
	}
	FUZZ_MUST(!conf.key[0] || conf.key[0] == '/');
	conf_free(&conf);
}
