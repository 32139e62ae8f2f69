/*
 * An extension module that dies in the ways that extension modules die: each function
 * names the bug. Those of a Holder are there to have an object, so that two threads can
 * be at the same one.
 */
#include "module.h"

#include <setjmp.h>
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

/* Anybody's: its name begins as libc's malloc() does. */
KEPT long malloc_node(struct part *part)
{
	return part->field + 1;
}

static PyObject *null_node(PyObject *module, PyObject *ignored)
{
	return PyLong_FromLong(malloc_node(NULL));
}

static sigjmp_buf before_the_fault;

static void jump_back(int signal)
{
	siglongjmp(before_the_fault, signal);
}

/* A fault that is lived through. */
static PyObject *recover(PyObject *module, PyObject *ignored)
{
	struct sigaction act = {.sa_handler = jump_back}, old;

	sigaction(SIGSEGV, &act, &old);
	if (sigsetjmp(before_the_fault, 1) == 0)
		wild_pointer(module, NULL);
	sigaction(SIGSEGV, &old, NULL);
	Py_RETURN_NONE;
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

/* --- memory that was freed: each has a twin that does it right ---------------------- */

typedef struct {
	PyObject_HEAD PyObject *first;
	long value;
} Pair;

static PyObject *pair_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	Pair *self = (Pair *)type->tp_alloc(type, 0);

	(void)args;
	(void)kwargs;
	if (self)
		self->first = PyList_New(0);
	return (PyObject *)self;
}

static void pair_dealloc(Pair *self)
{
	PyTypeObject *type = Py_TYPE(self);

	Py_CLEAR(self->first);
	type->tp_free((PyObject *)self);
	Py_DECREF(type);
}

static PyType_Slot pair_slots[] = {
	{Py_tp_new, pair_new},
	{Py_tp_dealloc, pair_dealloc},
	{0, NULL},
};

static PyType_Spec pair_spec = {
	.name = "crashing.Pair",
	.basicsize = sizeof(Pair),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.slots = pair_slots,
};

/* borrowed_item(list, clear) - clear() takes the item out of the list */
static PyObject *borrowed(PyObject *args, int right)
{
	PyObject *list, *clear, *item, *result;

	if (!PyArg_ParseTuple(args, "OO", &list, &clear))
		return NULL;
	item = PyList_GET_ITEM(list, 0);
	if (right)
		Py_INCREF(item);
	Py_XDECREF(PyObject_CallNoArgs(clear));
	result = PyObject_Str(item);
	if (right)
		Py_DECREF(item);
	return result;
}

static PyObject *borrowed_item(PyObject *module, PyObject *args)
{
	(void)module;
	return borrowed(args, 0);
}

static PyObject *owned_item(PyObject *module, PyObject *args)
{
	(void)module;
	return borrowed(args, 1);
}

/* stale_size(list, clear) - the length is asked for once */
static PyObject *sized(PyObject *args, int right)
{
	PyObject *list, *clear;
	Py_ssize_t n, sum = 0;

	if (!PyArg_ParseTuple(args, "OO", &list, &clear))
		return NULL;
	n = PyList_GET_SIZE(list);
	for (Py_ssize_t i = 0; i < (right ? PyList_GET_SIZE(list) : n); i++) {
		sum += (Py_ssize_t)Py_TYPE(PyList_GET_ITEM(list, i))->tp_basicsize;
		if (i == 0)
			Py_XDECREF(PyObject_CallNoArgs(clear));
	}
	return PyLong_FromSsize_t(sum);
}

static PyObject *stale_size(PyObject *module, PyObject *args)
{
	(void)module;
	return sized(args, 0);
}

static PyObject *fresh_size(PyObject *module, PyObject *args)
{
	(void)module;
	return sized(args, 1);
}

/* The twin gives it back once. */
static PyObject *give_back_twice(PyObject *module, PyObject *type)
{
	PyObject *object = PyObject_CallNoArgs(type);

	(void)module;
	if (!object)
		return NULL;
	Py_DECREF(object);
	Py_DECREF(object);
	Py_RETURN_NONE;
}

static PyObject *give_back_once(PyObject *module, PyObject *type)
{
	PyObject *object = PyObject_CallNoArgs(type);

	(void)module;
	Py_XDECREF(object);
	Py_RETURN_NONE;
}

static PyObject *freed_buffer(PyObject *module, PyObject *ignored)
{
	struct part **volatile parts = PyMem_Malloc(40 * sizeof(*parts));

	(void)module;
	(void)ignored;
	parts[7] = (struct part *)PyMem_Calloc(1, sizeof(struct part));
	PyMem_Free(parts[7]);
	PyMem_Free(parts);
	return PyLong_FromLong(parts[7]->field);
}

static PyObject *moved_buffer(PyObject *module, PyObject *ignored)
{
	struct part **volatile before = PyMem_Malloc(40 * sizeof(*before));
	struct part **after;
	long field;

	(void)module;
	(void)ignored;
	before[7] = (struct part *)PyMem_Calloc(1, sizeof(struct part));
	after = PyMem_Realloc(before, 4000 * sizeof(*before));
	field = before[7]->field;
	PyMem_Free(after[7]);
	PyMem_Free(after);
	return PyLong_FromLong(field);
}

static PyObject *buffer_freed_twice(PyObject *module, PyObject *ignored)
{
	void *volatile block = PyMem_Malloc(300);

	(void)module;
	(void)ignored;
	PyMem_Free(block);
	PyMem_Free(block);
	Py_RETURN_NONE;
}

/* All of these, done right. */
static PyObject *buffers(PyObject *module, PyObject *ignored)
{
	struct part **parts = PyMem_Malloc(40 * sizeof(*parts));
	long field = 0;

	(void)module;
	(void)ignored;
	for (int i = 0; i < 40; i++)
		parts[i] = PyMem_Calloc(1, sizeof(**parts));
	parts = PyMem_Realloc(parts, 4000 * sizeof(*parts));
	for (int i = 0; i < 40; i++) {
		field += parts[i]->field;
		PyMem_Free(parts[i]);
	}
	PyMem_Free(parts);
	return PyLong_FromLong(field);
}

/* As NumPy's sort does: the thread has no state of the interpreter meanwhile. */
static PyObject *detached_buffers(PyObject *module, PyObject *ignored)
{
	(void)module;
	(void)ignored;
	Py_BEGIN_ALLOW_THREADS
	for (int i = 0; i < 200; i++)
		PyMem_RawFree(PyMem_RawMalloc(8000));
	Py_END_ALLOW_THREADS
	Py_RETURN_NONE;
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
	{"null_node", null_node, METH_NOARGS, NULL},
	{"recover", recover, METH_NOARGS, NULL},
	{"stack_overflow", stack_overflow, METH_NOARGS, NULL},
	{"free_twice", free_twice, METH_NOARGS, NULL},
	{"give_up", give_up, METH_NOARGS, NULL},
	{"divide", divide, METH_O, NULL},
	{"trap", trap, METH_NOARGS, NULL},
	{"nothing", nothing, METH_NOARGS, NULL},
	{"borrowed_item", borrowed_item, METH_VARARGS, NULL},
	{"owned_item", owned_item, METH_VARARGS, NULL},
	{"stale_size", stale_size, METH_VARARGS, NULL},
	{"fresh_size", fresh_size, METH_VARARGS, NULL},
	{"give_back_twice", give_back_twice, METH_O, NULL},
	{"give_back_once", give_back_once, METH_O, NULL},
	{"freed_buffer", freed_buffer, METH_NOARGS, NULL},
	{"moved_buffer", moved_buffer, METH_NOARGS, NULL},
	{"detached_buffers", detached_buffers, METH_NOARGS, NULL},
	{"buffer_freed_twice", buffer_freed_twice, METH_NOARGS, NULL},
	{"buffers", buffers, METH_NOARGS, NULL},
	{NULL, NULL, 0, NULL},
};

static int fill(PyObject *module)
{
	return add_type(module, "Holder", &holder_spec) < 0
		       ? -1
		       : add_type(module, "Pair", &pair_spec);
}

EXTENSION(crashing, functions, EXEC(fill))
