/*
 * What happened so far, for the coverage record. Relaxed atomics: every number is a sum
 * that orders nothing. Counters of the allocation path live in the threads' records
 * (thread.h) instead, so that they share no cache line.
 */
#ifndef FTSAN_COUNTERS_H
#define FTSAN_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/annot.h"

struct ftsan_counters {
#define FTSAN_COUNTER(name, meaning) _Atomic uint64_t name;
#include "base/counters.def"
#undef FTSAN_COUNTER
};

extern FTSAN_HIDDEN struct ftsan_counters ftsan_counters;

/* The child of a fork counts its own. */
void ftsan_counters_reset(void);

/* Context: any, async-signal-safe. */
#define ftsan_count(name) ftsan_count_add(name, 1)
#define ftsan_count_add(name, n)                                                         \
	((void)atomic_fetch_add_explicit(&ftsan_counters.name, (n), memory_order_relaxed))
#define ftsan_counted(name)                                                              \
	atomic_load_explicit(&ftsan_counters.name, memory_order_relaxed)

#endif
