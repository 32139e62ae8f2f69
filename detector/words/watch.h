/*
 * The watchpoint engine: each thread has the processor watch up to four words for it,
 * and is told of each of its own stores to them (and loads, where asked for).
 *
 * For words that no page protection can guard, because they share a cache line with
 * something that is written all the time: an object's header. Of other threads' accesses
 * nothing is seen; they have watchpoints of their own.
 *
 * SIGTRAP is queued once only: of an instruction that touches two watched words one hit
 * arrives, and none of an instruction that is single-stepped.
 *
 *   watch_perf.c  one watchpoint on a descriptor
 *   watch_slot.c  one of a thread
 *   watch_start.c whether it works here
 *   watch.c       what a thread watches, and its hits
 *   word_race.c   what a hit means
 *   recheck.c     the next rung, where the kernel refuses perf events
 *
 * Costs, measured on a virtual machine, whose debug registers are dear: aiming one word
 * 4 us, resting it 0.7 us, a hit 18 us; a set that is watched already costs 0.4 us. A
 * thread switch loads the registers of what is armed, parked words included.
 */
#ifndef FTSAN_WATCH_H
#define FTSAN_WATCH_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "words/watchpoint.h"

struct ftsan_thread;

enum {
	/* Hits of a word after which it is left alone until it is armed anew: a loop
	 * over one store must not cost 18 us a round. */
	FTSAN_WATCH_HITS = 8,
};

/**
 * ftsan_watch_init() - look whether the kernel and the processor do it
 *
 * Proof of life: opens an event on a word of ours, stores to it, and has to see the
 * trap; once more for loads, and none when resting.
 *
 * Context: start-up of the process; SIGTRAP must lead to ftsan_watch_trap().
 * Return:  0; -errno of perf_event_open, -EIO when nothing trapped: then nothing is ever
 *          armed, and ftsan_watch_name() says why.
 */
int ftsan_watch_init(void);

/* It works in this process. Any context. */
bool ftsan_watch_active(void);

/* ftsan_rule_aim() of this process. Where nothing is aimed there is time. Any context. */
bool ftsan_watch_has_time(bool first);

/* Accesses from [begin, end) are ftsan's own and no hits. Context: start-up. */
void ftsan_watch_set_own_text(uintptr_t begin, uintptr_t end);
bool ftsan_watch_is_own_text(uintptr_t pc);

/*
 * So many of each thread's registers are another engine's (the sampler's): a thread has
 * the others only. Context: start-up, before the first word is armed.
 */
void ftsan_watch_reserve(unsigned registers);

/*
 * How many words can be watched for @thread at a time, as far as is known: what is
 * reserved is not there, nor what the kernel has refused. From 1 to FTSAN_WATCH_WORDS.
 * Any context.
 */
unsigned ftsan_watch_registers(const struct ftsan_thread *thread);

/* NULL: hits are only counted. Context: start-up. */
void ftsan_watch_set_handler(ftsan_watch_hit_fn hit);

/**
 * ftsan_watch_arm() - watch exactly these words for the calling thread
 * @thread: the caller's record
 * @points: copied; what is watched already stays, at no cost
 * @n:      at most FTSAN_WATCH_WORDS
 *
 * The words must be readable. Opens events as they are needed; where the kernel gives no
 * more, or hits take too much of the run time (ftsan_rule_watch()), fewer are armed
 * (counted). Nothing is armed in a vfork child or after a raw clone.
 *
 * Context: normal context of that thread.
 * Return:  how many are armed; ftsan_watch_holds() tells which.
 */
unsigned ftsan_watch_arm(struct ftsan_thread *thread,
			 const struct ftsan_watchpoint *points, unsigned n);

/*
 * From now on nothing is armed, or everything may be again. What threads have armed they
 * end by themselves (ftsan_watch_thread_end()). Any context.
 */
void ftsan_watch_halt(bool halt);

/* Ends it. Context: as above. */
void ftsan_watch_disarm(struct ftsan_thread *thread);

/*
 * Hits are ignored from now on, but the processor still watches: arming the same words
 * next is nearly free. A word that is hit meanwhile is rested then. Context: as above.
 */
void ftsan_watch_park(struct ftsan_thread *thread);

/* Is any word armed for @thread, the caller's? Async-signal-safe. */
bool ftsan_watch_any(const struct ftsan_thread *thread);

/* Is the word at @address watched for @thread, the caller's? Async-signal-safe. */
bool ftsan_watch_holds(const struct ftsan_thread *thread, uintptr_t address);

/**
 * ftsan_watch_trap() - SIGTRAP
 *
 * Context: the handler, before anybody else.
 * Return:  true when it was a watchpoint of ours, stale or not; false: another event's.
 */
bool ftsan_watch_trap(const siginfo_t *info, void *ucontext);

/* The thread ends: closes its descriptors. Context: normal context of that thread. */
void ftsan_watch_thread_end(struct ftsan_thread *thread);

/* The child of a fork: inherited descriptors are the parent's events and are closed. */
void ftsan_watch_fork_child(void);

#endif
