/*
 * Workers: the threads that have worked on arrays since the process began.
 *
 * A program with one thread that works on arrays, and others that don't (a pool for
 * linear algebra, a progress bar), can't race: its hooks call the original and no more.
 * From the first operation of a second thread on, that one included, all are looked at.
 */
#ifndef FTSAN_WORKERS_H
#define FTSAN_WORKERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

/* How many there are, the first thread included; up to how many are left in peace: 1, or
 * 0 where one is enough (latent mode). And is the calling thread counted? */
extern FTSAN_HIDDEN _Atomic uint32_t ftsan_workers;
extern FTSAN_HIDDEN uint32_t ftsan_workers_idle;
extern FTSAN_TLS bool ftsan_worker;

/* Context: start-up. @one_suffices: a single worker can show what is looked for. */
void ftsan_workers_init(bool one_suffices);

/* At start, and in the child of a fork: the calling thread is counted, whether it works
 * or not, so that the first operation of another one finds a second. */
void ftsan_workers_alone(void);

/* In a process that was attached to: threads that an earlier attach has counted don't
 * count themselves again. */
void ftsan_workers_many(void);

/* Counts the calling thread. */
void ftsan_worker_first(void);
/* It ends. Context: normal context of the thread, as above. */
void ftsan_worker_end(void);

/* Are there enough for a finding? Counts nobody. Context: any. */
static inline bool ftsan_workers_enough(void)
{
	return atomic_load_explicit(&ftsan_workers, memory_order_relaxed) >
	       ftsan_workers_idle;
}

/**
 * ftsan_worker_begin() - the calling thread is about to work on an array
 *
 * Context: normal context of any thread.
 * Return:  ftsan_workers_enough(): need a hook look at what it was called for?
 */
static inline bool ftsan_worker_begin(void)
{
	if (FTSAN_UNLIKELY(!ftsan_worker))
		ftsan_worker_first();
	return ftsan_workers_enough();
}

#endif
