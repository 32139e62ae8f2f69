/*
 * An extension module whose objects several threads are at: in turn, because of a lock, or
 * not; and threads that wait for each other's locks, or for nothing.
 */
#include "module.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum { SOON = 100000, LONG = 1000 }; /* us; s */

typedef struct {
	PyObject_HEAD pthread_mutex_t mutex;
#if PY_VERSION_HEX >= 0x030d0000
	PyMutex py_mutex;
#endif
	_Atomic int inside, about, dies;
	long *nothing;
} Shared;

static PyObject *shared_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	Shared *self = (Shared *)type->tp_alloc(type, 0);

	(void)args;
	(void)kwargs;
	if (self)
		pthread_mutex_init(&self->mutex, NULL);
	return (PyObject *)self;
}

/* In it for a moment, without a lock. */
static PyObject *shared_visit(Shared *self, PyObject *ignored)
{
	(void)ignored;
	Py_BEGIN_ALLOW_THREADS
	self->inside = 1;
	usleep(1000);
	self->inside = 0;
	Py_END_ALLOW_THREADS
	Py_RETURN_NONE;
}

/* An object as it is after somebody wrote over it. */
static PyObject *shared_broken(Shared *self, PyObject *ignored)
{
	PyObject *object = shared_new(Py_TYPE(self), NULL, NULL);

	(void)ignored;
	if (object)
		Py_SET_TYPE(object, NULL);
	return object;
}

static PyObject *shared_is_dying(Shared *self, PyObject *ignored)
{
	(void)ignored;
	return PyBool_FromLong(self->dies);
}

static PyObject *shared_die(Shared *self, PyObject *ignored)
{
	(void)ignored;
	self->dies = 1;
	return PyLong_FromLong(*self->nothing);
}

/* When nobody else is in it. */
static PyObject *shared_die_alone(Shared *self, PyObject *ignored)
{
	(void)ignored;
	Py_BEGIN_ALLOW_THREADS
	while (!self->inside)
		usleep(10);
	while (self->inside)
		usleep(10);
	Py_END_ALLOW_THREADS
	return PyLong_FromLong(*self->nothing);
}

static void until_another_comes(Shared *self)
{
	self->inside = 1;
	while (!self->about)
		usleep(100);
	usleep(SOON);
}

static void come_later(Shared *self)
{
	while (!self->inside)
		usleep(100);
	self->about = 1;
}

static void until_both_have_one(Shared *self, PyObject *other)
{
	self->inside = 1;
	while (!((Shared *)other)->inside)
		usleep(100);
}

/* With the lock, for which the other one waits. */
static PyObject *shared_die_locked(Shared *self, PyObject *ignored)
{
	(void)ignored;
	Py_BEGIN_ALLOW_THREADS
	pthread_mutex_lock(&self->mutex);
	until_another_comes(self);
	Py_END_ALLOW_THREADS
	return PyLong_FromLong(*self->nothing);
}

static PyObject *shared_use_locked(Shared *self, PyObject *ignored)
{
	(void)ignored;
	Py_BEGIN_ALLOW_THREADS
	come_later(self);
	pthread_mutex_lock(&self->mutex);
	pthread_mutex_unlock(&self->mutex);
	Py_END_ALLOW_THREADS
	Py_RETURN_NONE;
}

#if PY_VERSION_HEX >= 0x030d0000
static PyObject *shared_die_in_section(Shared *self, PyObject *ignored)
{
	long value;

	(void)ignored;
	Py_BEGIN_CRITICAL_SECTION(self);
	until_another_comes(self);
	value = *self->nothing;
	Py_END_CRITICAL_SECTION();
	return PyLong_FromLong(value);
}

static PyObject *shared_use_in_section(Shared *self, PyObject *ignored)
{
	(void)ignored;
	Py_BEGIN_ALLOW_THREADS
	come_later(self);
	Py_END_ALLOW_THREADS
	Py_BEGIN_CRITICAL_SECTION(self);
	self->about = 2;
	Py_END_CRITICAL_SECTION();
	Py_RETURN_NONE;
}

/* own.take_py(others): its own lock, and once the other has its, the other's. */
static PyObject *shared_take_py(Shared *self, PyObject *other)
{
	Py_BEGIN_ALLOW_THREADS
	PyMutex_Lock(&self->py_mutex);
	until_both_have_one(self, other);
	PyMutex_Lock(&((Shared *)other)->py_mutex);
	PyMutex_Unlock(&((Shared *)other)->py_mutex);
	PyMutex_Unlock(&self->py_mutex);
	Py_END_ALLOW_THREADS
	Py_RETURN_NONE;
}
#endif

static PyObject *shared_take(Shared *self, PyObject *other)
{
	Py_BEGIN_ALLOW_THREADS
	pthread_mutex_lock(&self->mutex);
	until_both_have_one(self, other);
	pthread_mutex_lock(&((Shared *)other)->mutex);
	pthread_mutex_unlock(&((Shared *)other)->mutex);
	pthread_mutex_unlock(&self->mutex);
	Py_END_ALLOW_THREADS
	Py_RETURN_NONE;
}

/* With its own lock only, and for long. */
static PyObject *shared_sleep(Shared *self, PyObject *other)
{
	(void)other;
	Py_BEGIN_ALLOW_THREADS
	pthread_mutex_lock(&self->mutex);
	sleep(LONG);
	pthread_mutex_unlock(&self->mutex);
	Py_END_ALLOW_THREADS
	Py_RETURN_NONE;
}

#if PY_VERSION_HEX >= 0x030d0000
/* --- locks of the module as a whole: each is known by its number ----------------------
 */

static PyMutex of_module[2];
static _Atomic int taken;

/* That one, and the other once somebody has that. */
static PyObject *take_of_module(PyObject *module, PyObject *number)
{
	long first = PyLong_AsLong(number);

	(void)module;
	Py_BEGIN_ALLOW_THREADS PyMutex_Lock(&of_module[first]);
	taken++;
	while (taken < 2)
		usleep(1000);
	PyMutex_Lock(&of_module[1 - first]);
	PyMutex_Unlock(&of_module[1 - first]);
	PyMutex_Unlock(&of_module[first]);
	Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

/* For good: whoever has called it goes elsewhere with the lock. */
static PyObject *keep_of_module(PyObject *module, PyObject *number)
{
	(void)module;
	PyMutex_Lock(&of_module[PyLong_AsLong(number)]);
	taken++;
	Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
	{"take_of_module", take_of_module, METH_O, NULL},
	{"keep_of_module", keep_of_module, METH_O, NULL},
	{NULL, NULL, 0, NULL},
};
#else
static PyMethodDef functions[] = {{NULL, NULL, 0, NULL}};
#endif

static PyMethodDef shared_methods[] = {
	{"visit", (PyCFunction)shared_visit, METH_NOARGS, NULL},
	{"broken", (PyCFunction)shared_broken, METH_NOARGS, NULL},
	{"is_dying", (PyCFunction)shared_is_dying, METH_NOARGS, NULL},
	{"die", (PyCFunction)shared_die, METH_NOARGS, NULL},
	{"die_alone", (PyCFunction)shared_die_alone, METH_NOARGS, NULL},
	{"die_locked", (PyCFunction)shared_die_locked, METH_NOARGS, NULL},
	{"use_locked", (PyCFunction)shared_use_locked, METH_NOARGS, NULL},
#if PY_VERSION_HEX >= 0x030d0000
	{"die_in_section", (PyCFunction)shared_die_in_section, METH_NOARGS, NULL},
	{"use_in_section", (PyCFunction)shared_use_in_section, METH_NOARGS, NULL},
	{"take_py", (PyCFunction)shared_take_py, METH_O, NULL},
#endif
	{"take", (PyCFunction)shared_take, METH_O, NULL},
	{"sleep", (PyCFunction)shared_sleep, METH_O, NULL},
	{NULL, NULL, 0, NULL},
};

static PyType_Slot shared_slots[] = {
	{Py_tp_methods, shared_methods},
	{Py_tp_new, shared_new},
	{0, NULL},
};

static PyType_Spec shared_spec = {
	.name = "contended.Shared",
	.basicsize = sizeof(Shared),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = shared_slots,
};

static int fill(PyObject *module)
{
	return add_type(module, "Shared", &shared_spec);
}

EXTENSION(contended, functions, EXEC(fill))
