/* The guarded-buffer engine's part of a thread's record (threads/thread.h). */
#ifndef FTSAN_PAGES_THREAD_H
#define FTSAN_PAGES_THREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "decode/decode.h"
#include "pages/trapped_store.h"
#include "pages/short_lived.h"
#include "rules/rules.h"
#include "stacks/stacks.h"
#include "threads/threads.h"

enum { FTSAN_MAGAZINE = 32 }; /* free slots that a thread keeps for itself */

/* What a thread is doing between arming a single step and its trap. */
enum ftsan_step_kind {
	FTSAN_STEP_NONE,
	FTSAN_STEP_PASS,     /* a read of something else than the window is about */
	FTSAN_STEP_SERVE,    /* an access that collided is let through, page readable */
	FTSAN_STEP_REDIRECT, /* a store is made to the scratch page, to be written back */
	FTSAN_STEP_OPEN,     /* a store is made to its page, opened for it */
	FTSAN_STEP_KEY, /* a store is made under the thread's own protection key rights */
};

/**
 * struct ftsan_step - a single step in progress
 * @kind:    FTSAN_STEP_NONE when there is none
 * @slot:    the slot the instruction touches; pinned while the step lasts
 * @mask:    the signal mask to give back: asynchronous signals wait for the trap
 * @base, @delta: REDIRECT: register base was moved by delta
 * @address, @size: the operand
 * @served:  index + 1 of the thread whose window waits for this, 0: none
 * @round:   of that window
 * @closed:  REDIRECT: the page is only closed because the kernel won't open it
 */
struct ftsan_step {
	enum ftsan_step_kind kind;
	uint32_t slot;
	uint64_t mask;
	int base;
	intptr_t delta;
	uintptr_t address;
	uint32_t size;
	uint32_t served;
	uint32_t round;
	bool closed;
};

enum ftsan_window_state {
	FTSAN_WINDOW_CLOSED,
	FTSAN_WINDOW_BRIEF, /* a store in progress that nobody is meant to collide with */
	FTSAN_WINDOW_OPEN,  /* held up, waiting for a collision */
	FTSAN_WINDOW_CLAIMED, /* a colliding thread is looking at it: the owner waits */
	FTSAN_WINDOW_SERVED,  /* the colliding access is done: the owner may store */
	FTSAN_WINDOW_ENDED,   /* somebody ended it early: the owner may store */
};

/**
 * struct ftsan_window - the one window that a thread can own
 * @state:  enum ftsan_window_state; futex of the owner. Everything below is written
 *          by the owner before it stores OPEN (release) and read by others after they
 *          stored CLAIMED (acquire)
 * @round:  counts windows; waiters use it as their futex
 * @deadline_ns: absolute, monotonic; past it anybody may end the window
 * @tid:    the owner's
 * @store:  what is held up
 * @length_ns: how long it may be held up
 * @held:   the page was made inaccessible and the owner waited
 * @proven: a race was proven at this site, or just now
 * @cools:  the buffer is unsealed for a while when the window is left
 */
struct ftsan_window {
	_Atomic uint32_t state;
	_Atomic uint32_t round;
	_Atomic uint64_t deadline_ns;
	int tid;
	struct ftsan_trapped_store store;
	uint64_t length_ns;
	bool held;
	bool cools;
	bool proven;
	struct ftsan_stack stack;
};

/* Counters of the allocation path; summed up when somebody asks. */
struct ftsan_thread_counts {
	_Atomic uint64_t seen;
	_Atomic uint64_t guarded;
	_Atomic uint64_t short_lived; /* besides those seen, not guarded: short_lived.h */
};

/* One writer: a plain add of an atomic that others only read. */
static inline void ftsan_own_count(_Atomic uint64_t *counter)
{
	atomic_store_explicit(counter,
			      atomic_load_explicit(counter, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

/**
 * struct ftsan_pages_thread - the part; zeroed: nothing is going on
 * @magazine: free slots
 * @looked:   at the clock, after so many allocations
 * @window:   the one that the thread owns
 * @rival:    copy of the window it collided with
 */
struct ftsan_pages_thread {
	uint32_t n_magazine;
	uint32_t magazine[FTSAN_MAGAZINE];
	uint64_t looked;
	struct ftsan_short_lived short_lived;
	struct ftsan_thread_counts counts;
	struct ftsan_step step;
	struct ftsan_window window;
	struct ftsan_insn insn;
	struct ftsan_window rival;
};
_Static_assert(sizeof(struct ftsan_pages_thread) <=
		       sizeof(((struct ftsan_thread *)0)->part_pages),
	       "the part is too small");

static inline struct ftsan_pages_thread *ftsan_pages_of(const struct ftsan_thread *thread)
{
	return FTSAN_THREAD_PART(thread, pages);
}

#endif
