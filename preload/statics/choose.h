/* The room's own: which files are meant. Pure. */
#ifndef FTSAN_PRELOAD_STATICS_CHOOSE_H
#define FTSAN_PRELOAD_STATICS_CHOOSE_H

#include <stdbool.h>
#include <stddef.h>

/**
 * ftsan_statics_wants() - is a file's static data to be sealed?
 * @choice:    the option `statics`
 * @path:      of the file
 * @extension: an extension module was initialised from it
 *
 * The interpreter, libc, the loader and ftsan's own libraries are the caller's to leave
 * out. Runtimes that synchronise by means of their own (OpenBLAS, OpenMP) are wanted only
 * by name.
 */
bool ftsan_statics_wants(const char *choice, const char *path, bool extension);

/**
 * ftsan_statics_package() - part of the paths of the Python files that go with a module
 * @out: "-packages/scipy/", or the directory of a file that is in no such place
 */
void ftsan_statics_package(const char *path, char *out, size_t capacity_bytes);

#endif
