/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vfork children, while another thread of their parent maps a file again and again: they see what is mapped while they live, and
 * still do when a call that is made at home has parted them from their parent's memory. Begins after a line on stdin.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "thread.h"

enum { PAGE = 4096, KEPT = 3000, CHILDREN = 12 };

static atomic_int kept_count, done;
static unsigned char *kept[KEPT];

static void make_file(void)
{
	unsigned char block[3 * PAGE];
	int fd = open("file", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	memset(block, 'f', sizeof block);
	check(write(fd, block, sizeof block) == sizeof block, "write");
	close(fd);
}

static void *keep_mapping(void *argument)
{
	int fd = open("file", O_RDONLY);

	for (int n = 0; !atomic_load(&done) && n < KEPT; n++) {
		kept[n] = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
		if (!check(kept[n] != MAP_FAILED, "mmap: %s", strerror(errno)))
			exit(check_result());
		kept[n][PAGE] = (unsigned char)n;
		atomic_fetch_add(&kept_count, 1);
		check_work(1, 400000);
	}
	close(fd);
	return argument;
}

static bool is_right(int n)
{
	return kept[n][7] == 'f' && kept[n][PAGE] == (unsigned char)n && kept[n][2 * PAGE] == 'f';
}

/* In its parent's memory until the call. */
static _Noreturn void child(void)
{
	int last = atomic_load(&kept_count) + 2;

	while (atomic_load(&kept_count) <= last && atomic_load(&kept_count) < KEPT)
		;
	syscall(SYS_msync, kept[0], 0, MS_ASYNC);
	for (int n = 0; n < last && n < KEPT; n++)
		if (!is_right(n))
			_exit(1);
	_exit(7);
}

static pid_t bear(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		child();
	return pid;
}

int main(void)
{
	pthread_t keeper;
	char line[80];

	make_file();
	puts("ready");
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin))
		return 1;
	keeper = thread_start(keep_mapping, NULL, 0);
	for (int i = 0; i < CHILDREN; i++) {
		int status = 0;

		check_compute(20);
		check(waitpid(bear(), &status, 0) > 0, "waitpid");
		check(WIFEXITED(status) && WEXITSTATUS(status) == 7, "child %d ends with %x", i, (unsigned)status);
	}
	atomic_store(&done, 1);
	thread_end(keeper);
	for (int n = 0; n < kept_count; n++)
		check(is_right(n), "mapping %d", n);
	return check_result();
}
