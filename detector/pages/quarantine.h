/*
 * Freed buffers, kept inaccessible for a while, so that a late access is noticed.
 *
 * Context of everything, unless it says otherwise: normal context, any thread.
 */
#ifndef FTSAN_QUARANTINE_H
#define FTSAN_QUARANTINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "stacks/stacks.h"
#include "threads/threads.h"

/**
 * struct ftsan_quarantine_entry - one freed buffer
 * @slot:  FTSAN_NO_SLOT: empty
 * @tid, @name, @stack: of the thread that freed it
 * @busy:  a thread is at the entry
 */
struct ftsan_quarantine_entry {
	_Atomic uint32_t slot;
	int tid;
	char name[FTSAN_THREAD_NAME];
	struct ftsan_stack *stack;
	_Atomic uint32_t busy;
};

/* Context: start-up. */
void ftsan_quarantine_init(uint32_t entries);

/* Resident memory that it can take at most. */
uint64_t ftsan_quarantine_bound_bytes(void);

/* The slot is FTSAN_QUARANTINED by the caller's doing; captures the caller's stack. */
void ftsan_quarantine_add(uint32_t slot);

/* Who freed it; NULL when that was not kept. The slot must be pinned. Async-signal-safe.
 */
const struct ftsan_quarantine_entry *ftsan_quarantine_find(uint32_t slot);

/* What can be goes back to the arena, the rest stays FTSAN_QUARANTINED without an entry;
 * false: a thread is at an entry. */
bool ftsan_quarantine_empty(void);

void ftsan_quarantine_fork_child(void);

#endif
