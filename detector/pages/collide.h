/*
 * Collision windows: a store to a published buffer is held up, and whoever touches the
 * same thing meanwhile is caught in the act.
 *
 * A thread owns at most one window, its record's. It owns it from the trap until the
 * store is done; program code runs in between only while a single step lasts, and a
 * fault during the step cancels it first. So a thread that owns a window never waits
 * for another's, and there is no deadlock. Every wait has an absolute deadline.
 */
#ifndef FTSAN_COLLIDE_H
#define FTSAN_COLLIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "pages/pages_thread.h"

/* Context: start-up. */
void ftsan_collide_init(void);
void ftsan_collide_fork_child(void);

/* Run time so far, and how many windows a site may have had by then. Any context. */
uint64_t ftsan_collide_elapsed_ns(void);
uint32_t ftsan_collide_site_limit(uint64_t elapsed_ns);

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

/* The access of another thread has been let through: the owner of that window, in that
 * round, may go on. */
void ftsan_window_release(uint32_t owner_plus_1, uint32_t round);

enum ftsan_collision {
	FTSAN_COLLISION_RETRY, /* let the instruction fault again */
	FTSAN_COLLISION_PASS,  /* no conflict: let the read through, the window stays */
	FTSAN_COLLISION_READ,  /* a race was reported; let the read through now */
	FTSAN_COLLISION_WRITE, /* a race was reported; perform the store now */
};

/**
 * ftsan_collide() - an access to a buffer in somebody's window
 * @thread: the caller's record; thread->insn is decoded
 * @slot:   pinned, seen WINDOWED
 * @served: gets index + 1 of the owner who waits until ftsan_window_release()
 *
 * The finding is in the log when this returns READ or WRITE. Context: signal handler.
 */
enum ftsan_collision ftsan_collide(struct ftsan_thread *thread, uint32_t slot,
				   const void *ucontext, uint32_t *served);

/* The program frees a buffer in somebody's window. Normal context. */
void ftsan_collide_free(uint32_t slot);

#endif
