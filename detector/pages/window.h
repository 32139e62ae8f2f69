/*
 * Collision windows: a store to a published buffer is held up, and whoever touches the
 * same thing meanwhile is caught in the act.
 *
 * A thread owns at most one window, its record's. It owns it from the trap until the
 * store is done; program code runs in between only while a single step lasts, and a
 * fault during the step cancels it first. So a thread that owns a window never waits
 * for another's, and there is no deadlock. Every wait has an absolute deadline.
 */
#ifndef FTSAN_WINDOW_H
#define FTSAN_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "pages/pages_thread.h"

/* Past its deadline, a window whose owner waits for a report to be written is left
 * alone this long; symbol tables have to be read the first time. */
#define FTSAN_WINDOW_CLAIM_NS (UINT64_C(500) * 1000 * 1000)

/*
 * After a find, the colliding thread runs this long before the owner stores, and others
 * who waited follow one by one. Threads that a window has brought to the same place at
 * the same time would otherwise run the very race that was found, far more often than
 * without us. Once for each site, so it may be long.
 */
#define FTSAN_WINDOW_HEAD_START_NS (UINT64_C(6) * 1000 * 1000)

/* Context: start-up. */
void ftsan_window_init(void);
void ftsan_window_fork_child(void);

/* Run time so far, and how many windows a site may have had by then. Any context. */
uint64_t ftsan_window_elapsed_ns(void);
uint32_t ftsan_window_site_limit(uint64_t elapsed_ns);

/* What thread->insn does to the slot, into the caller's window, which is closed: for a
 * look at the store before it begins. Signal handler; slot pinned. */
void ftsan_window_fill(struct ftsan_thread *thread, uint32_t slot, uintptr_t ip);

/**
 * ftsan_window_enter() - a trapped store begins
 * @thread: the caller's record; thread->insn is decoded
 * @slot:   pinned, seen PUBLISHED
 * @ucontext: registers at the store
 *
 * Takes the slot to WINDOWED; holds the caller up if the rules and the budget allow it.
 * Context: signal handler.
 * Return:  false when the slot was faster in changing its state: fault again.
 */
bool ftsan_window_enter(struct ftsan_thread *thread, uint32_t slot, const void *ucontext);

/* The store is done: back to PUBLISHED, everybody who waits goes on. Signal handler. */
void ftsan_window_leave(struct ftsan_thread *thread);

#endif
