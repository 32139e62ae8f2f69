/*
 * Ways for a function to be left, or a thread or a process to end, while one of its
 * instructions is armed or its thread is held. Each call prints nothing and returns what
 * it came to; with the sampler it has to be what it is without.
 */
#include "module.h"

#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <dlfcn.h>
#include <pthread.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

/* All threads store to these on purpose: there is always somebody to be held for. */
extern "C" {
__attribute__((visibility("hidden"))) unsigned long shared[8];
__attribute__((visibility("hidden"))) volatile sig_atomic_t signals;
}

static NOINLINE void touch(unsigned i)
{
	shared[i % 8] += i;
	__asm__ volatile("" ::: "memory");
}

/* --- left by an exception, by a jump ------------------------------------------------- */

static NOINLINE void throws(unsigned i)
{
	touch(i);
	if (i % 3 == 0)
		throw std::runtime_error("third");
	touch(i + 1);
}

static unsigned long exceptions(unsigned n)
{
	unsigned long caught = 0;

	for (unsigned i = 0; i < n; i++) {
		try {
			throws(i);
		} catch (const std::runtime_error &) {
			caught++;
		}
	}
	return caught;
}

static NOINLINE void jumps(jmp_buf to, unsigned i)
{
	touch(i);
	if (i % 3 == 0)
		longjmp(to, 1);
	touch(i + 1);
}

static NOINLINE unsigned long jumped(unsigned i)
{
	jmp_buf here;

	if (setjmp(here) != 0)
		return 1;
	jumps(here, i);
	return 0;
}

static unsigned long long_jumps(unsigned n)
{
	unsigned long back = 0;

	for (unsigned i = 0; i < n; i++)
		back += jumped(i);
	return back;
}

/* --- in the middle of it a signal -------------------------------------------------------- */

static void on_signal(int)
{
	touch((unsigned)signals);
	signals = signals + 1;
}

static unsigned long signalled(unsigned n)
{
	struct sigaction action = {};
	unsigned long sent = 0;

	action.sa_handler = on_signal;
	sigaction(SIGUSR2, &action, NULL);
	for (unsigned i = 0; i < n; i++) {
		touch(i);
		if (i % 16 == 0)
			sent += pthread_kill(pthread_self(), SIGUSR2) == 0;
	}
	return sent;
}

/* --- threads that end ------------------------------------------------------------------- */

static void *cancelled(void *)
{
	int before;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &before);
	for (unsigned i = 0;; i++)
		touch(i);
	return NULL;
}

static void *exits(void *)
{
	for (unsigned i = 0; i < 1000; i++)
		touch(i);
	pthread_exit((void *)1);
}

static unsigned long threads(unsigned n)
{
	unsigned long ended = 0;

	for (unsigned i = 0; i < n / 64; i++) {
		pthread_t one, two;
		void *result;

		if (pthread_create(&one, NULL, cancelled, NULL) != 0 ||
		    pthread_create(&two, NULL, exits, NULL) != 0)
			std::abort();
		pthread_join(two, &result);
		ended += result == (void *)1;
		pthread_cancel(one);
		pthread_join(one, &result);
		ended += result == PTHREAD_CANCELED;
	}
	return ended;
}

/* --- processes ---------------------------------------------------------------------------- */

static unsigned long forks(unsigned n)
{
	unsigned long right = 0;

	for (unsigned i = 0; i < n / 64; i++) {
		int status = -1;
		pid_t child;

		touch(i);
		child = fork();
		if (child == 0) {
			for (unsigned k = 0; k < 100; k++)
				touch(k);
			_exit(7);
		}
		right += waitpid(child, &status, 0) == child && WIFEXITED(status) &&
			 WEXITSTATUS(status) == 7;
	}
	return right;
}

/* --- the module itself goes --------------------------------------------------------------- */

static unsigned long unloads(unsigned n)
{
	const char *other = std::getenv("SAMPLER_LIFE_OTHER");
	unsigned long called = 0;

	for (unsigned i = 0; i < n / 128; i++) {
		void *handle = dlopen(other, RTLD_NOW | RTLD_LOCAL);
		unsigned long (*count)(unsigned) =
			handle == NULL
				? NULL
				: (unsigned long (*)(unsigned))dlsym(handle, "count_up");

		if (count == NULL)
			std::abort();
		called += count(100) >= 100;
		dlclose(handle);
	}
	return called;
}

/* -------------------------------------------------------------------------------------------- */

#define CASE(name, function)                                                             \
	static PyObject *name(PyObject *, PyObject *count)                               \
	{                                                                                \
		unsigned n = (unsigned)PyLong_AsUnsignedLong(count);                     \
		unsigned long result;                                                    \
                                                                                         \
		Py_BEGIN_ALLOW_THREADS result = function(n);                             \
		Py_END_ALLOW_THREADS return PyLong_FromUnsignedLong(result);             \
	}

CASE(exception, exceptions)
CASE(jump, long_jumps)
CASE(signalling, signalled)
CASE(thread, threads)
CASE(forking, forks)
CASE(unload, unloads)

/* With the thread state attached: a stop of the world has to wait for who is held. */
static PyObject *attached(PyObject *, PyObject *count)
{
	unsigned n = (unsigned)PyLong_AsUnsignedLong(count);

	for (unsigned i = 0; i < n; i++)
		touch(i);
	return PyLong_FromUnsignedLong(n);
}

static PyMethodDef methods[] = {
	{"exception", exception, METH_O, NULL}, {"jump", jump, METH_O, NULL},
	{"signalling", signalling, METH_O, NULL}, {"thread", thread, METH_O, NULL},
	{"forking", forking, METH_O, NULL},	{"unload", unload, METH_O, NULL},
	{"attached", attached, METH_O, NULL},	{NULL, NULL, 0, NULL},
};

#ifdef Py_mod_multiple_interpreters
#define INTERPRETERS_SLOT                                                                \
	{Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#else
#define INTERPRETERS_SLOT
#endif

EXTENSION(sampler_life, methods, INTERPRETERS_SLOT)
