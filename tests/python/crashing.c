/*
 * An extension module that dies in the ways that extension modules die: each function
 * names the bug. Those of a Holder are there to have an object, so that two threads can
 * be at the same one.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT __attribute__((noinline))

struct part {
	long unused[3];
	long field;
};

typedef struct {
	PyObject_HEAD struct part *part;
} Holder;

static _Atomic int busy;

/* Until another thread ends the process. */
static PyObject *holder_work(Holder *self, PyObject *ignored)
{
	(void)self;
	(void)ignored;
	Py_BEGIN_ALLOW_THREADS atomic_store(&busy, 1);
	while (atomic_load(&busy))
		usleep(100);
	Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

static void wait_until_busy(int with_another)
{
	Py_BEGIN_ALLOW_THREADS while (with_another && !atomic_load(&busy)) usleep(100);
	Py_END_ALLOW_THREADS
}

static PyObject *holder_null_field(Holder *self, PyObject *with_another)
{
	wait_until_busy(PyObject_IsTrue(with_another));
	return PyLong_FromLong(self->part->field);
}

static PyObject *wild_pointer(PyObject *module, PyObject *ignored)
{
	volatile long *pointer = (long *)0x123456789000;

	(void)module;
	(void)ignored;
	return PyLong_FromLong(*pointer);
}

static PyObject *no_address(PyObject *module, PyObject *ignored)
{
	volatile long *pointer = (long *)0x4141414141414141;

	(void)module;
	(void)ignored;
	return PyLong_FromLong(*pointer);
}

static const long constant = 5;

static PyObject *write_constant(PyObject *module, PyObject *ignored)
{
	(void)module;
	(void)ignored;
	*(volatile long *)&constant = 6;
	Py_RETURN_NONE;
}

static PyObject *jump(PyObject *module, PyObject *ignored)
{
	PyObject *(*volatile to)(void) = NULL;

	(void)module;
	(void)ignored;
	return to();
}

KEPT static long deeper(volatile long *above)
{
	volatile long here[64];

	here[0] = *above + 1;
	return deeper(here) + here[0];
}

static PyObject *stack_overflow(PyObject *module, PyObject *ignored)
{
	long first = 0;

	(void)module;
	(void)ignored;
	return PyLong_FromLong(deeper(&first));
}

static PyObject *free_twice(PyObject *module, PyObject *ignored)
{
	void *volatile block = malloc(2000);

	(void)module;
	(void)ignored;
	free(malloc(100));
	free(block);
	free(block);
	Py_RETURN_NONE;
}

static PyObject *give_up(PyObject *module, PyObject *ignored)
{
	(void)module;
	(void)ignored;
	abort();
}

static PyObject *divide(PyObject *module, PyObject *number)
{
	volatile long zero = 0;

	(void)module;
	return PyLong_FromLong(PyLong_AsLong(number) / zero);
}

static PyObject *trap(PyObject *module, PyObject *ignored)
{
	(void)module;
	(void)ignored;
	__builtin_trap();
}

/* All of the above, done right. */
static PyObject *nothing(PyObject *module, PyObject *ignored)
{
	struct part *part = calloc(1, sizeof(*part));
	long field = part->field + constant;

	(void)module;
	(void)ignored;
	free(part);
	return PyLong_FromLong(field);
}

static PyMethodDef holder_methods[] = {
	{"work", (PyCFunction)holder_work, METH_NOARGS, NULL},
	{"null_field", (PyCFunction)holder_null_field, METH_O, NULL},
	{NULL, NULL, 0, NULL},
};

static PyType_Slot holder_slots[] = {
	{Py_tp_methods, holder_methods},
	{Py_tp_new, PyType_GenericNew},
	{0, NULL},
};

static PyType_Spec holder_spec = {
	.name = "crashing.Holder",
	.basicsize = sizeof(Holder),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = holder_slots,
};

static PyMethodDef functions[] = {
	{"wild_pointer", wild_pointer, METH_NOARGS, NULL},
	{"no_address", no_address, METH_NOARGS, NULL},
	{"write_constant", write_constant, METH_NOARGS, NULL},
	{"jump", jump, METH_NOARGS, NULL},
	{"stack_overflow", stack_overflow, METH_NOARGS, NULL},
	{"free_twice", free_twice, METH_NOARGS, NULL},
	{"give_up", give_up, METH_NOARGS, NULL},
	{"divide", divide, METH_O, NULL},
	{"trap", trap, METH_NOARGS, NULL},
	{"nothing", nothing, METH_NOARGS, NULL},
	{NULL, NULL, 0, NULL},
};

static int fill(PyObject *module)
{
	PyObject *type = PyType_FromSpec(&holder_spec);

	return type ? PyModule_AddObject(module, "Holder", type) : -1;
}

static PyModuleDef_Slot slots[] = {
	{Py_mod_exec, fill},
#ifdef Py_mod_gil
	{Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
	{0, NULL},
};

static PyModuleDef definition = {
	PyModuleDef_HEAD_INIT, "crashing", NULL, 0, functions, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_crashing(void)
{
	return PyModuleDef_Init(&definition);
}
