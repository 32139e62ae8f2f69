/*
 * A lock that a fork can reset and nobody waits for without end.
 *
 * The wrappers run in the program's threads, around calls of the loader and of fork:
 * a wait without a bound there could turn an unknown lock order of the program into a
 * deadlock that it does not have without us.
 */
#ifndef FTSAN_PRELOAD_LOCK_H
#define FTSAN_PRELOAD_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

/* struct ftsan_lock - @owner: thread id or 0; @depth: of the owner's nested locks */
struct ftsan_lock {
	_Atomic uint32_t owner;
	uint32_t depth;
};

enum { FTSAN_LOCK_SLICE_NS = 1000000 };

/* Recursive. Context: normal context. Return: false when @wait_ns have passed. */
static inline bool ftsan_lock_take(struct ftsan_lock *lock, uint64_t wait_ns)
{
	uint32_t self = (uint32_t)ftsan_sys_gettid();
	uint64_t end = 0;

	while (atomic_load_explicit(&lock->owner, memory_order_relaxed) != self) {
		uint32_t seen = 0;
		uint64_t now;

		if (atomic_compare_exchange_strong(&lock->owner, &seen, self))
			break;
		now = ftsan_sys_now_ns();
		end = end ? end : now + wait_ns;
		if (now >= end)
			return false;
		ftsan_sys_futex_wait(&lock->owner, seen, now + FTSAN_LOCK_SLICE_NS);
	}
	lock->depth++;
	return true;
}

static inline void ftsan_lock_drop(struct ftsan_lock *lock)
{
	if (--lock->depth > 0)
		return;
	atomic_store(&lock->owner, 0);
	ftsan_sys_futex_wake(&lock->owner);
}

/*
 * In the child of a fork: @parent_tid is what the calling thread was called in the
 * parent. Its own lock stays its own; another thread's went with that thread.
 */
static inline void ftsan_lock_fork_child(struct ftsan_lock *lock, uint32_t parent_tid)
{
	if (atomic_load(&lock->owner) == parent_tid) {
		atomic_store(&lock->owner, (uint32_t)ftsan_sys_gettid());
		return;
	}
	lock->depth = 0;
	atomic_store(&lock->owner, 0);
}

#endif
