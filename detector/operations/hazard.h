/*
 * Latent hazards: a store to the metadata of an operation's input is a race as soon as a
 * second thread uses the array, so it is a finding without any second thread.
 */
#ifndef FTSAN_HAZARD_H
#define FTSAN_HAZARD_H

struct ftsan_thread;

struct ftsan_trapped_store;

/**
 * ftsan_hazard_look() - a store to a sealed buffer was trapped: is it a hazard?
 * @thread: the caller's record
 * @store:  its slot is pinned
 *
 * Context: the SIGSEGV handler, before the store is performed.
 */
void ftsan_hazard_look(struct ftsan_thread *thread,
		       const struct ftsan_trapped_store *store, const void *ucontext);

#endif
