/*
 * The room of what is guarded: NumPy's arrays and their headers, Cython's caches.
 * Adapters say what a buffer is and what two accesses must share to be a race; the
 * engines say how.
 *
 * May use: base, rules, budget, stacks, threads, findings, pages, words, operations.
 * Held: nothing of its own; it is asked in handlers.
 */
#ifndef FTSAN_ADAPTERS_ROOM_H
#define FTSAN_ADAPTERS_ROOM_H

#include "adapters/adapter_cython.h"
#include "adapters/adapter_numpy.h"
#include "adapters/numpy_header.h"
#include "adapters/numpy_words.h"

#endif
