/*
 * What a thread is doing, and to which object: "Unpacker.feed" of the object at 0x....
 * Worked out when it is asked for, from the values that the innermost Python frames have
 * on their stacks and the native functions that run: nothing is recorded before.
 */
#ifndef FTSAN_DOING_H
#define FTSAN_DOING_H

#include <stdbool.h>
#include <stdint.h>

#include "crash/interpreter.h"
#include "stacks/stacks.h"

enum { FTSAN_DOING_OTHERS = 6, FTSAN_DOING_LOCKS = 4 };

/**
 * struct ftsan_doing - one thread's operation
 * @name:     "Unpacker.feed", "module.function"; "" when it is not known
 * @type:     of @object, "" without one
 * @function: address of the C function, 0 when it is not known
 * @object:   what it is done to; 0: a function of a module, or not known
 * @others:   objects that it was given besides, without constants and the like
 * @locks:    Python's locks that the innermost frames are inside of ("with lock:")
 * @certain:  the function was met on the native stack
 * @builtin:  it is one of the interpreter's own
 */
struct ftsan_doing {
	char name[96];
	char type[64];
	uintptr_t function;
	uintptr_t object;
	unsigned n_others;
	uintptr_t others[FTSAN_DOING_OTHERS];
	unsigned n_locks;
	uintptr_t locks[FTSAN_DOING_LOCKS];
	bool certain;
	bool builtin;
};

/**
 * ftsan_doing() - what the calling thread is doing
 * @tstate: its PyThreadState
 * @stack:  its stack, just captured
 *
 * Context: async-signal-safe; foreign memory by ftsan_safe_read() only.
 * Return:  whether @out->name says something.
 */
bool ftsan_doing(const struct ftsan_interpreter *interpreter, uintptr_t tstate,
		 const struct ftsan_stack *stack, struct ftsan_doing *out);

#endif
