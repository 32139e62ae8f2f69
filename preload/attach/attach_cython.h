/*
 * Caches of code objects that Cython modules had before we came, and those that they
 * have when we go.
 *
 * A module keeps its cache's address in its static data, behind two counts that look
 * like nothing else. While every thread of the program stands still, none of them in the
 * few functions that use a cache, the array is moved into a guarded buffer, or out of
 * it.
 */
#ifndef FTSAN_PRELOAD_ATTACH_CYTHON_H
#define FTSAN_PRELOAD_ATTACH_CYTHON_H

#include <stddef.h>
#include <stdint.h>

/* struct ftsan_attach_caches - @found: caches; @moved: of these */
struct ftsan_attach_caches {
	unsigned found, moved;
};

/**
 * ftsan_attach_cython_guard() - move what is not guarded into guarded buffers
 * ftsan_attach_cython_unguard() - the other way round
 * @objects: addresses in extension modules, each in another
 *
 * Context: normal context of a thread of ours that CPython knows; guarding goes on.
 */
void ftsan_attach_cython_guard(const uintptr_t *objects, size_t n,
			       struct ftsan_attach_caches *out);
void ftsan_attach_cython_unguard(const uintptr_t *objects, size_t n);

/* Frees the guarded buffers that ftsan_attach_cython_unguard() has emptied. Context: the
 * end of a detach, when every page is open. */
void ftsan_attach_cython_forget(void);

#endif
