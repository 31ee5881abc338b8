/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configuration, reasons, processors, the runtime directory, digests. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/conf.h"
#include "common/cpu.h"
#include "common/digest.h"
#include "common/proc.h"
#include "common/reason.h"
#include "common/runtime.h"

static char directory[PATH_MAX], file[PATH_MAX + 16];

static void set_up(void)
{
	const char *temporary = getenv("TMPDIR");

	snprintf(directory, sizeof(directory), "%s/mosix-test-XXXXXX", temporary ? temporary : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(file, sizeof(file), "%s/mosix.conf", directory);
	unsetenv("MOSIX_CHURN_MS");
	unsetenv("MOSIX_CONF");
	setenv("MOSIX_RUNTIME_DIR", directory, 1);
	setenv("HOME", directory, 1);
}

static void tear_down(void)
{
	static const char *const names[] = { "mosix.conf", "a.pid", "s", "more" };
	char path[PATH_MAX + 16];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		unlink(path);
	}
	ck_assert_int_eq(rmdir(directory), 0);
}

static void put_file(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
	close(fd);
}

/* ---- conf ---- */

static int read_conf(const char *text, struct conf *conf, char *why)
{
	put_file(file, text, strlen(text));
	return conf_read(file, conf, why);
}

START_TEST(conf_takes_everything)
{
	struct conf c;
	char why[CONF_ERROR];
	const char *text = "; a comment\n[node]\nname = n1\nlisten = 127.0.0.1:7000\n[nodes]\nn2 = 127.0.0.2:7001\n"
			   "far.away = [fe80::1]:7002\n[security]\nkey = /k\ntrusted_network = yes\n[policy]\nchurn_ms = 100\n";

	ck_assert_int_eq(read_conf(text, &c, why), 0);
	ck_assert_str_eq(why, "");
	ck_assert_str_eq(c.name, "n1");
	ck_assert(c.has_listen);
	ck_assert_str_eq(c.listen.host, "127.0.0.1");
	ck_assert_uint_eq(c.listen.port, 7000);
	ck_assert_uint_eq(c.nodes, 2);
	ck_assert_str_eq(conf_find(&c, "far.away")->address.host, "fe80::1");
	ck_assert_uint_eq(conf_find(&c, "far.away")->address.port, 7002);
	ck_assert_ptr_null(conf_find(&c, "n3"));
	ck_assert_str_eq(c.key, "/k");
	ck_assert(c.trusted_network);
	ck_assert_uint_eq(c.churn_ms, 100);
	conf_free(&c);
}
END_TEST

static const struct { const char *text, *says; } conf_wrong[] = {
	{ "[node]\nname = a b\n",                         ":2: name = a b" },
	{ "[node]\nname = home\n",                        ":2: name = home" },
	{ "[node]\n\nlisten = 7000\n",                    ":3: listen = 7000" },
	{ "[nodes]\nn2 = 1.2.3.4:0\n",                    ":2: n2 = 1.2.3.4:0" },
	{ "[nodes]\nn2 = 1.2.3.4:99999\n",                ":2: n2" },
	{ "[nodes]\nn2 = 1.2.3.4:5\nn2 = 1.2.3.4:6\n",    ":3: node n2 is given twice" },
	{ "[nodes]\nbest = 1.2.3.4:5\n",                  ":2: a node cannot be named 'best'" },
	{ "[security]\ntrusted_network = maybe\n",        ":2: trusted_network" },
	{ "[security]\nkey = here\n",                     ":2: key = here" },
	{ "[policy]\nchurn_ms = -1\n",                    ":2: churn_ms = -1" },
	{ "[policy]\nchurn = 1\n",                        ":2: section [policy] has no 'churn'" },
	{ "[polizei]\nchurn_ms = 1\n",                    ":2: there is no section [polizei]" },
	{ "name = n1\n",                                  ":1: 'name' stands before" },
	{ "[node]\nname\n[nodes]\nn2 = x\n",              ":2: this is neither" },
};

START_TEST(conf_says_what_is_wrong)
{
	struct conf c;
	char why[CONF_ERROR];

	ck_assert_int_eq(read_conf(conf_wrong[_i].text, &c, why), -EINVAL);
	ck_assert_msg(strstr(why, conf_wrong[_i].says) != NULL, "'%s' does not say '%s'", why, conf_wrong[_i].says);
	ck_assert_msg(!strncmp(why, file, strlen(file)), "'%s' does not name the file", why);
	ck_assert_ptr_null(c.node);
}
END_TEST

START_TEST(conf_long_line)
{
	struct conf c;
	char why[CONF_ERROR], text[1000];

	memset(text, 'x', sizeof(text));
	memcpy(text, "[node]\nname = ", 14);
	text[sizeof(text) - 1] = 0;
	ck_assert_int_eq(read_conf(text, &c, why), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, ":2: the line is longer"));
}
END_TEST

START_TEST(conf_missing_and_environment)
{
	char why[CONF_ERROR], other[PATH_MAX + 16];
	struct conf c;

	ck_assert_int_eq(conf_read("/does/not/exist", &c, why), -ENOENT);
	setenv("MOSIX_CONF", "/does/not/exist", 1);
	ck_assert_int_eq(conf_read(NULL, &c, why), -ENOENT);
	snprintf(other, sizeof(other), "%s/more", directory);
	put_file(other, "[node]\nname=x9\n[policy]\nchurn_ms=5\n", 34);
	setenv("MOSIX_CONF", other, 1);
	setenv("MOSIX_CHURN_MS", "77", 1);
	ck_assert_int_eq(conf_read(NULL, &c, why), 0);
	ck_assert_str_eq(c.name, "x9");
	ck_assert_uint_eq(c.churn_ms, 77);
	conf_free(&c);
	setenv("MOSIX_CHURN_MS", "7x", 1);
	ck_assert_int_eq(conf_read(NULL, &c, why), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "MOSIX_CHURN_MS"));
}
END_TEST

/* ---- reasons ---- */

START_TEST(reasons_have_words)
{
	static const uint32_t numbers[] = {
#define REASON(number, name, sentence) number,
#include <mosix/reason.def>
#undef REASON
	};
	size_t n = sizeof(numbers) / sizeof(numbers[0]);

	for (size_t i = 0; i < n; i++) {
		ck_assert_str_ne(reason_name(numbers[i]), "UNKNOWN");
		ck_assert_str_ne(reason_sentence(numbers[i]), "");
		ck_assert_uint_gt(numbers[i], i ? numbers[i - 1] : 0);
	}
	ck_assert_str_eq(reason_name(MOSIX_WHY_THREADS), "THREADS");
	ck_assert_str_eq(reason_name(0), "NONE");
	ck_assert_str_eq(reason_sentence(0), "");
	ck_assert_str_eq(reason_name(99999), "UNKNOWN");
}
END_TEST

/* ---- processors ---- */

START_TEST(cpu_compares)
{
	const char *missing = NULL;
	struct cpu_features home, local;

	cpu_read(&home);
	ck_assert_uint_eq(home.size, sizeof(home));
	ck_assert_int_eq(cpu_lacks(&home, &home, &missing), 0);
	ck_assert_ptr_null(missing);
	local = home;
	local.l7_ebx &= ~(1u << 5);
	home.l7_ebx |= 1u << 5;
	ck_assert_int_eq(cpu_lacks(&home, &local, &missing), 1);
	ck_assert_str_eq(missing, "avx2");
	ck_assert_int_eq(cpu_lacks(&local, &home, &missing), 0);
	local = home;
	home.xcr0 |= 1u << 6;
	local.xcr0 &= ~(1ull << 6);
	ck_assert_int_eq(cpu_lacks(&home, &local, &missing), 1);
	ck_assert_str_eq(missing, "AVX-512 upper");
	/* what only a kernel uses may be missing: VMX */
	local = home;
	home.l1_ecx |= 1u << 5;
	local.l1_ecx &= ~(1u << 5);
	ck_assert_int_eq(cpu_lacks(&home, &local, &missing), 0);
	home.version++;
	ck_assert_int_eq(cpu_lacks(&home, &local, &missing), -EINVAL);
}
END_TEST

/* ---- runtime directory ---- */

START_TEST(runtime_verifies)
{
	char path[PATH_MAX], sub[PATH_MAX + 16];
	struct stat st;

	ck_assert_int_eq(runtime_directory(path, sizeof(path)), 0);
	ck_assert_str_eq(path, directory);
	ck_assert_int_eq(chmod(directory, 0770), 0);
	ck_assert_int_eq(runtime_directory(path, sizeof(path)), -EPERM);
	ck_assert_int_eq(chmod(directory, 0700), 0);
	ck_assert_int_eq(runtime_directory(path, 3), -ENAMETOOLONG);
	snprintf(sub, sizeof(sub), "%s/s", directory);
	ck_assert_int_eq(symlink(directory, sub), 0);
	setenv("MOSIX_RUNTIME_DIR", sub, 1);
	ck_assert_int_eq(runtime_directory(path, sizeof(path)), -ENOTDIR);
	ck_assert_int_eq(unlink(sub), 0);
	ck_assert_int_eq(runtime_directory(path, sizeof(path)), 0);
	ck_assert_int_eq(stat(sub, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(rmdir(sub), 0);
}
END_TEST

START_TEST(runtime_pid_files)
{
	int fd, again, pidfd, status, ready[2];
	pid_t pid, child;
	char byte;

	ck_assert_int_eq(runtime_pid_find("a", &pid, &pidfd), -ENOENT);
	ck_assert_int_eq(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		if (runtime_pid_hold("a", &fd) == 0 && write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	ck_assert_int_eq(runtime_pid_hold("a", &again), -EBUSY);
	ck_assert_int_eq(runtime_pid_find("a", &pid, &pidfd), 0);
	ck_assert_int_eq(pid, child);
	close(pidfd);
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	/* its file is left behind, and names nobody */
	ck_assert_int_eq(runtime_pid_find("a", &pid, &pidfd), -ESRCH);
	ck_assert_int_eq(runtime_pid_hold("a", &again), 0);
	ck_assert_int_eq(runtime_pid_find("a", &pid, &pidfd), 0);
	ck_assert_int_eq(pid, getpid());
	close(pidfd);
	runtime_pid_drop("a", again);
	ck_assert_int_eq(runtime_pid_find("a", &pid, &pidfd), -ENOENT);
}
END_TEST

START_TEST(runtime_sockets)
{
	int server, client, second;

	ck_assert_int_eq(runtime_connect("s", SOCK_STREAM, &client), -ENOENT);
	ck_assert_int_eq(runtime_listen("s", SOCK_STREAM, &server), 0);
	ck_assert_int_eq(runtime_connect("s", SOCK_STREAM, &client), 0);
	close(client);
	close(server);
	ck_assert_int_eq(runtime_connect("s", SOCK_STREAM, &client), -ECONNREFUSED);
	ck_assert_int_eq(runtime_listen("s", SOCK_STREAM, &second), 0);
	close(second);
}
END_TEST

/* ---- processes and digests ---- */

START_TEST(proc_knows_this_process)
{
	struct proc_status status;
	struct proc_stat st;
	int pidfd;

	ck_assert_int_eq(proc_read_stat(getpid(), &st), 0);
	ck_assert_int_eq(st.ppid, getppid());
	ck_assert_int_eq(st.state, 'R');
	ck_assert_uint_gt(st.rss, 0);
	ck_assert_int_eq(proc_read_status(getpid(), &status), 0);
	ck_assert_uint_eq(status.uid, geteuid());
	ck_assert_int_eq(proc_pidfd(getpid(), st.start, &pidfd), 0);
	close(pidfd);
	ck_assert_int_eq(proc_pidfd(getpid(), st.start + 1, &pidfd), -ESRCH);
	ck_assert_int_eq(proc_read_stat(INT_MAX, &st), -ESRCH);
}
END_TEST

/* The first thread's mask is not the process's: a signal is blocked if every thread blocks it. */
static void *open_thread(void *data)
{
	pthread_barrier_t *barrier = data;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	pthread_barrier_wait(barrier);
	pthread_barrier_wait(barrier);
	return NULL;
}

START_TEST(proc_looks_at_all_threads)
{
	const uint64_t one = 1ull << (SIGUSR1 - 1), two = 1ull << (SIGUSR2 - 1);
	struct proc_status status;
	pthread_barrier_t barrier;
	pthread_t thread;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	ck_assert_int_eq(proc_read_status(getpid(), &status), 0);
	ck_assert_uint_eq(status.blocked & (one | two), one | two);
	pthread_barrier_init(&barrier, NULL, 2);
	ck_assert_int_eq(pthread_create(&thread, NULL, open_thread, &barrier), 0);
	pthread_barrier_wait(&barrier);
	ck_assert_int_eq(proc_read_status(getpid(), &status), 0);
	ck_assert_uint_ge(status.threads, 2);
	ck_assert_uint_eq(status.blocked & (one | two), two);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&barrier);
}
END_TEST

START_TEST(digest_of_a_file)
{
	struct digest_cache *cache = digest_cache_new(2);
	uint8_t digest[DIGEST_SIZE], again[DIGEST_SIZE];
	char text[2 * DIGEST_SIZE + 1];
	struct stat st;
	int fd;

	put_file(file, "abc", 3);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(digest_file(cache, fd, &st, digest), 0);
	digest_text(digest, text);
	ck_assert_str_eq(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	ck_assert_int_eq(st.st_size, 3);
	ck_assert_int_eq(digest_bytes("abc", 3, again), 0);
	ck_assert_mem_eq(digest, again, sizeof(digest));
	close(fd);
	/* changed within a tick of the clock, same size: never the old digest */
	put_file(file, "abd", 3);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(digest_file(cache, fd, NULL, again), 0);
	ck_assert_mem_ne(digest, again, sizeof(digest));
	close(fd);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(digest_file(cache, fd, NULL, again), -EINVAL);
	close(fd);
	digest_cache_free(cache);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("common");
	TCase *t = tcase_create("common");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, conf_takes_everything);
	tcase_add_loop_test(t, conf_says_what_is_wrong, 0, sizeof(conf_wrong) / sizeof(conf_wrong[0]));
	tcase_add_test(t, conf_long_line);
	tcase_add_test(t, conf_missing_and_environment);
	tcase_add_test(t, reasons_have_words);
	tcase_add_test(t, cpu_compares);
	tcase_add_test(t, runtime_verifies);
	tcase_add_test(t, runtime_pid_files);
	tcase_add_test(t, runtime_sockets);
	tcase_add_test(t, proc_knows_this_process);
	tcase_add_test(t, proc_looks_at_all_threads);
	tcase_add_test(t, digest_of_a_file);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
