/*
 * Functions that change one word of their argument's header and put it back, as a
 * careless extension does, and one that only looks. What is put back is what the first
 * call found: a second thread's change must not become the word's value for good.
 */
#include "module.h"
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#include <numpy/arrayobject.h>

#include <string.h>

#define KEPT __attribute__((visibility("default"), noinline))

/* What such code does in between: a buffer is filled, which takes some microseconds. */
static void work(void)
{
	static _Thread_local volatile char buffer[65536];

	memset((char *)buffer, 1, sizeof(buffer));
}

KEPT PyObject *change_flags(PyObject *self, PyObject *array)
{
	volatile int *flags = &((PyArrayObject_fields *)array)->flags;
	static int old;

	if (old == 0)
		old = *flags;

	*flags = old & ~NPY_ARRAY_WRITEABLE;
	work();
	*flags = old;
	Py_RETURN_NONE;
}

KEPT PyObject *change_nd(PyObject *self, PyObject *array)
{
	volatile int *nd = &((PyArrayObject_fields *)array)->nd;
	static int old;

	if (old == 0)
		old = *nd;

	*nd = 0;
	work();
	*nd = old;
	Py_RETURN_NONE;
}

KEPT PyObject *change_descr(PyObject *self, PyObject *array)
{
	static PyArray_Descr *other;
	PyArray_Descr *volatile *descr = &((PyArrayObject_fields *)array)->descr;
	static PyArray_Descr *old;

	if (other == NULL) {
		old = *descr;
		other = PyArray_DescrFromType(NPY_ULONGLONG);
	}
	*descr = other;
	work();
	*descr = old;
	Py_RETURN_NONE;
}

KEPT PyObject *look(PyObject *self, PyObject *array)
{
	volatile PyArrayObject_fields *fields = (PyArrayObject_fields *)array;

	work();
	return PyLong_FromLong(fields->flags + fields->nd + (fields->descr != NULL));
}

static PyMethodDef functions[] = {
	{"change_flags", change_flags, METH_O, NULL},
	{"change_nd", change_nd, METH_O, NULL},
	{"change_descr", change_descr, METH_O, NULL},
	{"look", look, METH_O, NULL},
	{NULL},
};

static int start(PyObject *module)
{
	import_array1(-1);
	return 0;
}

EXTENSION(headers, functions, EXEC(start))
