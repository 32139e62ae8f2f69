/*
 * An extension as one meets it: each function is fine on one thread, and two of them are
 * not when threads share what they are given.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#include <numpy/arrayobject.h>

/* Bug: shortens the caller's array for the length of the call. */
static PyObject *sum_first_half(PyObject *self, PyObject *array)
{
	npy_intp *dims = PyArray_DIMS((PyArrayObject *)array);
	npy_intp length = dims[0];
	PyObject *sum;

	dims[0] = length / 2;
	sum = PyArray_Sum((PyArrayObject *)array, 0, NPY_DOUBLE, NULL);
	dims[0] = length;
	return sum;
}

/* The same result from a view of its own. */
static PyObject *sum_first_half_safely(PyObject *self, PyObject *array)
{
	PyObject *half =
		PySequence_GetSlice(array, 0, PyArray_DIM((PyArrayObject *)array, 0) / 2);
	PyObject *sum = NULL;

	if (half != NULL)
		sum = PyArray_Sum((PyArrayObject *)half, 0, NPY_DOUBLE, NULL);
	Py_XDECREF(half);
	return sum;
}

static PyMethodDef methods[] = {
	{"sum_first_half", sum_first_half, METH_O, NULL},
	{"sum_first_half_safely", sum_first_half_safely, METH_O, NULL},
	{NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
	.m_base = PyModuleDef_HEAD_INIT,
	.m_name = "halves",
	.m_methods = methods,
};

PyMODINIT_FUNC PyInit_halves(void)
{
	PyObject *module = PyModule_Create(&definition);

	import_array();
#ifdef Py_GIL_DISABLED
	if (module != NULL)
		PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
#endif
	return module;
}
