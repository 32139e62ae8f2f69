/* A module whose only synchronisation are loads and stores of C11 atomics. On x86-64 its
 * machine code is that of one that has none. */
#include "module.h"

#include <stdatomic.h>

static _Atomic unsigned long word, published;
static volatile unsigned long sink;

static PyObject *relaxed(PyObject *self, PyObject *count)
{
	unsigned n = (unsigned)PyLong_AsUnsignedLong(count);

	for (unsigned i = 0; i < n; i++) {
		atomic_store_explicit(&word, i, memory_order_relaxed);
		sink = atomic_load_explicit(&word, memory_order_relaxed);
		atomic_store_explicit(&published, i, memory_order_release);
		if (atomic_load_explicit(&published, memory_order_acquire) > 200)
			sink = i;
	}
	Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"relaxed", relaxed, METH_O, NULL}, {NULL, NULL, 0, NULL}};

EXTENSION(sampler_relaxed, methods)
