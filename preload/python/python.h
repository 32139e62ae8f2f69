/*
 * The room of CPython: its wrappers, what is checked of frames and code objects, the GIL,
 * the layout of its types. It tells adapters what happens (listen.h) and knows none.
 *
 * May use: hooks, elf, process, the detector. The calling thread may hold anything of the
 * program's.
 */
#ifndef FTSAN_PRELOAD_PYTHON_H
#define FTSAN_PRELOAD_PYTHON_H

#include "python/code_history.h"
#include "python/hook_freed.h"
#include "python/hook_memory.h"
#include "python/hook_python.h"
#include "python/listen.h"
#include "python/module_life.h"
#include "python/module_slots.h"
#include "python/python_gil.h"
#include "python/type.h"

#endif
