/*
 * Stores under a static lock word of a module's own making, that is held for long the
 * first time that it is taken. Built twice, with MODULE set: one of the two takes the lock
 * and stores to its own statics, or has the other one store (NAME keeps to the rules,
 * bad_NAME does not).
 */
#include "module.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

struct state {
	volatile unsigned long value, copy;
};

static atomic_int lock, helper_lock, flag;
static struct state held_state, helped_state, filled_state;
static struct state bad_held_state, bad_flag_state;

static void update(struct state *state)
{
	unsigned long next = state->value * 3 + 1;

	state->value = next;
	state->copy = next;
}

/* What takes long the first time. */
static void prepare(void)
{
	const struct timespec time = {.tv_nsec = 60 * 1000 * 1000};

	nanosleep(&time, NULL);
}

static inline __attribute__((always_inline)) void take(atomic_int *word)
{
	while (atomic_exchange(word, 1) != 0)
		sched_yield();
}

static inline __attribute__((always_inline)) void give(atomic_int *word)
{
	atomic_store_explicit(word, 0, memory_order_release);
}

static __attribute__((noinline)) void take_by_function(void)
{
	take(&helper_lock);
}

static void fill_state(void)
{
	update(&filled_state);
}

#define CASE(name) static PyObject *name(PyObject *self, PyObject *argument)

CASE(held)
{
	RELEASED(take(&lock); prepare(); update(&held_state); give(&lock));
}

CASE(bad_held)
{
	RELEASED(take(&lock); give(&lock); prepare(); update(&bad_held_state));
}

CASE(helped)
{
	RELEASED(take_by_function(); prepare(); update(&helped_state);
		 give(&helper_lock));
}

/* Set once and never given back: no lock of those that come later. */
CASE(set_flag)
{
	RELEASED(atomic_exchange(&flag, 1); prepare());
}

CASE(bad_flag)
{
	RELEASED(update(&bad_flag_state));
}

CASE(filler)
{
	return PyCapsule_New((void *)(uintptr_t)fill_state, "fill", NULL);
}

CASE(other)
{
	void (*fill)(void) =
		(void (*)(void))(uintptr_t)PyCapsule_GetPointer(argument, "fill");

	RELEASED(take(&lock); prepare(); fill(); give(&lock));
}

CASE(bad_other)
{
	void (*fill)(void) =
		(void (*)(void))(uintptr_t)PyCapsule_GetPointer(argument, "fill");

	RELEASED(take(&lock); give(&lock); prepare(); fill());
}

static PyMethodDef methods[] = {
	{"held", held, METH_NOARGS, NULL},
	{"bad_held", bad_held, METH_NOARGS, NULL},
	{"helped", helped, METH_NOARGS, NULL},
	{"set_flag", set_flag, METH_NOARGS, NULL},
	{"bad_flag", bad_flag, METH_NOARGS, NULL},
	{"filler", filler, METH_NOARGS, NULL},
	{"other", other, METH_O, NULL},
	{"bad_other", bad_other, METH_O, NULL},
	{NULL, NULL, 0, NULL},
};

EXTENSION(MODULE, methods)
