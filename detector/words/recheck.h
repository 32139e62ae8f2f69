/*
 * Rechecks: has a word that an operation uses changed before the operation ended?
 *
 * The rung below watchpoints, for where the kernel refuses perf events, and for words
 * past the debug registers. Compared are the values at the operation's entry with those
 * at its end, and with what the scout reads meanwhile, a tenth of the time at most. Who
 * changed the word, and where, is not known: never more than probable, with the stack of
 * the operation that the word changed under. A value that is put back between two looks
 * is missed.
 *
 * A thread's operations nest; each registers its words in a level of its own, in the
 * thread's record. The scout reads them without a lock: the thread's sequence is odd
 * while they change, and what the scout notes names the generation of the level, so that
 * a note about an operation that has ended is never taken for one of the next.
 */
#ifndef FTSAN_RECHECK_H
#define FTSAN_RECHECK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "findings/findings.h"
#include "words/watchpoint.h"

struct ftsan_thread;

/**
 * struct ftsan_recheck_change - a word that changed
 * @point:   its value is the one at the operation's entry
 * @seen:    what it held later
 * @lasting: at the end, too; else the scout saw it in between
 */
struct ftsan_recheck_change {
	struct ftsan_watchpoint point;
	uint64_t seen;
	bool lasting;
};

/* Context: normal context of the operation's thread, at its end. */
typedef void (*ftsan_recheck_fn)(struct ftsan_thread *thread,
				 const struct ftsan_recheck_change *change);

/* Context: start-up. @changed: who judges and reports. Not called: no scout looks. */
void ftsan_recheck_init(ftsan_recheck_fn changed);

/**
 * ftsan_recheck_begin() - an operation is entered
 * @thread: the caller's record
 * @points: copied; readable until the operation ends. Values are taken now
 *
 * Context: normal context. Return: a handle for ftsan_recheck_end(); 0: nothing is
 * compared (no words, or more levels or words than there is room for, counted).
 */
unsigned ftsan_recheck_begin(struct ftsan_thread *thread,
			     const struct ftsan_watchpoint *points, unsigned n);

/*
 * It ends: calls the judge for each word that changed. Levels that were left without
 * (a longjmp) are dropped. Context: as above. Handle 0: nothing happens.
 */
void ftsan_recheck_end(struct ftsan_thread *thread, unsigned handle);

/* It was left without an end: nothing is compared. Context: as above. */
void ftsan_recheck_drop(struct ftsan_thread *thread, unsigned handle);

/* The outermost operation is about to begin: whatever is registered was left behind. */
void ftsan_recheck_reset(struct ftsan_thread *thread);

/* The other threads, and their operations, are the parent's. */
void ftsan_recheck_fork_child(void);

/* Are words looked at by the scout? Constant after start-up. */
bool ftsan_recheck_on(void);

/**
 * ftsan_recheck_scout() - look at the words of all threads for a while
 * @period_ns: of the scout; at most a tenth of it is spent, and 100 us
 *
 * Context: the scout. Returns at once when no operation is in progress.
 */
void ftsan_recheck_scout(uint64_t period_ns);

/**
 * ftsan_recheck_report() - write a change to the log
 * @incident: its kind (FTSAN_KIND_RACE or FTSAN_KIND_HAZARD, by ftsan_rule_recheck()),
 *            what the word is and the operation that it changed under are filled in, as
 *            far as they are known; the rest is filled here
 *
 * Context: normal context of the operation's thread, whose stack is the finding's.
 */
bool ftsan_recheck_report(struct ftsan_thread *thread,
			  const struct ftsan_recheck_change *change,
			  struct ftsan_incident *incident);

#endif
