/*
 * Constructors that show an array to others before it is complete, and the same that
 * complete it first.
 */
#include "module.h"
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#include <numpy/arrayobject.h>

#define KEPT __attribute__((visibility("default"), noinline))

enum { LENGTH = 24, ROUNDS = 2000, FLAG_ROUNDS = 10 };

/* What a constructor does in the end, here many times over, so that somebody sees it. */
KEPT void complete_dims(PyArrayObject *array)
{
	volatile npy_intp *dims = PyArray_DIMS(array);

	for (int i = 0; i < ROUNDS; i++)
		dims[0] = i % 2 ? LENGTH : LENGTH / 2;
}

KEPT void complete_flags(PyArrayObject *array)
{
	for (int i = 0; i < FLAG_ROUNDS; i++) {
		PyArray_CLEARFLAGS(array, NPY_ARRAY_WRITEABLE);
		__asm__ volatile("" : : : "memory"); /* both stores are wanted */
		PyArray_ENABLEFLAGS(array, NPY_ARRAY_WRITEABLE);
	}
}

KEPT int complete_base(PyArrayObject *array)
{
	return PyArray_BASE(array) != NULL
		       ? 0
		       : PyArray_SetBaseObject(array, PyBytes_FromString("owner"));
}

static PyObject *new_array(void)
{
	npy_intp length = LENGTH;

	return PyArray_SimpleNew(1, &length, NPY_INT64);
}

/* construct(show, early): calls show(array) before its dimensions are right, or after. */
static PyObject *construct(PyObject *self, PyObject *args)
{
	PyObject *show, *array, *shown;
	int early;

	if (!PyArg_ParseTuple(args, "Op", &show, &early) || (array = new_array()) == NULL)
		return NULL;
	if (!early)
		complete_dims((PyArrayObject *)array);
	shown = PyObject_CallOneArg(show, array);
	if (early)
		complete_dims((PyArrayObject *)array);
	Py_XDECREF(shown);
	if (shown != NULL)
		return array;
	Py_DECREF(array);
	return NULL;
}

/* The second half of a constructor in two steps. */
static PyObject *finish_flags(PyObject *self, PyObject *array)
{
	complete_flags((PyArrayObject *)array);
	Py_RETURN_NONE;
}

static PyObject *finish_base(PyObject *self, PyObject *array)
{
	if (complete_base((PyArrayObject *)array) < 0)
		return NULL;
	Py_RETURN_NONE;
}

/* A new array as long as the one that is given. */
KEPT PyObject *like(PyObject *self, PyObject *array)
{
	PyArrayObject *other = (PyArrayObject *)array;

	return PyArray_SimpleNew(PyArray_NDIM(other), PyArray_DIMS(other), NPY_INT64);
}

KEPT PyObject *look(PyObject *self, PyObject *array)
{
	volatile PyArrayObject_fields *fields = (PyArrayObject_fields *)array;
	npy_intp sum = 0;

	for (int i = 0; i < ROUNDS; i++)
		sum += fields->flags + (fields->base != NULL) +
		       ((volatile npy_intp *)fields->dimensions)[0];
	return PyLong_FromSsize_t(sum);
}

static PyMethodDef functions[] = {
	{"construct", construct, METH_VARARGS, NULL},
	{"finish_flags", finish_flags, METH_O, NULL},
	{"finish_base", finish_base, METH_O, NULL},
	{"like", like, METH_O, NULL},
	{"look", look, METH_O, NULL},
	{NULL},
};

static int start(PyObject *module)
{
	import_array1(-1);
	return 0;
}

EXTENSION(constructors, functions, EXEC(start))
