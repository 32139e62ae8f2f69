/*
 * Latent hazards: a store to the metadata of an operation's input is a race as soon as a
 * second thread uses the array, so it is a finding without any second thread.
 */
#ifndef FTSAN_HAZARD_H
#define FTSAN_HAZARD_H

#include <stdint.h>

struct ftsan_thread;

/**
 * ftsan_hazard_look() - a store to a sealed buffer was trapped: is it a hazard?
 * @thread: the caller's record; its window describes the store
 * @slot:   of the buffer; pinned
 *
 * Context: the SIGSEGV handler, before the store is performed.
 */
void ftsan_hazard_look(struct ftsan_thread *thread, uint32_t slot, const void *ucontext);

#endif
