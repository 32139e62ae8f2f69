/* A thread that waits in the kernel for what is to come into a static. */
#include "module.h"

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

EXTENSION(waits, methods)
