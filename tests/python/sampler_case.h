/* What the sampler's modules are made of: a function a case, and the module around them. */
#ifndef SAMPLER_CASE_H
#define SAMPLER_CASE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* One function each, so that a finding names it. */
#define CASE(name, ...)                                                                  \
	static __attribute__((noinline)) void do_##name(unsigned n)                      \
	{                                                                                \
		for (unsigned i = 0; i < n; i++) {                                       \
			__VA_ARGS__                                                      \
		}                                                                        \
	}                                                                                \
	static PyObject *name(PyObject *self, PyObject *count)                           \
	{                                                                                \
		do_##name((unsigned)PyLong_AsUnsignedLong(count));                       \
		Py_RETURN_NONE;                                                          \
	}

#define METHOD(name) {#name, name, METH_O, NULL}

#ifdef Py_mod_gil
#define NO_GIL_SLOT {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#else
#define NO_GIL_SLOT
#endif

/* @start: what its exec slot calls. */
#define MODULE(name, methods, start)                                                     \
	static PyModuleDef_Slot slots[] = {                                              \
		{Py_mod_exec, start}, NO_GIL_SLOT {0, NULL}};                            \
	static struct PyModuleDef definition = {                                         \
		PyModuleDef_HEAD_INIT, .m_name = #name, .m_methods = methods,            \
		.m_slots = slots};                                                       \
	PyMODINIT_FUNC PyInit_##name(void)                                               \
	{                                                                                \
		return PyModuleDef_Init(&definition);                                    \
	}

#endif
