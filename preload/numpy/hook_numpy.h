/*
 * NumPy's part of the hooks: finding the array type, its allocations and its methods.
 *
 * Context of everything: normal context of an attached thread.
 */
#ifndef FTSAN_PRELOAD_HOOK_NUMPY_H
#define FTSAN_PRELOAD_HOOK_NUMPY_H

#include <stdint.h>

#include "python/python.h"

/*
 * Is @table, which code at @caller made a capsule of, NumPy's API table? Then the type,
 * its allocator, methods and attributes are hooked. Once.
 */
void ftsan_numpy_see_arrays(void *table, uintptr_t caller);

/**
 * ftsan_numpy_follow() - what exists already of the array type's subclasses
 * ftsan_numpy_restore() - everything as it was before ftsan_numpy_see_arrays(), which
 *                         may be called again
 * @each: walks over the subclasses of a type
 */
typedef void (*ftsan_each_subclass)(void *type, void (*visit)(void *subtype));
void ftsan_numpy_follow(ftsan_each_subclass each);
void ftsan_numpy_restore(ftsan_each_subclass each);

extern const struct ftsan_listener ftsan_numpy_listener;
extern const struct ftsan_module_listener ftsan_numpy_module_listener;

#endif
