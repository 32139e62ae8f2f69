/*
 * Operations: functions that are given arrays, hooked in place in the (writable) tables
 * that they are called through, so that every way of calling them is seen.
 */
#ifndef FTSAN_PRELOAD_NUMPY_OPS_H
#define FTSAN_PRELOAD_NUMPY_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "operation.h"

/**
 * struct ftsan_op - what is known of a function that is to be hooked
 * @operation:  strings are borrowed for good
 * @convention: enum ftsan_convention
 * @objects:    for FTSAN_ARGS_OBJECTS
 */
struct ftsan_op {
	struct ftsan_operation operation;
	uint8_t convention;
	uint8_t objects;
};

/**
 * ftsan_ops_hook() - have a function called through us
 * @entry: where its address is; writable memory, written at once
 * @op:    copied
 *
 * Context: normal context; one caller at a time (a module is being imported), while
 * other threads may call through @entry already. Operations past the number of
 * trampolines stay as they are, and are counted (left_out_operations).
 */
void ftsan_ops_hook(void **entry, const struct ftsan_op *op);

/* All instance methods and attributes of a ready PyTypeObject with static tables. */
void ftsan_ops_hook_type(void *type, const char *owner);

#endif
