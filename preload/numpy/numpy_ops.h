/*
 * Operations: functions that are given arrays, hooked in place in the (writable) tables
 * that they are called through, so that every way of calling them is seen.
 */
#ifndef FTSAN_PRELOAD_NUMPY_OPS_H
#define FTSAN_PRELOAD_NUMPY_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "numpy/numpy_args.h"
#include "operations/operations.h"

/**
 * struct ftsan_op - what is known of a function that is to be hooked
 * @operation: strings are borrowed for good
 * @args:      how it is given its arrays
 * @wide:      it takes more than five arguments, up to FTSAN_OP_WIDE
 * @optional:  without an array among its arguments a call is no operation. For functions
 *             of whatever module: one that runs the whole program (an event loop, say)
 *             must not make everything in it part of one operation
 * @made:      is given each object that the function returns, or NULL; may be NULL
 */
struct ftsan_op {
	struct ftsan_operation operation;
	struct ftsan_args args;
	bool wide;
	bool optional;
	void (*made)(void *object);
};

/* Most arguments of a wide function. */
enum { FTSAN_OP_WIDE = 12 };

/**
 * ftsan_ops_hook() - have a function called through us
 * @entry: where its address is; writable memory (ftsan_writable()), written at once
 * @op:    copied
 *
 * The function takes pointers and integers and returns one of these or nothing.
 *
 * Context: normal context; several threads may import modules at a time, and call through
 * @entry already. Operations past the number of trampolines stay as they are, and are
 * counted (left_out_operations).
 *
 * Return: what @entry leads to now: a trampoline, or the function that it had before.
 */
void *ftsan_ops_hook(void **entry, const struct ftsan_op *op);

/* The function behind a trampoline; NULL when @function is none. */
void *ftsan_ops_original(const void *function);

/**
 * ftsan_ops_restore() - every entry gets its function back
 *
 * Calls through trampolines that others have copied (type slots are) go straight on from
 * now on. The same entries get the same trampolines when they are hooked again.
 * Context: normal context.
 */
void ftsan_ops_restore(void);
/* Operations are looked at again. */
void ftsan_ops_resume(void);

#endif
