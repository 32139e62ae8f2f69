/*
 * Cython's part of the hooks: its modules' caches, and what they ask of CPython.
 *
 * Context of everything: normal context of an attached thread.
 */
#ifndef FTSAN_PRELOAD_HOOK_CYTHON_H
#define FTSAN_PRELOAD_HOOK_CYTHON_H

#include <stddef.h>
#include <stdint.h>

/* PyMem_Malloc() called from @caller: a guarded block if it may become a cache. */
void *ftsan_cython_alloc(size_t size_bytes, uintptr_t caller);

/* PyMem_Realloc() of a guarded block: a guarded one again, contents copied, the old one
 * in quarantine; NULL: it is no cache, or there is no room. */
void *ftsan_cython_realloc(void *block, size_t size_bytes, uintptr_t caller);

/* The thread has filled its cache and goes on to use the code object: publishes it. */
void ftsan_cython_filled(void);

#endif
