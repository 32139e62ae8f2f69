/*
 * The room of NumPy: where its arrays, operations and ufuncs are found, and the tables
 * through which they are called.
 *
 * May use: hooks, elf, process (the scout), python, the detector. The calling thread may
 * hold anything of the program's.
 */
#ifndef FTSAN_PRELOAD_NUMPY_H
#define FTSAN_PRELOAD_NUMPY_H

#include "numpy/hook_numpy.h"
#include "numpy/numpy_modules.h"
#include "numpy/numpy_ops.h"
#include "numpy/numpy_ufunc.h"

#endif
