/*
 * Functions that store to the shape of an array and take it back, and the same that only
 * look, for every way in which an array gets into C code. Each store stands in a function
 * of its own, poke_N(), so that a finding tells which one it was.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#include <numpy/arrayobject.h>
#include <numpy/ufuncobject.h>

#define EXPORT __attribute__((visibility("default"), noinline))

/* Only the twin: then every poke_N() only looks. */
__attribute__((visibility("default"))) int only_look;

/* For ctypes, which calls it without any hook in between. */
#define POKE(n)                                                                          \
	EXPORT void poke_##n(PyArrayObject *array)                                       \
	{                                                                                \
		volatile npy_intp *dims = PyArray_DIMS(array);                           \
		npy_intp length = dims[0];                                               \
		if (only_look)                                                           \
			return;                                                          \
		dims[0] = length + n + 1;                                                \
		dims[0] = length;                                                        \
	}
#define POKE_10(n)                                                                       \
	POKE(n##0)                                                                       \
	POKE(n##1)                                                                       \
	POKE(n##2) POKE(n##3) POKE(n##4) POKE(n##5) POKE(n##6) POKE(n##7) POKE(n##8)     \
		POKE(n##9)
POKE_10(1)
POKE_10(2)
POKE_10(3) POKE_10(4)

	/* --- functions of a module, by their calling conventions
	   --------------------------- */

	static PyObject *touch_one(PyObject *self, PyObject *array)
{
	poke_10((PyArrayObject *)array);
	Py_RETURN_NONE;
}

static PyObject *touch_fast(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
	poke_11((PyArrayObject *)args[n - 1]);
	Py_RETURN_NONE;
}

static PyObject *touch_fast_keywords(PyObject *self, PyObject *const *args, Py_ssize_t n,
				     PyObject *names)
{
	poke_12((PyArrayObject *)args[n]); /* the first keyword's value */
	Py_RETURN_NONE;
}

static PyObject *touch_tuple(PyObject *self, PyObject *args)
{
	poke_13((PyArrayObject *)PyTuple_GET_ITEM(PyTuple_GET_ITEM(args, 0), 1));
	Py_RETURN_NONE;
}

static PyObject *touch_tuple_keywords(PyObject *self, PyObject *args, PyObject *keywords)
{
	poke_14((PyArrayObject *)PyTuple_GET_ITEM(args, 0));
	Py_RETURN_NONE;
}

/* No argument of the function, so no hazard by itself. */
static PyObject *touch_global(PyObject *self, PyObject *unused)
{
	PyObject *main = PyImport_AddModule("__main__");

	poke_15((PyArrayObject *)PyDict_GetItemString(PyModule_GetDict(main), "a"));
	Py_RETURN_NONE;
}

/* Its own work, which nobody else has seen. */
static PyObject *touch_own(PyObject *self, PyObject *array)
{
	PyObject *copy = PyArray_NewCopy((PyArrayObject *)array, NPY_CORDER);

	if (copy != NULL)
		poke_16((PyArrayObject *)copy);
	return copy;
}

/* --- functions of NumPy's API, with objects that call back ------------------------- */

static PyObject *api_take(PyObject *self, PyObject *args)
{
	return PyArray_TakeFrom((PyArrayObject *)PyTuple_GET_ITEM(args, 0),
				PyTuple_GET_ITEM(args, 1), 0, NULL, NPY_RAISE);
}

static PyObject *api_from_any(PyObject *self, PyObject *array)
{
	return PyArray_FromAny(array, NULL, 0, 0, NPY_ARRAY_ENSURECOPY, NULL);
}

static PyObject *api_einsum(PyObject *self, PyObject *array)
{
	PyArrayObject *operands[2] = {(PyArrayObject *)array, (PyArrayObject *)array};

	return (PyObject *)PyArray_EinsteinSum("i,i", 2, operands, NULL, NPY_KEEPORDER,
					       NPY_SAFE_CASTING, NULL);
}

/* It is documented to change the array. */
static PyObject *api_resize(PyObject *self, PyObject *array)
{
	npy_intp length[] = {3};
	PyArray_Dims shape = {length, 1};

	return PyArray_Resize((PyArrayObject *)array, &shape, 0, NPY_CORDER);
}

/* --- a ufunc of its own ------------------------------------------------------------- */

static void loop(char **args, npy_intp const *n, npy_intp const *steps, void *data)
{
	PyGILState_STATE state = PyGILState_Ensure();
	PyObject *main = PyImport_AddModule("__main__");

	poke_17((PyArrayObject *)PyDict_GetItemString(PyModule_GetDict(main), "a"));
	PyGILState_Release(state);
	for (npy_intp i = 0; i < n[0]; i++)
		*(double *)(args[1] + i * steps[1]) = *(double *)(args[0] + i * steps[0]);
}

static PyUFuncGenericFunction loops[] = {loop};
static const char types[] = {NPY_DOUBLE, NPY_DOUBLE};
static void *const data[] = {NULL};

/* --- the module ----------------------------------------------------------------------
 */

#ifndef TABLE
#define TABLE static PyMethodDef
#endif

TABLE functions[] = {
	{"touch_one", touch_one, METH_O, NULL},
	{"touch_fast", (PyCFunction)(void *)touch_fast, METH_FASTCALL, NULL},
	{"touch_fast_keywords", (PyCFunction)(void *)touch_fast_keywords,
	 METH_FASTCALL | METH_KEYWORDS, NULL},
	{"touch_tuple", touch_tuple, METH_VARARGS, NULL},
	{"touch_tuple_keywords", (PyCFunction)(void *)touch_tuple_keywords,
	 METH_VARARGS | METH_KEYWORDS, NULL},
	{"touch_global", touch_global, METH_NOARGS, NULL},
	{"touch_own", touch_own, METH_O, NULL},
	{"api_take", api_take, METH_VARARGS, NULL},
	{"api_from_any", api_from_any, METH_O, NULL},
	{"api_einsum", api_einsum, METH_O, NULL},
	{"api_resize", api_resize, METH_O, NULL},
	{NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "operations",
					.m_size = -1,
					.m_methods = (PyMethodDef *)functions};

PyMODINIT_FUNC PyInit_operations(void)
{
	PyObject *module = PyModule_Create(&definition), *identity;

	import_array();
	import_umath();
	identity = PyUFunc_FromFuncAndData(loops, data, types, 1, 1, 1, PyUFunc_None,
					   "identity", NULL, 0);
	if (identity == NULL || PyModule_AddObject(module, "identity", identity) < 0)
		return NULL;
#ifdef Py_GIL_DISABLED
	PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
#endif
	return module;
}
