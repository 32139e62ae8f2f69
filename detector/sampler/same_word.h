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

/* The site has touched the word called @key (ftsan_words_key()). */
void ftsan_same_word_note(uint64_t key, struct ftsan_sample_module *module,
			  struct ftsan_sample_site *site);

/* Arms all that are known to touch it. */
void ftsan_same_word_arm(uint64_t key);

#endif
