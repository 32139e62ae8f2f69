/*
 * What extensions get wrong about frames, one function a mistake, and the same done
 * right. Each function takes a flag: call with an exception pending, as code does that
 * adds a line to a traceback?
 *
 * Every call of CPython stands in the function itself: a finding is known by its place.
 */
#include "module.h"
#include <frameobject.h>

/* In every function: what Cython's __Pyx_AddTraceback() has at hand. */
#define ARGUMENTS                                                 \
	PyThreadState *tstate = PyThreadState_Get();              \
	PyObject *globals = PyModule_GetDict(self);               \
	PyCodeObject *code = PyCode_NewEmpty("bad.c", "f", 7);    \
	if (code == NULL)                                         \
		return NULL;                                      \
	if (PyObject_IsTrue(pending))                             \
		PyErr_SetString(PyExc_ValueError, "pending")

/* finish() - a pending exception of ours goes on; else the frame's line, and no error. */
static PyObject *finish(PyFrameObject *frame)
{
	long line;

	if (frame == NULL)
		return PyErr_Occurred() ? NULL : PyUnicode_FromString("no exception");
	line = PyFrame_GetLineNumber(frame);
	Py_DECREF(frame);
	return PyErr_Occurred() ? NULL : PyLong_FromLong(line);
}

static PyObject *good_frame(PyObject *self, PyObject *pending)
{
	ARGUMENTS;
	return finish(PyFrame_New(tstate, code, globals, NULL));
}

static PyObject *good_locals(PyObject *self, PyObject *pending)
{
	ARGUMENTS;
	return finish(PyFrame_New(tstate, code, globals, globals));
}

/* PyCode_NewEmpty() has failed, and nobody looked. */
static PyObject *code_null(PyObject *self, PyObject *pending)
{
	ARGUMENTS;
	Py_CLEAR(code);
	return finish(PyFrame_New(tstate, code, globals, NULL));
}

static PyObject *code_is_str(PyObject *self, PyObject *pending)
{
	ARGUMENTS;
	code = (PyCodeObject *)PyUnicode_FromString("the function's name, not its code");
	return finish(PyFrame_New(tstate, code, globals, NULL));
}

/* cython#6718 as it was reported. */
static PyObject *name_null(PyObject *self, PyObject *pending)
{
	ARGUMENTS;
	code->co_name = NULL;
	return finish(PyFrame_New(tstate, code, globals, NULL));
}

static PyObject *name_is_bytes(PyObject *self, PyObject *pending)
{
	ARGUMENTS;
	code->co_name = PyBytes_FromString("f");
	return finish(PyFrame_New(tstate, code, globals, NULL));
}

static PyObject *filename_null(PyObject *self, PyObject *pending)
{
	ARGUMENTS;
	code->co_filename = NULL;
	return finish(PyFrame_New(tstate, code, globals, NULL));
}

static PyObject *filename_is_bytes(PyObject *self, PyObject *pending)
{
	ARGUMENTS;
	code->co_filename = PyBytes_FromString("bad.c");
	return finish(PyFrame_New(tstate, code, globals, NULL));
}

/* The missing increment of Cython's cache: the only reference is given away. */
static PyObject *code_dead(PyObject *self, PyObject *pending)
{
	ARGUMENTS;
	Py_DECREF(code);
	/* Free-threaded builds defer the count of code objects to the collector. */
	PyGC_Collect();
	return finish(PyFrame_New(tstate, code, globals, NULL));
}

static PyObject *globals_null(PyObject *self, PyObject *pending)
{
	ARGUMENTS;
	globals = NULL;
	return finish(PyFrame_New(tstate, code, globals, NULL));
}

/* Kept in a static variable since before the thread detached. */
static PyObject *tstate_null(PyObject *self, PyObject *pending)
{
	ARGUMENTS;
	/* Without __builtins__ CPython reads it. */
	PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins());
	tstate = NULL;
	return finish(PyFrame_New(tstate, code, globals, NULL));
}

static PyObject *tstate_foreign(PyObject *self, PyObject *pending)
{
	PyThreadState *other;
	PyFrameObject *frame;
	ARGUMENTS;

	other = PyThreadState_New(PyThreadState_GetInterpreter(tstate));
	frame = PyFrame_New(other, code, globals, NULL);
	PyThreadState_Clear(other);
	PyThreadState_Delete(other);
	return finish(frame);
}

static PyObject *good_traceback(PyObject *self, PyObject *pending)
{
	PyFrameObject *frame;
	ARGUMENTS;

	frame = PyFrame_New(tstate, code, globals, NULL);
	if (frame == NULL)
		return NULL;
	if (!PyErr_Occurred())
		PyErr_SetString(PyExc_ValueError, "raised");
	PyTraceBack_Here(frame);
	Py_DECREF(frame);
	return NULL;
}

/* cython#7857: whoever failed has set no exception. */
static PyObject *traceback_alone(PyObject *self, PyObject *pending)
{
	PyFrameObject *frame;
	ARGUMENTS;

	frame = PyFrame_New(tstate, code, globals, NULL);
	if (frame == NULL)
		return NULL;
	PyErr_Clear();
	PyTraceBack_Here(frame);
	return finish(frame);
}

static PyMethodDef methods[] = {
	{"good_frame", good_frame, METH_O, NULL},
	{"good_locals", good_locals, METH_O, NULL},
	{"code_null", code_null, METH_O, NULL},
	{"code_is_str", code_is_str, METH_O, NULL},
	{"name_null", name_null, METH_O, NULL},
	{"name_is_bytes", name_is_bytes, METH_O, NULL},
	{"filename_null", filename_null, METH_O, NULL},
	{"filename_is_bytes", filename_is_bytes, METH_O, NULL},
	{"code_dead", code_dead, METH_O, NULL},
	{"globals_null", globals_null, METH_O, NULL},
	{"tstate_null", tstate_null, METH_O, NULL},
	{"tstate_foreign", tstate_foreign, METH_O, NULL},
	{"good_traceback", good_traceback, METH_O, NULL},
	{"traceback_alone", traceback_alone, METH_O, NULL},
	{NULL, NULL, 0, NULL},
};

EXTENSION(badframes, methods)
