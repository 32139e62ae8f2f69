/* Which modules are sampled. Private to the room. */
#ifndef FTSAN_SAMPLER_CHOOSE_H
#define FTSAN_SAMPLER_CHOOSE_H

#include <stdbool.h>

/**
 * ftsan_sample_chosen() - is a module to be sampled?
 * @path:    of its file, absolute
 * @choice:  option `modules`: names with wildcards, separated by commas; a name matches
 *           the file's name, the part before its first dot, or a folder of the path.
 *           "-NAME": not that one. Empty: every extension module and the libraries in
 *           their wheels
 * @is_python: it is the executable or libpython
 *
 * Never: the interpreter (see below), ftsan's own and what it opens, libc and the loader,
 * and by default BLAS and OpenMP runtimes, whose locks are lock-free and by design, and
 * libraries with much hand-written assembly. Pure.
 */
bool ftsan_sample_chosen(const char *path, const char *choice, bool is_python);

/* Does the list name "cpython"? By that alone the interpreter is sampled. Pure. */
bool ftsan_sample_asks_interpreter(const char *choice);

/* Is it one of those whose threads are no users of Python? Pure. */
bool ftsan_sample_is_runtime(const char *path);

#endif
