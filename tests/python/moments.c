/*
 * An extension module that dies at moments at which others hold locks, or at which the
 * process is about to become another one.
 */
#include "module.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 64, ROUNDS = 50 };

static long *volatile nothing;
static _Atomic long done;
static _Atomic long shared; /* for the sampler */
static long plain;
static char library[512];
static _Atomic int dies_at; /* fork's handler: 'p', 'a' (parent), 'c' */

static void die(void)
{
	plain += *nothing;
}

static void at_malloc(void)
{
	void *blocks[BLOCKS];

	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = malloc((size_t)(16 << i % 12));
	for (int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
}

static void at_dlopen(void)
{
	void *handle = dlopen(library, RTLD_NOW);

	if (handle)
		dlclose(handle);
}

static void at_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void at_store(void)
{
	for (int i = 0; i < 1000; i++)
		plain++;
	shared++;
}

static void *keep_at_it(void *function)
{
	for (;;) {
		((void (*)(void))function)();
		done++;
	}
	return NULL;
}

/* die_while(kind): four threads are at it, one dies. */
static PyObject *die_while(PyObject *module, PyObject *kind)
{
	const char *name = PyUnicode_AsUTF8(kind);
	void (*function)(void) = name[0] == 'm'	  ? at_malloc
				 : name[0] == 'd' ? at_dlopen
				 : name[0] == 'f' ? at_fork
						  : at_store;

	(void)module;
	Py_BEGIN_ALLOW_THREADS
	for (int i = 0; i < 4; i++) {
		pthread_t thread;

		pthread_create(&thread, NULL, keep_at_it, (void *)function);
	}
	while (done < ROUNDS)
		usleep(100);
	die();
	Py_END_ALLOW_THREADS
	Py_RETURN_NONE;
}

/* Whose child holds it back does not answer any signal. */
static void *in_vfork(void *unused)
{
	pid_t parent = getpid();

	if (vfork() == 0) {
		done = 1;
		while (getppid() == parent)
			usleep(10000);
		_exit(0);
	}
	return unused;
}

/* die_in_a_hang(): as soon as it is interrupted, while another thread keeps who asks waiting. */
static PyObject *die_in_a_hang(PyObject *module, PyObject *unused)
{
	pthread_t thread;

	(void)module;
	(void)unused;
	Py_BEGIN_ALLOW_THREADS
	pthread_create(&thread, NULL, in_vfork, NULL);
	while (done == 0)
		usleep(100);
	pause();
	die();
	Py_END_ALLOW_THREADS
	Py_RETURN_NONE;
}

static void before_fork(void)
{
	if (dies_at == 'p')
		die();
}

static void in_parent(void)
{
	if (dies_at == 'a')
		die();
}

static void in_child(void)
{
	if (dies_at == 'c')
		die();
}

/* die_at_fork(where): where 'n': in the child, right after. The child's wait status. */
static PyObject *die_at_fork(PyObject *module, PyObject *where)
{
	int status = -1;
	pid_t pid;

	(void)module;
	pthread_atfork(before_fork, in_parent, in_child);
	dies_at = PyUnicode_AsUTF8(where)[0];
	pid = fork();
	if (pid == 0) {
		if (dies_at == 'n')
			die();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return PyLong_FromLong(status);
}

static PyObject *set_library(PyObject *module, PyObject *path)
{
	(void)module;
	strncpy(library, PyUnicode_AsUTF8(path), sizeof(library) - 1);
	Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
	{"die_while", die_while, METH_O, NULL},
	{"die_at_fork", die_at_fork, METH_O, NULL},
	{"die_in_a_hang", die_in_a_hang, METH_NOARGS, NULL},
	{"set_library", set_library, METH_O, NULL},
	{NULL, NULL, 0, NULL},
};

EXTENSION(moments, functions)
