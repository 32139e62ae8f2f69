/*
 * What a store to a static variable means when one thread alone was seen to make it.
 *
 * Nothing is proven by that: the rules grade what would happen if two threads did the
 * same. Pure functions over what was recorded of one word of a module's static data.
 */
#ifndef FTSAN_STATIC_STORE_H
#define FTSAN_STATIC_STORE_H

#include <stdbool.h>
#include <stdint.h>

/* How much a user should care; the order matters. */
enum ftsan_grade {
	FTSAN_GRADE_COUNTED, /* no hazard, but in the inventory */
	FTSAN_GRADE_LOW,
	FTSAN_GRADE_MEDIUM,
	FTSAN_GRADE_HIGH,
};

/* What kind of a word it is, judged by all stores to it so far. */
enum ftsan_static_class {
	/* Not hazards. */
	FTSAN_STATIC_NOTHING,	/* no store was judged yet */
	FTSAN_STATIC_IMPORT,	/* all stores below an import */
	FTSAN_STATIC_GUARD,	/* while a once or a C++ guard was held */
	FTSAN_STATIC_ATOMIC,	/* the word was the target of a bus-locked instruction */
	FTSAN_STATIC_LOCKED,	/* one lock common to all stores */
	FTSAN_STATIC_LOCKWORD,	/* part of a lock, stored to by the lock's functions */
	FTSAN_STATIC_INTERP,	/* by the interpreter or the loader */
	FTSAN_STATIC_HEADER,	/* the header of a static object */
	FTSAN_STATIC_UNDECIDED, /* which locks were held is not known */
	/* Hazards, by what goes wrong. */
	FTSAN_STATIC_SAME,	/* the value that was there */
	FTSAN_STATIC_FLAG,	/* a flag or a function of the module, set once */
	FTSAN_STATIC_INIT_ONE,	/* one pointer made when first needed */
	FTSAN_STATIC_INIT_MANY, /* several words made when first needed */
	FTSAN_STATIC_VALUE,	/* one word that keeps changing; it may be an atomic */
	FTSAN_STATIC_COUNTER,	/* one word that is counted up or down, and is none */
	FTSAN_STATIC_REPLACED,	/* a pointer in use gives way to another one */
	FTSAN_STATIC_TORN,	/* several words of one call keep changing */
};

/**
 * struct ftsan_static_facts - what is known of a word
 * @judged:      stores that need a reason: not below an import, not by the interpreter,
 *               not under a guard, not the lock functions' own
 * @imported, @guarded, @lock_functions, @foreign, @headers: stores that don't, by reason
 * @atomic:      the word was ever the target of a bus-locked instruction
 * @common_lock: one lock was held at every judged store, taken anew or inside of the call
 * @lock_unknown: a page with lock words of the module was not sealed at some store
 * @same:        of @judged: stored what was there
 * @from_null, @to_null: 0 became something, something became 0
 * @changed:     something else became something else
 * @old_pointer, @new_pointer: both values of a change looked like addresses of memory
 * @new_text:    it points to code of a module
 * @rmw:         some store's instruction reads what it stores to, and locks nothing: no
 *               atomic of C is that
 * @call_words:  most words that one function stored to in one call
 * @repeated_call_words: the same where none of the words was 0 before
 * @detached:    some store was made by a thread that is not attached to the interpreter
 * @gil:         the build has a GIL, which orders the stores of attached threads
 * @claims_safe: the module says that it does without the GIL (and the build can)
 */
struct ftsan_static_facts {
	uint32_t judged;
	uint32_t imported, guarded, lock_functions, foreign, headers;
	bool atomic;
	bool common_lock;
	bool lock_unknown;
	uint32_t same, from_null, to_null, changed;
	bool old_pointer, new_pointer, new_text;
	bool rmw;
	uint32_t call_words;
	uint32_t repeated_call_words;
	bool detached;
	bool gil;
	bool claims_safe;
};

struct ftsan_static_verdict {
	enum ftsan_static_class class;
	enum ftsan_grade grade;
};

/*
 * Locks only grade: they say nothing about a race. A store with the thread detached is
 * one grade worse, because the GIL would not order it either; one of a module that does
 * not claim to do without the GIL is one grade better, because it never ran without. What
 * the GIL of this build orders is low: another build of the module may be other code.
 */
struct ftsan_static_verdict ftsan_rule_static(const struct ftsan_static_facts *facts);

/* "replaced", ..., as the log has it. */
const char *ftsan_static_class_name(enum ftsan_static_class class);
/* "high", "medium", "low", "counted". */
const char *ftsan_grade_name(enum ftsan_grade grade);
/* One sentence each: what two threads do to each other, and what helps. "" for classes
 * that are no hazards. */
const char *ftsan_static_danger(enum ftsan_static_class class);
const char *ftsan_static_advice(enum ftsan_static_class class);

/**
 * struct ftsan_static_lock - a lock that was held at a store
 * @address: which
 * @serial:  which time it was taken, 0: unknown
 * @inside:  taken by code of the module's own package
 * @recent:   taken a moment ago, or further up in a call that has not returned
 */
struct ftsan_static_lock {
	uintptr_t address;
	uint32_t serial;
	bool inside;
	bool recent;
};

enum { FTSAN_STATIC_LOCKS = 4 };

/**
 * struct ftsan_static_lockset - locks common to the stores to a word so far
 * @stores: stores taken in; 0: nothing is known
 */
struct ftsan_static_lockset {
	uint32_t stores;
	uint8_t n;
	struct ftsan_static_lock locks[FTSAN_STATIC_LOCKS];
};

/*
 * Takes in one more store, made under @held. What stays was held every time and counts
 * as the word's own: taken by its own package, and either anew since the store before, or
 * so lately that it belongs to the call. A lock that somebody took around everything
 * (a test runner's) goes.
 */
void ftsan_rule_static_locks(struct ftsan_static_lockset *set,
			     const struct ftsan_static_lock *held, unsigned n);

#endif
