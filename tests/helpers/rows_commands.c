/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rows_commands: the second tables, command by command: ioctl, fcntl, prctl, socket options, System V's, clocks and timers. How
 * an argument looks is taken from the table itself; what the kernel really reads and writes the run at home shows. Those of
 * futex, arch_prctl and membarrier are in rows_memory. See rows.h.
 */
#define _GNU_SOURCE
#include <mosix/call.h>
#include <sys/syscall.h>

struct command {
	const char *call, *name;
	long nr;
	uint64_t mask, value;
	enum call_where where;
	struct call_arg arg[6];
};

/* Before rows.h, which has other macros with the names of the table's. */
static const struct command commands[] = {
#define SUB(parent, mask, value, command, where, blocking, result, special, ...) \
	{ #parent, #parent " " #command, SYS_##parent, mask, value, CALL_##where, { __VA_ARGS__ } },
#include <mosix/calls.def>
};

#include "rows.h"

#include <netinet/in.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <time.h>

static const uint8_t zeros[512];
static const struct timespec moment = { 0, 3000000 };

static bool is_named(const struct command *c, const char *names)
{
	const char *name = strchr(c->name, ' ') + 1, *at = strstr(names, name);

	for (; at != NULL; at = strstr(at + 1, name))
		if ((at == names || at[-1] == ' ') && (at[strlen(name)] == ' ' || at[strlen(name)] == '\0'))
			return true;
	return false;
}

/* A row with what the table says about the arguments; values are 0. */
static struct row row_of(const struct command *c)
{
	struct row r = { .name = c->name, .nr = c->nr };

	for (int i = 0; i < 6; i++) {
		const struct call_arg *a = &c->arg[i];

		switch (a->kind) {
		case ARG_NONE:
			break;
		case ARG_FD:
			r.arg[i] = (struct arg)FD(D_DATA);
			break;
		case ARG_STRING:
			r.arg[i] = (struct arg)PATH("name");
			break;
		case ARG_IN:
			r.arg[i] = (struct arg)IN(zeros, a->size);
			break;
		case ARG_OUT:
			r.arg[i] = (struct arg)OUT(a->size);
			break;
		case ARG_INOUT:
			r.arg[i] = (struct arg)IO(zeros, a->size);
			break;
		case ARG_IN_LENGTH:
			r.arg[i] = (struct arg)IN(zeros, 4);
			break;
		case ARG_INOUT_SOCKLEN:
			r.arg[i] = (struct arg)IO(zeros, 64);
			break;
		case ARG_SOCKLEN:
			r.arg[i] = (struct arg)SLEN(64);
			break;
		default:
			r.arg[i] = (struct arg){ .kind = K_VALUE };
			break;
		}
	}
	for (int i = 0; i < 6; i++)
		if (c->arg[i].kind == ARG_IN_LENGTH)
			r.arg[c->arg[i].ref] = (struct arg)LEN(4);
	return r;
}

/* Each command on descriptors of several kinds, and what is wrong with its pointer where it works. */
static void device(const struct command *c)
{
	static const int descriptors[] = { D_TTY, D_MASTER, D_STREAM, D_UDP, D_DATA, D_CLOSED };
	static const struct {
		char name[16];
		uint8_t rest[24];
	} interface = { "lo", { 0 } }, first = { "", { 1 } };
	struct row r = row_of(c);

	r.flags = FRESH | BLOCKS | GOOD_ONLY;
	r.arg[1].value = (long)c->value;
	if (is_named(c, "TIOCGPTN TIOCGDEV FS_IOC_GETVERSION"))
		r.hide[0] = (struct hide){ 2, 0, 8 };
	if (is_named(c, "TIOCGPTPEER"))
		r.flags |= MAKES;
	if (is_named(c, "FICLONE"))
		r.arg[2].value = D_READ;
	if (c->arg[2].size == 40)
		r.arg[2].data = is_named(c, "SIOCGIFNAME") ? &first : &interface;
	for (size_t i = 0; i < sizeof(descriptors) / sizeof(descriptors[0]); i++) {
		r.arg[0].value = descriptors[i];
		attempt(&r, (struct choice[6]){ 0 });
	}
	r.arg[0].value = c->value >= 0x8901 && c->value < 0x9000                   ? D_UDP
			 : c->value >> 8 == 0x54 || (c->value >> 8 & 0xff) == 0x54 ? D_TTY
										   : D_DATA;
	if (is_named(c, "TIOCGPTN TIOCSPTLCK TIOCPKT TIOCGPKT TIOCGPTLCK TIOCGPTPEER TIOCSIG"))
		r.arg[0].value = D_MASTER;
	if (is_named(c, "SIOCATMARK")) /* of others the kernel reads more there */
		r.arg[0].value = D_STREAM;
	if (is_named(c, "RNDGETENTCNT"))
		r.arg[0].value = D_RANDOM;
	r.flags &= ~(unsigned)(GOOD_ONLY | FRESH);
	if (!is_named(c, "TCGETS FIONREAD TIOCSWINSZ"))
		r.flags |= BRIEF;
	row(&r);
}

static void control(const struct command *c)
{
	static const int descriptors[] = { D_PIPE_W, D_STREAM, D_MEMFD, D_DIR, D_PATH, D_TTY, D_CLOSED, D_LIMIT + 2 };
	static const long plain[] = { 1, 2, -1, 100000, LAST }, status[] = { O_APPEND, O_NONBLOCK, LAST },
			  lease[] = { 9, -1, LAST }, signals[] = { SIGIO, 65, -1, LAST }, owner[] = { 0x7ffffff, LAST },
			  pipe_size[] = { 4096, 65536, 65537, 0x7fffffff, -1, LAST };
	struct row r = row_of(c);

	r.flags = FRESH | BLOCKS | GOOD_ONLY | BRIEF;
	r.arg[1].value = (long)c->value;
	if (c->arg[2].kind == ARG_FD)
		r.arg[2].value = D_END + 5;
	if (is_named(c, "F_DUPFD F_DUPFD_CLOEXEC"))
		r.flags |= MAKES;
	if (is_named(c, "F_DUPFD_QUERY"))
		r.arg[2].value = D_HIGH;
	if (is_named(c, "F_SETLEASE"))
		r.arg[2].value = F_UNLCK;
	for (size_t i = 0; i < sizeof(descriptors) / sizeof(descriptors[0]); i++) {
		r.arg[0].value = descriptors[i];
		attempt(&r, (struct choice[6]){ 0 });
	}
	r.arg[0].value = is_named(c, "F_SETPIPE_SZ F_GETPIPE_SZ") ? D_PIPE_W
			 : is_named(c, "F_ADD_SEALS F_GET_SEALS") ? D_MEMFD
			 : is_named(c, "F_NOTIFY")                ? D_DIR
								  : D_DATA;
	r.flags &= ~(unsigned)(GOOD_ONLY | (is_named(c, "F_DUPFD F_GETLK F_SETFL") ? BRIEF : 0));
	if (r.arg[2].kind == K_VALUE)
		r.arg[2].others = is_named(c, "F_SETFL")        ? status
				  : is_named(c, "F_SETLEASE")   ? lease
				  : is_named(c, "F_SETSIG")     ? signals
				  : is_named(c, "F_SETOWN")     ? owner
				  : is_named(c, "F_SETPIPE_SZ") ? pipe_size
								: plain;
	row(&r);
}

static void process(const struct command *c)
{
	static const long plain[] = { 1, 2, -1, 0, LAST }, invalid[] = { -1, 1000, LAST };
	struct row r = row_of(c);

	r.arg[0].value = (long)c->value;
	if (is_named(c, "PR_SET_DUMPABLE"))
		r.arg[1].value = 1;
	else if (is_named(c, "PR_CAPBSET_DROP"))
		r.arg[1].value = 100;
	for (int i = 1; i < 5; i++)
		if (r.arg[i].kind == K_VALUE)
			r.arg[i].others = is_named(c, "PR_SET_DUMPABLE PR_CAPBSET_DROP PR_SET_SECUREBITS PR_SET_PDEATHSIG")
						  ? invalid
						  : plain;
	row(&r);
	if (is_named(c, "PR_SET_PDEATHSIG")) {
		r.arg[1].value = 0;
		r.flags = GOOD_ONLY;
		row(&r);
	}
}

/* A row of socket options stands for all those that its mask leaves open; the first is tried with everything. */
static void options(const struct command *c)
{
	uint64_t open = ~c->mask & 0xffffffff;
	long level = (long)(c->value >> 32);
	struct row r = row_of(c);
	if (open > 127)
		open = 127;
	r.arg[0].value = level == IPPROTO_TCP || level == SOL_SOCKET ? D_TCP : D_UDP;
	r.arg[1].value = level;
	descriptors_make();
	if (level == IPPROTO_IPV6 || level == 0x3a)
		put_at(D_UDP, socket(AF_INET6, SOCK_DGRAM, 0));
	else if (level == 0x10e)
		put_at(D_UDP, socket(AF_NETLINK, SOCK_RAW, 0));
	for (uint64_t n = 0; n <= open; n++) {
		int option = (int)(uint32_t)(c->value + n);

		r.arg[2].value = option;
		r.flags = GOOD_ONLY | BRIEF;
		char about[40];
		snprintf(about, sizeof(about), "level %ld, option %d", level, option);
		r.about = about;
		/* what the kernel counts or draws by lot, and an answer that is a new descriptor */
		memset(r.hide, 0, sizeof(r.hide));
		if (level == SOL_SOCKET && (option == 55 || option == 57 || option == 49 || option == 77 || option == 17))
			r.hide[0] = (struct hide){ 3, 0, 64 };
		if (level == IPPROTO_TCP && (option == 11 || option == 24 || option == 26))
			r.hide[0] = (struct hide){ 3, 0, 256 };
		attempt(&r, (struct choice[6]){ 0 });
		if (n == 0 || (level == SOL_SOCKET && (option == SO_RCVBUF || option == SO_PEERNAME || option == SO_LINGER))) {
			r.flags = n == 0 && level == SOL_SOCKET ? 0 : BRIEF;
			row_on(&r);
		}
	}
}

static struct row *current;
static int set, queue;

static void fresh_set(void)
{
	semctl(set, 0, IPC_RMID);
	set = semget(IPC_PRIVATE, 3, 0600);
	current->arg[0].value = set;
}

static void fresh_queue(void)
{
	msgctl(queue, IPC_RMID, NULL);
	queue = msgget(IPC_PRIVATE, 0600);
	current->arg[0].value = queue;
}

static void systemv(const struct command *c)
{
	static const long semaphores[] = { 2, 3, -1, LAST }, values[] = { 7, 32768, -1, LAST };
	bool sem = strcmp(c->call, "semctl") == 0;
	struct row r = row_of(c);

	current = &r;
	r.flags = HIDES;
	r.before = sem ? fresh_set : fresh_queue;
	r.arg[sem ? 2 : 1].value = (long)c->value;
	if (sem)
		r.arg[1].others = semaphores;
	if (is_named(c, "SETVAL"))
		r.arg[3].others = values;
	/* identifiers and times; what all processes have together */
	r.hide[0] = sem ? (struct hide){ 3, 24, 56 } : (struct hide){ 2, 24, 56 };
	if (is_named(c, "IPC_INFO SEM_INFO MSG_INFO"))
		r.hide[0] = sem ? (struct hide){ 3, 0, 40 } : (struct hide){ 2, 0, 32 };
	/* of these the argument is an index, not an identifier: another's set or none */
	if (is_named(c, "SEM_STAT SEM_STAT_ANY MSG_STAT MSG_STAT_ANY")) {
		r.before = NULL;
		r.arg[0].value = -1;
	}
	row(&r);
}

static void times_of(const struct command *c)
{
	static const struct timespec out_of_range = { 0, 1000000000 }, below = { -1, 0 };
	static const uint64_t event[8] = { 7, (uint64_t)1 << 32 | SIGUSR2 }, bad_event[8] = { 7, (uint64_t)99 << 32 | SIGUSR2 };
	static const long flags[] = { 2, -1, LAST };
	struct row r = row_of(c);
	bool creates = strcmp(c->call, "timer_create") == 0, sleeps = strcmp(c->call, "clock_nanosleep") == 0;

	r.arg[0].value = (long)c->value;
	if (strcmp(c->call, "clock_gettime") == 0 || strcmp(c->call, "getrusage") == 0)
		r.hide[0] = (struct hide){ 1, 0, 144 };
	if (c->value >= 0x80000000 && c->value < 0xffffffff) /* of a process: this one, its parent, none */
		r.arg[0].value = (long)(int32_t)(~(uint32_t)own_pid << 3 | (c->value & 3));
	if (creates)
		r.arg[1].data = event;
	if (sleeps) {
		r.arg[1].others = flags;
		r.arg[2].data = &moment;
	}
	row(&r);
	r.flags = GOOD_ONLY;
	if (c->value >= 0x80000000 && c->value < 0xffffffff) {
		r.arg[0].value = (long)(int32_t)(~(uint32_t)parent_pid << 3 | (c->value & 3));
		row(&r);
		r.arg[0].value = (long)(int32_t)(~(uint32_t)0x7ffffff << 3 | (c->value & 3));
		row(&r);
	}
	if (creates) {
		r.arg[1].data = bad_event;
		row(&r);
		for (int timer = 0; timer < 100; timer++)
			syscall(SYS_timer_delete, timer);
	}
	if (sleeps) {
		r.arg[2].data = &out_of_range;
		row(&r);
		r.arg[2].data = &below;
		row(&r);
		r.arg[1].value = TIMER_ABSTIME;
		r.arg[2].data = &moment;
		row(&r);
	}
}

static const struct {
	const char *call;
	void (*make)(const struct command *c);
} makers[] = {
	{ "ioctl", device },
	{ "fcntl", control },
	{ "prctl", process },
	{ "setsockopt", options },
	{ "getsockopt", options },
	{ "semctl", systemv },
	{ "msgctl", systemv },
	{ "getitimer", times_of },
	{ "setitimer", times_of },
	{ "timer_create", times_of },
	{ "clock_gettime", times_of },
	{ "clock_getres", times_of },
	{ "clock_nanosleep", times_of },
	{ "getrusage", times_of },
};

int main(void)
{
	rows_begin();
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *c = &commands[i];

		if (c->where != CALL_LOCAL && c->where != CALL_HOME && c->where != CALL_BOTH)
			continue;
		for (size_t k = 0; k < sizeof(makers) / sizeof(makers[0]); k++)
			if (strcmp(c->call, makers[k].call) == 0)
				makers[k].make(c);
	}
	row(&(struct row){ "personality PERSONALITY_QUERY", NR_personality, { V(0xffffffff, 1L << 32 | 0xffffffff) } });
	rows_end();
	return 0;
}
