/*
 * Cython's part of the hooks: its modules' caches, and what they ask of CPython.
 *
 * Context of everything: normal context of an attached thread.
 */
#ifndef FTSAN_PRELOAD_HOOK_CYTHON_H
#define FTSAN_PRELOAD_HOOK_CYTHON_H

#include <stddef.h>
#include <stdint.h>

#include "base/annot.h"

/* PyMem_Malloc() called from @caller: a guarded block if it may become a cache. */
void *ftsan_cython_alloc(size_t size_bytes, uintptr_t caller);

/* PyMem_Realloc() of a guarded block: a guarded one again, contents copied, the old one
 * in quarantine; NULL: it is no cache, or there is no room. */
void *ftsan_cython_realloc(void *block, size_t size_bytes, uintptr_t caller);

/* PyMem_Realloc() of any other block: a guarded one with its contents if it is a cache
 * that is older than our attach, and grows; else NULL. The caller frees the old one. */
void *ftsan_cython_take_over(const void *block, size_t size_bytes, uintptr_t caller);

/* A cache that this thread has allocated and not yet filled. */
extern FTSAN_TLS void *ftsan_cython_unfilled;
void ftsan_cython_publish_filled(void);

/* The thread has filled its cache and goes on to use the code object: publishes it.
 * Inline: every exception comes by. */
static inline void ftsan_cython_filled(void)
{
	if (FTSAN_UNLIKELY(ftsan_cython_unfilled != NULL))
		ftsan_cython_publish_filled();
}

#endif
