#include "findings/report_turn.h"

#include <signal.h>

#include "base/base.h"

/* How long a report waits for another thread's. Past it, something is badly stuck. */
static const uint64_t WAIT_NS = 5000u * 1000 * 1000;

static _Atomic uint32_t owner;	    /* tid + 1 of who makes a report, 0: nobody */
static uint64_t fork_mask;	    /* the owner's, while it forks */
static _Atomic uint32_t fork_owner; /* the owner during a fork */

/*
 * No signal may come between: a handler of the program could run into a trap of its
 * own and wait for a lock that its own thread holds.
 */
bool ftsan_report_turn_take(uint64_t *mask)
{
	/* Faults of ftsan_safe_read() must still reach the handler. */
	const uint64_t all = ~(1ull << (SIGSEGV - 1) | 1ull << (SIGBUS - 1));
	uint32_t me = (uint32_t)ftsan_sys_gettid() + 1, holder = 0;
	uint64_t before, deadline = ftsan_sys_now_ns() + WAIT_NS;

	if (atomic_load_explicit(&owner, memory_order_relaxed) == me)
		return false;
	(void)ftsan_sys_sigmask(SIG_BLOCK, &all, &before);
	while (!atomic_compare_exchange_strong(&owner, &holder, me)) {
		if (ftsan_sys_now_ns() >= deadline) {
			(void)ftsan_sys_sigmask(SIG_SETMASK, &before, NULL);
			return false;
		}
		(void)ftsan_sys_futex_wait(&owner, holder, deadline);
		holder = 0;
	}
	*mask = before; /* may be shared: only the holder writes it */
	return true;
}

void ftsan_report_turn_drop(const uint64_t *mask)
{
	atomic_store_explicit(&owner, 0, memory_order_release);
	ftsan_sys_futex_wake(&owner);
	(void)ftsan_sys_sigmask(SIG_SETMASK, mask, NULL);
}

void ftsan_report_turn_fork_prepare(void)
{
	if (ftsan_report_turn_take(&fork_mask))
		atomic_store_explicit(&fork_owner,
				      atomic_load_explicit(&owner, memory_order_relaxed),
				      memory_order_relaxed);
}

void ftsan_report_turn_fork_parent(void)
{
	uint64_t mask = fork_mask;
	uint32_t me = (uint32_t)ftsan_sys_gettid() + 1;

	if (atomic_load_explicit(&fork_owner, memory_order_relaxed) != me)
		return;
	atomic_store_explicit(&fork_owner, 0, memory_order_relaxed);
	ftsan_report_turn_drop(&mask);
}

void ftsan_report_turn_fork_child(void)
{
	uint64_t mask = fork_mask;
	bool taken = atomic_exchange_explicit(&fork_owner, 0, memory_order_relaxed) != 0;

	/* The only thread, with another tid than the one that took the turn. */
	if (taken)
		ftsan_report_turn_drop(&mask);
	atomic_store_explicit(&owner, 0, memory_order_relaxed);
}
