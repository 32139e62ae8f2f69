/*
 * Functions of extension modules: np.dot, np.concatenate, and those of any other module
 * outside of CPython. A C function that is handed an array and changes its metadata is
 * a hazard whoever wrote it.
 */
#ifndef FTSAN_PRELOAD_NUMPY_MODULES_H
#define FTSAN_PRELOAD_NUMPY_MODULES_H

#include <stdint.h>

#include "python/python.h"

/**
 * ftsan_modules_hook() - a module is being made: its functions are hooked
 * @definition: PyModuleDef *
 * @caller:     return address within the module's object
 *
 * NumPy's always, others where hazards are looked for or threads can race. Not CPython's
 * own (lib-dynload): they take arrays through the buffer protocol and through the
 * operators, whose slots are hooked.
 *
 * Before CPython sees the definition. Context: that of ftsan_ops_hook().
 */
void ftsan_modules_hook(const void *definition, uintptr_t caller);
/* The same for a module that is slots alone; @name is kept. */
void ftsan_modules_hook_slots(const char *name, const struct ftsan_modslot *slots,
			      uintptr_t caller);

#endif
