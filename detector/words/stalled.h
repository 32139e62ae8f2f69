/* What others may ask of the stores that are held up (stall.h). */
#ifndef FTSAN_STALLED_H
#define FTSAN_STALLED_H

#include <stdbool.h>
#include <stdint.h>

#include "words/watchpoint.h"

/**
 * ftsan_word_stalled() - is some thread held up at a store to a word of @object?
 * @out: that word, to be armed for loads, too
 *
 * For a thread that enters an operation on the object. Normal context; cheap when there
 * is no stall anywhere.
 */
bool ftsan_word_stalled(uintptr_t object, struct ftsan_watchpoint *out);

/* Is any thread held up at a store to a word? A hint. Any context. */
bool ftsan_word_stalled_any(void);

#endif
