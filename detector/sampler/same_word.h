/*
 * Which sites touch the same word: so that, where no watchpoint can be had, the other
 * thread is caught by a site of its own. Private to the room.
 *
 * Tables of fixed size where the newer entry wins. Any thread, async-signal-safe.
 */
#ifndef FTSAN_SAMPLER_SAME_WORD_H
#define FTSAN_SAMPLER_SAME_WORD_H

#include <stdint.h>

#include "sampler/site.h"

/**
 * struct ftsan_same - what an access is to
 * @word:   ftsan_words_key()
 * @around: of one by an index: ftsan_words_around_key(), whichever item it is; else 0
 */
struct ftsan_same {
	uint64_t word, around;
};

/* The site has touched that. */
void ftsan_same_word_note(const struct ftsan_same *same,
			  struct ftsan_sample_module *module,
			  struct ftsan_sample_site *site);

/* Arms all that are known to touch it. */
void ftsan_same_word_arm(const struct ftsan_same *same);

#endif
