/* What every extension module of the tests has around it. */
#ifndef TEST_MODULE_H
#define TEST_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#ifdef Py_mod_gil
#define NO_GIL_SLOT {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#else
#define NO_GIL_SLOT
#endif

/* A slot of EXTENSION(): int start(PyObject *module). */
#define EXEC(start) {Py_mod_exec, (void *)start},

/* EXTENSION(name, methods, EXEC(start)) - the module @name, which needs no GIL; @methods may
 * be NULL, and further slots may be missing. */
#define EXTENSION(name, methods, ...) EXTENSION_OF(name, methods, __VA_ARGS__)
#define EXTENSION_OF(name, methods, ...)                                                 \
	static PyModuleDef_Slot slots[] = {__VA_ARGS__ NO_GIL_SLOT{0, NULL}};            \
	static PyModuleDef definition = {PyModuleDef_HEAD_INIT, #name, NULL, 0, methods, \
					 slots, NULL, NULL, NULL};                       \
	PyMODINIT_FUNC PyInit_##name(void)                                               \
	{                                                                                \
		return PyModuleDef_Init(&definition);                                    \
	}

/* What a library does with the interpreter let go: the whole of a function. */
#define RELEASED(body)                                                                   \
	do {                                                                             \
		Py_BEGIN_ALLOW_THREADS;                                                  \
		body;                                                                    \
		Py_END_ALLOW_THREADS;                                                    \
		Py_RETURN_NONE;                                                          \
	} while (0)

static inline int add_type(PyObject *module, const char *name, PyType_Spec *spec)
{
	PyObject *type = PyType_FromSpec(spec);

	return type != NULL ? PyModule_AddObject(module, name, type) : -1;
}

#endif
