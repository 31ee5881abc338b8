/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ptyrun [-t SECONDS] STEPS PROG [ARG...]
 *
 * Runs PROG on a pseudo-terminal of 24 lines and 80 columns and plays the file STEPS, one step a line:
 *   expect TEXT   wait until TEXT has appeared behind what was matched before (C escapes: \n \r \t \\ \e \xHH)
 *   send TEXT     type TEXT
 *   signal N      send signal N to the terminal's foreground process group
 *   resize R C    change the window's size (SIGWINCH)
 *   later MS      let so many milliseconds pass, as a person would who types while the program works
 *   foreground STATE  wait until every process of the foreground group is in one of the states STATE of /proc/PID/stat (as "S", "T")
 * then waits for the end of PROG. All that PROG wrote goes to stdout as it is. Exits as PROG did, 128+n for a signal, 124 if a
 * step did not come true in time (default 20 s), 125 for a failure of its own.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char seen[1 << 20];
static size_t seen_length, matched;
static int master;
static long deadline_ms;

static long now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000L + t.tv_nsec / 1000000L;
}

static int unescape(char *text)
{
	char *to = text;
	for (char *from = text; *from != '\0'; from++) {
		if (*from != '\\') {
			*to++ = *from;
			continue;
		}
		switch (*++from) {
		case 'n':
			*to++ = '\n';
			break;
		case 'r':
			*to++ = '\r';
			break;
		case 't':
			*to++ = '\t';
			break;
		case 'e':
			*to++ = '\x1b';
			break;
		case 's':
			*to++ = ' ';
			break;
		case 'x': {
			char digits[3] = { from[1], from[1] ? from[2] : '\0', '\0' };
			*to++ = (char)strtol(digits, NULL, 16);
			from += strlen(digits);
			break;
		}
		case '\0':
			return -EINVAL;
		default:
			*to++ = *from;
		}
	}
	*to = '\0';
	return (int)(to - text);
}

/* Takes what the terminal has within the time; false: the other side has gone. */
static bool take(int timeout_ms)
{
	struct pollfd p = { .fd = master, .events = POLLIN };
	if (poll(&p, 1, timeout_ms) <= 0)
		return true;
	if (seen_length == sizeof seen) {
		memmove(seen, seen + matched, seen_length - matched);
		seen_length -= matched;
		matched = 0;
		if (seen_length == sizeof seen)
			exit(125);
	}
	ssize_t n = read(master, seen + seen_length, sizeof seen - seen_length);
	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	fwrite(seen + seen_length, 1, (size_t)n, stdout);
	fflush(stdout);
	seen_length += (size_t)n;
	return true;
}

static bool expect(const char *text, size_t length)
{
	for (bool open = true;;) {
		char *at = memmem(seen + matched, seen_length - matched, text, length);
		if (at != NULL) {
			matched = (size_t)(at - seen) + length;
			return true;
		}
		if (!open || now_ms() >= deadline_ms)
			return false;
		open = take(100);
	}
}

static bool foreground_is(const char *states)
{
	pid_t group;
	int found = 0;
	if (ioctl(master, TIOCGPGRP, &group) < 0)
		return false;
	DIR *dir = opendir("/proc");
	bool right = true;
	for (struct dirent *e; right && (e = readdir(dir)) != NULL;) {
		char path[300], line[512], *close, state;
		int parent, its_group;
		snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
		FILE *f = atoi(e->d_name) > 0 ? fopen(path, "re") : NULL;
		if (f == NULL)
			continue;
		if (fgets(line, sizeof line, f) != NULL && (close = strrchr(line, ')')) != NULL &&
		    sscanf(close + 1, " %c %d %d", &state, &parent, &its_group) == 3 && its_group == group) {
			found++;
			right = strchr(states, state) != NULL;
		}
		fclose(f);
	}
	closedir(dir);
	return right && found > 0;
}

static bool step(char *line)
{
	char *text = strchr(line, ' ');
	if (text == NULL)
		return false;
	*text++ = '\0';
	int length = unescape(text);
	if (length < 0)
		return false;
	if (strcmp(line, "expect") == 0)
		return expect(text, (size_t)length);
	if (strcmp(line, "send") == 0)
		return write(master, text, (size_t)length) == length;
	if (strcmp(line, "signal") == 0)
		return ioctl(master, TIOCSIG, atoi(text)) == 0;
	if (strcmp(line, "resize") == 0) {
		struct winsize size = { 0 };
		return sscanf(text, "%hu %hu", &size.ws_row, &size.ws_col) == 2 && ioctl(master, TIOCSWINSZ, &size) == 0;
	}
	if (strcmp(line, "later") == 0) {
		for (long until = now_ms() + atol(text), left; (left = until - now_ms()) > 0;)
			if (!take((int)left))
				return false;
		return true;
	}
	if (strcmp(line, "foreground") == 0) {
		while (!foreground_is(text)) {
			if (now_ms() >= deadline_ms)
				return false;
			take(5);
		}
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	long seconds = 20;
	for (int option; (option = getopt(argc, argv, "+t:")) != -1;) {
		if (option != 't')
			return 125;
		seconds = atol(optarg);
	}
	if (argc - optind < 2)
		return 125;
	FILE *steps = fopen(argv[optind], "re");
	if (steps == NULL)
		return 125;
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	pid_t child = forkpty(&master, NULL, NULL, &size);
	if (child < 0)
		return 125;
	if (child == 0) {
		execvp(argv[optind + 1], argv + optind + 1);
		fprintf(stderr, "ptyrun: %s: %s\n", argv[optind + 1], strerror(errno));
		_exit(127);
	}

	char *line = NULL;
	size_t capacity = 0;
	bool failed = false;
	while (!failed && getline(&line, &capacity, steps) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '\0' || line[0] == '#')
			continue;
		char *copy = strdup(line);
		deadline_ms = now_ms() + seconds * 1000;
		failed = !step(line);
		if (failed)
			fprintf(stderr, "ptyrun: this step did not come true: %s\n", copy);
		free(copy);
	}
	fclose(steps);

	int status = 0;
	deadline_ms = now_ms() + seconds * 1000;
	bool open = !failed;
	while (open && now_ms() < deadline_ms)
		open = take(100);
	for (pid_t done = 0; !failed && done == 0;) {
		done = waitpid(child, &status, WNOHANG);
		if (done == 0) {
			if (now_ms() >= deadline_ms)
				failed = true;
			else
				nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
		}
	}
	if (failed) {
		fprintf(stderr, "ptyrun: gave up\n");
		kill(-child, SIGKILL);
		kill(child, SIGKILL);
		return 124;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
