/*
 * Programs for the sampler whose threads agree without locks of libc's, in pairs as in
 * sampler_locks.c: NAME is lock-free and right, bad_NAME lacks what makes it so.
 */
#include "sampler_case.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

static volatile unsigned long sink;

/* --- loads and stores of each order ----------------------------------------------------- */

static _Atomic unsigned long relaxed_word, released_word, ordered_word;
static _Atomic unsigned char flag;

CASE(relaxed, atomic_store_explicit(&relaxed_word, i, memory_order_relaxed);
     sink = atomic_load_explicit(&relaxed_word, memory_order_relaxed);)
CASE(released, atomic_store_explicit(&released_word, i, memory_order_release);
     sink = atomic_load_explicit(&released_word, memory_order_acquire);
     atomic_store_explicit(&flag, (unsigned char)i, memory_order_release);
     if (atomic_load_explicit(&flag, memory_order_acquire) > 200) sink = i;)
CASE(ordered, atomic_store(&ordered_word, i); sink = atomic_load(&ordered_word);)

/* --- read, changed, written back --------------------------------------------------------- */

static _Atomic unsigned long counted, compared, exchanged;
static unsigned long bad_counted;

CASE(count, atomic_fetch_add(&counted, 1);
     atomic_fetch_or_explicit(&counted, i, memory_order_relaxed);)
CASE(bad_count, bad_counted += i; atomic_signal_fence(memory_order_seq_cst);)

CASE(compare, unsigned long was = atomic_load_explicit(&compared, memory_order_relaxed);
     while (!atomic_compare_exchange_weak(&compared, &was, was + 1));)
CASE(exchange, sink = atomic_exchange(&exchanged, i);)

/* --- locks made of atomics ------------------------------------------------------------- */

struct state {
	unsigned long value, copy;
};

static __attribute__((noinline)) void update(struct state *state, unsigned i)
{
	state->value += i;
	state->copy ^= state->value;
}

static struct state spin_state, bad_spin_state;
static atomic_flag spin_lock = ATOMIC_FLAG_INIT;

static void spin_take(void)
{
	while (atomic_flag_test_and_set_explicit(&spin_lock, memory_order_acquire))
		sched_yield();
}

CASE(spin, spin_take(); update(&spin_state, i);
     atomic_flag_clear_explicit(&spin_lock, memory_order_release);)
/* Looked at, and not taken. */
CASE(bad_spin, while (atomic_load_explicit(&flag, memory_order_acquire) == 255)
     sched_yield(); update(&bad_spin_state, i);)

#if PY_VERSION_HEX >= 0x030d0000
static struct state pymutex_state;
static PyMutex py_mutex;

CASE(pymutex, PyMutex_Lock(&py_mutex); update(&pymutex_state, i);
     PyMutex_Unlock(&py_mutex);)
#endif

/* --- queues ------------------------------------------------------------------------------ */

enum { CELLS = 64 };

/* One who puts and one who takes: the first two threads that come. */
struct ring {
	_Atomic unsigned long head, tail;
	struct state cell[CELLS];
};
static struct ring ring, bad_ring;
static _Atomic unsigned roles;
static _Thread_local unsigned role;

static unsigned my_role(void)
{
	if (role == 0)
		role = 1 + atomic_fetch_add(&roles, 1);
	return role;
}

static __attribute__((noinline)) void ring_put(struct ring *r, bool looks, unsigned i)
{
	unsigned long head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (looks && head - atomic_load_explicit(&r->tail, memory_order_acquire) == CELLS)
		return;
	update(&r->cell[head % CELLS], i);
	atomic_store_explicit(&r->head, head + 1, memory_order_release);
}

static __attribute__((noinline)) void ring_take(struct ring *r, bool looks)
{
	unsigned long tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	if (looks && atomic_load_explicit(&r->head, memory_order_acquire) == tail)
		return;
	sink = r->cell[tail % CELLS].value + r->cell[tail % CELLS].copy;
	atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
}

CASE(single, if (my_role() == 1) ring_put(&ring, true, i);
     else if (my_role() == 2) ring_take(&ring, true);)
/* Neither asks how far the other one is. */
CASE(bad_single, if (my_role() == 1) ring_put(&bad_ring, false, i);
     else if (my_role() == 2) ring_take(&bad_ring, false);)

/* Many of each: a bounded queue whose cells have a number of their own (D. Vyukov). */
static struct {
	_Atomic unsigned long turn;
	struct state state;
} cells[CELLS];
static _Atomic unsigned long put_at, take_at;

static bool cell_put(unsigned i)
{
	unsigned long at = atomic_load_explicit(&put_at, memory_order_relaxed);

	for (;;) {
		unsigned long turn = atomic_load_explicit(&cells[at % CELLS].turn,
							  memory_order_acquire);

		if (turn == at) {
			if (atomic_compare_exchange_weak(&put_at, &at, at + 1))
				break;
		} else if (turn < at) {
			return false;
		} else {
			at = atomic_load_explicit(&put_at, memory_order_relaxed);
		}
	}
	update(&cells[at % CELLS].state, i);
	atomic_store_explicit(&cells[at % CELLS].turn, at + 1, memory_order_release);
	return true;
}

static bool cell_take(void)
{
	unsigned long at = atomic_load_explicit(&take_at, memory_order_relaxed);

	for (;;) {
		unsigned long turn = atomic_load_explicit(&cells[at % CELLS].turn,
							  memory_order_acquire);

		if (turn == at + 1) {
			if (atomic_compare_exchange_weak(&take_at, &at, at + 1))
				break;
		} else if (turn < at + 1) {
			return false;
		} else {
			at = atomic_load_explicit(&take_at, memory_order_relaxed);
		}
	}
	sink = cells[at % CELLS].state.value + cells[at % CELLS].state.copy;
	atomic_store_explicit(&cells[at % CELLS].turn, at + CELLS, memory_order_release);
	return true;
}

CASE(many, if (i % 2 == 0) (void)cell_put(i); else (void)cell_take();)

/* --- a value that is read again if it changed meanwhile ---------------------------------- */

static _Atomic unsigned long version, first_part, second_part;

static void version_write(unsigned i)
{
	spin_take();
	atomic_fetch_add_explicit(&version, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&first_part, i, memory_order_relaxed);
	atomic_store_explicit(&second_part, i, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_fetch_add_explicit(&version, 1, memory_order_relaxed);
	atomic_flag_clear_explicit(&spin_lock, memory_order_release);
}

static void version_read(void)
{
	for (unsigned tries = 0; tries < 8; tries++) {
		unsigned long was = atomic_load_explicit(&version, memory_order_acquire);
		unsigned long one, two;

		one = atomic_load_explicit(&first_part, memory_order_relaxed);
		two = atomic_load_explicit(&second_part, memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		if (was % 2 == 0 &&
		    was == atomic_load_explicit(&version, memory_order_relaxed)) {
			sink = one - two;
			return;
		}
	}
}

CASE(versioned, if (i % 8 == 0) version_write(i); else version_read();)

/* --- reference counts --------------------------------------------------------------------- */

static PyObject *shared;

CASE(references, Py_INCREF(shared); sink = (unsigned long)Py_REFCNT(shared);
     Py_DECREF(shared);)

/* A reference that is replaced by whoever comes: under a lock, and without. */
static PyObject *held, *bad_held;

static __attribute__((noinline)) void replace(PyObject **at)
{
	PyObject *before = *at;

	Py_INCREF(shared);
	Py_INCREF(Py_None);
	*at = before == shared ? Py_None : shared; /* what was there is leaked */
}

CASE(replaced, spin_take(); replace(&held);
     atomic_flag_clear_explicit(&spin_lock, memory_order_release);)
CASE(bad_replaced, replace(&bad_held);)

/* -------------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
	METHOD(relaxed), METHOD(released), METHOD(ordered), METHOD(count),
	METHOD(bad_count), METHOD(compare), METHOD(exchange), METHOD(spin),
	METHOD(bad_spin), METHOD(single), METHOD(bad_single), METHOD(many),
	METHOD(versioned), METHOD(references), METHOD(replaced), METHOD(bad_replaced),
#if PY_VERSION_HEX >= 0x030d0000
	METHOD(pymutex),
#endif
	{NULL, NULL, 0, NULL},
};

static int start(PyObject *module)
{
	for (unsigned i = 0; i < CELLS; i++)
		atomic_store(&cells[i].turn, i);
	shared = PyList_New(0);
	held = Py_NewRef(shared);
	bad_held = Py_NewRef(shared);
	return shared == NULL ? -1 : 0;
}

EXTENSION(sampler_atomics, methods, EXEC(start))
