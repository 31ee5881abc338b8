/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "homed/move.h"

#include <stdio.h>
#include <string.h>
#include "common/log.h"
#include "common/proc.h"
#include "homed/past.h"

void truth_outcome(const struct mosix_word *word, struct outcome *ret_outcome)
{
	if (word->reason == MOSIX_WHY_RETURN)
		outcome_set(ret_outcome, word->reason, word->detail, "call %lld", (long long)word->detail);
	else if (word->reason == MOSIX_WHY_FAULTED || word->reason == MOSIX_WHY_CORE_DUMP)
		outcome_set(ret_outcome, word->reason, word->detail, "signal %lld", (long long)word->detail);
	else if (word->detail < 0 && word->detail > -4096)
		outcome_set(ret_outcome, word->reason, word->detail, "%s", strerror((int)-word->detail));
	else if (word->detail)
		outcome_set(ret_outcome, word->reason, word->detail, "%lld", (long long)word->detail);
	else
		outcome_set(ret_outcome, word->reason, 0, NULL);
}

static void take_numbers(struct process *p, const struct mosix_word *word)
{
	p->moves++;
	p->homed->moves++;
	p->numbers = (struct numbers){
		.freeze_us = word->freeze_ns / 1000, .total_us = word->total_ns / 1000,
		.pages = word->pages, .bytes = word->bytes,
	};
}

void truth_here(struct process *p, const struct mosix_word *word)
{
	if (!word->state) {
		if (process_away(p) || p->intended[0])
			process_set_where(p, "");
		return;
	}
	if (p->intended[0]) {
		char node[CONF_NAME];

		memcpy(node, p->intended, sizeof(node));
		process_set_where(p, node);
	} else if (!process_away(p)) {
		process_set_where(p, "?");	/* no node can have this name */
	}
}

void truth_moved(struct process *p, const char *node, const struct mosix_word *word)
{
	take_numbers(p, word);
	p->told = TOLD_RUN;
	/* it may have come home again, and said so, before this word was read: the two come over different connections */
	if (word->epoch && word->epoch <= p->returned_epoch)
		process_save(p);
	else
		process_set_where(p, node);
}

void truth_home(struct process *p, const struct mosix_word *word)
{
	struct proc_stat st;

	take_numbers(p, word);
	if (proc_read_stat(p->pid, &st) == 0)
		process_saw_threads(p, st.threads);
	p->returned_epoch = word->epoch ? word->epoch : p->epoch;
	truth_outcome(word, &p->came_home);
	if (!word->reason)
		outcome_set(&p->came_home, MOSIX_WHY_ORDERED, 0, NULL);
	process_set_where(p, "");
}

void truth_lost(struct process *p, const struct mosix_word *word)
{
	struct past_entry entry = { .pid = p->pid, .start = p->start };
	struct proc_stat st;

	if (p->guest_end.reason)
		entry.outcome = p->guest_end;
	else
		truth_outcome(word, &entry.outcome);
	if (proc_read_stat(p->pid, &st) == 0)
		memcpy(entry.comm, st.comm, sizeof(entry.comm));
	memcpy(entry.where, p->where, sizeof(entry.where));
	p->last = entry.outcome;
	past_put(p->homed->past, &entry);
	log_warning("process %d (%s) was lost at %s: %s", p->pid, entry.comm, process_where(p), entry.outcome.text);
}
