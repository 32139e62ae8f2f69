/*
 * Keeps what it worked out last in static variables, as many C extensions do.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

struct digest {
	unsigned long long sum;
	unsigned long long length;
};

static struct digest last;
static PyThread_type_lock last_lock;

static unsigned long long digest_bytes(const unsigned char *text, Py_ssize_t n)
{
	unsigned long long sum = 14695981039346656037u;

	for (Py_ssize_t i = 0; i < n; i++)
		sum = (sum ^ text[i]) * 1099511628211u;
	return sum;
}

/* Bug: threads share the static. */
static PyObject *digest(PyObject *self, PyObject *bytes)
{
	char *text;
	Py_ssize_t n;

	if (PyBytes_AsStringAndSize(bytes, &text, &n) != 0)
		return NULL;
	last.sum = digest_bytes((const unsigned char *)text, n);
	last.length += (unsigned long long)n;
	return PyLong_FromUnsignedLongLong(last.sum ^ last.length);
}

/* The same below a lock. */
static PyObject *digest_safely(PyObject *self, PyObject *bytes)
{
	char *text;
	Py_ssize_t n;
	unsigned long long result;

	if (PyBytes_AsStringAndSize(bytes, &text, &n) != 0)
		return NULL;
	Py_BEGIN_ALLOW_THREADS
	PyThread_acquire_lock(last_lock, WAIT_LOCK);
	Py_END_ALLOW_THREADS
	last.sum = digest_bytes((const unsigned char *)text, n);
	last.length += (unsigned long long)n;
	result = last.sum ^ last.length;
	PyThread_release_lock(last_lock);
	return PyLong_FromUnsignedLongLong(result);
}

static PyMethodDef methods[] = {
	{"digest", digest, METH_O, NULL},
	{"digest_safely", digest_safely, METH_O, NULL},
	{NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
	.m_base = PyModuleDef_HEAD_INIT,
	.m_name = "tally",
	.m_methods = methods,
};

PyMODINIT_FUNC PyInit_tally(void)
{
	PyObject *module = PyModule_Create(&definition);

	last_lock = PyThread_allocate_lock();
	if (last_lock == NULL)
		return PyErr_NoMemory();
#ifdef Py_GIL_DISABLED
	if (module != NULL)
		PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
#endif
	return module;
}
