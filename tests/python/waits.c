/* A thread that waits in the kernel for what is to come into a static. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <unistd.h>

static char buffer[4096];

/* What came, or -errno. */
static PyObject *waits_read(PyObject *self, PyObject *fd)
{
	int from = (int)PyLong_AsLong(fd);
	ssize_t n;

	(void)self;
	Py_BEGIN_ALLOW_THREADS;
	n = read(from, buffer, sizeof(buffer));
	Py_END_ALLOW_THREADS;
	return n < 0 ? PyLong_FromLong(-errno) : PyBytes_FromStringAndSize(buffer, n);
}

static PyMethodDef methods[] = {{"read", waits_read, METH_O, NULL}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
	{Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
	{0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "waits",
					.m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC PyInit_waits(void)
{
	return PyModuleDef_Init(&definition);
}
