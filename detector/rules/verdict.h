/* What makes something a finding. Pure. */
#ifndef FTSAN_VERDICT_H
#define FTSAN_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/access.h"

/* What an adapter calls one thing: two accesses to it at the same time are a race. */
enum ftsan_extent {
	FTSAN_EXTENT_BYTES, /* the bytes themselves: dims and strides */
	FTSAN_EXTENT_WHOLE, /* the whole buffer: a Cython code cache */
};

/* Do the byte ranges of two accesses overlap? Empty ranges never do. */
bool ftsan_rule_overlap(const struct ftsan_access *a, const struct ftsan_access *b);

/**
 * ftsan_rule_race() - are two simultaneous accesses of two threads a data race?
 * @extent: the adapter's word
 *
 * The caller has seen that they are simultaneous: one thread was held in the middle of
 * its access while the other performed its own, so nothing can have ordered them.
 * A lock-prefixed access on either side means that the code synchronises this memory by
 * atomics, where plain moves can be atomic loads and stores of C11: no race then.
 * A free is a write to the whole buffer.
 */
bool ftsan_rule_race(enum ftsan_extent extent, const struct ftsan_access *a,
		     const struct ftsan_access *b);

/**
 * struct ftsan_hazard_question - a store to an array's metadata inside an operation
 * @is_argument: the array was given to the innermost operation of this thread
 * @mutator:     that operation is documented to change it
 * @fresh:       the array may be younger than the outermost operation of this thread:
 *               then it may be the operation's own work, that nobody else has seen
 * @points_here: the array still uses the memory that was stored to
 * @output_flags: what changed are the flags of an array that the operation was given to
 *               write to. Documented: an output that can't be written to directly is
 *               read-only until the call is through (WRITEBACKIFCOPY), and a first write
 *               switches a warning off
 * @locked:      the word is one that is used under the array's own lock, which is taken
 * @unchanged:   the value is the one that was there
 * @importing:   a module is being imported by this thread. What its code makes nobody
 *               else has seen, nor can the user do anything about it: a store that
 * changes nothing waits to be told until the operation is used outside of imports
 */
struct ftsan_hazard_question {
	bool is_argument;
	bool mutator;
	bool fresh;
	bool points_here;
	bool output_flags;
	bool locked;
	bool unchanged;
	bool importing;
};

/*
 * Would the store race if a second thread used the array? Reference counts say nothing
 * about that: whoever called can hand the array to another thread at any time.
 */
bool ftsan_rule_hazard(const struct ftsan_hazard_question *question);

/**
 * ftsan_rule_store_counts() - can a store be a finding at all?
 * @changed: it has changed the value
 * @proven:  its instruction is known to store to the word
 * @lost_updates: stores that change nothing are asked for
 *
 * A store of the value that is there takes back what another thread has stored since the
 * value was read.
 */
bool ftsan_rule_store_counts(bool changed, bool proven, bool lost_updates);

/*
 * Whether the access that hit a watchpoint of a word was a load or a store. Where loads
 * hit, too, the processor does not say: the value does, as far as it can.
 * @reads:  loads hit, too
 * @known:  what the word held when the thread looked last
 * @now:    what it holds after the access
 * @stored: what another thread, held up at the word, has stored there
 */
enum ftsan_role ftsan_rule_word_role(bool reads, uint64_t known, uint64_t now,
				     uint64_t stored);

/**
 * struct ftsan_word_question - what a store to a watched word that is held up has met
 * @held:    the store; its thread has done nothing since
 * @changed: it stored something else than what was there
 * @met:     another thread's access to the word during or just before that time: it
 *           has done nothing since, either. NULL: none
 * @inside:  another thread was inside an operation on the same object at that time
 * @waits:   and was not running: it may wait for a lock that the held thread holds
 */
struct ftsan_word_question {
	struct ftsan_access held;
	bool changed;
	const struct ftsan_access *met;
	bool inside;
	bool waits;
};

enum ftsan_word_verdict {
	FTSAN_WORD_NOTHING,
	FTSAN_WORD_PROBABLE,
	FTSAN_WORD_CONFIRMED,
};

/*
 * A store of the value that was there already (NumPy brings array flags up to date where
 * nothing is out of date) harms nobody who reads. It takes back what another thread has
 * stored, so it counts where it meets a store.
 */
enum ftsan_word_verdict ftsan_rule_word(const struct ftsan_word_question *question);

/**
 * struct ftsan_recheck_question - what a word that changed during an operation means
 * @others:    other threads are inside an operation on the same object
 * @exclusive: the operation is known to change its object: a documented mutator. The
 *             others may be waiting for it, and one that is not sees the change, too
 * @latent:    findings need no second thread
 */
struct ftsan_recheck_question {
	bool others;
	bool exclusive;
	bool latent;
};

enum ftsan_recheck_verdict {
	FTSAN_RECHECK_NOTHING,
	FTSAN_RECHECK_HAZARD,
	FTSAN_RECHECK_RACE,
};

/* Who changed the word is not known: never more than probable. */
enum ftsan_recheck_verdict
ftsan_rule_recheck(const struct ftsan_recheck_question *question);

#endif
