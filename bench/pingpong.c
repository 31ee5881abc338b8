/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pingpong REQUEST REPLY ROUNDS CPU CPU: two processes, each on its processor, that block in read(2) on a TCP connection over
 * loopback exchange REQUEST bytes for REPLY bytes. Prints the median round trip in microseconds: the floor of a forwarded call.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

static char buffer[1 << 20];

static int exactly(ssize_t (*transfer)(int, void *, size_t), int fd, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = transfer(fd, buffer + done, size - done);
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

static ssize_t put(int fd, void *data, size_t size)
{
	return write(fd, data, size);
}

static void stay_on(const char *cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET((size_t)atol(cpu), &set);
	if (sched_setaffinity(0, sizeof set, &set) < 0)
		exit(1);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t length = sizeof at;
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	if (argc != 6)
		return 2;
	size_t request = (size_t)atol(argv[1]), reply = (size_t)atol(argv[2]), rounds = (size_t)atol(argv[3]);
	if (request > sizeof buffer || reply > sizeof buffer || rounds == 0)
		return 2;
	if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&at, &length) < 0)
		return 1;
	pid_t child = fork();
	stay_on(argv[child == 0 ? 5 : 4]);
	if (child == 0) {
		close(client);
		setsid();	/* a scheduling group of its own (autogroup), as a deputy and its guest are in two */
		int server = accept(listener, NULL, NULL);
		setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		while (exactly(read, server, request) == 0 && exactly(put, server, reply) == 0)
			;
		_exit(0);
	}
	double *times = malloc(rounds * sizeof *times);
	if (child < 0 || times == NULL || connect(client, (struct sockaddr *)&at, sizeof at) < 0)
		return 1;
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	for (size_t i = 0; i < rounds; i++) {
		double begun = measure_now();
		if (exactly(put, client, request) < 0 || exactly(read, client, reply) < 0)
			return 1;
		times[i] = measure_now() - begun;
	}
	printf("%.3f\n", measure_median(times, rounds));
	free(times);
	close(client);
	return waitpid(child, NULL, 0) != child;
}
