/*
 * Stalls: stores to watched words that are held up, each with its thread in a signal
 * handler, and how another thread gets hold of one. Lock-free, by each one's state; every
 * wait has an absolute deadline.
 *
 * Context of everything: async-signal-safe.
 */
#ifndef FTSAN_STALL_H
#define FTSAN_STALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "rules/rules.h"
#include "stacks/stacks.h"
#include "threads/threads.h"
#include "words/watchpoint.h"

enum ftsan_stall_state {
	FTSAN_STALL_FREE,    /* nobody's */
	FTSAN_STALL_FILLING, /* its thread's, and nobody else looks at it */
	FTSAN_STALL_OPEN,    /* its thread waits for somebody to come */
	FTSAN_STALL_CLAIMED, /* somebody is looking at it: its thread waits for the report
			      */
	FTSAN_STALL_SERVED,  /* the report is written: its thread may go on */
	FTSAN_STALL_LEFT,    /* its thread gave up waiting: who claimed it frees it */
};

/**
 * struct ftsan_stall - a store that is held up. Everything below the first four is
 * written in FILLING and read by others in FTSAN_STALL_CLAIMED.
 *
 * @state:   enum ftsan_stall_state; futex of the stalled thread
 * @object, @address, @word: (tag and length) of the word, for those who look for a stall
 *           without stopping its clock
 */
struct ftsan_stall {
	_Atomic uint32_t state;
	_Atomic uintptr_t object;
	_Atomic uintptr_t address;
	_Atomic uint64_t word;
	uint32_t thread;
	int tid;
	uintptr_t ip;
	struct ftsan_watchpoint point;
	uint64_t stored;
	bool changed, ordered;
	struct ftsan_access access;
	struct ftsan_stack stack;
};

/* One for the calling thread, FILLING; NULL: too many threads stall already. */
struct ftsan_stall *ftsan_stall_take(void);

/* FILLING, all of it filled in: those who look for stalls may find it, once it is OPEN.
 */
void ftsan_stall_show(struct ftsan_stall *stall);
void ftsan_stall_open(struct ftsan_stall *stall);

/**
 * ftsan_stall_hold() - the thread of an OPEN stall waits
 * @until: nobody has come by then; one that somebody has claimed waits longer
 *
 * Return: FILLING: nobody came; SERVED; LEFT: the stall is not the caller's any more.
 */
uint32_t ftsan_stall_hold(struct ftsan_stall *stall, uint64_t until);

void ftsan_stall_free(struct ftsan_stall *stall);

/* Another thread's stall at a word of @access, its clock stopped; NULL: none. */
struct ftsan_stall *ftsan_stall_claim(const struct ftsan_thread *thread,
				      const struct ftsan_access *access);

/* Claimed by the caller, who is done with it: OPEN or SERVED from now on. */
void ftsan_stall_give_back(struct ftsan_stall *stall, uint32_t state);

/* The stalled threads are the parent's. */
void ftsan_stalls_fork_child(void);

#endif
