/*
 * Which of the accesses that the sampler sees is worth holding a thread for. Pure.
 */
#ifndef FTSAN_RULES_DELAY_H
#define FTSAN_RULES_DELAY_H

#include <stdbool.h>
#include <stdint.h>

/* What is known of a word's users. */
enum ftsan_word_use {
	FTSAN_USE_PRIVATE, /* one thread, as far as was seen */
	FTSAN_USE_SHARED,  /* several, and nobody was seen to write */
	FTSAN_USE_SHARED_WRITTEN,
};

/**
 * struct ftsan_delay_question - an access that may be held up
 * @use:       of the word, this access included
 * @writes:    it stores
 * @foreign:   the memory is another thread's or everybody's (ftsan_memory_is_foreign())
 * @state:     it is the interpreter's access to what is no object, or a code object's
 *            counter: its own state, mostly, which it keeps in order by atomics
 * @turns:     threads take turns, and it is the calling one's: it holds the GIL, so that
 *            holding it up stops the others
 * @fruitless: times that a thread was held in vain for the word, or at the instruction
 * @tokens:    delays that may be made now; @burst: most of them
 * @spent_ns, @elapsed_ns: time that delays took, and run time, both so far
 * @ahead_ns:  what a run that has just begun may spend, more than others may
 * @threads:   of the program
 * @budget_percent: most of all threads' run time that delays may take
 */
struct ftsan_delay_question {
	enum ftsan_word_use use;
	bool writes;
	bool foreign;
	bool state;
	bool turns;
	uint32_t fruitless;
	uint32_t tokens, burst;
	uint64_t spent_ns, elapsed_ns, ahead_ns;
	uint32_t threads;
	uint32_t budget_percent;
};

/*
 * Words that two threads use come first: private ones get what is left over. A word that
 * has been waited for in vain again and again waits longer each time.
 */
bool ftsan_rule_delay(const struct ftsan_delay_question *question);

/*
 * How many times longer is it worth to wait on a busy machine, where the others hardly
 * run meanwhile? Not at all in a run that has just begun, and may be over soon: there,
 * many words are worth more than much time for each, unless it may spend some ahead.
 */
uint32_t ftsan_rule_longer(const struct ftsan_delay_question *question);

/* Is its instruction to be seen again soon? */
bool ftsan_rule_interesting(const struct ftsan_delay_question *question);

#endif
