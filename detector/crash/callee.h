/*
 * What a value on a Python frame's stack would run if it were called, and whether that is
 * what runs: by the native functions of the thread.
 */
#ifndef FTSAN_CALLEE_H
#define FTSAN_CALLEE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crash/interpreter.h"
#include "stacks/stacks.h"

enum { FTSAN_STARTS_MAX = 24 }; /* native functions, from the innermost */

/* struct PyMethodDef (Include/methodobject.h, 3.11 to 3.15). */
enum { FTSAN_DEF_NAME = 0, FTSAN_DEF_FUNCTION = 8 };

/* struct ftsan_look - what is constant while one thread is looked at */
struct ftsan_look {
	const struct ftsan_interpreter *of;
	const struct ftsan_stack *stack;
	unsigned n_starts;
	uintptr_t start[FTSAN_STARTS_MAX];
	struct ftsan_operands operands;
};

/**
 * struct ftsan_callee - a value that could be what is called
 * @function: C function that would run
 * @object:   what it is bound to, 0: none
 * @def:      PyMethodDef, 0: the object itself is called
 * @owner:    type that the method is of, 0: none
 * @module:   str with the module's name, 0: it has none
 * @makes:    type that an object is made of, 0: none
 * @unbound:  the object is the next value
 */
struct ftsan_callee {
	uintptr_t function, object, def, owner, module, makes;
	bool unbound;
};

/* How well a function agrees with the native stack. */
enum ftsan_match {
	FTSAN_NO_MATCH,
	FTSAN_MATCH_MODULE,
	FTSAN_MATCH_OWN,
	FTSAN_MATCH_EXACT,
};

/* All of these: async-signal-safe; foreign memory by ftsan_safe_read() only. */

/* Fills @look->start from its stack. */
void ftsan_look_starts(struct ftsan_look *look);

/* 0: there is no valid object. */
uintptr_t ftsan_look_type(const struct ftsan_look *look, uintptr_t object);
bool ftsan_look_is_type(const struct ftsan_look *look, uintptr_t object);

/* false: it can't be called, or runs no C function of its own. */
bool ftsan_callee_of(const struct ftsan_look *look, uintptr_t object,
		     struct ftsan_callee *out);

enum ftsan_match ftsan_callee_match(const struct ftsan_look *look, uintptr_t function);

/* Is it a function of the interpreter itself? */
bool ftsan_look_is_builtin(const struct ftsan_look *look, uintptr_t function);

#endif
