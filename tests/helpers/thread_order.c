/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one thread does behind a signal that it has sent another comes after that one's handler: whoever sees it has handled the
 * signal, with the handler and the mask of before.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

#include "check.h"

enum { ROUNDS = 400, SPIN = 20000 };

static pthread_t receiver;
static atomic_int sent, old_handler, new_handler;
static sem_t go;

static void on_old(int number)
{
	(void)number;
	old_handler++;
}

static void on_new(int number)
{
	(void)number;
	new_handler++;
}

static void *sender(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS; i++) {
		while (sem_wait(&go) < 0)
			;
		pthread_kill(receiver, SIGUSR1);
		sent++;
	}
	return NULL;
}

static void change_handler(void)
{
	signal(SIGUSR1, on_new);
	check(old_handler == 1 && new_handler == 0, "handled by %d old and %d new", old_handler, new_handler);
}

static void block(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	int before = old_handler;
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	check(before == 1 && old_handler == 1, "handled %d times before it was blocked, %d after", before, old_handler);
}

static void look(void)
{
	check(old_handler == 1, "handled %d times", old_handler);
}

int main(void)
{
	void (*const then[])(void) = { look, change_handler, block };
	pthread_t id;
	receiver = pthread_self();
	sem_init(&go, 0, 0);
	pthread_create(&id, NULL, sender, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		old_handler = new_handler = 0;
		signal(SIGUSR1, on_old);
		sem_post(&go);
		while (sent == i)	/* no call: nothing but the signal itself says that it is there */
			;
		for (volatile int wait = 0; wait < SPIN; wait++)	/* an interrupt from another processor takes its time */
			;
		then[i % 3]();
		check_compute(3);
	}
	pthread_join(id, NULL);
	puts("each signal came before what its sender did next");
	return check_result();
}
