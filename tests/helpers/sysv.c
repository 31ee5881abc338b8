/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System V and POSIX message queues, semaphores; at last shared memory, with which a process stays at home. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#include "check.h"

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
};

static void say(const char *what, long result)
{
	printf("%s: %s\n", what, result < 0 ? strerror(errno) : "done");
}

static void messages(void)
{
	struct { long type; char text[200]; } m;
	int q = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	check(q >= 0, "msgget: %s", strerror(errno));
	for (int round = 0; round < 40; round++) {
		for (int i = 1; i <= 20; i++) {
			m.type = i % 5 + 1;
			int n = snprintf(m.text, sizeof m.text, "message %d of round %d", i, round);
			check(msgsnd(q, &m, (size_t)n + 1, 0) == 0, "msgsnd");
		}
		check_compute(5);
		for (int i = 20; i >= 1; i--) {
			ssize_t n = msgrcv(q, &m, sizeof m.text, i > 15 ? 3 : i > 5 ? -5 : 0, IPC_NOWAIT);
			if (n < 0 && errno == ENOMSG)
				n = msgrcv(q, &m, sizeof m.text, 0, IPC_NOWAIT);
			check(n > 0 && n == (ssize_t)strlen(m.text) + 1 && m.type >= 1 && m.type <= 5, "msgrcv: %zd", n);
		}
	}
	struct msqid_ds info;
	check(msgctl(q, IPC_STAT, &info) == 0, "IPC_STAT");
	printf("messages %lu, mode %o, last by me %d\n", (unsigned long)info.msg_qnum, info.msg_perm.mode & 0777, info.msg_lspid == getpid() && info.msg_lrpid == getpid());
	say("an empty queue", msgrcv(q, &m, sizeof m.text, 0, IPC_NOWAIT));
	m.type = 0;
	say("type 0", msgsnd(q, &m, 1, 0));
	m.type = 1;
	check(msgsnd(q, &m, 100, 0) == 0, "msgsnd");
	say("too small", msgrcv(q, &m, 10, 0, 0));
	printf("cut: %zd\n", msgrcv(q, &m, 10, 0, MSG_NOERROR));
	check(msgctl(q, IPC_RMID, NULL) == 0, "IPC_RMID");
	say("removed", msgsnd(q, &m, 1, 0));
}

static void semaphores(void)
{
	int s = semget(IPC_PRIVATE, 3, IPC_CREAT | 0600);
	unsigned short values[3] = { 1, 5, 0 }, got[3];
	check(semctl(s, 0, SETALL, (union semun){ .array = values }) == 0, "SETALL");
	for (int i = 0; i < 100; i++) {
		struct sembuf take[2] = { { 0, -1, SEM_UNDO }, { 1, -2, 0 } }, give[2] = { { 1, 2, 0 }, { 0, 1, SEM_UNDO } };
		check(semop(s, take, 2) == 0, "semop");
		check_compute(3);
		check(semctl(s, 0, GETVAL) == 0 && semctl(s, 1, GETVAL) == 3, "values");
		check(semop(s, give, 2) == 0, "semop back");
	}
	check(semctl(s, 0, GETALL, (union semun){ .array = got }) == 0, "GETALL");
	printf("semaphores %d %d %d, last by me %d\n", got[0], got[1], got[2], semctl(s, 0, GETPID) == getpid());
	struct sembuf down = { 2, -1, IPC_NOWAIT }, wait_zero = { 0, 0, 0 };
	say("IPC_NOWAIT", semop(s, &down, 1));
	down.sem_flg = 0;
	int64_t begin = check_now(CLOCK_MONOTONIC);
	int result = semtimedop(s, &down, 1, &(struct timespec){ 0, 300000000 });
	say("semtimedop", result);
	check(check_now(CLOCK_MONOTONIC) - begin >= 299000000, "too early");
	result = semtimedop(s, &wait_zero, 1, &(struct timespec){ 0, 50000000 });
	say("waiting for zero", result);
	struct semid_ds info;
	check(semctl(s, 0, IPC_STAT, (union semun){ .buf = &info }) == 0, "IPC_STAT");
	printf("%lu semaphores\n", (unsigned long)info.sem_nsems);
	semctl(s, 0, IPC_RMID);
}

static void queues(void)
{
	char name[64], text[128];
	struct mq_attr attributes = { .mq_maxmsg = 8, .mq_msgsize = sizeof text };
	snprintf(name, sizeof name, "/mosix-test-%d", getpid());
	mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &attributes);
	if (q < 0) {
		say("mq_open", -1);
		return;
	}
	say("mq_open again", mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes));
	for (int round = 0; round < 40; round++) {
		for (unsigned i = 0; i < 8; i++)
			check(mq_send(q, text, (size_t)snprintf(text, sizeof text, "%u", i) + 1, i % 3) == 0, "mq_send");
		check(mq_send(q, "x", 1, 0) < 0 && errno == EAGAIN, "a full queue");
		check_compute(5);
		unsigned priority, last = 9;
		for (int i = 0; i < 8; i++) {
			check(mq_receive(q, text, sizeof text, &priority) > 0 && priority <= last, "mq_receive");
			last = priority;
		}
	}
	mq_getattr(q, &attributes);
	printf("queue: %ld of %ld bytes, %ld in it, flags %lx\n", attributes.mq_maxmsg, attributes.mq_msgsize, attributes.mq_curmsgs, attributes.mq_flags);
	attributes.mq_flags = 0;
	mq_setattr(q, &attributes, NULL);
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	int64_t begin = check_now(CLOCK_REALTIME);
	say("mq_timedreceive", mq_timedreceive(q, text, sizeof text, NULL, &until));
	check(check_now(CLOCK_REALTIME) - begin >= 999000000, "too early");
	mq_close(q);
	mq_unlink(name);
}

static void shared(void)
{
	int id = shmget(IPC_PRIVATE, 1 << 20, IPC_CREAT | 0600);
	char *at = shmat(id, NULL, 0);
	check(at != (char *)-1, "shmat");
	for (int i = 0; i < 100; i++) {
		at[i * 10000] = (char)i;
		check_compute(2);
	}
	struct shmid_ds info;
	shmctl(id, IPC_STAT, &info);
	printf("shared memory: %zu bytes, attached %lu\n", info.shm_segsz, (unsigned long)info.shm_nattch);
	shmctl(id, IPC_RMID, NULL);
	check(at[990000] == 99 && shmdt(at) == 0, "shmdt");
	check_compute(300);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	messages();
	semaphores();
	queues();
	shared();
	return check_result();
}
