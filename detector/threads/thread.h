/*
 * Per-thread records: what a handler needs and must not allocate.
 *
 * Records are mapped once and never unmapped: another thread may look at one (the owner
 * of a collision window) while its thread ends. An ended thread's record is reused.
 */
#ifndef FTSAN_THREAD_H
#define FTSAN_THREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "rules/access.h"
#include "base/annot.h"
#include "decode/decode.h"
#include "operations/operation.h"
#include "words/recheck.h"
#include "stacks/stack.h"
#include "words/watch.h"
#include "pages/young.h"

enum {
	FTSAN_THREADS_MAX = 4096,
	FTSAN_THREAD_NAME = 16,
	FTSAN_MAGAZINE = 32, /* free slots that a thread keeps for itself */
};

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
 * @base, @delta: REDIRECT: gregs[base] was moved by delta
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
	uint32_t slot;
	uintptr_t ip;
	struct ftsan_access access;
	uint64_t length_ns;
	uint64_t old_value;
	uint64_t new_value;
	bool has_values;
	bool has_new;
	bool held;
	bool cools;
	bool proven;
	struct ftsan_stack stack;
};

/* Counters of the allocation path; summed up when somebody asks. */
struct ftsan_thread_counts {
	_Atomic uint64_t seen;
	_Atomic uint64_t guarded;
	_Atomic uint64_t young; /* besides those seen, not guarded: young.h */
};

/* One writer: a plain add of an atomic that others only read. */
static inline void ftsan_thread_count(_Atomic uint64_t *counter)
{
	atomic_store_explicit(counter,
			      atomic_load_explicit(counter, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

/* The same of all threads, ended ones included. */
struct ftsan_thread_sums {
	uint64_t seen, guarded, young;
};

enum { FTSAN_BIRTHS = 256 };

/**
 * struct ftsan_births - arrays made since the outermost operation was entered
 * @incomplete: there may be more
 */
struct ftsan_births {
	uint32_t n;
	bool incomplete;
	uintptr_t headers[FTSAN_BIRTHS];
};

enum { FTSAN_INSIDE = 8 };

/* Shared arrays that the thread is inside operations on; other threads look, too. */
struct ftsan_inside {
	_Atomic uint32_t n; /* may be more than there is room for */
	_Atomic uintptr_t headers[FTSAN_INSIDE];
};

struct ftsan_thread {
	_Atomic int tid; /* 0: the record is free */
	uint32_t index;
	char name[FTSAN_THREAD_NAME];
	uint32_t n_magazine;
	uint32_t magazine[FTSAN_MAGAZINE];
	uint64_t looked; /* at the clock, after so many allocations */
	struct ftsan_young young;
	struct ftsan_thread_counts counts;
	struct ftsan_step step;
	struct ftsan_window window;
	struct ftsan_insn insn;
	struct ftsan_operation_frame *operation; /* innermost one; operation.h */
	uint32_t calls;				 /* of operations; for their serials */
	struct ftsan_operation_frame frames[FTSAN_OPERATION_DEPTH];
	struct ftsan_births births;
	struct ftsan_inside inside;
	uint32_t turn;		   /* of watching headers; numpy_header.c */
	struct ftsan_stack stack;  /* of the access being handled */
	struct ftsan_window rival; /* copy of the window it collided with */
	struct ftsan_watch watch;
	struct ftsan_recheck recheck;
	unsigned char *scratch; /* a page, for redirected stores */
};

/* The calling thread's record, once it has one; ftsan_thread_self() makes it. */
extern FTSAN_TLS struct ftsan_thread *ftsan_thread_mine;
struct ftsan_thread *ftsan_thread_attach(void);

/**
 * ftsan_thread_self() - the calling thread's record
 *
 * Inline, because every hook asks, some of them several times.
 *
 * Context: any thread, async-signal-safe; maps a record at the first call.
 * Return:  NULL when there are more than FTSAN_THREADS_MAX threads, or no memory.
 */
static inline struct ftsan_thread *ftsan_thread_self(void)
{
	struct ftsan_thread *mine = ftsan_thread_mine;

	return FTSAN_LIKELY(mine != NULL) ? mine : ftsan_thread_attach();
}

/* Other threads' records, for looking at; NULL when the index was never used. */
struct ftsan_thread *ftsan_thread_at(uint32_t index);

/* The thread ends: gives the record back. The magazine must be empty by now. */
void ftsan_thread_release(void);

/* Threads with a record now; an upper bound for threads that touched anything. */
uint32_t ftsan_threads_alive(void);
uint32_t ftsan_threads_seen(void);

/*
 * Is @thread, the caller's, a copy that no handler was told of: the process was split by
 * a raw clone, or is a vfork child? Then no other thread that the records name exists
 * here. Async-signal-safe.
 */
bool ftsan_thread_is_copy(const struct ftsan_thread *thread);

/* Reads the kernel's name of the thread into the record. Async-signal-safe. */
void ftsan_thread_read_name(struct ftsan_thread *thread);

/* fork child: forgets every other thread and all magazines, renews the own tid. */
void ftsan_thread_records_fork_child(void);

/* The counters begin anew. Counts of threads that run meanwhile may get lost. */
void ftsan_thread_counts_reset(void);

void ftsan_thread_counts_sum(struct ftsan_thread_sums *sums);

#endif
