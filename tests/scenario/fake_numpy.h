/*
 * Just enough of CPython 3.13t and NumPy 2 for libftsan to guard the dims of arrays: the
 * programs here race without an interpreter, so that they show one thing each.
 */
#ifndef FTSAN_TESTS_FAKE_NUMPY_H
#define FTSAN_TESTS_FAKE_NUMPY_H

#include <stddef.h>
#include <stdint.h>

/* The fields of PyArrayObject behind the 32 bytes of a free-threaded PyObject. */
struct fake_array {
	char object[24];
	void *type;
	char *data;
	int nd;
	int64_t *dims; /* and the strides behind them */
	int64_t *strides;
	void *base;
	void *descr;
	int flags;
};

/* What _multiarray_umath.so exports to these programs, by dlsym. */
struct fake_numpy {
	/* PyInit: publishes the table that extension modules take the API from. */
	void (*import)(void);
	/* An array whose every dimension is @length; the constructor pauses before it
	 * fills the dims in. */
	struct fake_array *(*create)(int nd, int64_t length, unsigned pause_us);
	void (*destroy)(struct fake_array *array);
	/* Dims of another size, as ndarray.resize() makes them; the old ones. */
	int64_t *(*resize)(struct fake_array *array);
	/* Enters a method of the array. */
	void (*method)(struct fake_array *array);
};

/* The part of the C API that the fakes call by its names. */
void *PyMem_RawMalloc(size_t size);
void *PyMem_RawRealloc(void *block, size_t size);
void PyMem_RawFree(void *block);
void *PyCapsule_New(void *pointer, const char *name, void (*destructor)(void *));
extern char PyType_Type[512];

#endif
