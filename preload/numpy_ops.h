/*
 * Operations: the methods and attributes of a type, hooked in place in its (writable)
 * method and getset tables, so that every way of calling them is seen.
 */
#ifndef FTSAN_PRELOAD_NUMPY_OPS_H
#define FTSAN_PRELOAD_NUMPY_OPS_H

/**
 * ftsan_ops_hook_type() - hook all instance methods and attributes
 * @type:  a ready PyTypeObject with static tables
 * @enter: called with self before each operation
 *
 * Context: normal context, once for a type, while nobody else can call its methods yet
 * (its module is being imported). Operations past the number of trampolines stay as
 * they are.
 */
void ftsan_ops_hook_type(void *type, void (*enter)(void *self));

/* Operations hooked so far, and those that there was no trampoline for. */
unsigned ftsan_ops_hooked(void);
unsigned ftsan_ops_left_out(void);

#endif
