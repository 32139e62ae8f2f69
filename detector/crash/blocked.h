/* The lock that a thread stands at, by what it was interrupted in: nothing is recorded. */
#ifndef FTSAN_CRASH_BLOCKED_H
#define FTSAN_CRASH_BLOCKED_H

#include <stdbool.h>
#include <stdint.h>

#include "stacks/stacks.h"

/**
 * struct ftsan_blocked - a lock that is waited for
 * @lock:  address, 0: none that is known
 * @owner: tid of who has it, 0: the lock does not say
 */
struct ftsan_blocked {
	uintptr_t lock;
	int owner;
};

/* @stack: of @ucontext. Context: async-signal-safe. */
void ftsan_blocked_at(struct ftsan_blocked *out, const void *ucontext,
		      const struct ftsan_stack *stack);

#endif
