/* A module whose only synchronisation are loads and stores of C11 atomics. On x86-64 its
 * machine code is that of one that has none. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

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

static PyModuleDef_Slot slots[] = {
#ifdef Py_mod_gil
	{Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
	{0, NULL},
};

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT, .m_name = "sampler_relaxed", .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC PyInit_sampler_relaxed(void)
{
	return PyModuleDef_Init(&definition);
}
