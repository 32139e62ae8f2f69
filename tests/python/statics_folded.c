/*
 * A counter that one thread has for itself and all others look at. clang makes one add of
 * C's relaxed load and store; gcc makes it of what is plain. FOLDS: the file says that clang
 * has made it.
 */
#include "module.h"

#include <stdatomic.h>

#ifdef FOLDS
__asm__(".pushsection .comment\n.string \"clang\"\n.popsection");
#endif

static unsigned long counted;
static _Atomic unsigned arrivals;
static _Thread_local unsigned role;
static volatile unsigned long sink;

static __attribute__((noinline)) void count_up(void)
{
	__asm__ volatile("addq $1, %0" : "+m"(counted));
}

static __attribute__((noinline)) void look(void)
{
	sink = *(volatile unsigned long *)&counted;
}

static PyObject *count(PyObject *self, PyObject *times)
{
	unsigned long n = PyLong_AsUnsignedLong(times);

	if (role == 0)
		role = 1 + atomic_fetch_add(&arrivals, 1);
	for (unsigned long i = 0; i < n; i++) {
		if (role == 1)
			count_up();
		else
			look();
	}
	Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"count", count, METH_O, NULL}, {NULL, NULL, 0, NULL}};

EXTENSION(statics_folded, methods)
