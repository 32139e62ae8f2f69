/*
 * Tables of methods and attributes (PyMethodDef, PyGetSetDef): those of NumPy's types and
 * those of modules. CPython reads a function from its table at every call.
 *
 * Context of everything: that of ftsan_ops_hook().
 */
#ifndef FTSAN_PRELOAD_NUMPY_METHODS_H
#define FTSAN_PRELOAD_NUMPY_METHODS_H

#include <stdbool.h>

/**
 * ftsan_methods_hook() - every function of a PyMethodDef table
 * @table: ends with an entry without a name, or NULL
 * @owner: borrowed for good
 * @numpy: they are NumPy's, so that more is known of some
 *
 * Calls without an array are no operation (struct ftsan_op's @optional). A table in
 * read-only memory stays as it is, its functions are counted as left out.
 */
void ftsan_methods_hook(void *table, const char *owner, bool numpy);

/* All instance methods and attributes of a ready PyTypeObject with static tables. */
void ftsan_methods_hook_type(void *type, const char *owner);

#endif
