/*
 * Programs for the sampler, in pairs, by a module that has no lock-free code of its own:
 * NAME keeps to the rules and must never be reported, bad_NAME does the same without and
 * must be. Each call does it N times; any number of threads may make it.
 */
#include "sampler_case.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

/* Two words that belong together, and what a vector copies. */
struct state {
	unsigned long value, copy;
	unsigned char text[32];
};

static __attribute__((noinline)) void update(struct state *state, unsigned i)
{
	unsigned char text[32];

	memset(text, (int)i, sizeof(text));
	state->value += i;
	state->copy = state->value;
	memcpy(state->text, text, sizeof(text));
}

/* --- locks ------------------------------------------------------------------------- */

static struct state mutex_state, bad_mutex_state;
static pthread_mutex_t mutex_lock = PTHREAD_MUTEX_INITIALIZER;

CASE(mutex, pthread_mutex_lock(&mutex_lock); update(&mutex_state, i);
     pthread_mutex_unlock(&mutex_lock);)
CASE(bad_mutex, update(&bad_mutex_state, i);)

/* Read by several at once, and changed by one. */
static struct state rwlock_state, bad_rwlock_state;
static pthread_rwlock_t rw_lock = PTHREAD_RWLOCK_INITIALIZER;
static unsigned long volatile sink;

static __attribute__((noinline)) unsigned long look(const struct state *state)
{
	return state->value + state->copy;
}

CASE(rwlock, if (i % 8 == 0) {
	pthread_rwlock_wrlock(&rw_lock);
	update(&rwlock_state, i);
} else {
	pthread_rwlock_rdlock(&rw_lock);
	(void)look(&rwlock_state);
} pthread_rwlock_unlock(&rw_lock);)
CASE(bad_rwlock, pthread_rwlock_rdlock(&rw_lock);
     if (i % 8 == 0) update(&bad_rwlock_state, i); else (void)look(&bad_rwlock_state);
     pthread_rwlock_unlock(&rw_lock);)

static struct state spin_state, bad_spin_state;
static pthread_spinlock_t spin_lock;

CASE(spin, pthread_spin_lock(&spin_lock); update(&spin_state, i);
     pthread_spin_unlock(&spin_lock);)
CASE(bad_spin, update(&bad_spin_state, i);)

/* --- memory that is made by one and read by all -------------------------------------- */

static struct state once_state;
static pthread_once_t once_control = PTHREAD_ONCE_INIT;

static void fill_once(void)
{
	for (unsigned i = 0; i < 1000; i++)
		update(&once_state, i);
}

CASE(once, pthread_once(&once_control, fill_once); (void)look(&once_state);)

/* A block of the heap is made anew, now and then, by whoever comes. */
static struct state *lazy_state, *bad_lazy_state;
static pthread_mutex_t lazy_lock = PTHREAD_MUTEX_INITIALIZER;

static __attribute__((noinline)) void renew(struct state **at, unsigned i)
{
	if (i % 64 == 0 || *at == NULL)
		*at = calloc(1, sizeof(**at)); /* the other one may be in use */
	update(*at, i);
}

CASE(lazy, pthread_mutex_lock(&lazy_lock); renew(&lazy_state, i);
     pthread_mutex_unlock(&lazy_lock);)
CASE(bad_lazy, renew(&bad_lazy_state, i);)

/* --- memory that goes from hand to hand ------------------------------------------------ */

/* Blocks of the heap, filled by one, emptied and freed by another. */
enum { PLACES = 16 };

static struct {
	struct state *place[PLACES];
	unsigned n;
} queue, bad_queue;
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_changed = PTHREAD_COND_INITIALIZER;

static void put_and_take(unsigned i)
{
	struct state *block = malloc(sizeof(*block));

	memset(block, 0, sizeof(*block));
	update(block, i);
	pthread_mutex_lock(&queue_lock);
	if (queue.n < PLACES) {
		queue.place[queue.n++] = block;
		block = NULL;
		pthread_cond_signal(&queue_changed);
	}
	pthread_mutex_unlock(&queue_lock);
	free(block);
	pthread_mutex_lock(&queue_lock);
	block = queue.n > 0 ? queue.place[--queue.n] : NULL;
	pthread_mutex_unlock(&queue_lock);
	if (block != NULL)
		update(block, i);
	free(block);
}

CASE(handed, put_and_take(i);)
CASE(bad_handed, bad_queue.n = bad_queue.n < PLACES ? bad_queue.n + 1 : 0;)

/* The kernel's own order: a thread is made, and waited for. */
static void *work_on(void *state)
{
	for (unsigned i = 0; i < 100; i++)
		update(state, i);
	return NULL;
}

CASE(joined, if (i % 512 == 0) {
	struct state *state = calloc(1, sizeof(*state));
	pthread_t thread;
	update(state, i);
	if (pthread_create(&thread, NULL, work_on, state) == 0)
		pthread_join(thread, NULL);
	update(state, i);
	free(state);
})

static struct state *semaphore_state;
static sem_t turnstile;

CASE(semaphore, sem_wait(&turnstile); update(semaphore_state, i); sem_post(&turnstile);)

/* --- memory of one thread ------------------------------------------------------------- */

static __thread struct state local_state;

CASE(local, update(&local_state, i);)

/* The same addresses in turn: libc gives a thread what another one has freed. */
CASE(recycled, struct state *block = malloc(sizeof(*block) + i % 4096);
     memset(block, 0, sizeof(*block)); update(block, i); update(block, i); free(block);)

static const char table[] = "read by everybody, and stored to by nobody";

CASE(constant, sink = (unsigned char)table[i % sizeof(table)];)

/* --- what several engines are about at once -------------------------------------------- */

/* Stores of each kind to one page, under a lock: what they come to is known. */
static struct {
	unsigned long added, stored;
	unsigned char byte;
	double real;
	unsigned char block[32];
	unsigned long or_ed;
} totals;
static pthread_mutex_t totals_lock = PTHREAD_MUTEX_INITIALIZER;

static __attribute__((noinline)) void add_up(unsigned long *added, unsigned long *stored)
{
	*added += 1;
	*stored = *added;
}

CASE(total, pthread_mutex_lock(&totals_lock); add_up(&totals.added, &totals.stored);
     totals.byte++; totals.real += 0.5; totals.block[i % 32]++;
     memmove(totals.block + 1, totals.block, 31); totals.or_ed |= 1ul << (i % 64);
     pthread_mutex_unlock(&totals_lock);)

static PyObject *sums(PyObject *self, PyObject *unused)
{
	return Py_BuildValue("kkkdk", totals.added, totals.stored,
			     (unsigned long)totals.byte, totals.real, totals.or_ed);
}

/* (address, n): the same to two words that a sealed page holds. */
static PyObject *total_at(PyObject *self, PyObject *args)
{
	unsigned long address, n;

	if (!PyArg_ParseTuple(args, "kk", &address, &n))
		return NULL;
	for (unsigned long i = 0; i < n; i++) {
		long *pair = (long *)address;

		pthread_mutex_lock(&totals_lock);
		pair[0] += 1;
		pair[1] = pair[1] + 2;
		pthread_mutex_unlock(&totals_lock);
	}
	Py_RETURN_NONE;
}

/* -------------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
	METHOD(mutex), METHOD(bad_mutex), METHOD(rwlock), METHOD(bad_rwlock),
	METHOD(spin), METHOD(bad_spin), METHOD(once), METHOD(lazy), METHOD(bad_lazy),
	METHOD(handed), METHOD(bad_handed), METHOD(joined), METHOD(semaphore),
	METHOD(local), METHOD(recycled), METHOD(constant), METHOD(total),
	{"sums", sums, METH_NOARGS, NULL},
	{"total_at", total_at, METH_VARARGS, NULL},
	{NULL, NULL, 0, NULL},
};

static int start(PyObject *module)
{
	pthread_spin_init(&spin_lock, PTHREAD_PROCESS_PRIVATE);
	sem_init(&turnstile, 0, 1);
	semaphore_state = calloc(1, sizeof(*semaphore_state));
	return 0;
}

EXTENSION(sampler_locks, methods, EXEC(start))
