/*
 * Takes a Python lock for somebody else: its return address lies before that of the
 * module whose lock it is, and nothing else of that module does, no string either.
 */
#include "module.h"

static volatile int a_static = 1;

static int call(PyObject *lock, int take)
{
	PyObject *name = PyUnicode_FromString(take ? "acquire" : "release");
	PyObject *result = name == NULL ? NULL : PyObject_CallMethodNoArgs(lock, name);

	Py_XDECREF(name);
	Py_XDECREF(result);
	return result == NULL ? -1 : a_static - 1;
}

static PyMethodDef methods[] = {{NULL, NULL, 0, NULL}};

static int export(PyObject *module)
{
	PyObject *capsule = PyCapsule_New((void *)call, "lock_helper.call", NULL);

	if (capsule == NULL || PyObject_SetAttrString(module, "call", capsule) != 0)
		return -1;
	Py_DECREF(capsule);
	return 0;
}

EXTENSION(lock_helper, methods, EXEC(export))
