/*
 * Finding a library as the loader would have for the original caller.
 *
 * dlopen looks at its caller's object: DT_RPATH and DT_RUNPATH of that object decide
 * where a bare name is searched, and $ORIGIN in a name is that object's directory.
 * Called through a wrapper, the loader sees libftsan.so instead. The wrapper therefore
 * asks the loader for the caller's search list and turns the name into the path that
 * the loader would have found.
 *
 * Known limits: glibc-hwcaps subdirectories of the caller's own RPATH and RUNPATH are
 * not searched, and libraries opened this way do not inherit the caller's DT_RPATH for
 * their own dependencies.
 */
#ifndef FTSAN_PRELOAD_DL_SEARCH_H
#define FTSAN_PRELOAD_DL_SEARCH_H

#include <limits.h>
#include <stdbool.h>

/**
 * ftsan_dl_search() - the path to open instead of a name
 * @caller: return address of the call
 * @file:   as given, not NULL
 * @path:   PATH_MAX bytes
 *
 * Context: normal context (the loader's lock); may leave an error for dlerror().
 * Return:  true with the path to open; false when the name itself does as well.
 */
bool ftsan_dl_search(const void *caller, const char *file, char *path);

#endif
