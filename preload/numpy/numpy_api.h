/*
 * NumPy's C API: the table of functions that Cython, pythran and C code calls through.
 */
#ifndef FTSAN_PRELOAD_NUMPY_API_H
#define FTSAN_PRELOAD_NUMPY_API_H

/*
 * Hooks the functions in @table (PyArray_API) that are given arrays. Modules keep the
 * table's address and look a function up at each call; NumPy itself calls directly.
 * Only where hazards are looked for. Context: that of ftsan_ops_hook().
 */
void ftsan_api_hook(void **table);

#endif
