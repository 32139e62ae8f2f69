/* What one thread has to say when the process dies: where it is, and what it does. */
#ifndef FTSAN_WITNESS_H
#define FTSAN_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "crash/doing.h"
#include "stacks/stacks.h"

enum { FTSAN_WITNESS_NAME = 16, FTSAN_WITNESS_LOCKS = 12 };

/**
 * struct ftsan_witness - filled by the thread itself, in a handler
 * @sp: its stack pointer
 * @waits_for, @held: locks, as far as they are known
 * @owner: tid of who has the one that is waited for, 0: not known by the lock itself
 */
struct ftsan_witness {
	int tid;
	char name[FTSAN_WITNESS_NAME];
	uintptr_t sp;
	struct ftsan_stack stack;
	struct ftsan_doing doing;
	uintptr_t waits_for;
	int owner;
	unsigned n_held;
	uintptr_t held[FTSAN_WITNESS_LOCKS];
};

/**
 * ftsan_witness_init() - start-up
 * @interpreter: copied; borrowed are the layouts that it points at
 * @tstate:      the calling thread's PyThreadState, NULL: none
 */
void ftsan_witness_init(const struct ftsan_interpreter *interpreter,
			void *(*tstate)(void));

/**
 * ftsan_witness_take() - the calling thread's
 * @ucontext: where it was interrupted
 *
 * Context: async-signal-safe; not while ftsan_stack_walking(), whose locks it takes.
 */
void ftsan_witness_take(struct ftsan_witness *out, const void *ucontext);

/*
 * Does a thread look at what it does, or at what it dies of? Then what is closed for a
 * moment may be read: a page of static data, say, with the names of a module's functions.
 * Async-signal-safe.
 */
bool ftsan_witness_looks(void);
void ftsan_witness_look(bool begins);

/* Is there nothing on its stack but the interpreter and libc? Async-signal-safe. */
bool ftsan_witness_is_plain(const struct ftsan_witness *witness);

/* Is it in a function of the extension module whose static @address is?
 * Async-signal-safe. */
bool ftsan_witness_is_beside(const struct ftsan_witness *witness, uintptr_t address);

/* Does it work with an object that has @address within? Async-signal-safe. */
bool ftsan_witness_has(const struct ftsan_witness *witness, uintptr_t address);

#endif
