/*
 * NumPy arrays: dims and strides are one buffer of 16 * nd bytes (24 * nd after resize)
 * that the array's header points at (NumPy 2.1 to HEAD of August 2026:
 * numpy/_core/src/multiarray/ctors.c, alloc.c; include/numpy/ndarraytypes.h for the
 * header, whose fields and order have not changed since 2.0).
 */
#ifndef FTSAN_ADAPTER_NUMPY_H
#define FTSAN_ADAPTER_NUMPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pages/pages.h"

enum { FTSAN_NUMPY_DIMS_MAX = 64 }; /* NPY_MAXDIMS since 2.0 */

/* Context: start-up. @object_size: sizeof(PyObject). */
void ftsan_numpy_init(uint32_t object_size);

/* sizeof(PyObject): the header's own fields follow. Valid after ftsan_numpy_init(). */
uint32_t ftsan_numpy_head(void);

extern const struct ftsan_adapter ftsan_adapter_numpy;

struct ftsan_object;
/* Shape and dtype of the array at @header, which need not be one any more. Foreign
 * memory by ftsan_safe_read() only. Any context. */
void ftsan_numpy_describe_header(uintptr_t header, struct ftsan_object *out);

/* May an allocation of this size be dims and strides? 16 bytes a dimension. Pure. */
static inline bool ftsan_numpy_is_dims_size(size_t size_bytes)
{
	return size_bytes != 0 && size_bytes % 16 == 0 &&
	       size_bytes <= 16 * FTSAN_NUMPY_DIMS_MAX;
}

/* Offset of the pointer to the dims. Valid after ftsan_numpy_init(). */
uint32_t ftsan_numpy_dims_offset(void);

/*
 * The guarded dims buffer of an array, NULL when it has none (0-d, or not guarded).
 * @array is a live ndarray that the caller holds a reference to. Any context.
 */
void *ftsan_numpy_buffer(const void *array);

#endif
