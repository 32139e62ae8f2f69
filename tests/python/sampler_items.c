/*
 * Items inside an object, by loops: what several threads do to one object, and whether
 * they lock. No memory of it is the object's only, and no lock-free code is in here.
 */
#include "module.h"

#include <pthread.h>

enum { ITEMS = 640 };

typedef struct {
	PyObject_HEAD
	pthread_mutex_t lock;
	unsigned items[ITEMS];
} Items;

static __attribute__((noinline)) void fill_items(Items *self, unsigned value)
{
	for (unsigned i = 0; i < ITEMS; i++) {
		self->items[i] = value;
		value = value * 1812433253u + i;
	}
}

static __attribute__((noinline)) unsigned total_items(const Items *self)
{
	unsigned total = 0;

	for (unsigned i = 0; i < ITEMS; i++)
		total = total * 31 + self->items[i];
	return total;
}

static PyObject *fill(PyObject *self, PyObject *value)
{
	fill_items((Items *)self, (unsigned)PyLong_AsUnsignedLong(value));
	Py_RETURN_NONE;
}

static PyObject *total(PyObject *self, PyObject *unused)
{
	return PyLong_FromUnsignedLong(total_items((Items *)self));
}

static PyObject *locked_fill(PyObject *self, PyObject *value)
{
	PyObject *result;

	pthread_mutex_lock(&((Items *)self)->lock);
	result = fill(self, value);
	pthread_mutex_unlock(&((Items *)self)->lock);
	return result;
}

static PyObject *locked_total(PyObject *self, PyObject *unused)
{
	PyObject *result;

	pthread_mutex_lock(&((Items *)self)->lock);
	result = total(self, unused);
	pthread_mutex_unlock(&((Items *)self)->lock);
	return result;
}

static PyObject *new_items(PyTypeObject *type, PyObject *args, PyObject *names)
{
	Items *self = (Items *)type->tp_alloc(type, 0);

	if (self != NULL)
		pthread_mutex_init(&self->lock, NULL);
	return (PyObject *)self;
}

static PyMethodDef items_methods[] = {
	{"fill", fill, METH_O, NULL},
	{"total", total, METH_NOARGS, NULL},
	{"locked_fill", locked_fill, METH_O, NULL},
	{"locked_total", locked_total, METH_NOARGS, NULL},
	{NULL, NULL, 0, NULL},
};

static PyType_Slot items_slots[] = {
	{Py_tp_new, (void *)new_items},
	{Py_tp_methods, items_methods},
	{0, NULL},
};

static PyType_Spec items_spec = {
	.name = "sampler_items.Items",
	.basicsize = sizeof(Items),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = items_slots,
};

static int start(PyObject *module)
{
	return add_type(module, "Items", &items_spec);
}

EXTENSION(sampler_items, NULL, EXEC(start))
