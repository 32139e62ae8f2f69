/* The guarded-buffer engine's part of threads' records, at their ends and counted up. */
#ifndef FTSAN_GUARD_THREADS_H
#define FTSAN_GUARD_THREADS_H

#include <stdbool.h>
#include <stdint.h>

struct ftsan_thread;

/* The thread ends: what it has under way ends, and its magazine is given back. Context:
 * normal context of the thread. */
void ftsan_pages_thread_end(struct ftsan_thread *thread);

/* Is the thread, the caller, in the middle of a store of its own? Async-signal-safe. */
bool ftsan_pages_busy(const struct ftsan_thread *thread);

/* fork child, before the records forget who is gone: what other threads had under way is
 * over, and all magazines are empty. */
void ftsan_pages_threads_fork_child(void);

/* The counters begin anew. Counts of threads that run meanwhile may get lost. */
void ftsan_thread_counts_reset(void);

/* What the threads counted for themselves: of all threads, ended ones included. */
struct ftsan_thread_sums {
	uint64_t seen, guarded, short_lived;
};

void ftsan_thread_counts_sum(struct ftsan_thread_sums *sums);

#endif
