#include "words/everyone.h"

#include <errno.h>

#include "base/base.h"
#include "words/watch.h"

static struct {
	_Atomic bool taken;
	struct ftsan_perf_event event;
} events[FTSAN_EVERYONE];

static unsigned wanted;
static bool there;
static int error = -ENOTSUP; /* nobody has asked for any */
static uint64_t dummy;	     /* what an event is opened for */

static int open_event(struct ftsan_perf_event *event)
{
	struct ftsan_perf_target nothing = {
		.address = (uintptr_t)&dummy, .length = sizeof(dummy), .everyone = true};

	return ftsan_perf_open(event, &nothing);
}

static int probe(void)
{
	struct ftsan_perf_event event = {.number_plus_1 = 0};
	int refused = open_event(&event);

	if (refused == 0)
		ftsan_perf_close(&event);
	return refused;
}

int ftsan_everyone_init(unsigned n, bool attached)
{
	wanted = 0;
	error = attached ? -EOPNOTSUPP : probe();
	if (error != 0)
		return error;
	wanted = n < FTSAN_EVERYONE ? n : FTSAN_EVERYONE;
	ftsan_watch_reserve(wanted);
	return 0;
}

static int open_all(void)
{
	for (unsigned i = 0; i < wanted; i++) {
		int refused = open_event(&events[i].event);

		if (refused != 0)
			return i == 0 ? refused : 0;
		there = true;
	}
	return 0;
}

void ftsan_everyone_open(void)
{
	static _Atomic int opened_pid;
	int pid = ftsan_sys_getpid();

	if (wanted > 0 && atomic_exchange(&opened_pid, pid) != pid)
		error = open_all();
}

bool ftsan_everyone_there(void)
{
	return there;
}

int ftsan_everyone_error(void)
{
	return error;
}

int ftsan_everyone_take(void)
{
	for (unsigned i = 0; i < FTSAN_EVERYONE; i++) {
		bool none = false;

		if (events[i].event.number_plus_1 != 0 &&
		    atomic_compare_exchange_strong(&events[i].taken, &none, true))
			return (int)i;
	}
	return FTSAN_EVERYONE_NONE;
}

void ftsan_everyone_give(int number)
{
	if (number != FTSAN_EVERYONE_NONE)
		atomic_store_explicit(&events[number].taken, false, memory_order_release);
}

int ftsan_everyone_aim(int number, const struct ftsan_perf_target *to)
{
	return ftsan_perf_aim(&events[number].event, to);
}

void ftsan_everyone_rest(int number)
{
	if (number != FTSAN_EVERYONE_NONE)
		(void)ftsan_perf_rest(&events[number].event);
}

void ftsan_everyone_fork_child(void)
{
	for (unsigned i = 0; i < FTSAN_EVERYONE; i++) {
		ftsan_perf_close(&events[i].event);
		atomic_store(&events[i].taken, false);
	}
	there = false;
}
