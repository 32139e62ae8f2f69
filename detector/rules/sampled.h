/*
 * Rules of the sampler: what two accesses mean that were caught at the same time, one
 * thread held before its own, the other having made its own meanwhile. Pure.
 *
 * That the two are simultaneous is certain. What is not is whether they are plain: on
 * x86-64 a C11 load or store of any order but a sequentially consistent store is a plain
 * mov. So an overlap is a finding where something shows that the word is none of an
 * atomic type (enum ftsan_plain_proof), and "possibly atomic" otherwise.
 *
 * A flag that every thread sets to the same value is a race by the letter, and harmless
 * on every processor that there is. It is no finding of its own, unless what is stored is
 * made of what was loaded: then another thread's change is undone by it; or unless the
 * instruction stores other values, too: then it was the same by chance. Nor is a word
 * that threads store to and that nobody was ever seen to load, or one that a thread only
 * asks for being NULL while another puts a pointer in the place of a pointer.
 */
#ifndef FTSAN_RULES_SAMPLED_H
#define FTSAN_RULES_SAMPLED_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How an instruction accesses its operand. gcc (seen with 12 to 14) makes every atomic
 * load and store a mov of its own; clang folds relaxed ones into arithmetic.
 */
enum ftsan_access_form {
	FTSAN_ACCESS_MOVE, /* as for an atomic: a plain move of at most 8 bytes, a call */
	FTSAN_ACCESS_FOLDED,  /* an operand of arithmetic, or changed in place */
	FTSAN_ACCESS_WIDE,    /* more than 8 bytes, or a string: no compiler's atomic */
	FTSAN_ACCESS_UNKNOWN, /* not decoded: proves nothing */
};

/**
 * struct ftsan_sampled_side - one of the two accesses
 * @reads, @writes: both false: not known
 * @form:      of the instruction
 * @unaligned: by address and size
 * @updates:   it changes in place, or stores shortly after the same code has loaded the
 *             word: what it stores comes from what was there
 * @same:      it stores the value that was there already
 * @varies:    the same instruction was seen to store other ones there, while others used
 *             the object
 * @ignores:   bits of the loaded value that are not used; 0: all may be
 * @changes:   bits that its store changes, where @changes_known
 * @locked:    it locks the bus
 * @folds:     its module was made by a compiler that folds atomics (clang, rustc), or by
 *             nobody knows which
 * @lock_free: its module has instructions that lock-free code is made of
 * @libc:      it is libc's memcpy or the like: never an atomic access
 * @interpreter: it is CPython's own code
 * @tests_null: it loads, and what it loads is looked at for being NULL only
 * @stores_one: what it stores is known, and not 0
 */
struct ftsan_sampled_side {
	bool reads, writes;
	enum ftsan_access_form form;
	bool unaligned;
	bool updates;
	bool same, varies;
	bool changes_known;
	uint64_t ignores, changes;
	bool locked;
	bool folds;
	bool lock_free;
	bool libc;
	bool interpreter;
	bool tests_null, stores_one;
};

/**
 * struct ftsan_sampled_question - the pair, and what is known of the word
 * @held, @other: the two accesses
 * @plain_before: an access was seen to the same field, at whatever time, that no
 *           compiler makes for an atomic
 * @updated_before: by CPython's own code the field was changed in place
 * @read_before: a load of the field was seen, at whatever time
 * @reference: the word held a reference to a Python object before
 * @changed:  it held something else afterwards
 * @global:   it is a static; @pointers: it held the address of memory before and after
 * @whole:    all bytes of the held access, not the watched word alone, are what they were
 *            before the other thread's access, which has been made
 * @before, @after: the values of the watched word, zero-extended; @size: its bytes
 */
struct ftsan_sampled_question {
	struct ftsan_sampled_side held, other;
	bool plain_before;
	bool updated_before;
	bool read_before;
	bool reference;
	bool changed;
	bool global, pointers;
	bool whole;
	uint64_t before, after;
	uint8_t size;
};

/* What shows that the word is no atomic. In the order of their strength. */
enum ftsan_plain_proof {
	FTSAN_PROOF_NONE,
	FTSAN_PROOF_PAIR,  /* one of the two accesses is not one of an atomic's forms */
	FTSAN_PROOF_FIELD, /* such an access was seen to the same field */
	FTSAN_PROOF_REFERENCE, /* a reference was replaced, which a mov can't do safely */
	FTSAN_PROOF_MODULE,    /* neither side's module has any lock-free code, and it is
				  not as with a flag (sampled.c) */
};

enum ftsan_sampled_verdict {
	FTSAN_SAMPLED_NOTHING,
	FTSAN_SAMPLED_POSSIBLY_ATOMIC,
	FTSAN_SAMPLED_HARMLESS, /* the value that is there is stored again, or nobody
				   looks */
	FTSAN_SAMPLED_RACE,
};

/* Could no compiler have made this access for an atomic? */
bool ftsan_rule_plain(const struct ftsan_sampled_side *side);

enum ftsan_sampled_verdict
ftsan_rule_sampled(const struct ftsan_sampled_question *question,
		   enum ftsan_plain_proof *proof);

/* What could go wrong, as one sentence without its full stop. Static text. */
const char *ftsan_rule_sampled_harm(const struct ftsan_sampled_question *question);

/* "one of the two accesses is not an atomic's": for the report. Static text. */
const char *ftsan_plain_proof_name(enum ftsan_plain_proof proof);

#endif
