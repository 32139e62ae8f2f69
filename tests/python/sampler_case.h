/* What the sampler's modules are made of: a function a case, and the module around them. */
#ifndef SAMPLER_CASE_H
#define SAMPLER_CASE_H

#include "module.h"

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

#endif
