/* Keeping the GIL off in a free-threaded interpreter whose modules ask for it. */
#ifndef FTSAN_PRELOAD_PYTHON_GIL_H
#define FTSAN_PRELOAD_PYTHON_GIL_H

#include <stdbool.h>

/**
 * ftsan_python_gil_keep_off() - let the interpreter believe in PYTHON_GIL=0
 * @py_runtime: address of _PyRuntime, statically initialised
 *
 * The environment stays as it is: a child may be an interpreter with a GIL, which
 * refuses to start under PYTHON_GIL=0. Only the interpreter's own getenv() is answered
 * so, and only where the variable is not set.
 *
 * Context: activation, before Py_Initialize, with the SIGSEGV handler installed.
 * Return:  true when the GIL stays off: by this, or because the environment says so.
 */
bool ftsan_python_gil_keep_off(const void *py_runtime);

#endif
