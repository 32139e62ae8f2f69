/*
 * Which of NumPy's allocations are an array's dims, and which array's: the wrapper of
 * PyMem_RawMalloc(), and the types' tp_alloc.
 *
 * Context of everything: normal context of an attached thread.
 */
#ifndef FTSAN_PRELOAD_NUMPY_ALLOC_H
#define FTSAN_PRELOAD_NUMPY_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

/* An array has been given to an operation, with its guarded buffer, or NULL: makes sure
 * that the one is known to belong to the other. */
void ftsan_numpy_bind(void *array, const void *buffer);

/**
 * ftsan_numpy_alloc_start() - from here on buffers are guarded
 * @type:         ndarray
 * @begin, @bytes: where the module lies that allocates
 *
 * One thread at a time.
 */
void ftsan_numpy_alloc_start(void *type, uintptr_t begin, uintptr_t bytes);
bool ftsan_numpy_alloc_ready(void);

/* No more; false: they were not. */
bool ftsan_numpy_alloc_stop(void);
/* ndarray or a subclass gets its own tp_alloc back. */
void ftsan_numpy_alloc_restore(void *type);

#endif
