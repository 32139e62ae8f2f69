/*
 * The room of Cython's modules: the caches of code objects that they allocate. It is told
 * what it has to know (python/listen.h), and has nothing else to offer to other rooms.
 *
 * May use: hooks, python, the detector. The calling thread may hold anything of the
 * program's.
 */
#ifndef FTSAN_PRELOAD_CYTHON_H
#define FTSAN_PRELOAD_CYTHON_H

#include "python/python.h"

extern const struct ftsan_listener ftsan_cython_listener;

#endif
