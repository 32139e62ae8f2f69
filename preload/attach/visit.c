#include "attach/visit.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "base/base.h"
#include "process/process.h"
#include "runtime/runtime.h"

enum {
	ROOM = 4096,	  /* threads */
	LOOK_NS = 500000, /* between two looks at who has answered */
	GATE_LOOK_NS = 1000000,
	COME_NS = 40000000,	 /* how long threads are waited for */
	STAND_NS = 80000000,	 /* and how long they wait */
	ASK_AGAIN_NS = 20000000, /* SIGTRAP is queued once only: one may get lost */
};

enum answer { ASKED, NOT_NOW, DONE };

/*
 * struct guest - a thread that is visited
 * @stack:  for it; NULL when it is taken, or none is needed
 * @ip, @sp: where it stands
 * @answer: enum answer; the thread's to store
 * @asked_ns: when it was last sent a signal
 */
struct guest {
	int tid;
	void *stack;
	uintptr_t ip, sp;
	_Atomic uint32_t answer;
	uint64_t asked_ns;
};

/* The caller's, and read by the handlers of the round. */
static struct guest guests[ROOM];
static unsigned n_guests;
static _Atomic uint32_t round_number;
static _Atomic uint32_t due; /* threads whose signal may not have been handled */
static enum ftsan_visit kind;
static _Atomic bool forced;

/* For those that stand and wait. */
enum { OPEN, SHUT, WORKING };
static _Atomic uint32_t gate;
static _Atomic uint64_t gate_deadline_ns;

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

/* --- the guest -------------------------------------------------------------------- */

static bool is_inside(uintptr_t ip)
{
	return ip - (uintptr_t)__ehdr_start < (uintptr_t)_end - (uintptr_t)__ehdr_start;
}

static bool adopt(struct guest *guest, ucontext_t *uc, uintptr_t sp)
{
	bool taken;

	if (!ftsan_altstack_adopt(guest->stack, &uc->uc_stack, sp, &taken))
		return false;
	if (taken)
		guest->stack = NULL;
	ftsan_signal_adopt(uc);
	ftsan_thread_adopt();
	return true;
}

static bool release(ucontext_t *uc, uintptr_t sp)
{
	if (!ftsan_runtime_leave(atomic_load(&forced)) ||
	    !ftsan_altstack_release(&uc->uc_stack, sp))
		return false;
	ftsan_signal_release(uc);
	return true;
}

/* Whoever has waited for too long opens the gate, unless the work has begun. */
static void stand(struct guest *guest, uintptr_t ip, uintptr_t sp)
{
	uint32_t seen;

	guest->ip = ip;
	guest->sp = sp;
	atomic_store(&guest->answer, DONE);
	while ((seen = atomic_load(&gate)) != OPEN) {
		uint64_t now = ftsan_sys_now_ns();

		if (seen == SHUT && now >= atomic_load(&gate_deadline_ns))
			(void)atomic_compare_exchange_strong(&gate, &seen, OPEN);
		else
			ftsan_sys_futex_wait(&gate, seen, now + GATE_LOOK_NS);
	}
}

static void answer(struct guest *guest, ucontext_t *uc)
{
	uintptr_t ip = ftsan_context_ip(uc);
	uintptr_t sp = ftsan_context_sp(uc);
	bool done;

	if (kind == FTSAN_VISIT_STAND) {
		stand(guest, ip, sp);
		return;
	}
	done = !is_inside(ip) &&
	       (kind == FTSAN_VISIT_ADOPT ? adopt(guest, uc, sp) : release(uc, sp));

	atomic_store(&guest->answer, done ? DONE : NOT_NOW);
}

bool ftsan_visit_signal(int sig, const siginfo_t *info, void *ucontext)
{
	uint32_t number;

	if (!ftsan_signal_is_call(FTSAN_CALLER_VISIT, atomic_load(&round_number), sig,
				  info, &number))
		return false;
	/* One of an earlier round came late: its caller has given up. */
	if (number < ROOM && guests[number].tid == ftsan_sys_gettid() &&
	    atomic_load(&guests[number].answer) != DONE)
		answer(&guests[number], ucontext);
	return true;
}

/* --- the visitor ------------------------------------------------------------------ */

static int next_task(DIR *tasks)
{
	const struct dirent *entry;

	while ((entry = readdir(tasks)) != NULL)
		if (entry->d_name[0] != '.')
			return atoi(entry->d_name);
	return 0;
}

/* Is SIGTRAP in the set that the kernel calls @name (SigBlk, SigPnd)? */
static bool has_trap(int tid, const char *name)
{
	uint64_t mask = 0;
	char path[64], line[128];
	size_t length = strlen(name);
	FILE *status;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status))
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			mask = strtoull(line + length + 1, NULL, 16);
	if (status)
		(void)fclose(status);
	return (mask & FTSAN_SIGBIT(SIGTRAP)) != 0;
}

unsigned ftsan_visit_count(int *blocking)
{
	DIR *tasks = opendir("/proc/self/task");
	int self = ftsan_sys_gettid(), tid;
	unsigned n = 0;

	*blocking = 0;
	while (tasks && (tid = next_task(tasks)) != 0) {
		if (tid == self)
			continue;
		n++;
		if (has_trap(tid, "SigBlk"))
			*blocking = tid;
	}
	if (tasks)
		closedir(tasks);
	return n;
}

static bool is_guest(int tid)
{
	for (unsigned i = 0; i < n_guests; i++)
		if (guests[i].tid == tid)
			return true;
	return false;
}

/* Threads that are not on the list yet; how many. */
static unsigned invite(void)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned before = n_guests;
	int tid, self = ftsan_sys_gettid();

	while (tasks && n_guests < ROOM && (tid = next_task(tasks)) != 0) {
		if (tid == self || is_guest(tid))
			continue;
		guests[n_guests].stack =
			kind == FTSAN_VISIT_ADOPT ? ftsan_altstack_map() : NULL;
		guests[n_guests].asked_ns = 0;
		atomic_store(&guests[n_guests].answer, ASKED);
		guests[n_guests++].tid = tid;
	}
	if (tasks)
		closedir(tasks);
	return n_guests - before;
}

/* Asks one again, if it is time to. Has it answered, or ended? */
static bool is_done(unsigned number, uint64_t now)
{
	struct guest *guest = &guests[number];
	uint32_t answer_now = atomic_load(&guest->answer);

	if (answer_now == DONE)
		return true;
	if (answer_now == ASKED && guest->asked_ns != 0 &&
	    now - guest->asked_ns < ASK_AGAIN_NS)
		return false;
	guest->asked_ns = now;
	atomic_store(&guest->answer, ASKED);
	if (ftsan_signal_call(FTSAN_CALLER_VISIT, atomic_load(&round_number), number,
			      guest->tid) != 0)
		atomic_store(&guest->answer, DONE); /* it is gone */
	return false;
}

static unsigned count_left(uint64_t now, int *tid)
{
	unsigned left = 0;

	for (unsigned i = 0; i < n_guests; i++)
		if (!is_done(i, now)) {
			left++;
			*tid = guests[i].tid;
		}
	return left;
}

static void see_off(void)
{
	unsigned silent = 0;

	for (unsigned i = 0; i < n_guests; i++) {
		silent += atomic_load(&guests[i].answer) == ASKED ||
			  has_trap(guests[i].tid, "SigPnd");
		if (guests[i].stack && atomic_load(&guests[i].answer) == DONE)
			ftsan_altstack_unmap(guests[i].stack);
	}
	atomic_store(&due, silent);
}

static void visit_all(enum ftsan_visit visit, uint64_t wait_ns, struct ftsan_visited *out)
{
	uint64_t begin = ftsan_sys_now_ns(), now = begin;

	*out = (struct ftsan_visited){0};
	kind = visit;
	n_guests = 0;
	atomic_store(&forced, false);
	atomic_fetch_add(&round_number, 1);
	for (invite();; invite()) {
		out->left = count_left(now, &out->tid);
		if ((out->left == 0 && invite() == 0) || now - begin >= wait_ns)
			break;
		atomic_store(&forced, now - begin >= wait_ns / 2);
		ftsan_sys_sleep(LOOK_NS);
		now = ftsan_sys_now_ns();
	}
	out->visited = n_guests - out->left;
}

/* Late ones find another round. */
static void end_round(void)
{
	atomic_fetch_add(&round_number, 1);
	see_off();
}

void ftsan_visit_threads(enum ftsan_visit visit, uint64_t wait_ns,
			 struct ftsan_visited *out)
{
	visit_all(visit, wait_ns, out);
	end_round();
}

static bool may_all(const struct ftsan_rendezvous *rendezvous)
{
	for (unsigned i = 0; i < n_guests; i++)
		if (!rendezvous->may(guests[i].ip, guests[i].sp, rendezvous->argument))
			return false;
	return true;
}

bool ftsan_visit_together(const struct ftsan_rendezvous *rendezvous)
{
	struct ftsan_visited visited;
	uint32_t shut = SHUT;
	bool done = false;

	atomic_store(&gate_deadline_ns, ftsan_sys_now_ns() + STAND_NS);
	atomic_store(&gate, SHUT);
	visit_all(FTSAN_VISIT_STAND, COME_NS, &visited);
	if (visited.left == 0 && may_all(rendezvous) &&
	    atomic_compare_exchange_strong(&gate, &shut, WORKING)) {
		rendezvous->work(rendezvous->argument);
		done = true;
	}
	atomic_store(&gate, OPEN);
	ftsan_sys_futex_wake(&gate);
	end_round();
	return done;
}

bool ftsan_visit_is_due(void)
{
	return atomic_load(&due) != 0;
}
