/*
 * What two accesses of two threads to one word of a module's statics mean that were made
 * at the same time. Pure.
 *
 * That they were simultaneous is proven by then: one thread was held up right before its
 * store, and the other came. What has to be judged is whether C's atomics can explain
 * the pair: on x86-64 their plain loads and stores look like any other.
 */
#ifndef FTSAN_STATIC_PAIR_H
#define FTSAN_STATIC_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/access.h"
#include "rules/static_store.h"

enum ftsan_static_pair {
	FTSAN_PAIR_NOTHING,
	FTSAN_PAIR_HALF_ATOMIC, /* plain and plain on a word that atomics are used on */
	FTSAN_PAIR_SAME,	/* the same value, or the value that is there */
	FTSAN_PAIR_FLAG,	/* a word that is set once: nothing else goes with it */
	FTSAN_PAIR_PUBLISHED,	/* a pointer made once, and read: right on x86-64 only */
	FTSAN_PAIR_RELEASED,	/* what a call stores last, or under a lock, and a load */
	FTSAN_PAIR_ASKED,	/* the other one only asks whether there is a pointer */
	FTSAN_PAIR_DOUBLE,	/* both make it */
	FTSAN_PAIR_REFERENCE,	/* both store the same object, with a reference each */
	FTSAN_PAIR_LOST,	/* one of two updates is lost */
	FTSAN_PAIR_VALUE,	/* the same, unless it is an atomic */
	FTSAN_PAIR_REPLACED,	/* a pointer in use is replaced */
	FTSAN_PAIR_TORN,	/* one of several words that belong together */
};

/**
 * struct ftsan_static_pair_question - a store that was held up, and who came
 * @held, @met:  the accesses; @held stores. They overlap
 * @held_rmw, @met_rmw: the instruction reads what it stores to
 * @folds: the module's compiler changes in place what relaxed atomics load and store
 * @lock_free: the module's own code locks the bus for statics: it uses atomics
 * @atomic_word: the word was ever the target of a bus-locked instruction
 * @lock_functions: one of them is a lock's own, or under a guard
 * @interpreter: both are the interpreter's
 * @header:      the word is in the header of a static object
 * @old, @new:   of the held store, @has_new: @new is known
 * @met_new:     of the other one, if it stores and @met_has_new
 * @pointer:     @new is the address of memory
 * @counted:     what the held store puts there is a Python object whose references are
 *               counted: who stores the same one has taken one more
 * @reference:   a Python object whose references are counted gives way to something else
 * @call_words:  as in struct ftsan_static_facts, of words of one variable
 * @followed:    after this word a call was seen to store to others of its variable
 * @locked:      the held store is made under a lock of the module's own
 * @varies:      the word has held several values: that both store the same is chance
 * @met_tests_null: the other one loads a pointer and only compares it with NULL
 */
struct ftsan_static_pair_question {
	struct ftsan_access held, met;
	bool held_rmw, met_rmw;
	bool folds, lock_free;
	bool atomic_word;
	bool lock_functions;
	bool interpreter;
	bool header;
	bool has_new, met_has_new;
	uint64_t old, new, met_new;
	bool pointer, counted, reference;
	uint32_t call_words;
	bool followed;
	bool locked;
	bool varies;
	bool met_tests_null;
};

struct ftsan_static_pair_verdict {
	enum ftsan_static_pair pair;
	enum ftsan_grade grade;
};

struct ftsan_static_pair_verdict
ftsan_rule_static_pair(const struct ftsan_static_pair_question *question);

/* One sentence, "" where it is nothing. */
const char *ftsan_static_pair_danger(enum ftsan_static_pair pair);

#endif
