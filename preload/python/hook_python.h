/* The wrappers of CPython's own functions that make modules. */
#ifndef FTSAN_PRELOAD_HOOK_PYTHON_H
#define FTSAN_PRELOAD_HOOK_PYTHON_H

#include "python/module_life.h"

/* What a module of slots alone says of the GIL. */
extern const struct ftsan_module_listener ftsan_python_module_listener;

#endif
